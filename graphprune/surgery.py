"""A cut under way: what stays of every tensor, and the graph that is being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.axes import Axis
from graphprune.bind import Axes
from graphprune.cuts import Cuts, cuts_of
from graphprune.duplicate import fresh_name
from graphprune.shapes import Sizes
from graphprune.solution import Solution, Stays

Key = tuple[tuple[int, tuple[int, ...], bytes], ...]
"""Cuts as a key of dictionaries."""


@dataclass(frozen=True)
class Trace:
    """What the cut did around one node, for the proof: it names tensors and positions, never groups.

    Attributes:
        inputs: positions that stay, by operand and dimension, where not all do.
        outputs: the same by output.
        consumed: (operand, dimension) where removed positions must be masked with zeros.
        mixed: whether the operator mixes a cut axis, so that it must see the kept positions alone.
        zeros: for an operand of integers, the operand that holds its zero point, and the dimension of the
            former along which the latter lies (0 where there is one for all).
        removed: operands that went with a layer, and that count as zero as a whole.
        skip: the operand that stands in the place of the sum then, or -1.
        bodies: what was done inside its bodies, by attribute.
    """

    inputs: dict[int, Cuts]
    outputs: dict[int, Cuts]
    consumed: tuple[tuple[int, int], ...]
    mixed: bool
    zeros: dict[int, tuple[int, int]]
    removed: tuple[int, ...] = ()
    skip: int = -1
    bodies: Mapping[str, Inside] = field(default_factory=dict[str, "Inside"])


@dataclass(frozen=True)
class Inside:
    """What the cut did inside of a body: a trace for each node of the original's, and what it became."""

    traces: tuple[Trace, ...]
    nodes: tuple[gs.Node, ...]


@dataclass
class Work:
    """A cut under way: what stays, the graph that is being made, and what is known of its small tensors."""

    solution: Solution
    keep: Stays
    graph: gs.Graph
    nodes: list[gs.Node]
    gone: frozenset[int] = frozenset()
    new: list[gs.Node] = field(default_factory=list[gs.Node])
    constants: dict[tuple[str, Key], gs.Constant] = field(
        default_factory=dict["tuple[str, Key]", gs.Constant]
    )
    variants: dict[str, list[Key]] = field(default_factory=dict[str, "list[Key]"])
    names: set[str] = field(default_factory=set[str])
    values: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    sizes: dict[str, Sizes] = field(default_factory=dict[str, Sizes])
    from_sizes: set[str] = field(default_factory=set[str])
    """Names of the small tensors that were computed from sizes, by Shape or Size and what follows."""

    def count(self, axis: Axis) -> int:
        """Return how many positions along `axis` stay."""
        index = self.keep(axis)
        return axis.size if index is None else index.size

    def cuts(self, axes: Axes | None) -> Cuts:
        """Return the dimensions of a tensor with these axes that are cut."""
        return cuts_of(axes or (), self.keep)


def fresh(base: str, work: Work) -> str:
    return fresh_name(base, work.names)
