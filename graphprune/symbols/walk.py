"""One walk over the nodes of a graph that says the size of every tensor in terms of symbols.

A node's sizes come from what is written of its operator in `operators`, then from its row in the rule table
(dimensions of one name are one size), and at last from onnx's own inference with symbols as names. What none
of them tells is a symbol of its own, whose size depends on data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune import evaluate
from graphprune.ir import constants, label, read, shape_of
from graphprune.neighbours import Partial, untold
from graphprune.symbols.expression import Expr, number
from graphprune.symbols.system import Kind, System

Shape = tuple[Expr, ...]
Array = NDArray[Any]
SMALL = 256
"""Elements of a tensor whose values are followed as expressions."""
Top = tuple[Expr, ...]
"""The greatest entry of an integer tensor; one for each column of the last axis, or one for all."""


@dataclass
class Walk:
    """What is known so far.

    Attributes:
        values: small tensors that are known: numbers, or expressions (dtype object) where they hold symbols.
        tops: the greatest entries of integer tensors.
        outer: the walk of the graph around, where this is one of a body.
        within: values inside of bodies, by what operators outside and inside ask for.
        likely: sizes that are equal as the model is used, though no operator asks for it, and who says so.
    """

    graph: gs.Graph
    opset: int
    system: System = field(default_factory=System)
    shapes: dict[str, Shape] = field(default_factory=dict[str, Shape])
    values: dict[str, Array] = field(default_factory=dict[str, Array])
    types: dict[str, int] = field(default_factory=dict[str, int])
    tops: dict[str, Top] = field(default_factory=dict[str, Top])
    outer: Walk | None = None
    _told: Mapping[str, Partial] | None = None
    within: dict[str, Array] = field(default_factory=dict[str, Array])
    likely: list[tuple[Expr, Expr, str]] = field(default_factory=list[tuple[Expr, Expr, str]])

    def told(self) -> Mapping[str, Partial]:
        """What neighbours tell of tensors whose rank nothing else does; found out once."""
        if self.outer is not None:
            return self.outer.told()
        if self._told is None:
            known = {
                name: [size.as_int() if size.is_number else _ANY for size in shape]
                for name, shape in self.shapes.items()
            }
            self._told = {
                name: tuple(None if size == _ANY else size for size in sizes)
                for name, sizes in untold(self.graph, known).items()
            }
        return self._told

    def shape(self, node: gs.Node, slot: int) -> Shape | None:
        """The sizes of an operand; None where it is absent or its rank is unknown."""
        if slot >= len(node.inputs) or not node.inputs[slot].name:
            return None
        return self.shapes.get(node.inputs[slot].name)

    def known(self, node: gs.Node, slot: int) -> Array | None:
        """The value of an operand where it is known."""
        if slot >= len(node.inputs) or not node.inputs[slot].name:
            return None
        return self.values.get(node.inputs[slot].name)

    def listed(self, node: gs.Node, slot: int) -> list[Expr] | None:
        """The entries of an operand of integers; None where they are not known."""
        value = self.known(node, slot)
        if value is None or (value.dtype != object and value.dtype.kind not in "iub"):
            return None
        return [item if isinstance(item, Expr) else number(int(item)) for item in value.reshape(-1)]

    def top(self, node: gs.Node, slot: int) -> Top | None:
        """The greatest entry of an operand, from its value where that is known."""
        name = node.inputs[slot].name if slot < len(node.inputs) else ""
        if name in self.tops:
            return self.tops[name]
        value = self.values.get(name)
        if value is None or not value.size or value.dtype.kind not in "iubO":
            return None
        if value.dtype != object:
            return (number(int(value.max())),)
        items = list(dict.fromkeys(value.reshape(-1)))
        return (items[0],) if len(items) == 1 else None

    def equal(self, left: Expr, right: Expr, node: gs.Node) -> None:
        """Note that `node` asks for two equal sizes."""
        if left is not right and left != right:
            self.system.equal(left, right, label(node))

    def below(self, low: Expr, node: gs.Node, slot: int, dim: int) -> None:
        """Note that `low` is at most dimension `dim` of operand `slot`."""
        shape = self.shape(node, slot)
        if shape is not None:
            name = node.inputs[slot].name
            self.system.below(low, shape[dim], label(node), name, dim)

    def broadcast(self, shapes: Sequence[Shape], node: gs.Node) -> Shape:
        """The sizes of operands that broadcast against each other as numpy's do; unequal sizes are one."""
        if all(shape == shapes[0] for shape in shapes[1:]):
            return shapes[0]
        rank = max(map(len, shapes))
        result: list[Expr] = []
        for position in range(rank):
            sizes = [shape[position - rank] for shape in shapes if len(shape) >= rank - position]
            result.append(self._one(sizes, node))
        return tuple(result)

    def _one(self, sizes: Sequence[Expr], node: gs.Node) -> Expr:
        wide = [size for size in dict.fromkeys(sizes) if size != ONE]
        if len(wide) < 2:
            return wide[0] if wide else ONE
        # A size that depends on data may be 1 at run time: it says nothing of the others.
        sure = [size for size in wide if not self.by_data(size)] or wide
        for other in sure[1:]:
            self.equal(sure[0], other, node)
        return next((size for size in sure if size.is_number), sure[0])

    def by_data(self, size: Expr) -> bool:
        """Whether a size depends on data."""
        if size.is_number:
            return False
        kinds = self.system.kinds
        return any(kinds[name] is Kind.DATA for name in self.system.reduced(size).symbols)

    def fresh(self, rank: int) -> Shape:
        """Sizes that depend on data."""
        return tuple(self.system.fresh() for _ in range(rank))


ONE = number(1)
_ANY = 1_000_003
"""Stands for sizes that are no numbers, where others are asked about; a prime that no tensor has."""
Operator = Callable[[Walk, gs.Node], Sequence[Shape | None]]


def constants_into(walk: Walk, graph: gs.Graph) -> None:
    """Note the sizes, types and small values of the constants of a graph or body."""
    for tensor in constants(graph):
        constant(walk, tensor.name, tensor)


def constant(walk: Walk, name: str, tensor: gs.Constant) -> None:
    sizes = shape_of(tensor)
    walk.shapes[name] = tuple(map(number, sizes))
    walk.types[name] = element_type(tensor.dtype)
    if prod(sizes) <= evaluate.LIMIT and evaluate.is_small_type(tensor):
        walk.values[name] = read(tensor)


def element_type(dtype: Any) -> int:
    """The onnx number of an element type; float where there is none."""
    if dtype is None:
        return int(TensorProto.FLOAT)
    return dtype if isinstance(dtype, int) else int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
