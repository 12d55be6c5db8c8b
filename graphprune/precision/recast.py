"""Weights of another element type, converted when they are read, and what the conversion does to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import ArrayLike, NDArray

from graphprune import elements
from graphprune.ir import read
from graphprune.weights import Weight, packed_pieces, stored

ENDLESS = 1e30
"""Finite numbers from here on stand for infinity (masks, open bounds); no network computes with them."""


def _limits(dtype: np.dtype[Any]) -> Any:
    return ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]


def limit(element: int) -> float:
    """Return the least magnitude that rounds to infinity in the type number `element`.

    >>> limit(elements.number_of(np.dtype(np.float16)))
    65520.0
    """
    info = _limits(elements.DTYPES[element])
    largest = float(info.max)
    return largest + (largest - float(np.nextafter(info.max, np.zeros((), info.dtype)))) / 2


def converted(values: NDArray[Any], element: int) -> NDArray[Any]:
    """Return `values` in the type number `element`.

    What is finite stays finite: larger numbers become the largest there is. What is not 0 does not become 0
    but the smallest number there is, since much that is small is there to divide by. Infinities and NaN stay.
    """
    dtype = elements.DTYPES[element]
    info = _limits(dtype)
    bound = np.float32(info.max)
    held = np.where(np.isfinite(values), np.clip(values, -bound, bound), values).astype(dtype)
    lost = (held == np.zeros((), dtype)) & (values != 0)
    if lost.any():
        least = np.array(info.smallest_subnormal, dtype)
        held[lost] = np.where(values[lost] < 0, -least, least).astype(dtype)
    return held


@dataclass(frozen=True)
class Loss:
    """What the conversion of a constant loses.

    Attributes:
        largest: the largest magnitude below `ENDLESS`.
        clipped: finite numbers that are larger than the type's largest.
        raised: numbers other than 0 that would round to 0.
        subnormal: others that are kept with fewer digits, being subnormal.
    """

    largest: float
    clipped: int
    raised: int
    subnormal: int


def loss(constant: gs.Constant, element: int) -> Loss:
    """Return what the conversion of `constant` to the type number `element` loses."""
    values = np.abs(read(constant).astype(np.float32, copy=False))
    values = values[np.isfinite(values)]
    real = values[values < ENDLESS]
    info = _limits(elements.DTYPES[element])
    lost = (values > 0) & (values <= np.float32(info.smallest_subnormal) / 2)
    small = (values > 0) & (values < np.float32(info.smallest_normal)) & ~lost
    return Loss(
        float(real.max(initial=0.0)),
        int(np.count_nonzero(values >= limit(element))),
        int(np.count_nonzero(lost)),
        int(np.count_nonzero(small)),
    )


class Recast(Weight):
    """A weight that is converted to another element type when it is read."""

    def __init__(self, weight: Weight, element: int) -> None:
        super().__init__(weight.proto, weight.stretch, weight.cuts, weight.then)
        self.weight = weight
        self.element = element
        self.dtype = elements.DTYPES[element]

    def take(self, cuts: Mapping[int, ArrayLike]) -> Recast:
        """Return this weight at the positions that stay."""
        return Recast(self.weight.take(cuts), self.element)

    def pieces(self, rows: int | None = None) -> Iterator[NDArray[Any]]:
        """Yield the elements in order, cut and converted, as flat arrays."""
        for piece in self.weight.pieces(rows):
            yield converted(piece, self.element)

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the tensor as ONNX stores them."""
        yield from packed_pieces(self.pieces(), self.element)


def recast(constant: gs.Constant, name: str, element: int) -> gs.Constant:
    """Return a constant called `name` with the values of `constant` in another element type.

    They stay where they are until they are read.
    """
    held = stored(constant)
    values: Any = Recast(held, element) if isinstance(held, Weight) else converted(read(constant), element)
    return gs.Constant(name, values)
