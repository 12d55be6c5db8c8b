"""Positions that an operator picks one by one: a channel shuffle by Gather, an order that is turned around.

An operator that takes positions of an axis by constant indices makes an axis whose unit i is unit `at[i]` of
the other. What such axes are made of is known when everything else was unified, so picks are collected on the
way and settled at the end:

- Where one of the two has factors, the indices must be those of a product in another order `(a b) -> (b a)`,
  or a few stretches; else both are pinned.
- The others are plain units. Those that are the same by any chain of picks become one unit: the units that
  occur equally often in each of the axes become one leaf, and every axis a pick of such leaves. So of
  `x + reversed(x)` the first and the last unit go together, and a shuffle lets each unit go by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import Axis, Form, Mismatch, find, leaf, product, stretches, total, unify

Index = NDArray[np.int64]
_WHY = "its units are picked in an order that does not go with its factors"


@dataclass(frozen=True, eq=False)
class Pick:
    """Positions that are taken out of an axis.

    Attributes:
        base: the axis.
        at: the positions, in order, each as often as it is taken.
        result: what they are, unit by unit.
    """

    base: Axis
    at: Index
    result: Axis


def settle(picks: Sequence[Pick]) -> list[tuple[Pick, Mismatch]]:
    """Make the axes of `picks` what they are of each other; return what could not be lined up for which.

    Nothing may be unified afterwards.
    """
    failed: list[tuple[Pick, Mismatch]] = []
    waiting = list(picks)
    while True:  # what is unified for one may give factors to another
        structured = [each for each in waiting if not (_is_plain(each.base) and _is_plain(each.result))]
        if not structured:
            break
        waiting = [each for each in waiting if each not in structured]
        for pick in structured:
            failed += [(pick, mismatch) for mismatch in _unify_structures(pick)]
    _join(waiting)
    return failed


def _is_plain(axis: Axis) -> bool:
    return all(term.form is Form.LEAF for term in stretches(axis))


def _unify_structures(pick: Pick) -> list[Mismatch]:
    """Unify the axes of a pick of which one has factors: as one product in two orders, or by stretches."""
    factors = transposed(pick.at, find(pick.base).size)
    if factors is not None:
        sizes, order = factors
        parts = [leaf(size) for size in sizes]
        return [
            *unify(pick.base, product(parts)),
            *unify(pick.result, product(parts[position] for position in order)),
        ]
    starts = [0, *(np.flatnonzero(np.diff(pick.at) != 1) + 1).tolist()]
    if 2 * len(starts) > len(pick.at):  # units that go one by one are no stretches
        return [(pick.base, pick.result, _WHY)]
    runs = [(int(run[0]), int(run[-1]) + 1) for run in np.split(pick.at, starts[1:])]
    ends = sorted({0, find(pick.base).size, *(end for run in runs for end in run)})
    pieces = {start: leaf(end - start) for start, end in pairwise(ends)}
    taken = [piece for first, end in runs for start, piece in pieces.items() if first <= start < end]
    return [*unify(pick.base, total(pieces.values())), *unify(pick.result, total(taken))]


def transposed(at: Index, size: int) -> tuple[list[int], list[int]] | None:
    """Return the factors of an axis, outermost first, and the order in which `at` has them, or None.

    Example:
        >>> transposed(np.arange(12).reshape(3, 4).T.reshape(-1), 12)
        ([3, 4], [1, 0])
    """
    found: list[tuple[int, int]] = []  # stride and size of each factor, from the innermost of the result
    rest = at
    while len(rest) > 1:
        stride = int(rest[1] - rest[0])
        ends = np.flatnonzero(np.diff(rest) != stride)
        length = int(ends[0]) + 1 if ends.size else len(rest)
        if stride <= 0 or len(rest) % length:
            return None
        found.append((stride, length))
        rest = rest.reshape(-1, length)[:, 0]
    inner = 1
    for stride, length in sorted(found):
        if stride != inner:
            return None
        inner *= length
    whole = np.zeros(1, np.int64)
    for stride, length in reversed(found):
        whole = (whole[:, None] + np.arange(length) * stride).reshape(-1)
    if inner != size or not np.array_equal(whole, at):
        return None
    sizes = sorted(found, reverse=True)
    return [length for _, length in sizes], [sizes.index(each) for each in reversed(found)]


def _join(picks: Sequence[Pick]) -> None:
    """Make one unit of all units that are the same by `picks`, whose axes are plain."""
    members: dict[int, Axis] = {}
    for pick in picks:
        for axis in (pick.base, pick.result):
            members.update((id(term), term) for term in stretches(axis))
    offsets = dict(zip(members, np.cumsum([0, *(axis.size for axis in members.values())]), strict=False))

    def units(axis: Axis) -> Index:
        parts = [np.arange(term.size) + offsets[id(term)] for term in stretches(axis)]
        return np.concatenate(parts).astype(np.int64)

    pairs = [np.stack([units(pick.base)[pick.at], units(pick.result)]) for pick in picks]
    if not pairs:
        return
    named = _components(np.concatenate(pairs, axis=1), sum(axis.size for axis in members.values()))
    # The units that every axis has equally often make a leaf.
    held: dict[int, dict[int, int]] = {}
    for number, (key, axis) in enumerate(members.items()):
        for name in named[offsets[key] : offsets[key] + axis.size].tolist():
            counts = held.setdefault(name, {})
            counts[number] = counts.get(number, 0) + 1
    alike: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for name, counts in held.items():
        alike.setdefault(tuple(counts.items()), []).append(name)
    leaves = [leaf(len(names)) for names in alike.values()]
    place = {name: (at, unit) for at, names in enumerate(alike.values()) for unit, name in enumerate(names)}
    for key, axis in members.items():
        axis.link = _picked(
            [place[n] for n in named[offsets[key] : offsets[key] + axis.size].tolist()], leaves
        )


def _components(pairs: Index, count: int) -> Index:
    """Return for each of `count` units the first one that is the same by a chain of `pairs` ([2, pairs])."""
    named = np.arange(count)
    while True:
        before = named.copy()
        least = np.minimum(named[pairs[0]], named[pairs[1]])
        for side in pairs:
            np.minimum.at(named, named[side], least)
            np.minimum.at(named, side, least)
        named = named[named]
        if np.array_equal(named, before):
            return named


def _picked(places: Sequence[tuple[int, int]], leaves: Sequence[Axis]) -> Axis:
    """Return the axis whose positions are these: which leaf, and which unit of it."""
    used = list(dict.fromkeys(at for at, _ in places))
    starts = dict(zip(used, np.cumsum([0, *(leaves[at].size for at in used)]).tolist(), strict=False))
    at = np.array([starts[leaf] + unit for leaf, unit in places], np.int64)
    parts = tuple(leaves[number] for number in used)
    if len(at) == sum(part.size for part in parts) and np.array_equal(at, np.arange(len(at))):
        return total(parts)
    return Axis(len(at), Form.PICK, parts, at)
