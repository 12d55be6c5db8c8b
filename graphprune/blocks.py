"""Blocks that choose for themselves: which groups may keep other units in every head or convolution group.

A unit of `d` in block `b` of `h` is the pair (b, unit). A plan may keep other units in every block, equally
many, where each tensor and each operator keeps these pairs apart:

1. Every tensor with `d` has `h`: as a factor of the same dimension, once, or throughout one other dimension,
   whose size is fixed. So every position of `d` belongs to one block. A table over the dims of a head (rotary
   angles, the scale of a norm in each head) belongs to all of them: refused.
2. An operator whose rule has `(h d)` inside one name takes any positions of it, as it takes any units.
3. An operator whose rule has `d` in one name and `h` in another has both in every operand and result that has
   `d`, under the same two names, and `h` is not mixed, or summed over where `d` is not. For one index of `h`
   it then is an operator on that block alone, from which any units of `d` may be cut. Where both are summed
   over, any pairs may go.
4. No operator that has `d` pins `h`, since then it depends on positions in `h` or could not line them up.
5. No operator picks units of `d` one by one, since its indices are the same for every block.

With equally many units in every block all sizes are those of a plan that keeps the same units everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.axes import Axis, find, leaves
from graphprune.ir import label
from graphprune.notation import Dim, Rest, Rule, names
from graphprune.positions import terms

if TYPE_CHECKING:
    from graphprune.bind import Axes, Bound
    from graphprune.groups import Group
    from graphprune.solution import Applied

Named = list[list[tuple[str, Axis]]]
"""The names of a rule that stand in each dimension of a tensor, with their axes."""


@dataclass(frozen=True)
class Blocks:
    """The blocks of a group that may choose units of their own.

    Attributes:
        outer: the leaf whose units are the blocks: heads, groups of a convolution, experts.
        count: how many there are.
    """

    outer: Axis = field(repr=False)
    count: int


def choose(scores: NDArray[np.float64], keep: int) -> NDArray[np.int64]:
    """Return for each block the `keep` units with the highest scores, in ascending order.

    Args:
        scores: [blocks, units]; of equal ones the first is taken.
        keep: how many units each block keeps.

    >>> choose(np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 5.0]]), 2)
    array([[0, 2],
           [0, 2]])
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :keep]
    return np.sort(best, axis=1).astype(np.int64)


def blocks(nodes: Sequence[Applied], groups: Sequence[Group]) -> dict[str, Blocks | str]:
    """Return for each group that may be pruned its blocks, or why they cannot choose for themselves.

    Args:
        nodes: what was applied to each node.
        groups: the groups.
    """
    fixed = {id(leaf) for applied in nodes for leaf in _leaves_of_constants(applied)}
    search = _Search({id(find(group.axis)) for group in groups if group.prunable}, fixed)
    for applied in nodes:
        for where, axes in _tensors(applied):
            search.look(axes, where)
    for applied in nodes:
        if applied.bound is not None and applied.rule is not None:
            search.check(applied, applied.rule, applied.bound)
    return {group.name: search.result(id(find(group.axis))) for group in groups if group.prunable}


def _tensors(applied: Applied) -> Iterator[tuple[str, Axes]]:
    node = applied.site.node
    for tensor, axes in (
        *zip(node.inputs, applied.inputs, strict=True),
        *zip(node.outputs, applied.outputs, strict=True),
    ):
        if axes is not None:
            yield f"'{tensor.name}'", axes


def _leaves_of_constants(applied: Applied) -> Iterator[Axis]:
    for tensor, axes in zip(applied.site.node.inputs, applied.inputs, strict=True):
        if isinstance(tensor, gs.Constant):
            for axis in axes or ():
                yield from leaves(axis)


