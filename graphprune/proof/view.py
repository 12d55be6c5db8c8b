"""A graph and its bodies as a walk from the outputs reads them: who makes a value, and what it is.

What hands a value on is looked through, names inside play no part, and what is computed from constants and
sizes alone is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.evaluate import LIMIT
from graphprune.ir import is_default_domain, label, shape_of, subgraphs
from graphprune.proof.content import small
from graphprune.rules import domain_of
from graphprune.shapes import Shapes
from graphprune.solve import sized


class View:
    """A graph and its bodies as the walk reads them.

    `passes` tells, by identity of a node, the operand whose value a node hands on; Identity hands on its own.
    `beside` is another view of a graph with the same inputs: open sizes stand for the same numbers there.
    `known` are the sizes of the graph where they were found out already.
    """

    def __init__(
        self,
        graph: gs.Graph,
        passes: Mapping[int, int] | None = None,
        beside: View | None = None,
        known: Shapes | None = None,
    ) -> None:
        self.graph, self.passes, self.beside = graph, passes or {}, beside
        self._known = known
        self._has_bodies = False
        self.inside: set[int] = set()
        self.makers: dict[int, tuple[gs.Node, int]] = {}
        self.inputs = {id(tensor): tensor.name for tensor in graph.inputs}
        self._formal: dict[int, str] = {}
        self._constants: dict[int, gs.Constant] = {}
        self._hashes: dict[int, int] = {}
        self._values: dict[int, NDArray[Any] | None] = {}
        for each in (graph, *graph.subgraphs(recursive=True)):
            if each is not graph:
                self._has_bodies = True
                self._formal.update((id(tensor), f"input {i}") for i, tensor in enumerate(each.inputs))
                self.inside.update(id(tensor) for node in each.nodes for tensor in node.outputs)
            for node in each.nodes:
                self.makers.update(
                    (id(tensor), (node, i)) for i, tensor in enumerate(node.outputs) if tensor.name
                )

    def origin(self, tensor: gs.Tensor) -> gs.Tensor:
        """Return the tensor whose value `tensor` has, behind what hands it on; constants as constants."""
        while not isinstance(tensor, gs.Constant) and id(tensor) in self.makers:
            node, _ = self.makers[id(tensor)]
            if id(node) in self.passes:
                tensor = node.inputs[self.passes[id(node)]]
            elif node.op == "Identity" and is_default_domain(node):
                tensor = node.inputs[0]
            elif node.op == "Constant" and is_default_domain(node):
                return self._constant(node) or tensor
            else:
                break
        return tensor

    def _constant(self, node: gs.Node) -> gs.Constant | None:
        if id(node) not in self._constants:
            from graphprune.fold import values_of

            values = values_of(node)
            if values is None:
                return None
            self._constants[id(node)] = gs.Constant(node.outputs[0].name, values)
        return self._constants[id(node)]

    def maker(self, tensor: gs.Tensor) -> tuple[gs.Node, int] | None:
        """Return who makes an origin, and as which of its outputs."""
        return None if isinstance(tensor, gs.Constant) else self.makers.get(id(tensor))

    def said(self, tensor: gs.Tensor) -> str:
        """Return how messages name the value of a tensor."""
        tensor = self.origin(tensor)
        made = self.maker(tensor)
        if isinstance(tensor, gs.Constant):
            return f"constant '{tensor.name}'"
        if made is not None:
            return (
                f"the result of {label(made[0])}" if not made[1] else f"output {made[1]} of {label(made[0])}"
            )
        return f"input '{tensor.name}'" if tensor.name else "absent"

    def value(self, tensor: gs.Tensor) -> NDArray[Any] | None:
        """Return the value of a tensor where it is small and follows from constants and sizes.

        Sizes that the model leaves open are numbers that stand for them, the same in both graphs.
        """
        origin = self.origin(tensor)
        if id(origin) not in self._values:
            if isinstance(origin, gs.Constant):
                self._values[id(origin)] = small(origin, LIMIT)
            else:
                # What depends on more than constants and sizes has no value; most graphs need no more.
                known = (self._has_bodies or self.is_computed(origin)) and self._is_known(origin)
                self._values[id(origin)] = self.shapes.values.get(origin.name) if known else None
        return self._values[id(origin)]

    @cached_property
    def shapes(self) -> Shapes:
        """Sizes and small values of the graph and its bodies."""
        if self._known is not None:
            return self._known
        given = {} if self.beside is None else self.beside.shapes.sizes
        return sized(self.graph, {t.name: given[t.name] for t in self.graph.inputs if t.name in given})

    def _is_known(self, tensor: gs.Tensor) -> bool:
        """Whether the name of a tensor tells which one it is."""
        inside = id(tensor) in self.inside or id(tensor) in self._formal
        return bool(tensor.name) and (not inside or self.shapes.named_apart)

    def sizes(self, tensor: gs.Tensor) -> tuple[int, ...] | None:
        """Return the sizes of a tensor where they are known and do not depend on data."""
        if isinstance(tensor, gs.Constant):
            return shape_of(tensor)
        if not self._is_known(tensor) or self.shapes.open.get(tensor.name):
            return None
        return self.shapes.sizes.get(tensor.name)

    def is_computed(self, tensor: gs.Tensor) -> bool:
        """Whether a value is computed from constants and sizes alone."""
        return self.cone(tensor) == _FIXED

    def cone(self, tensor: gs.Tensor) -> int:
        """Return a hash of all that a value is computed by: operators and wires, not constants or sizes.

        Values that do the same to the same inputs have the same one.
        """
        waiting = [self.origin(tensor)]
        while waiting:
            at = waiting[-1]
            if id(at) in self._hashes:
                waiting.pop()
                continue
            made = self.maker(at)
            needed = [] if made is None else [self.origin(t) for t in operands(made[0])]
            open_ones = [t for t in needed if id(t) not in self._hashes]
            if open_ones:
                waiting += open_ones
                continue
            waiting.pop()
            self._hashes[id(at)] = self._hash(at, made)
        return self._hashes[id(self.origin(tensor))]

    def _hash(self, tensor: gs.Tensor, made: tuple[gs.Node, int] | None) -> int:
        if isinstance(tensor, gs.Constant):
            return _FIXED
        if made is None:
            return hash(("input", self._formal.get(id(tensor), self.inputs.get(id(tensor), tensor.name))))
        node, slot = made
        if node.op in ("Shape", "Size") and is_default_domain(node):
            return _FIXED
        # Sizes that a cut rewrites are computed from sizes, before and after.
        operands = [
            (i, _FIXED if not tensor.name else self._hashes.get(id(self.origin(tensor)), _FIXED))
            for i, tensor in enumerate(node.inputs)
        ]
        inside = [
            self._hashes.get(id(self.origin(t)), _FIXED) for body in subgraphs(node) for t in body.outputs
        ]
        moving = [(i, value) for i, value in operands if value != _FIXED]
        if not moving and not inside and node.inputs and not node.op.startswith(_DRAWN):
            return _FIXED
        return hash((node.op, domain_of(node), slot, tuple(moving), tuple(inside)))


_FIXED = 0
_DRAWN = ("Random", "Multinomial", "Bernoulli")


def operands(node: gs.Node) -> Iterator[gs.Tensor]:
    """Yield what a node and its bodies read."""
    yield from (tensor for tensor in node.inputs if tensor.name)
    for body in subgraphs(node):
        yield from body.outputs
