"""From axes to positions: which indices along a dimension stay, and which unit lies at each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import Axis, Form, find

Index = NDArray[np.int64]
Kept = Callable[[Axis], "Index | None"]
"""Maps a leaf to the ordered indices of the units that stay, or to None where all stay."""


def keep(axis: Axis, kept: Kept) -> Index | None:
    """Return the positions along `axis` that stay, in order, or None where all stay."""
    axis = find(axis)
    if axis.form is Form.LEAF:
        return kept(axis)
    parts = [(part.size, keep(part, kept)) for part in axis.parts]
    if all(index is None for _, index in parts):
        return None
    if axis.form is Form.SUM:
        offset = 0
        pieces: list[Index] = []
        for size, index in parts:
            pieces.append(offset + (np.arange(size, dtype=np.int64) if index is None else index))
            offset += size
        return np.concatenate(pieces)
    positions = np.zeros(1, dtype=np.int64)
    for size, index in parts:
        inner = np.arange(size, dtype=np.int64) if index is None else index
        positions = (positions[:, None] * size + inner[None, :]).reshape(-1)
    return positions


def units(axis: Axis, group: Axis) -> Index:
    """Return for every position along `axis` the unit of the leaf `group` that lies there, or -1."""
    axis = find(axis)
    if axis.form is Form.LEAF:
        same = axis is find(group)
        return np.arange(axis.size, dtype=np.int64) if same else np.full(axis.size, -1, dtype=np.int64)
    parts = [units(part, group) for part in axis.parts]
    if axis.form is Form.SUM:
        return np.concatenate(parts)
    result = np.full(1, -1, dtype=np.int64)
    for inner in parts:
        outer = np.repeat(result, inner.size)
        result = np.where(outer >= 0, outer, np.tile(inner, result.size))
    return result


def terms(axis: Axis) -> list[list[Axis]]:
    """Return the leaves that multiply each other, one list a stretch (for finding co-factors)."""
    axis = find(axis)
    if axis.form is Form.LEAF:
        return [[axis]]
    if axis.form is Form.SUM:
        return [term for part in axis.parts for term in terms(part)]
    lists: list[list[Axis]] = [[]]
    for part in axis.parts:
        lists = [head + tail for head in lists for tail in terms(part)]
    return lists
