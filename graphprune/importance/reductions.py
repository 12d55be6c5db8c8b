"""Numbers per unit from the entries of one constant.

A unit's slice is what lies at its positions along one dimension. Entries are read as float32, in chunks that
stay in the processor's cache, so that a large weight is never held whole. Sums over chunks and over positions
are float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.weights import Weight

Values = NDArray[np.float32]
Numbers = NDArray[np.float64]
Units = NDArray[np.int64]
Entries = NDArray[Any] | Weight
"""An array, or a weight that is read as it is needed."""

CHUNK = 1 << 20
"""Entries that are reduced at a time."""


@dataclass(frozen=True)
class Slices:
    """Where the `size` units of a group lie along dimension `dim`: the unit at each position, or -1."""

    dim: int
    units: Units
    size: int


def absolute_sums(values: Entries, places: Sequence[Slices]) -> list[Numbers]:
    """Per place and unit, the sum of the absolute entries of the unit's slice."""
    return _sums(values, places, np.abs)


def squared_sums(values: Entries, places: Sequence[Slices]) -> list[Numbers]:
    """Per place and unit, the sum of the squared entries of the unit's slice."""
    return _sums(values, places, np.square)


def _sums(values: Entries, places: Sequence[Slices], power: Callable[[Values], Values]) -> list[Numbers]:
    sums = {place.dim: np.zeros(values.shape[place.dim]) for place in places}
    for start, chunk in _chunks(values):
        with np.errstate(over="ignore"):  # the caller sees that a sum is not finite
            block = power(chunk)
        for dim, numbers in sums.items():
            rows = slice(start, start + len(block)) if dim == 0 else slice(None)
            numbers[rows] += _along(block, dim)
    return [_by_unit(sums[place.dim], place) for place in places]


def distances(values: Entries, places: Sequence[Slices]) -> list[Numbers]:
    """Per place and unit, the sum of the Euclidean distances from its slice to every other unit's.

    The unit with the smallest sum is nearest to the geometric median (He et al. 2019, eq. 4).
    """
    entries = values.load() if isinstance(values, Weight) else values
    return [_distances(_slices(entries, place)) for place in places]


def _distances(slices: Values) -> Numbers:
    with np.errstate(invalid="ignore"):
        return _row_sums(slices)


def _row_sums(slices: Values) -> Numbers:
    squares = np.einsum("uk,uk->u", slices, slices)
    sums = np.empty(len(slices))
    rows = max(1, 8 * CHUNK // max(1, len(slices)))
    for start in range(0, len(slices), rows):
        some = slice(start, start + rows)
        apart = squares[some, None] + squares[None, :] - 2 * (slices[some] @ slices.T)
        # Rounding leaves a unit a little away from itself, and equal units apart by less than nothing.
        apart[np.arange(len(apart)), np.arange(len(slices))[some]] = 0
        sums[some] = np.sqrt(np.maximum(apart, 0)).sum(axis=1, dtype=np.float64)
    return sums


def _slices(values: NDArray[Any], place: Slices) -> Values:
    """The slice of every unit as one row; where units have unequal slices the shorter end in zeros."""
    positions = np.flatnonzero(place.units >= 0)
    units = place.units[positions]
    order = np.argsort(units, kind="stable")
    positions, units = positions[order], units[order]
    counts = np.bincount(units, minlength=place.size)
    rank = np.arange(units.size) - (np.cumsum(counts) - counts)[units]
    others = prod(values.shape) // max(1, values.shape[place.dim])
    entries = np.moveaxis(values, place.dim, 0)[positions].reshape(units.size, others)
    most = int(counts.max(initial=0))
    rows = np.zeros((place.size, most, others), dtype=np.float32)
    rows[units, rank] = entries
    return rows.reshape(place.size, most * others)


def _chunks(values: Entries) -> Iterator[tuple[int, Values]]:
    """The entries as float32, a number of rows at a time, with the first row's number."""
    rows = max(1, CHUNK // max(1, prod(values.shape[1:])))
    if isinstance(values, Weight) and values.shape[0] > 1:
        for number, piece in enumerate(values.pieces(rows)):
            yield number * rows, np.asarray(piece.reshape(-1, *values.shape[1:]), dtype=np.float32)
        return
    array = values.load() if isinstance(values, Weight) else values
    for start in range(0, len(array), rows):
        yield start, np.asarray(array[start : start + rows], dtype=np.float32)


def _along(block: Values, dim: int) -> Numbers:
    """The sums over all dimensions but `dim`."""
    before, here, after = prod(block.shape[:dim]), block.shape[dim], prod(block.shape[dim + 1 :])
    # Several times faster than np.sum over short dimensions; unlike a matrix product with ones it does
    # not depend on how many threads there are, so that equal weights give equal plans everywhere.
    rows = np.einsum("ij->i", block.reshape(before * here, after))
    sums: Values = np.einsum("ij->j", rows.reshape(before, here))
    return sums.astype(np.float64)


def _by_unit(numbers: Numbers, place: Slices) -> Numbers:
    inside = place.units >= 0
    sums: Numbers = np.bincount(place.units[inside], weights=numbers[inside], minlength=place.size).astype(
        np.float64
    )
    return sums
