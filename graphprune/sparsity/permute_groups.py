"""Which groups of a model may be put in another order for a pattern, and the plan that does it.

The order of a group's units is shared by all weights that sum over it, so what all of them keep together is
made large. A pattern's M consecutive entries of such a weight must then be M units that stand together in the
group, too: in a sum of axes the group's stretch begins and ends at a multiple of M, in a product the group is
the innermost factor. Where they are not, the group is left alone, and the reason is said. A quantised weight
counts with its integers, so each output channel by its own scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import Axis, find, leaves
from graphprune.groups import Group
from graphprune.ir import read
from graphprune.plan import Plan
from graphprune.positions import Index, units
from graphprune.solution import Solution
from graphprune.sparsity.eligibility import layer
from graphprune.sparsity.patterns import Pattern
from graphprune.sparsity.permute import SWEEPS, kept, search
from graphprune.sparsity.places import Place, places


@dataclass(frozen=True)
class Kept:
    """What a pattern keeps of the weights that sum over a group.

    Attributes:
        weights: their names.
        total: the sum of the magnitudes that stand in the group's order.
        before: what is kept of it in the order that was found.
        after: what is kept in the new order.
    """

    weights: tuple[str, ...]
    total: float
    before: float
    after: float


@dataclass(frozen=True)
class Permutation:
    """New orders of the units of groups.

    Attributes:
        plan: the orders of the groups whose order changes; all units stay.
        groups: for each group that was looked at, what is kept.
        left: for each other group that is summed over, or is free, why it was left alone.
        total: the sum of the magnitudes of all weights that may have the pattern.
        before: what the pattern keeps of it.
        after: what it keeps in the new order.
    """

    plan: Plan
    groups: Mapping[str, Kept] = field(default_factory=dict[str, Kept])
    left: Mapping[str, str] = field(default_factory=dict[str, str])
    total: float = 0.0
    before: float = 0.0
    after: float = 0.0


_ORDERED = "an operator picks its units one by one, or takes them as neighbours"


def permutation(
    solution: Solution,
    pattern: Pattern,
    *,
    sweeps: int = SWEEPS,
    seed: int = 0,
    ignore: tuple[str, ...] = (),
    tell: Callable[[int, int], None] | None = None,
) -> Permutation:
    """Search for the orders of all groups in which `pattern` keeps most.

    Args:
        solution: of the model whose weights are to have the pattern.
        pattern: N:M.
        sweeps: how long is searched (`graphprune.sparsity.permute.search`).
        seed: of the search.
        ignore: globs over the names of weights and operators that do not count.
        tell: is told how many groups are done, and of how many.
    """
    every = [place for place in places(solution) if layer(place, pattern, ignore).eligible]
    over = {id(place): _summed(place, solution) for place in every}
    orders: dict[str, Index] = {}
    found: dict[str, Kept] = {}
    left: dict[str, str] = {}
    total, before = _all(every, pattern)
    for number, group in enumerate(solution.groups):
        if tell is not None:
            tell(number, len(solution.groups))
        mine = [place for place in every if find(group.axis) in leaves(over[id(place)])]
        if group.reason and not mine:
            continue  # a window, or what a bias is added to: no pattern runs along it
        ordered = _ORDERED if id(find(group.axis)) in solution.ordered else ""
        matrix = group.reason or ordered or _matrix(group, mine, over, pattern)
        if isinstance(matrix, str):
            left[group.name] = matrix
            continue
        names, values = matrix
        order = search(values, pattern, sweeps=sweeps, seed=seed)
        was, now = (kept(values, pattern, index) for index in (None, order))
        found[group.name] = Kept(names, float(np.abs(values).sum(dtype=np.float64)), was, now)
        if now > was:
            orders[group.name] = order
    if tell is not None:
        tell(len(solution.groups), len(solution.groups))
    gain = sum(item.after - item.before for item in found.values())
    plan = Plan(orders, {name: solution.group(name).size for name in orders})
    return Permutation(plan, found, left, total, before, before + gain)


def _all(every: list[Place], pattern: Pattern) -> tuple[float, float]:
    """Return the magnitude of all weights, and what the pattern keeps of it."""
    total = before = 0.0
    for place in every:
        values = _lines(place)
        total += float(np.abs(values).sum(dtype=np.float64))
        before += kept(values.T, pattern)
    return total, before


def _lines(place: Place) -> NDArray[Any]:
    """Return a weight with the dimension that is summed over first: [entries, others]."""
    values = read(place.tensor)
    wide = values.astype(np.float64 if values.dtype == np.float64 else np.float32)
    return np.moveaxis(wide, place.axis, 0).reshape(wide.shape[place.axis], -1)


def _summed(place: Place, solution: Solution) -> Axis:
    """Return the axis of the dimension that a weight is summed over."""
    use = place.uses[0]
    applied = solution.nodes[use.number]
    axes = applied.inputs[use.slot]
    assert applied.bound is not None
    assert axes is not None
    return axes[next(dim for _, slot, dim in applied.bound.consumed if slot == use.slot)]


def _matrix(
    group: Group, mine: list[Place], over: Mapping[int, Axis], pattern: Pattern
) -> tuple[tuple[str, ...], NDArray[Any]] | str:
    """Return `mine`, the weights that sum over a group, a column a unit, or why the group is left alone."""
    if not mine:
        return "no weight that may have the pattern sums over it"
    if group.size % pattern.of:
        return f"its {group.size} units are no multiple of {pattern.of}"
    rows: list[NDArray[Any]] = []
    names: list[str] = []
    for place in mine:
        at = _positions(units(over[id(place)], group.axis), group.size, pattern.of)
        if at is None:
            return (
                f"in '{place.tensor.name}' {pattern.of} consecutive entries are not {pattern.of} whole units"
            )
        if at.size:
            columns = _lines(place)[at]
            rows.append(columns.reshape(group.size, -1).T)
            names.append(place.tensor.name)
    if not rows:
        return f"in its weights {pattern.of} consecutive entries are one unit's, in any order"
    return tuple(names), np.concatenate(rows)


def _positions(lie: Index, size: int, m: int) -> Index | None:
    """Return where each unit lies in blocks of M units that stand together: [units, times].

    Args:
        lie: for each position the unit that lies there, or -1.
        size: how many units there are.
        m: M.

    Returns:
        None where the pattern's M entries are neither M such units nor one unit nor none of them, or where
        units do not all lie in such blocks at the same of their positions.
    """
    blocks = lie.reshape(-1, m)
    first = blocks[:, :1]
    whole = ((first >= 0) & (first % m == 0) & (blocks == first + np.arange(m))).all(axis=1)
    if not (whole | (blocks == first).all(axis=1)).all():
        return None
    at = np.flatnonzero(np.repeat(whole, m))
    times = np.bincount(lie[at], minlength=size)
    if (times != times[0]).any():
        return None
    found = at[np.argsort(lie[at], kind="stable")].reshape(size, -1)
    turns = _turns(lie)[found]
    return found if (turns == turns[:1]).all() else None


def _turns(lie: Index) -> Index:
    """Return for each position how many before it are of the same unit."""
    by_unit = np.argsort(lie, kind="stable")
    ordered = lie[by_unit]
    turns = np.empty_like(lie)
    turns[by_unit] = np.arange(len(lie)) - np.searchsorted(ordered, ordered)
    return turns
