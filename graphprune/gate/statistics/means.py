"""The interval of a mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphprune.gate.statistics.quantiles import student


def mean_interval(values: Sequence[float], beyond: float) -> tuple[float, float]:
    """Return the interval of the mean of what `values` are drawn from.

    Errors and divergences are skewed: a few samples have most of them. The t statistic is therefore first
    rid of its skewness by a cubic transformation (Hall 1992, Journal of the Royal Statistical Society B
    54:221-228). Of one value, everything; of values that are not all finite, what their mean is.

    Args:
        values: one for each sample.
        beyond: the probability that the interval leaves to either side.
    """
    x = np.array(values, np.float64)
    if not np.isfinite(x).all():
        with np.errstate(all="ignore"):
            mean = float(x.mean())
        return mean, mean
    if len(x) < 2:
        return -np.inf, np.inf
    mean, deviation = float(x.mean()), float(x.std())
    if deviation <= 1e-14 * abs(mean):
        return mean, mean
    root = float(np.sqrt(len(x)))
    skewness = float((((x - mean) / deviation) ** 3).mean())
    quantile = student(1 - beyond, len(x) - 1)
    ends = [mean - _untransformed(end, skewness, root) * deviation / root for end in (quantile, -quantile)]
    return ends[0], ends[1]


def _untransformed(value: float, skewness: float, root: float) -> float:
    """The t whose transform T + a T^2 / root + a^2 T^3 / (3 root^2) + b / root is `value`."""
    a, b = skewness / 3, skewness / 6
    if abs(a) < 1e-9:
        return value
    return float(root / a * (np.cbrt(1 + 3 * a / root * (value - b / root)) - 1))
