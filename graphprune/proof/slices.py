"""Two tensors of a stage compared slice by slice, against how much each slice varies.

One norm over a whole tensor is set by its largest part: class scores beside boxes in pixels could be
anything. And one in relation to the values, not to their spread, sees nothing behind a large common offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = 4e-6
"""What float32 itself explains, in relation to the root mean square of a tensor and to its range."""
_STEPS = 1e-3
"""The share of integers of 8 bits that may be one step off: what was rounded stood at a boundary."""
_BLOCK = 1 << 17
"""Elements that are looked at in one go: what is made of them stays in the processor's cache."""


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
    count, total, squares, errors, largest = 0, 0.0, 0.0, 0.0, 0.0
    for _, _, x, error, good in _errors(expected, found, centre):
        if good is not None and not good.size:
            return ALL
        largest = max(largest, float(np.max(error, initial=0.0)), -float(np.min(error, initial=0.0)))
        count += x.size if good is None else int(np.count_nonzero(good))
        total += float(x.sum())
        squares += _dot(x)
        errors += _dot(error)
    if largest == 0 or count == 0:
        return Gap(0.0, largest)
    spread = sqrt(max(0.0, squares / count - (total / count) ** 2))
    mean = total / count + centre
    least = _floor(expected.dtype) * (sqrt(mean * mean + spread * spread) + reach)
    with np.errstate(divide="ignore"):
        worst = float(np.sqrt(errors / count) / np.float64(max(limit * spread, least)))
        # No slice is off by more than the largest error.
        if largest > least:
            worst = max(worst, _worst(expected, found, centre, limit, spread, least))
    return Gap(worst, largest)


def _worst(
    expected: NDArray[Any], found: NDArray[Any], centre: float, limit: float, spread: float, least: float
) -> float:
    """Return the error of the worst slice over what it may be, at least `least`."""
    axes = [axis for axis, size in enumerate(expected.shape) if size > 1]
    counts = {axis: np.zeros(expected.shape[axis]) for axis in axes}
    sums = {axis: np.zeros((3, expected.shape[axis])) for axis in axes}
    for start, along, x, error, good in _errors(expected, found, centre):
        for axis in axes:
            at = slice(start, start + x.shape[axis]) if axis == along else slice(None)
            counts[axis][at] += x.size // x.shape[axis] if good is None else _along(good * 1.0, axis)
        for row, part in enumerate((x, x * x, error * error)):
            inner = part.sum(axis=-1, keepdims=True)
            for axis in axes:
                at = slice(start, start + x.shape[axis]) if axis == along else slice(None)
                sums[axis][row, at] += _along(part if axis == x.ndim - 1 else inner, axis)
    ratios: list[float] = []
    for axis in axes:
        n = np.maximum(counts[axis], 1.0)
        total, squares, errors = sums[axis]
        around = np.sqrt(np.maximum(squares / n - (total / n) ** 2, 0.0))
        around = np.where(n < 2, spread, around)
        ratios.append(float(np.max(np.sqrt(errors / n) / np.maximum(limit * around, least))))
    return max(ratios, default=0.0)


def _dot(values: NDArray[Any]) -> float:
    """Return the sum of squares, in this thread."""
    flat = values.reshape(-1)
    return float(np.einsum("i,i->", flat, flat))


def _along(part: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return the sums of the slices along one axis."""
    return np.asarray(part.sum(axis=tuple(at for at in range(part.ndim) if at != axis)))


def _errors(
    expected: NDArray[Any], found: NDArray[Any], centre: float
) -> Iterator[tuple[int, int, NDArray[Any], NDArray[Any], NDArray[np.bool_] | None]]:
    """Yield in pieces (see `_blocks`) values from the centre, errors, and what is compared; None for all.

    What is not compared is zero in both. Where one is no number and the other is, nothing is compared.
    """
    for start, axis, a, b in _blocks(expected, found):
        x = np.array(a, np.float64, order="C")
        error = np.array(b, np.float64, order="C")
        with np.errstate(invalid="ignore"):
            error -= x
        x -= centre
        good: NDArray[np.bool_] | None = None
        if not np.isfinite(_dot(error)):
            good = np.asarray(np.isfinite(x) & np.isfinite(np.asarray(b, np.float64)))
            if not np.all(good | _both(np.asarray(a, np.float64), np.asarray(b, np.float64))):
                good = np.zeros(0, np.bool_)
            else:
                x, error = np.where(good, x, 0.0), np.where(good, error, 0.0)
        yield start, axis, x, error, good


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