@dataclass
class _Search:
    """Which leaves may be the blocks of which; all leaves by identity.

    Attributes:
        wanted: the leaves of groups.
        fixed: the leaves that stand in constants, whose sizes no input changes.
        outer: for each of them those that hold it apart so far, in order of preference.
        why: why none is left.
    """

    wanted: set[int]
    fixed: set[int]
    outer: dict[int, dict[int, Axis]] = field(default_factory=dict[int, "dict[int, Axis]"])
    why: dict[int, str] = field(default_factory=dict[int, str])
    seen: set[tuple[int, ...]] = field(default_factory=set[tuple[int, ...]])
    known: dict[int, list[list[Axis]]] = field(default_factory=dict[int, "list[list[Axis]]"])

    def terms(self, axis: Axis) -> list[list[Axis]]:
        root = find(axis)
        if id(root) not in self.known:
            self.known[id(root)] = [[leaf for leaf in term if leaf.size > 1] for term in terms(root)]
        return self.known[id(root)]

    def look(self, axes: Axes, where: str) -> None:
        """Strike out, for every leaf of a tensor, what does not hold it apart there."""
        key = tuple(id(find(axis)) for axis in axes)
        if key in self.seen:
            return
        self.seen.add(key)
        dims = [self.terms(axis) for axis in axes]
        at: dict[int, set[int]] = {}
        for dim, listed in enumerate(dims):
            for leaf in (leaf for term in listed for leaf in term):
                at.setdefault(id(leaf), set()).add(dim)
        throughout = [self._throughout(listed) for listed in dims]
        for dim, listed in enumerate(dims):
            around = {
                key: leaf
                for other, held in enumerate(throughout)
                if other != dim
                for key, leaf in held.items()
                if at[key] == {other}
            }
            for term in listed:
                counts = Counter(map(id, term))
                inside = {id(f): f for f in reversed(term) if counts[id(f)] == 1 and at[id(f)] == {dim}}
                for leaf in term:
                    if id(leaf) in self.wanted:
                        held = {**inside, **around} if counts[id(leaf)] == 1 else {}
                        self._keep(id(leaf), {k: v for k, v in held.items() if k != id(leaf)}, where)

    def _throughout(self, listed: Sequence[Sequence[Axis]]) -> dict[int, Axis]:
        """Return the leaves that every stretch of a dimension of fixed size has, once."""
        if not listed or any(id(leaf) not in self.fixed for term in listed for leaf in term):
            return {}
        counts = [Counter(map(id, term)) for term in listed]
        return {id(leaf): leaf for leaf in listed[0] if all(count[id(leaf)] == 1 for count in counts)}

    def _keep(self, key: int, held: Mapping[int, Axis], where: str) -> None:
        if key not in self.outer:
            self.outer[key] = dict(held)
            self.why[key] = "" if held else "no other factor divides it into blocks"
        elif self.outer[key]:
            self.outer[key] = {k: v for k, v in self.outer[key].items() if k in held}
            self.why[key] = "" if self.outer[key] else f"{where} has its units, but not in blocks"

    def check(self, applied: Applied, rule: Rule, bound: Bound) -> None:
        """Strike out, for every leaf, what the operator does not take block by block."""
        slots: list[Named] | None = None
        pinned: set[int] = set()
        picked: set[int] = set()
        for key in {id(leaf) for _, axes in _tensors(applied) for axis in axes for leaf in leaves(axis)}:
            if not self.outer.get(key):
                continue
            if slots is None:
                slots = _slots(applied, rule, bound)
                pinned = {id(leaf) for axis, _ in bound.pins for leaf in leaves(axis)}
                picked = {
                    id(leaf)
                    for pick in bound.picks.values()
                    for axis in (pick.base, pick.result)
                    for leaf in leaves(axis)
                }
            held = {
                outer: leaf
                for outer, leaf in self.outer[key].items()
                if key not in picked and outer not in pinned and self._alike(key, outer, slots, rule)
            }
            self.outer[key] = held
            if not held:
                self.why[key] = f"{label(applied.site.node)} does not take its blocks one by one"

    def _alike(self, inner: int, outer: int, slots: Sequence[Named], rule: Rule) -> bool:
        joined = _joined(rule)
        partner: dict[str, str] = {}
        for named in slots:
            flat = {name: axis for dim in named for name, axis in dim}
            holders = {name for name, axis in flat.items() if self._has(axis, outer)}
            for name, axis in flat.items():
                apart = any(
                    inner in map(id, term) and outer not in map(id, term) for term in self.terms(axis)
                )
                if not apart:
                    continue
                if len(holders) != 1 or name in holders:
                    return False
                (holder,) = holders
                if holder in joined or holder.startswith("*!") or partner.setdefault(name, holder) != holder:
                    return False
        return True

    def _has(self, axis: Axis, key: int) -> bool:
        return any(id(leaf) == key for term in self.terms(axis) for leaf in term)

    def result(self, key: int) -> Blocks | str:
        """Return the blocks: of several leaves the one with most units, then the nearest."""
        held = list(self.outer.get(key, {}).values())
        if not held:
            return self.why.get(key, "no other factor divides it into blocks")
        best = max(held, key=lambda leaf: leaf.size)
        return Blocks(best, best.size)


def _joined(rule: Rule) -> set[str]:
    """Return the names whose units an operator mixes, or sums over although they stay."""
    found: set[str] = set()
    for operand in (*rule.inputs, *rule.outputs):
        found |= {item.name for item in names(operand) if item.mark in ("!", "^", "~")}
    return found


def _slots(applied: Applied, rule: Rule, bound: Bound) -> list[Named]:
    """Return for each operand and result which names of the rule stand in its dimensions."""
    return [
        _named(dims, axes, bound)
        for operands, tensors in ((rule.inputs, applied.inputs), (rule.outputs, applied.outputs))
        for dims, axes in zip(operands, tensors, strict=False)
        if dims is not None and axes is not None
    ]


def _named(dims: tuple[Dim, ...], axes: Axes, bound: Bound) -> Named:
    """Return the names in each dimension of one tensor; there are none where it is of size 1 or pinned."""
    wild = next((at for at, dim in enumerate(dims) if isinstance(dim, Rest)), len(dims))
    extra = len(axes) - len(dims) + 1
    found: Named = []
    for at, axis in enumerate(axes):
        behind = wild + extra <= at
        dim = dims[at - extra + 1 if behind else min(at, wild)]
        if axis.size == 1:
            found.append([])
        elif isinstance(dim, Rest):
            # Counted from the right, as `...` lines up.
            name = f"{dim.text}{wild + extra - at}"
            found.append([] if dim.text == "*" else [(name, axis)])
        else:
            found.append([(item.name, bound.names[item.name]) for item in names((dim,))])
    return found
