"""Models in 16 bits run in float32, every result rounded: what runtimes with kernels for it compute.

ONNX Runtime has no kernels for bfloat16 on the CPU. It runs float16 there, but in float32 with few roundings,
which is better than what a GPU does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune import elements
from graphprune.duplicate import duplicate, fresh_name, names_of
from graphprune.feeds import inputs_of
from graphprune.ir import constants, is_default_domain, read
from graphprune.model import Model
from graphprune.precision.types import element_types
from graphprune.rewire import set_input, set_output

_BF16 = int(TensorProto.BFLOAT16)


def is_bfloat16(model: Model) -> bool:
    """Whether a tensor of the graph itself is bfloat16."""
    dtype = elements.DTYPES[_BF16]
    return any(c.dtype == dtype for c in constants(model.graph)) or any(
        node.op == "Cast" and node.attrs.get("to") == _BF16 for node in model.graph.nodes
    )


def widened(model: Model, element: int = _BF16) -> Model:
    """Return `model` with every operator on the type number `element` in float32 between Casts.

    What an operator gives is rounded to that type, as kernels do that add up in float32: the numbers are
    those of such kernels, up to the order of sums. Inputs and outputs keep their types. Bodies of control
    flow are left as they are.
    """
    graph = duplicate(model.graph)
    _Widening(graph, element_types(model.graph), element).run()
    return replace(model, graph=graph)


class _Widening:
    """One graph on its way; `large` are the float32 counterparts of its tensors in 16 bits, by identity."""

    def __init__(self, graph: gs.Graph, types: Mapping[str, int], element: int) -> None:
        self.graph, self.types, self.element = graph, types, element
        self.names = names_of(graph)
        self.large: dict[int, gs.Tensor] = {}

    def run(self) -> None:
        """Rewrite the graph."""
        for constant in constants(self.graph):
            if self._is_low(constant):
                values = read(constant).astype(np.float32)
                self.large[id(constant)] = gs.Constant(
                    fresh_name(f"{constant.name}_wide", self.names), values
                )
        nodes = [self._widen(tensor) for tensor in inputs_of(self.graph) if self._is_low(tensor)]
        for node in list(self.graph.nodes):
            nodes += self._node(node)
        self.graph.nodes = nodes

    def _node(self, node: gs.Node) -> list[gs.Node]:
        """Return `node` in float32 with what rounds its results; a Cast rounds by itself."""
        nodes = [node]
        rounds = node.op == "Cast" and is_default_domain(node)
        if not rounds:
            for slot, tensor in enumerate(list(node.inputs)):
                if id(tensor) in self.large:
                    set_input(node, slot, self.large[id(tensor)])
        for slot, tensor in enumerate(list(node.outputs)):
            if not self._is_low(tensor):
                continue
            if not rounds:
                made = self._wide(tensor.name)
                set_output(node, slot, made)
                nodes.append(self._cast(self.element, made, tensor))
            nodes.append(self._widen(tensor))
        return nodes

    def _widen(self, tensor: gs.Tensor) -> gs.Node:
        self.large[id(tensor)] = self._wide(tensor.name)
        return self._cast(TensorProto.FLOAT, tensor, self.large[id(tensor)])

    def _is_low(self, tensor: gs.Tensor) -> bool:
        return self.types.get(tensor.name) == self.element

    def _wide(self, name: str) -> gs.Variable:
        return gs.Variable(fresh_name(f"{name}_wide", self.names), np.dtype(np.float32), None)

    def _cast(self, element: int, tensor: gs.Tensor, result: gs.Tensor) -> gs.Node:
        name = fresh_name(f"{tensor.name}/widen{element}", self.names)
        return gs.Node("Cast", name, {"to": element}, [tensor], [result])
