"""The interval of a mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphprune.gate.statistics.quantiles import student


def mean_interval(values: Sequence[float], beyond: float) -> tuple[float, float]:
    """Return the interval of the mean of what `values` are drawn from."""
    x = np.array(values, np.float64)
    if len(x) < 2:
        return -np.inf, np.inf
    half = student(1 - beyond, len(x) - 1) * float(x.std(ddof=1)) / len(x) ** 0.5
    return float(x.mean()) - half, float(x.mean()) + half
