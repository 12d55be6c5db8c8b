"""Masks: which entries of a tensor stay, chosen by their scores.

N:M keeps the N entries with the highest scores in each M consecutive ones along a dimension; unstructured
sparsity keeps the highest of a tensor, or of several. Of equal scores those that come first stay, so that the
same scores give the same masks everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Refused, Usage

Mask = NDArray[np.bool_]
Scores = NDArray[np.floating[Any]]
_PAIRED = 16
"""Up to this M entries are ranked by comparing all pairs, which is faster than sorting them."""


@dataclass(frozen=True)
class Pattern:
    """At most `keep` of each `of` consecutive entries are not zero.

    >>> print(pattern("2:4"))
    2:4
    """

    keep: int
    of: int

    def __str__(self) -> str:
        return f"{self.keep}:{self.of}"


def pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        Usage: it is not N:M with 0 < N < M.
    """
    found = re.fullmatch(r"\s*([0-9]{1,4})\s*:\s*([0-9]{1,4})\s*", text)
    if found is None or not 0 < int(found[1]) < int(found[2]):
        raise Usage(f"the pattern is '{text}'", "write N:M with N below M, as 2:4")
    return Pattern(int(found[1]), int(found[2]))


def magnitude(values: NDArray[Any]) -> Scores:
    """Return |values| as numbers that can be compared: float32, or float64 where that is their type.

    Raises:
        Refused: one of them is not a number.
    """
    wide = values.astype(np.float64 if values.dtype == np.float64 else np.float32)
    if np.isnan(wide).any():
        raise Refused("a weight is not a number", "repair the model, or leave the weight alone")
    out: Scores = np.abs(wide)
    return out


def best_of(scores: Scores, axis: int, pattern: Pattern) -> Mask:
    """Return the mask of N:M along `axis`, of the shape of `scores`.

    >>> best_of(np.array([1.0, 3.0, 2.0, 2.0]), 0, Pattern(2, 4))
    array([False,  True,  True, False])

    Raises:
        ValueError: the length of the axis is no multiple of M.
    """
    axis %= scores.ndim
    length = scores.shape[axis]
    if length % pattern.of:
        raise ValueError(f"{length} is no multiple of {pattern.of}")
    split = (*scores.shape[:axis], length // pattern.of, pattern.of, *scores.shape[axis + 1 :])
    ranks = _ranks(scores.reshape(split), axis + 1)
    return (ranks < pattern.keep).reshape(scores.shape)


def _ranks(scores: Scores, axis: int) -> NDArray[np.unsignedinteger[Any]]:
    """Return the rank of each entry along `axis`, the highest 0; of equals the first is higher."""
    size = scores.shape[axis]
    if size > _PAIRED:
        order = np.argsort(-scores, axis=axis, kind="stable")
        ranks = np.empty(scores.shape, np.uint32)
        along = [-1 if dim == axis else 1 for dim in range(scores.ndim)]
        place = np.arange(size, dtype=np.uint32).reshape(along)
        np.put_along_axis(ranks, order, np.broadcast_to(place, scores.shape), axis=axis)
        return ranks
    small = np.zeros(scores.shape, np.uint8)
    lines = [np.take(scores, [at], axis=axis) for at in range(size)]
    counts = [np.zeros(line.shape, np.uint8) for line in lines]
    for first in range(size):
        for second in range(first + 1, size):
            beaten = lines[second] > lines[first]
            counts[first] += beaten
            counts[second] += ~beaten
    np.concatenate(counts, axis=axis, out=small)
    return small


def highest(scores: Sequence[Scores], sparsity: float) -> list[Mask]:
    """Return masks that keep all but the share `sparsity` of the entries of all tensors together.

    >>> highest([np.array([4.0, 1.0]), np.array([2.0, 3.0])], 0.5)
    [array([ True, False]), array([False,  True])]
    """
    flat = np.concatenate([each.reshape(-1) for each in scores])
    stay = flat.size - round(sparsity * flat.size)
    mask = np.ones(flat.size, np.bool_)
    if stay < flat.size:
        least = np.partition(flat, flat.size - stay)[flat.size - stay] if stay else np.inf
        mask = flat > least
        ties = np.flatnonzero(flat == least)
        mask[ties[: stay - np.count_nonzero(mask)]] = True
    ends = np.cumsum([each.size for each in scores])[:-1]
    return [part.reshape(each.shape) for part, each in zip(np.split(mask, ends), scores, strict=True)]


def holds(values: NDArray[Any], axis: int, pattern: Pattern) -> bool:
    """Whether `values` have the pattern along `axis`, whose length is a multiple of M."""
    axis %= values.ndim
    split = (*values.shape[:axis], -1, pattern.of, *values.shape[axis + 1 :])
    full = (values != 0).reshape(split)
    return bool((np.count_nonzero(full, axis=axis + 1) <= pattern.keep).all())


def masked(values: NDArray[Any], mask: Mask) -> NDArray[Any]:
    """Return `values` with zeros where `mask` is false, in their own type."""
    return np.where(mask, values, np.zeros((), values.dtype))
