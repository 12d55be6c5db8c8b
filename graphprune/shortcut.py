"""Where the results of an operator are added to a shortcut, and how to get from the sum back to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.ir import is_default_domain, read
from graphprune.linear import Linear, Rows

Numbers = NDArray[np.float64]
_SMALL = 1e-6


@dataclass(frozen=True, eq=False)
class Shortcut:
    """results * scale + shift + other = sum, output channel by output channel.

    Attributes:
        other: the name of what is added.
        sum: the name of the sum.
        scale: by output channel, [outputs of all blocks], or one number.
        shift: likewise.
        blocks: blocks of the operator.
    """

    other: str
    sum: str
    scale: Numbers
    shift: Numbers
    blocks: int

    def before_sum(self, rest: Rows) -> Rows:
        """Return what the results must be for `rest` = sum - other; [blocks, rows, outputs].

        Channels with next to no scale, which no results can change, are left as they are asked for.
        """
        scale, shift = (np.broadcast_to(x, (self.blocks * rest.shape[2],)) for x in (self.scale, self.shift))
        scale = np.where(np.abs(scale) < _SMALL, 1.0, scale).reshape(self.blocks, 1, -1)
        return ((rest - shift.reshape(self.blocks, 1, -1)) / scale).astype(np.float32)


def shortcut(graph: gs.Graph, it: Linear) -> Shortcut | None:
    """Return the sum that the operator's results go to, through batch norms and the like, and nothing else.

    None where there is none, or where what is added comes from the operator itself.
    """
    scale, shift = np.ones(1), np.zeros(1)
    outputs = {tensor.name for tensor in graph.outputs}
    tensor = (it.node if it.bias is None else it.bias[0]).outputs[0]
    while tensor.name not in outputs and len(tensor.outputs) == 1:
        node = tensor.outputs[0]
        if not is_default_domain(node):
            return None
        if node.op == "BatchNormalization" and it.target_dim == 1:
            if not all(isinstance(operand, gs.Constant) for operand in node.inputs[1:5]):
                return None
            if node.attrs.get("training_mode", 0) or len([t for t in node.outputs if t.name]) != 1:
                return None
            gain, bias, mean, variance = (
                read(operand).astype(np.float64)
                for operand in node.inputs[1:5]
                if isinstance(operand, gs.Constant)
            )
            gain = gain / np.sqrt(variance + float(node.attrs.get("epsilon", 1e-5)))
            scale, shift = scale * gain, shift * gain + bias - mean * gain
        elif node.op == "Add":
            others = [operand for operand in node.inputs if operand is not tensor]
            if len(others) != 1 or isinstance(others[0], gs.Constant):
                return None
            if _depends(others[0], it.node):
                return None
            return Shortcut(others[0].name, node.outputs[0].name, scale, shift, it.blocks)
        elif node.op not in ("Identity", "Dropout"):
            return None
        tensor = node.outputs[0]
    return None


def _depends(tensor: gs.Tensor, node: gs.Node) -> bool:
    """Whether `tensor` is computed from what `node` computes."""
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        for maker in stack.pop().inputs:
            if maker is node:
                return True
            if id(maker) not in seen:
                seen.add(id(maker))
                stack.extend(operand for operand in maker.inputs if not isinstance(operand, gs.Constant))
    return False
