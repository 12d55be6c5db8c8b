"""What a graph says of its sizes: the shape of every tensor as expressions of the symbols that are free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.symbols.expression import Expr

Sizes = tuple[int, ...]
Shape = tuple[Expr, ...]
Values = NDArray[np.object_]
"""An array of `Expr`."""


@dataclass(frozen=True)
class Given:
    """What a user says of sizes.

    Attributes:
        symbols: sizes of symbols by their names: `{"past_sequence_length": 7}`.
        shapes: sizes of inputs by their names, which may hold `*` and `?`: `{"past.*": (2, 8, 0, 64)}`.
    """

    symbols: Mapping[str, int] = field(default_factory=dict[str, int])
    shapes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])


@dataclass(frozen=True)
class Bound:
    """`low` <= `high`. Where `high` is a number it is a boundary: the rows of a table, the size of a cache.

    Attributes:
        node: the name of the node that asks for it, or of its operator and output.
        tensor: the name of the tensor whose dimension `dim` is `high`.
    """

    low: Expr
    high: Expr
    node: str
    tensor: str
    dim: int


@dataclass(frozen=True)
class Conflict:
    """`left` must be `right` and cannot; `here` and `there` say what asks for each."""

    left: Expr
    right: Expr
    here: str
    there: str


@dataclass(frozen=True)
class Facts:
    """Sizes and small values of the tensors of a graph, by tensor name.

    Attributes:
        shapes: a tensor of unknown rank is missing.
        values: small integer tensors that are known, one expression an element.
        types: onnx element types.
        tops: the greatest entry that an integer tensor may have.
        free: the symbols that a user of the model may choose, after unification.
        solved: every other symbol as an expression of free ones.
        pending: expressions that must be zero and could not be solved for a symbol.
        atmost: what must not be greater than what.
        oneof: of each of these at least one must be zero.
        data: the symbols whose size depends on data.
        inputs: the shapes of graph inputs.
        value_symbols: small integer inputs whose entries are symbols.
        conflicts: what contradicts itself; the model cannot run as it stands.
    """

    shapes: Mapping[str, Shape]
    values: Mapping[str, Values]
    types: Mapping[str, int]
    tops: Mapping[str, Expr]
    free: tuple[str, ...]
    solved: Mapping[str, Expr]
    pending: tuple[Expr, ...]
    atmost: tuple[Bound, ...]
    oneof: tuple[tuple[Expr, ...], ...]
    data: frozenset[str]
    inputs: Mapping[str, Shape]
    value_symbols: Mapping[str, tuple[Expr, ...]]
    conflicts: tuple[Conflict, ...]

    def sizes(self, assignment: Mapping[str, int]) -> dict[str, Sizes]:
        """Return the sizes of all tensors where the free symbols, and those in `data`, are `assignment`.

        A tensor whose size needs a symbol that is not assigned is left out, and so is one whose size divides
        by zero there. Sizes may be negative: then the model does not run at this assignment.
        """
        found: dict[str, Sizes] = {}
        for name, shape in self.shapes.items():
            try:
                found[name] = tuple(size.value(assignment) for size in shape)
            except (KeyError, ZeroDivisionError):
                continue
        return found


def facts(graph: gs.Graph, given: Given | None = None) -> Facts:
    """Return what `graph` says of its sizes; nothing in it is changed."""
    raise NotImplementedError
