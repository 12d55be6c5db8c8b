"""What becomes of an operator's results: scale and shift, a shortcut that is added, an activation that clips.

results * scale + shift (+ other) = sum, and clip(sum, low, high) is all that anything later sees of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.fitting.linear import Linear, Rows
from graphprune.ir import is_default_domain, read

Numbers = NDArray[np.float64]
_SMALL = 1e-6


@dataclass(frozen=True, eq=False)
class Downstream:
    """The way of the results.

    Attributes:
        other: the name of what is added to them, or ''.
        sum: the name of the tensor behind scale, shift and addition; the results' own where there is none.
        scale: by output channel of all blocks, or one number.
        shift: likewise.
        low: what is below is clipped by the activation that alone reads the sum; -inf without one.
        high: likewise above.
        blocks: blocks of the operator.
    """

    other: str
    sum: str
    scale: Numbers
    shift: Numbers
    low: float
    high: float
    blocks: int

    @property
    def clips(self) -> bool:
        """Whether an activation clips the sum."""
        return bool(np.isfinite(self.low) or np.isfinite(self.high))

    def results(self, value: Rows | float, other: Rows | float, outputs: int) -> NDArray[np.float32]:
        """Return the results that lead to `value` with `other` added: [blocks, rows or 1, outputs].

        Channels with next to no scale, which no results can change, are treated as if they had scale 1.
        """
        scale, shift = (np.broadcast_to(x, (self.blocks * outputs,)) for x in (self.scale, self.shift))
        scale = np.where(np.abs(scale) < _SMALL, 1.0, scale).reshape(self.blocks, 1, -1)
        with np.errstate(invalid="ignore"):
            return ((value - other - shift.reshape(self.blocks, 1, -1)) / scale).astype(np.float32)

    def bounds(self, other: Rows | float, outputs: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return between which results the activation lets differences through; shapes as of `results`."""
        ends = [self.results(end, other, outputs) for end in (self.low, self.high)]
        return np.minimum(*ends), np.maximum(*ends)


def downstream(graph: gs.Graph, it: Linear, later: Collection[int] = ()) -> Downstream:
    """Return what becomes of the operator's results, as far as nothing else reads them on the way.

    Args:
        graph: the graph.
        it: one of its operators.
        later: identities of nodes that are not to be relied on yet; a shortcut that comes from one of them,
            or from the operator itself, is not followed.
    """
    open_ = {*later, id(it.node)}
    scale, shift, other, low, high = np.ones(1), np.zeros(1), "", -np.inf, np.inf
    outputs = {tensor.name for tensor in graph.outputs}
    tensor = (it.node if it.bias is None else it.bias[0]).outputs[0]
    while tensor.name not in outputs and len(tensor.outputs) == 1:
        node: gs.Node = tensor.outputs[0]
        if not is_default_domain(node):
            break
        if node.op == "BatchNormalization" and it.target_dim == 1 and not other:
            found = _norm(node)
            if found is None:
                break
            scale, shift = scale * found[0], shift * found[0] + found[1]
        elif node.op == "Add" and not other:
            others = [operand for operand in node.inputs if operand is not tensor]
            if len(others) != 1 or isinstance(others[0], gs.Constant) or _depends(others[0], open_):
                break
            other = others[0].name
        elif (clip := _clip(node)) is not None:
            low, high = clip
            break
        elif node.op not in ("Identity", "Dropout"):
            break
        tensor = node.outputs[0]
    return Downstream(other, tensor.name, scale, shift, low, high, it.blocks)


def _norm(node: gs.Node) -> tuple[Numbers, Numbers] | None:
    """Return scale and shift of a batch norm that has been trained."""
    fixed = [operand for operand in node.inputs[1:5] if isinstance(operand, gs.Constant)]
    if len(fixed) != 4 or node.attrs.get("training_mode", 0) or len([t for t in node.outputs if t.name]) != 1:
        return None
    gain, bias, mean, variance = (read(operand).astype(np.float64) for operand in fixed)
    gain = gain / np.sqrt(variance + float(node.attrs.get("epsilon", 1e-5)))
    return gain, bias - mean * gain


def _clip(node: gs.Node) -> tuple[float, float] | None:
    """Return the bounds of an activation that clips and else changes nothing, or None."""
    if node.op == "Relu":
        return 0.0, np.inf
    if node.op != "Clip":
        return None
    ends = [float(node.attrs.get("min", -np.inf)), float(node.attrs.get("max", np.inf))]
    for slot, operand in enumerate(node.inputs[1:3]):
        if isinstance(operand, gs.Constant):
            ends[slot] = float(read(operand).reshape(-1)[0])
        elif operand.name:
            return None
    return ends[0], ends[1]


def _depends(tensor: gs.Tensor, nodes: Collection[int]) -> bool:
    """Whether `tensor` is computed from what one of the nodes computes."""
    seen: set[int] = set()
    stack = [tensor]
    while stack:
        for maker in stack.pop().inputs:
            if id(maker) in nodes:
                return True
            if id(maker) not in seen:
                seen.add(id(maker))
                stack.extend(operand for operand in maker.inputs if not isinstance(operand, gs.Constant))
    return False
