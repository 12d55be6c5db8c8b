"""From axes to positions: which indices along a dimension stay, and which unit lies at each.

Where the blocks of a group choose for themselves, `(h d)` keeps for each unit of `h` its own units of `d`:
that is still one list of positions. Along a dimension `d` of a tensor that has `h` elsewhere it is one list
for each unit of `h`: an `Apart`, which `graphprune.cuts` lines up with the dimension where `h` is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import Axis, Form, factors, find, leaves, parts
from graphprune.errors import Refused

Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Apart:
    """Positions along a dimension that stay, others for each unit of a leaf that lies along another one.

    Attributes:
        outer: the leaf.
        rows: for each of its units the positions that stay, in order; int64, [units, positions].
    """

    outer: Axis
    rows: Index

    @property
    def size(self) -> int:
        """How many positions stay."""
        return int(self.rows.shape[1])

    def tobytes(self) -> bytes:
        """Return what tells two of them apart."""
        return self.rows.tobytes()


Stay = Index | Apart | None
"""What stays along an axis: positions in order, or None where all do."""
Kept = Callable[[Axis], Stay]
"""Maps a leaf to the ordered indices of the units that stay, or to None where all stay."""


def keep(axis: Axis, kept: Kept) -> Stay:
    """Return what stays along `axis`.

    Raises:
        Refused: blocks of different factors choose along one dimension.
    """
    axis = find(axis)
    if axis.form is Form.LEAF:
        return kept(axis)
    made_of = factors(axis) if axis.form is Form.PRODUCT else list(parts(axis))
    found = [keep(part, kept) for part in made_of]
    if all(index is None for index in found):
        return None
    if axis.form is Form.SUM:
        return _consecutive(made_of, found)
    if axis.form is Form.PICK:
        return _picked(axis, _consecutive(made_of, found))
    if any(isinstance(index, Apart) for index in found):
        return _product_of_blocks(made_of, found)
    positions = np.zeros(1, dtype=np.int64)
    for part, index in zip(made_of, found, strict=True):
        inner = _rows(part, index)[0]
        positions = (positions[:, None] * part.size + inner[None, :]).reshape(-1)
    return positions


def _rows(part: Axis, index: Stay) -> Index:
    """Return what stays as rows: one, or one for each block."""
    if isinstance(index, Apart):
        return index.rows
    return (np.arange(part.size, dtype=np.int64) if index is None else index)[None, :]


def _consecutive(parts: Sequence[Axis], found: Sequence[Stay]) -> Stay:
    outer = _common([index.outer for index in found if isinstance(index, Apart)])
    rows = [_rows(part, index) for part, index in zip(parts, found, strict=True)]
    count = max(len(each) for each in rows)
    offsets = np.cumsum([0, *(part.size for part in parts)])
    moved = [
        np.broadcast_to(each + at, (count, each.shape[1]))
        for each, at in zip(rows, offsets[:-1], strict=True)
    ]
    whole = np.concatenate(moved, axis=1)
    return whole[0] if outer is None else Apart(outer, whole)


def _picked(axis: Axis, stays: Stay) -> Index:
    """Return the positions of a pick whose units stay, in its own order, given what stays of its parts."""
    assert axis.at is not None
    assert isinstance(stays, np.ndarray)  # no group with a pick has blocks
    return np.flatnonzero(np.isin(axis.at, stays)).astype(np.int64)


def _common(outers: Sequence[Axis]) -> Axis | None:
    if any(outer is not outers[0] for outer in outers):
        raise Refused(
            "blocks of different factors choose for themselves along one dimension",
            "let one of the groups keep the same units in every block",
        )
    return outers[0] if outers else None


def _product_of_blocks(parts: Sequence[Axis], found: Sequence[Stay]) -> Stay:
    """Return the outer product, in which each block takes its own units where the blocks are a factor.

    The sum of all terms has a dimension for each factor, behind one for the blocks that are none of them.
    """
    rank = len(parts) + 1
    total = np.zeros([1] * rank, dtype=np.int64)
    elsewhere: list[Axis] = []
    for number, (part, index) in enumerate(zip(parts, found, strict=True)):
        rows = _rows(part, index)
        along = 0
        if isinstance(index, Apart):
            along = 1 + next(
                (at for at, other in enumerate(parts) if at != number and has(other, index.outer)), -1
            )
            if along:
                # Which block lies at a position does not depend on what blocks choose.
                rows = rows[
                    units(parts[along - 1], index.outer)[_rows(parts[along - 1], found[along - 1])[0]]
                ]
            else:
                elsewhere.append(index.outer)
        total = total + spread(rows, rank, along, number + 1) * prod(p.size for p in parts[number + 1 :])
    outer = _common(elsewhere)
    flat = total.reshape(total.shape[0], -1)
    return flat[0] if outer is None else Apart(outer, flat)


def has(axis: Axis, part: Axis) -> bool:
    """Whether `part` is one of the leaves of `axis`."""
    return any(leaf is part for leaf in leaves(axis))


def spread(rows: Index, rank: int, first: int, second: int) -> Index:
    """Lay `rows` along dimension `first` and its columns along dimension `second` of `rank`."""
    shape = [1] * rank
    shape[first], shape[second] = rows.shape
    return (rows if first < second else rows.T).reshape(shape)


def units(axis: Axis, group: Axis) -> Index:
    """Return for every position along `axis` the unit of the leaf `group` that lies there, or -1."""
    axis = find(axis)
    if axis.form is Form.LEAF:
        same = axis is find(group)
        return np.arange(axis.size, dtype=np.int64) if same else np.full(axis.size, -1, dtype=np.int64)
    found = [units(part, group) for part in parts(axis)]
    if axis.form is Form.SUM:
        return np.concatenate(found)
    if axis.form is Form.PICK:
        whole: Index = np.concatenate(found)[axis.at]
        return whole
    result = np.full(1, -1, dtype=np.int64)
    for inner in found:
        outer = np.repeat(result, inner.size)
        result = np.where(outer >= 0, outer, np.tile(inner, result.size))
    return result


def terms(axis: Axis) -> list[list[Axis]]:
    """Return the leaves that multiply each other, one list a stretch (for finding co-factors)."""
    axis = find(axis)
    if axis.form is Form.LEAF:
        return [[axis]]
    if axis.form in (Form.SUM, Form.PICK):
        return [term for part in parts(axis) for term in terms(part)]
    lists: list[list[Axis]] = [[]]
    for part in parts(axis):
        lists = [head + tail for head in lists for tail in terms(part)]
    return lists
