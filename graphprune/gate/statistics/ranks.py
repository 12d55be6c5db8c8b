"""Intervals of rank correlations, by a bootstrap over samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from graphprune.gate.statistics.estimate import BEYOND, Estimate
from graphprune.metrics.paired import Paired
from graphprune.metrics.scores import rank_correlation

Floats = NDArray[np.float64]
_DRAWS = 2000
_AT_ONCE = 2_000_000
"""Numbers of an array that is drawn at once."""


@dataclass(frozen=True)
class RankEstimates:
    """The rank correlation of the candidate, and how far it is below the original's."""

    candidate: Estimate
    drop: Estimate


@lru_cache(maxsize=8)
def rank_estimates(paired: Paired, seed: int = 0) -> RankEstimates:
    """Return both with percentile intervals of 2,000 draws of samples (Efron and Tibshirani 1993, 13.3).

    Ranks are taken anew in each draw, from how often each sample is in it.
    """
    lists = [np.array(each, np.float64) for each in (paired.original, paired.candidate, paired.labels)]
    count = len(lists[0])
    values = [rank_correlation(each, lists[2]) for each in lists[:2]]
    drawn = (
        np.array([_drawn(lists, count, seed)]) if np.isfinite(values).all() else np.full((1, 2, 2), np.nan)
    )
    original, candidate = drawn[0]
    return RankEstimates(
        _estimate(values[1], candidate, count), _estimate(values[0] - values[1], original - candidate, count)
    )


def _drawn(lists: list[Floats], count: int, seed: int) -> Floats:
    """The correlations of the original and of the candidate in each draw: [2, draws]."""
    random = np.random.default_rng(seed)
    orders = [_groups(each) for each in lists]
    found: list[Floats] = []
    at_once = max(1, _AT_ONCE // count)
    for start in range(0, _DRAWS, at_once):
        draws = min(at_once, _DRAWS - start)
        keys = random.integers(0, count, (draws, count)) + count * np.arange(draws)[:, None]
        often = np.bincount(keys.ravel(), minlength=draws * count).reshape(draws, count).astype(np.float64)
        ranks = [_weighted_ranks(often, *order) for order in orders]
        found.append(np.stack([_correlation(often, each, ranks[2]) for each in ranks[:2]]))
    return np.concatenate(found, axis=1)


def _groups(values: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The order of the values, where each group of equal ones starts in it, and the group of each value."""
    _, first, group = np.unique(np.sort(values), return_index=True, return_inverse=True)
    order = np.argsort(values, kind="stable")
    place = np.empty(len(values), np.intp)
    place[order] = group
    return order, first, place


def _weighted_ranks(
    often: Floats, order: NDArray[np.intp], first: NDArray[np.intp], place: NDArray[np.intp]
) -> Floats:
    """The ranks of all samples in each draw about their mean: [draws, samples]; equal values share one."""
    groups = np.add.reduceat(often[:, order], first, axis=1)
    middle: Floats = np.cumsum(groups, axis=1) - groups / 2
    ranks: Floats = middle[:, place] - often.shape[1] / 2
    return ranks


def _correlation(often: Floats, x: Floats, y: Floats) -> Floats:
    weighted = often * x
    scale = np.sqrt((weighted * x).sum(axis=1) * (often * y * y).sum(axis=1))
    safe = np.where(scale > 0, scale, 1)
    return np.where(scale > 0, (weighted * y).sum(axis=1) / safe, np.nan)


def _estimate(value: float, drawn: Floats, count: int) -> Estimate:
    kept = drawn[np.isfinite(drawn)]
    if not len(kept) or not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"), count)
    low, high = np.percentile(kept, [100 * BEYOND, 100 * (1 - BEYOND)])
    return Estimate(value, min(float(low), value), max(float(high), value), count)
