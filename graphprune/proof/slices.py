"""Two tensors of a stage compared slice by slice, against how much each slice varies.

One norm over a whole tensor is set by its largest part: class scores beside boxes in pixels could be
anything. And one in relation to the values, not to their spread, sees nothing behind a large common offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = 4e-6
"""What float32 itself explains, in relation to the root mean square of a tensor and to its range."""
_STEPS = 1e-3
"""The share of integers of 8 bits that may be one step off: what was rounded stood at a boundary."""
_BLOCK = 1 << 20
"""Elements that are looked at in one go."""


@dataclass(frozen=True)
class Gap:
    """How far two tensors are apart.

    Attributes:
        ratio: the worst slice's error over what it may be; at most 1 passes.
        largest: the largest absolute difference.
    """

    ratio: float
    largest: float


NONE = Gap(0.0, 0.0)
ALL = Gap(float("inf"), float("inf"))


def gap(
    expected: NDArray[Any], found: NDArray[Any], limit: float, reach: float = 0.0, *, steps: bool = False
) -> Gap:
    """Compare two tensors of one shape.

    A slice (one position of one axis, and the whole) passes if the root mean square of its error is at most
    `limit` times the slice's standard deviation, or within what the element type explains: `FLOOR` times the
    root mean square of the tensor and `reach`. A slice of one element is measured by the spread of the whole.
    What is NaN in both, or the same infinity, is not compared.

    Args:
        expected: what must come out; the slices' spread is its.
        found: what came out.
        limit: the largest error in relation to the spread.
        reach: the range of values in front, where an operator has shrunk them (1 behind a sigmoid).
        steps: whether integers of 8 bits may be one step off here and there.
    """
    if expected.shape != found.shape:
        return ALL
    if not is_float(expected):
        return _integers(expected, found, steps)
    centre = _centre(expected)
    if centre is None:
        same = _both(expected, found)
        return NONE if bool(np.all(same)) else ALL
    sums = _Sums(expected.shape, centre)
    largest = 0.0
    for start, axis, a, b in _blocks(expected, found):
        x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
        good = np.isfinite(x) & np.isfinite(y)
        if not good.all():
            if not np.all(good | _both(x, y)):
                return ALL
            x, y = np.where(good, x, centre), np.where(good, y, centre)
        error = y - x
        largest = max(largest, float(np.max(np.abs(error), initial=0.0)))
        sums.add(start, axis, x - centre, error, good)
    return Gap(sums.worst(limit, reach, _floor(expected.dtype), largest), largest)


def is_float(array: NDArray[Any]) -> bool:
    """Whether numbers are floats, those included that numpy itself does not know."""
    return array.dtype.kind == "f" or "float" in array.dtype.name


def spreads(array: NDArray[Any]) -> bool:
    """Whether numbers differ from each other; what is no number proves nothing."""
    flat = array.reshape(-1)
    if is_float(array):
        flat = flat[np.isfinite(flat.astype(np.float64) if array.dtype.kind != "f" else flat)]
    return bool(flat.size > 1 and np.any(flat != flat[0]))


def moved(before: NDArray[Any], after: NDArray[Any]) -> bool:
    """Whether numbers that are finite in both differ by more than the noise of sums."""
    if before.shape != after.shape:
        return True
    if not is_float(before):
        return not np.array_equal(before, after)
    for _, _, a, b in _blocks(before, after):
        x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
        good = np.isfinite(x) & np.isfinite(y)
        change = np.abs(np.where(good, y, 0.0) - np.where(good, x, 0.0))
        size = np.abs(np.where(good, x, 0.0)) + np.abs(np.where(good, y, 0.0))
        if bool(np.any(change > 1e-5 * size)):
            return True
    return False


class _Sums:
    """Sums over the slices along every axis: how many, values (from the centre), their squares, errors'."""

    def __init__(self, shape: tuple[int, ...], centre: float) -> None:
        self.shape, self.centre = shape, centre
        self.axes = [axis for axis, size in enumerate(shape) if size > 1]
        self.of = {axis: np.zeros((4, shape[axis])) for axis in self.axes}
        self.whole = np.zeros(4)

    def add(
        self, start: int, along: int, x: NDArray[Any], error: NDArray[Any], good: NDArray[np.bool_]
    ) -> None:
        """Add a block that begins at position `start` of axis `along`."""
        parts = (np.asarray(good, np.float64), x, x * x, error * error)
        self.whole += [float(part.sum()) for part in parts]
        for axis in self.axes:
            over = tuple(at for at in range(x.ndim) if at != axis)
            at = start if axis == along else 0
            for row, part in enumerate(parts):
                self.of[axis][row, at : at + x.shape[axis]] += part.sum(axis=over)

    def worst(self, limit: float, reach: float, floor: float, largest: float) -> float:
        """Return the worst slice's error over what it may be."""
        count, total, squares, errors = self.whole
        if largest == 0 or count == 0:
            return 0.0
        spread = np.sqrt(max(0.0, squares / count - (total / count) ** 2))
        mean = total / count + self.centre
        least = floor * (np.sqrt(mean * mean + spread * spread) + reach)
        with np.errstate(divide="ignore"):
            found = [np.sqrt(errors / count) / max(limit * spread, least)]
            # No slice is off by more than the largest error.
            for axis in self.axes if largest > least else ():
                n, sums, squares_, errors_ = self.of[axis]
                n = np.maximum(n, 1.0)
                around = np.sqrt(np.maximum(squares_ / n - (sums / n) ** 2, 0.0))
                around = np.where(n < 2, spread, around)
                found.append(np.max(np.sqrt(errors_ / n) / np.maximum(limit * around, least)))
        return float(max(found))


def _integers(expected: NDArray[Any], found: NDArray[Any], steps: bool) -> Gap:
    if np.array_equal(expected, found):
        return NONE
    if expected.dtype.kind not in "iub":
        return Gap(float("inf"), 1.0)
    apart = np.abs(expected.astype(np.float64) - found.astype(np.float64))
    largest = float(np.max(apart))
    rare = np.count_nonzero(apart) <= max(1, _STEPS * apart.size)
    small = expected.dtype.itemsize == 1 and expected.dtype.kind in "iu"
    return Gap(1.0, largest) if steps and small and largest <= 1 and rare else Gap(float("inf"), largest)


def _both(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
    """Where both are NaN, or the same."""
    return np.asarray((x == y) | ((x != x) & (y != y)))


def _centre(array: NDArray[Any]) -> float | None:
    """Return about the mean of what is finite, None where nothing is."""
    flat = array.reshape(-1)
    sample = np.asarray(flat[:: max(1, flat.size // 4096)], np.float64)
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        rest = np.asarray(flat, np.float64)
        sample = rest[np.isfinite(rest)]
    return float(sample.mean()) if sample.size else None


def _floor(dtype: np.dtype[Any]) -> float:
    own = {"float64": 2**-52, "float32": 2**-23, "float16": 2**-10}.get(dtype.name, 2**-7)
    return FLOOR * own / 2**-23


def _blocks(a: NDArray[Any], b: NDArray[Any]) -> Iterator[tuple[int, int, NDArray[Any], NDArray[Any]]]:
    """Yield both arrays in pieces along their longest axis, with where each piece begins."""
    if not a.size:
        return
    if not a.ndim:
        yield 0, 0, a.reshape(1), b.reshape(1)
        return
    axis = int(np.argmax(a.shape))
    step = max(1, _BLOCK * a.shape[axis] // a.size)
    for start in range(0, a.shape[axis], step):
        where = (slice(None),) * axis + (slice(start, start + step),)
        yield start, axis, a[where], b[where]
