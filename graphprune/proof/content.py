"""Two constants compared by content, some MB at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune import elements
from graphprune.cuts import Cuts, take
from graphprune.ir import shape_of
from graphprune.weights import Computed, SparseWeight, Weight, stored

_ROUNDED = 8
_FLOATS = frozenset([TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16])


@dataclass(frozen=True)
class Unlike:
    """How a constant is not what it should be.

    Attributes:
        found: what it is, in words: its first number that differs, or its type and sizes.
        expected: what it should be.
        place: the index of that number, as "[3, 0]"; empty where it is not about numbers.
        count: how many numbers differ.
    """

    found: str
    expected: str
    place: str = ""
    count: int = 0


def unlike(left: gs.Constant, cuts: Cuts, right: gs.Constant) -> Unlike | None:
    """Return how `right` is not `left` at `cuts`; None where it is.

    Numbers are compared by their bits, so that NaN is like NaN; those of `left` that were computed
    (`graphprune.weights.Computed`) to a few units in the last place of the largest.
    """
    a, b = stored(left), stored(right)
    whole = a
    if isinstance(a, SparseWeight) or isinstance(b, SparseWeight):
        return _unlike_sparse(a.take(cuts) if cuts and isinstance(a, SparseWeight) else a, b)
    if cuts:
        a = a.take(cuts) if isinstance(a, Weight) else take(a, cuts)
    kinds = [element_of(each) for each in (a, b)]
    if kinds[0] != kinds[1] or tuple(a.shape) != tuple(b.shape):
        said = [
            f"{elements.NAMES[k].lower()} {list(map(int, x.shape))}"
            for k, x in zip(kinds, (a, b), strict=True)
        ]
        return Unlike(said[1], said[0])
    if _is_one(a, b):
        return None
    if kinds[0] == TensorProto.STRING:
        equal = [_texts(x) for x in (a, b)]
        return None if equal[0] == equal[1] else Unlike("other strings", "those of the original")
    count, first = 0, None
    at = 0
    room: float | None = None
    for x, y in _aligned(_pieces(a), _pieces(b)):
        differs = _bits(x) != _bits(y)
        if isinstance(whole, Computed) and differs.any():
            room = _room(whole) if room is None else room
            if room:
                differs &= ~(np.abs(x.astype(np.float64) - y.astype(np.float64)) <= room)
        if differs.any():
            count += int(np.count_nonzero(differs))
            if first is None:
                i = int(np.flatnonzero(differs)[0])
                first = at + i, x[i], y[i]
        at += x.size
    if first is None:
        return None
    place = [int(i) for i in np.unravel_index(first[0], shape_of(right))] if right.shape else []
    return Unlike(str(first[2]), str(first[1]), str(place), count)


def _room(held: Computed) -> float:
    """Return by how much numbers may differ that were computed, on another machine maybe."""
    if not held.size or not _is_float(held.dtype):
        return 0.0
    values = np.abs(np.asarray(held).astype(np.float64))
    largest = float(values.max(where=np.isfinite(values), initial=0.0))
    return _ROUNDED * _eps(held.dtype) * largest


def _is_float(dtype: np.dtype[Any]) -> bool:
    return elements.number_of(dtype) in _FLOATS


def _eps(dtype: np.dtype[Any]) -> float:
    return float(ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]


def element_of(held: Weight | NDArray[Any]) -> int:
    """Return ONNX's number of the element type of what a constant holds."""
    return held.element if isinstance(held, Weight) else elements.number_of(held.dtype)


def _is_one(a: Weight | NDArray[Any], b: Weight | NDArray[Any]) -> bool:
    """Whether both are the same cut of the same tensor, so that nothing needs to be read."""
    if not isinstance(a, Weight) or not isinstance(b, Weight) or type(a) is not type(b):
        return a is b
    if type(a) is not Weight:
        return False
    cuts = [[*sorted(each.cuts.items()), *each.then] for each in (a, b)]
    return (
        (a.proto is b.proto or (a.stretch is not None and a.stretch == b.stretch))
        and len(cuts[0]) == len(cuts[1])
        and all(d == e and np.array_equal(x, y) for (d, x), (e, y) in zip(*cuts, strict=True))
    )


def _pieces(held: Weight | NDArray[Any]) -> Iterator[NDArray[Any]]:
    return held.pieces() if isinstance(held, Weight) else iter((np.ascontiguousarray(held).reshape(-1),))


def _aligned(
    left: Iterator[NDArray[Any]], right: Iterator[NDArray[Any]]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield stretches of equal length of two runs of as many elements."""
    a = b = np.empty(0)
    while True:
        a = a if a.size else next(left, a)
        b = b if b.size else next(right, b)
        count = min(a.size, b.size)
        if not count:
            return
        yield a[:count], b[:count]
        a, b = a[count:], b[count:]


def _bits(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as integers of their bits."""
    size = array.dtype.itemsize
    array = np.ascontiguousarray(array)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    if size in (1, 2, 4, 8):
        return array.view(f"u{size}")
    return array.view(np.dtype(f"V{size}"))


def _texts(held: Weight | NDArray[Any]) -> list[bytes]:
    texts = held.load() if isinstance(held, Weight) else held
    return [
        t if isinstance(t, bytes) else str(t).encode("utf-8", "surrogateescape")
        for t in texts.ravel().tolist()
    ]


def _unlike_sparse(a: Any, b: Any) -> Unlike | None:
    if not (isinstance(a, SparseWeight) and isinstance(b, SparseWeight)):
        return Unlike("sparse" if isinstance(b, SparseWeight) else "dense", "stored as before")
    if a.shape != b.shape:
        return Unlike(f"sparse {list(b.shape)}", f"sparse {list(a.shape)}")
    for x, y in zip(a.parts, b.parts, strict=True):
        found = unlike(gs.Constant("a", x), {}, gs.Constant("b", y))
        if found is not None:
            return found
    return None


def small(constant: gs.Constant, limit: int) -> NDArray[Any] | None:
    """Return the values of a constant of at most `limit` elements, or None."""
    held = stored(constant)
    if prod(shape_of(constant)) > limit:
        return None
    return held if isinstance(held, np.ndarray) else held.load()
