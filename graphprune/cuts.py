"""What stays of a tensor: positions along each dimension, where some may differ along another dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import Axis
from graphprune.positions import Apart, Index, Stay, has, spread, units

Cuts = dict[int, Index]
"""Dimension -> the positions that stay, in order: [positions].

Or, where they differ along another dimension, an array with as many dimensions as the tensor, as numpy's
`take_along_axis` reads it: [1, .., other dimension, .., positions, .., 1]. Lists are carried out first, then
arrays by dimension, and each array is for a tensor that was cut so far.
"""


def cuts_of(axes: Sequence[Axis], stays: Callable[[Axis], Stay]) -> Cuts:
    """Return the dimensions of a tensor with these axes that are cut.

    Args:
        axes: the axis of each dimension.
        stays: what stays along an axis, as `Solution.stays` gives it.
    """
    found = {dim: stays(axis) for dim, axis in enumerate(axes)}
    cuts = {dim: index for dim, index in found.items() if isinstance(index, np.ndarray)}
    for dim, index in found.items():
        if isinstance(index, Apart):
            along = next(at for at, axis in enumerate(axes) if at != dim and has(axis, index.outer))
            blocks = units(axes[along], index.outer)[line(cuts, along, axes[along].size)]
            cuts[dim] = spread(index.rows[blocks], len(axes), along, dim)
    return cuts


def in_order(cuts: Mapping[int, Index]) -> list[tuple[int, Index]]:
    """Return cuts in the order in which they are carried out."""
    return sorted(cuts.items(), key=lambda item: (item[1].ndim > 1, item[0]))


def take(array: NDArray[Any], cuts: Mapping[int, Index]) -> NDArray[Any]:
    """Return `array` at the positions that stay."""
    for dim, index in in_order(cuts):
        array = np.take(array, index, axis=dim) if index.ndim == 1 else np.take_along_axis(array, index, dim)
    return array


def line(cuts: Mapping[int, Index], dim: int, size: int) -> Index:
    """Return one list of positions along a dimension of `size`: where they differ, the first."""
    index = cuts.get(dim)
    if index is None:
        return np.arange(size, dtype=np.int64)
    return (
        index
        if index.ndim == 1
        else index[tuple(slice(None) if at == dim else 0 for at in range(index.ndim))]
    )


def other(index: Index, dim: int) -> int | None:
    """Return the dimension along which the positions along `dim` differ, or None."""
    if index.ndim == 1:
        return None
    return next((at for at, size in enumerate(index.shape) if at != dim and size > 1), None)


def mask(cuts: Cuts, dim: int, sizes: Sequence[int]) -> NDArray[np.bool_]:
    """Return which positions of one dimension stay, in a shape that broadcasts to `sizes`."""
    index, rank = cuts[dim], len(sizes)
    if index.ndim == 1:
        index = index.reshape(_along(dim, rank))
    found = _filled(index, np.ones((), bool), dim, sizes[dim])
    along = other(index, dim)
    if along is None:
        return found
    # The rows are those of blocks that stay; of the others nothing does.
    done = cuts if along < dim or cuts.get(along, index).ndim == 1 else {}
    return _filled(line(done, along, sizes[along]).reshape(_along(along, rank)), found, along, sizes[along])


def back(index: Index, dim: int, size: int) -> Index:
    """Return the positions that put back what was taken at `index` from a dimension of `size`.

    At positions that went stands any.
    """
    axis = 0 if index.ndim == 1 else dim
    places = np.arange(index.shape[axis], dtype=np.int64).reshape(_along(axis, index.ndim))
    return _filled(index, places, axis, size)


def _filled(index: Index, values: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """Return an array of zeros, `size` long along `axis`, with `values` put at the positions `index`."""
    shape = np.broadcast_shapes(index.shape, values.shape)
    found = np.zeros([size if at == axis else length for at, length in enumerate(shape)], values.dtype)
    np.put_along_axis(found, np.broadcast_to(index, shape), np.broadcast_to(values, shape), axis=axis)
    return found


def _along(dim: int, rank: int) -> list[int]:
    """Return the shape in which a list lies along dimension `dim` of `rank`."""
    return [-1 if at == dim else 1 for at in range(rank)]
