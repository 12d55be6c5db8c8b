"""What solving a graph yields: the rule applied at each node, and the groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnx_graphsurgeon as gs

from graphprune import rules
from graphprune.axes import Axis, find, leaves
from graphprune.bind import Axes, Bound
from graphprune.blocks import Blocks, blocks
from graphprune.groups import Group
from graphprune.ir import captured, subgraphs
from graphprune.notation import Rule
from graphprune.positions import Apart, Index, Stay, keep
from graphprune.shapes import Shapes

Stays = Callable[[Axis], Stay]
"""Tells which positions along an axis stay, in order, or None where all do."""


@dataclass(frozen=True)
class Applied:
    """One node with the rule that was applied to it.

    Attributes:
        site: what the rule saw.
        row: the operator's row, or None where everything is pinned.
        rule: the parsed rule, likewise.
        bound: the names of the rule bound to axes, likewise.
        inputs: axes by operand (None: absent or of unknown rank).
        outputs: axes by output.
        reason: why everything is pinned, or ''.
        bodies: what was applied inside of its bodies, by attribute, where they were solved as well.
    """

    site: rules.Site
    row: rules.Row | None
    rule: Rule | None
    bound: Bound | None
    inputs: tuple[Axes | None, ...]
    outputs: tuple[Axes | None, ...]
    reason: str = ""
    bodies: Mapping[str, Body] = field(default_factory=dict[str, "Body"])


@dataclass(frozen=True)
class Body:
    """A body of a node: the axes of its inputs, and what was applied to each of its nodes."""

    inputs: tuple[Axes | None, ...]
    nodes: tuple[Applied, ...]


def everywhere(nodes: Iterable[Applied]) -> Iterator[Applied]:
    """Yield `nodes`, and in front of each what is inside its bodies."""
    for applied in nodes:
        for body in applied.bodies.values():
            yield from everywhere(body.nodes)
        yield applied


@dataclass(frozen=True)
class Solution:
    """The axes of a graph.

    Attributes:
        graph: the graph that was solved.
        shapes: its concrete sizes.
        nodes: what was applied to each node, in the order of `graph.nodes`; what is inside bodies stands with
            the node that has them (`everywhere`).
        groups: all groups in order of first appearance, also those that are not prunable.
    """

    graph: gs.Graph
    shapes: Shapes
    nodes: tuple[Applied, ...]
    groups: tuple[Group, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Group]:
        """The groups by name."""
        return {group.name: group for group in self.groups}

    @cached_property
    def everywhere(self) -> tuple[Applied, ...]:
        """What was applied to each node, also inside of bodies: `everywhere` of `nodes`."""
        return tuple(everywhere(self.nodes))

    @cached_property
    def read_by_closed_bodies(self) -> frozenset[str]:
        """The names that bodies read, and more at most, that could not be solved."""
        closed = (each.site.node for each in self.everywhere if not each.bodies)
        return frozenset(name for node in closed for body in subgraphs(node) for name in captured(body))

    @cached_property
    def blocks(self) -> Mapping[str, Blocks | str]:
        """For each group that may be pruned the blocks that may choose for themselves, or why none may."""
        return blocks(self.everywhere, self.groups)

    def stays(self, keep_units: Mapping[str, Index]) -> Stays:
        """Return the function that says which positions along an axis stay, in order, or None where all do.

        Units that an operator picks one by one, or takes as neighbours, stay in their own order.

        Args:
            keep_units: the units that stay, by group name, of all blocks ([units]) or of each
                ([blocks, units]); groups that are left out stay whole.
        """
        kept = {
            id(find(self.group(name).axis)): self._kept(name, index) for name, index in keep_units.items()
        }
        memo: dict[int, Stay] = {}

        def stays(axis: Axis) -> Stay:
            root = find(axis)
            if id(root) not in memo:
                memo[id(root)] = keep(root, lambda part: kept.get(id(part)))
            return memo[id(root)]

        return stays

    @cached_property
    def ordered(self) -> frozenset[int]:
        """The leaves whose units an operator picks one by one, or takes as neighbours, by identity."""
        bound = [applied.bound for applied in self.everywhere if applied.bound is not None]
        picks = [pick for each in bound for pick in each.picks.values()]
        axes = [axis for pick in picks for axis in (pick.base, pick.result)]
        axes += [axis for each in bound for axis in each.ordered]
        return frozenset(id(leaf) for axis in axes for leaf in leaves(axis))

    def _kept(self, name: str, index: Index) -> Index | Apart:
        if id(find(self.group(name).axis)) in self.ordered:
            index = np.sort(index)
        found = self.blocks[name] if index.ndim == 2 else ""
        return index if isinstance(found, str) else Apart(found.outer, index)

    def group(self, name: str) -> Group:
        """Return the group called `name`; KeyError where there is none."""
        return self.by_name[name]
