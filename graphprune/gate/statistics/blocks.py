"""Draws of pairs of blocks for a bootstrap, and percentiles of the runs in each draw.

What disturbs a machine lasts: the times of blocks that follow each other are alike, and so, at times, are
the ratios of pairs. Pairs are thus drawn in stretches that follow each other (the circular block bootstrap of
Politis and Romano 1992), as long as the square root of the number of pairs, and longer where their memory is.
Few stretches show less variance than there is, so that the ends are moved out by what Student's t exceeds the
normal quantile by.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from graphprune.backends import Numbers
from graphprune.gate.statistics.estimate import BEYOND, Estimate
from graphprune.gate.statistics.quantiles import normal, student

Draws = NDArray[np.intp]
_DRAWS = 2000
_FINE = 1024
"""Steps of rank in which percentiles of many runs are taken."""


def stretch(series: Numbers) -> int:
    """Return how many pairs are drawn together, by what was measured of each: [pairs].

    Four times the time over which their ranks are correlated with themselves, one plus twice the sum of the
    autocorrelations up to the first that chance explains; the square root of their number at least, and a
    sixth of it at most.

    >>> random = np.random.default_rng(0)
    >>> stretch(random.random(100)), stretch(np.cumsum(random.random(100) - 0.5))
    (10, 16)
    """
    pairs = len(series)
    ranks = np.unique(series, return_inverse=True)[1].astype(np.float64)
    ranks -= ranks.mean()
    time, scale = 1.0, max(float(ranks @ ranks), 1e-12)
    for lag in range(1, pairs // 4 + 1):
        correlation = float(ranks[lag:] @ ranks[:-lag]) / scale
        if correlation < 2 / math.sqrt(pairs):
            break
        time += 2 * correlation
    return max(1, round(math.sqrt(pairs)), min(round(4 * time), pairs // 6))


def draw(pairs: int, length: int, seed: int) -> Draws:
    """Return the numbers of the pairs in each draw, `length` of them in a row: [draws, pairs]."""
    stretches = -(-pairs // length)
    starts = np.random.default_rng(seed).integers(0, pairs, (_DRAWS, stretches))
    places = (starts[:, :, None] + np.arange(length)) % pairs
    found: Draws = places.reshape(_DRAWS, -1)[:, :pairs]
    return found


def interval(
    value: float,
    drawn: Numbers,
    pairs: int,
    length: int,
    beyond: float = BEYOND,
    least: float = -math.inf,
) -> Estimate:
    """Return `value` with the interval of `drawn`, which is beyond either end with probability `beyond`.

    Args:
        value: of all pairs.
        drawn: of each draw.
        pairs: how many there are.
        length: how many were drawn together.
        beyond: the probability.
        least: what no value can be below: 0 for a time, and for a ratio of times.
    """
    freedom = max(1, pairs // length - 1)
    wider = student(1 - BEYOND, freedom) / normal(1 - BEYOND)
    if beyond < BEYOND:  # draws show no such tails: the interval is widened as a normal one
        wider *= normal(1 - beyond) / normal(1 - BEYOND)
    low, high = np.percentile(drawn, [100 * BEYOND, 100 * (1 - BEYOND)])
    low, high = min(float(low), value), max(float(high), value)
    low, high = value - wider * (value - low), value + wider * (high - value)
    return Estimate(value, max(low, least), high, pairs)


def often(draws: Draws) -> Numbers:
    """Return how often each pair is in each draw: [draws, pairs]."""
    pairs = draws.shape[1]
    keys = draws + pairs * np.arange(len(draws))[:, None]
    counted = np.bincount(keys.ravel(), minlength=draws.size).reshape(draws.shape)
    return counted.astype(np.float64)


def percentiles(blocks: tuple[Numbers, ...], percentile: float, times: Numbers) -> Numbers:
    """Return the percentile of all runs of the blocks that are in each draw: [draws].

    Args:
        blocks: the times of one model.
        percentile: from 0 to 100.
        times: how often each block is in each draw: [draws, blocks].
    """
    runs = np.sort(np.concatenate(blocks))
    steps = np.linspace(0, len(runs) - 1, min(len(runs), _FINE)).round().astype(np.intp)
    edges = np.unique(runs[steps])
    within = np.stack(
        [np.bincount(np.searchsorted(edges, block), minlength=len(edges)) for block in blocks]
    ).astype(np.float64)
    below = np.cumsum(times @ within, axis=1)
    reached = below >= percentile / 100 * below[:, -1:] - 1e-9
    found: Numbers = edges[reached.argmax(axis=1)]
    return found


def means(blocks: tuple[Numbers, ...], times: Numbers) -> Numbers:
    """Return the mean of all runs of the blocks that are in each draw: [draws]."""
    sums = np.array([block.sum() for block in blocks])
    counts = np.array([len(block) for block in blocks], np.float64)
    found: Numbers = (times @ sums) / (times @ counts)
    return found
