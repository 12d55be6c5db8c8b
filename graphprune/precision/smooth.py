"""Models without the rounding between their operators.

Sums that are taken in another order differ in their last digits, and where a value is then rounded to 16 or 8
bits, such a difference may become a whole step. What two models compute in float32, with nothing rounded on
the way, tells whether they are the same but for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune.duplicate import duplicate, fresh_name, names_of
from graphprune.feeds import inputs_of
from graphprune.ir import constants, is_default_domain, read, subgraphs
from graphprune.model import Model
from graphprune.precision.recast import recast
from graphprune.precision.types import element_types
from graphprune.rewire import redirect, set_input, set_output

_FLOAT = int(TensorProto.FLOAT)
ROUNDING: Mapping[int, float] = {
    int(TensorProto.FLOAT16): 2e-2,
    int(TensorProto.BFLOAT16): 1e-1,
    int(TensorProto.INT8): 1e-1,
    int(TensorProto.UINT8): 1e-1,
}
"""Element types that activations are rounded to, and the relative L2 difference that this may make."""
_LOW = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
_CLIP = 11
"""The first operator set whose Clip has its bounds as inputs."""


def rounding(model: Model) -> float:
    """Return how much rounding between operators may change outputs (relative L2); 0 where there is none."""
    types = element_types(model.graph)
    found = [ROUNDING.get(types.get(t.name, 0), 0.0) for node in model.graph.nodes for t in node.outputs]
    return max(found, default=0.0)


def smoothed(model: Model) -> Model | None:
    """Return `model` in float32 without rounding, and None for models with control flow.

    Constants are what they are; what is quantised and dequantised at once, by one scale, is only clipped to
    the range. Inputs and outputs of the graph keep their types.
    """
    if any(True for node in model.graph.nodes for _ in subgraphs(node)):
        return None
    graph = duplicate(model.graph)
    _Smoothing(graph, element_types(model.graph)).run()
    return replace(model, graph=graph)


class _Smoothing:
    def __init__(self, graph: gs.Graph, types: Mapping[str, int]) -> None:
        self.graph, self.types = graph, types
        self.names = names_of(graph)

    def run(self) -> None:
        """Rewrite the graph."""
        for constant in list(constants(self.graph)):
            if self._is_low(constant):
                redirect(constant, recast(constant, constant.name, _FLOAT))
        for node in list(self.graph.nodes):
            self._retype(node)
            if node.op == "QuantizeLinear" and self.graph.opset >= _CLIP:
                self._clip(node)
        nodes = [self._entrance(tensor) for tensor in inputs_of(self.graph) if self._is_low(tensor)]
        outputs = {id(tensor) for tensor in self.graph.outputs}
        for node in list(self.graph.nodes):
            nodes.append(node)
            for slot, tensor in enumerate(list(node.outputs)):
                if self._is_low(tensor) and id(tensor) in outputs:
                    nodes.append(self._exit(node, slot, tensor))
                elif self._is_low(tensor) and isinstance(tensor, gs.Variable):
                    tensor.dtype = np.dtype(np.float32)
        self.graph.nodes = nodes

    def _retype(self, node: gs.Node) -> None:
        """Make the attributes that name a type of 16 bits name float32."""
        for name in ("to", "dtype"):
            if is_default_domain(node) and node.attrs.get(name) in _LOW:
                node.attrs[name] = _FLOAT
        value = node.attrs.get("value")
        if isinstance(value, gs.Constant) and node.op == "ConstantOfShape" and value.dtype.itemsize == 2:
            node.attrs["value"] = recast(value, value.name, _FLOAT)

    def _clip(self, node: gs.Node) -> None:
        """Let what is quantised and dequantised at once be clipped alone."""
        scale, zero = _numbers(node)
        readers = list(node.outputs[0].outputs)
        if scale is None or zero is None or not readers or self._is_output(node.outputs[0]):
            return
        for reader in readers:
            other, point = _numbers(reader)
            if reader.op != "DequantizeLinear" or reader.inputs[0] is not node.outputs[0]:
                return
            if other is None or point is None or other != scale or point != zero:
                return
        info = np.iinfo(zero.dtype)
        low, high = ((bound - float(zero)) * float(scale) for bound in (info.min, info.max))
        made = gs.Variable(
            fresh_name(f"{node.outputs[0].name}_clipped", self.names), np.dtype(np.float32), None
        )
        bounds = [
            gs.Constant(fresh_name(made.name, self.names), np.array(bound, np.float32))
            for bound in (low, high)
        ]
        for slot in (2, 1):
            if slot < len(node.inputs):
                set_input(node, slot, bounds[slot - 1])
            else:
                node.inputs.append(bounds[slot - 1])
        node.op, node.attrs = "Clip", {}
        set_output(node, 0, made)
        for reader in readers:
            set_input(reader, 0, made)
            while len(reader.inputs) > 1:
                reader.inputs.pop()
            reader.op, reader.attrs = "Identity", {}

    def _entrance(self, tensor: gs.Variable) -> gs.Node:
        wide = gs.Variable(fresh_name(f"{tensor.name}_wide", self.names), np.dtype(np.float32), None)
        redirect(tensor, wide)
        return gs.Node("Cast", wide.name, {"to": _FLOAT}, [tensor], [wide])

    def _exit(self, node: gs.Node, slot: int, tensor: gs.Tensor) -> gs.Node:
        wide = gs.Variable(fresh_name(f"{tensor.name}_wide", self.names), np.dtype(np.float32), None)
        redirect(tensor, wide)
        set_output(node, slot, wide)
        return gs.Node("Cast", wide.name, {"to": self.types[tensor.name]}, [wide], [tensor])

    def _is_low(self, tensor: gs.Tensor) -> bool:
        return self.types.get(tensor.name) in _LOW

    def _is_output(self, tensor: gs.Tensor) -> bool:
        return any(tensor is output for output in self.graph.outputs)


def _numbers(node: gs.Node) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Return the scale and the zero point of Q or DQ, None where they are no single constant numbers."""
    found: list[NDArray[Any] | None] = []
    for slot in (1, 2):
        tensor = node.inputs[slot] if slot < len(node.inputs) else None
        values = read(tensor) if isinstance(tensor, gs.Constant) else None
        found.append(values.reshape(-1)[0] if values is not None and values.size == 1 else None)
    zero = found[1]
    return found[0], zero if zero is None or zero.dtype.kind in "iu" else None
