"""A graph with some of its operators in a lower precision, and Casts where the types meet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import onnx_graphsurgeon as gs
from onnx import ModelProto, TensorProto

from graphprune import elements
from graphprune.duplicate import duplicate, fresh_name, names_of
from graphprune.feeds import inputs_of
from graphprune.ir import body_constants, constants, is_default_domain
from graphprune.model import Model
from graphprune.precision.places import Place, Places
from graphprune.precision.recast import recast
from graphprune.rewire import set_input, set_output

SUFFIX: dict[int, str] = {
    TensorProto.FLOAT: "float",
    TensorProto.FLOAT16: "fp16",
    TensorProto.BFLOAT16: "bf16",
}


def cast(model: Model, places: Places, *, keep_io: bool = True) -> Model:
    """Return `model`, whose graph `places` speaks of, with those operators in the lower precision.

    Names of nodes, outputs and weights stay; weights stay where they are until they are read. A constant that
    both kinds of operators read becomes two. Without `keep_io` the inputs and outputs of the graph change
    their type with it.
    """
    graph = duplicate(model.graph)
    pairs = zip(model.graph.nodes, graph.nodes, strict=True)
    low = {id(copy): places.low[id(node)] for node, copy in pairs if id(node) in places.low}
    rewriting = _Rewriting(graph, low, places, keep_io)
    rewriting.constants()
    rewriting.variables()
    source = model.source if keep_io else _retyped(model.source, rewriting.changed, places.element)
    return replace(model, graph=graph, source=source)


class _Rewriting:
    """One graph on its way; `changed` are the inputs and outputs of the graph that have got another type."""

    def __init__(self, graph: gs.Graph, low: dict[int, Place], places: Places, keep_io: bool) -> None:
        self.graph, self.low, self.keep_io = graph, low, keep_io
        self.element, self.types = places.element, places.types
        self.names = names_of(graph)
        self.own = {id(node) for node in graph.nodes}
        self.outputs = {id(tensor) for tensor in graph.outputs}
        self.changed: set[str] = set()

    def constants(self) -> None:
        """Give the operators in low precision constants of their own type."""
        found = {id(c): c for c in (*constants(self.graph), *body_constants(self.graph))}
        for constant in found.values():
            if self.types.get(constant.name) != TensorProto.FLOAT:
                continue
            wanting = [(node, slot) for node, slot in _readers(constant) if self._is_low(node, slot)]
            if not wanting:
                continue
            alone = len(wanting) == len(_readers(constant)) and id(constant) not in self.outputs
            name = constant.name if alone else self._fresh(constant.name, self.element)
            lower = recast(constant, name, self.element)
            for node, slot in wanting:
                set_input(node, slot, lower)

    def variables(self) -> None:
        """Put Casts where what is made in one type is read in the other."""
        nodes: list[gs.Node] = []
        for tensor in inputs_of(self.graph):
            if self._is_float(tensor):
                if not self.keep_io:
                    self._settle(tensor)
                nodes += self._meet(tensor, not self.keep_io)
        for node in list(self.graph.nodes):
            nodes.append(node)
            place = self.low.get(id(node))
            if place and node.op == "Cast" and is_default_domain(node) and place.outputs:
                node.attrs["to"] = self.element
            for slot, result in enumerate(list(node.outputs)):
                if isinstance(result, gs.Variable) and self._is_float(result):
                    is_low = place is not None and slot in place.outputs
                    nodes += self._meet(result, is_low, node, slot)
        self.graph.nodes = nodes

    def _meet(
        self, tensor: gs.Variable, is_low: bool, producer: gs.Node | None = None, slot: int = 0
    ) -> Iterable[gs.Node]:
        """Yield the Cast of `tensor` to the other type, where something reads it in that."""
        is_output = id(tensor) in self.outputs
        dtype, other = (elements.DTYPES[each] for each in self._pair(is_low))
        differing = [(n, s) for n, s in _readers(tensor) if self._is_low(n, s) != is_low]
        if is_output and producer is not None and is_low == self.keep_io:
            # The output keeps its name, and what the operator makes gets another.
            made = gs.Variable(self._fresh(tensor.name, self._pair(is_low)[0]), dtype, tensor.shape)
            for node, at in _readers(tensor):
                if self._is_low(node, at) == is_low:
                    set_input(node, at, made)
            set_output(producer, slot, made)
            if not self.keep_io:
                self._settle(tensor)
            return [self._cast(made, tensor, other)]
        tensor.dtype = dtype
        if is_output and not self.keep_io:
            self.changed.add(tensor.name)
        if not differing:
            return []
        lower = gs.Variable(self._fresh(tensor.name, self._pair(is_low)[1]), other, tensor.shape)
        for node, at in differing:
            set_input(node, at, lower)
        return [self._cast(tensor, lower, other)]

    def _cast(self, tensor: gs.Variable, result: gs.Variable, dtype: Any) -> gs.Node:
        name = fresh_name(f"{tensor.name}/Cast", self.names)
        to = elements.number_of(dtype)
        return gs.Node("Cast", name, {"to": to}, [tensor], [result])

    def _settle(self, tensor: gs.Variable) -> None:
        tensor.dtype = elements.DTYPES[self.element]
        self.changed.add(tensor.name)

    def _pair(self, is_low: bool) -> tuple[int, int]:
        both = (self.element, int(TensorProto.FLOAT))
        return both if is_low else (both[1], both[0])

    def _is_low(self, node: gs.Node, slot: int) -> bool:
        place = self.low.get(id(node))
        return id(node) in self.own and place is not None and slot in place.inputs

    def _is_float(self, tensor: gs.Variable) -> bool:
        return self.types.get(tensor.name) == TensorProto.FLOAT

    def _fresh(self, name: str, element: int) -> str:
        return fresh_name(f"{name}_{SUFFIX[element]}", self.names)


def _readers(tensor: gs.Tensor) -> list[tuple[gs.Node, int]]:
    """Return the places that read `tensor`, in bodies as well."""
    nodes = {id(node): node for node in tensor.outputs}.values()
    return [(node, slot) for node in nodes for slot, read in enumerate(node.inputs) if read is tensor]


def _retyped(source: ModelProto, names: set[str], element: int) -> ModelProto:
    """Return `source` with other element types of these inputs and outputs."""
    copy = ModelProto()
    copy.CopyFrom(source)
    for value in (*copy.graph.input, *copy.graph.output):
        if value.name in names:
            value.type.tensor_type.elem_type = element
    return copy
