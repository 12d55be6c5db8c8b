"""Covariances from fewer rows than one would like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEAST = 1e-3
"""The least that is added to the diagonal, as a share of its mean: rows of one image are not independent."""
_STILL = 1e-9
"""The least variance of a column, as a share of the mean."""


def shrunk(covariance: Numbers, rows: float) -> Numbers:
    """Return an invertible estimate: D ((1 - r) R + r I) D, for the correlations R and the deviations D.

    `r` is that of Chen et al. 2010, *Shrinkage Algorithms for MMSE Covariance Estimation*, eq. 23 (OAS),
    which goes to 1 as rows become few beside columns; on correlations, so that columns of another scale, or
    that never move, do not count for more or less. Without it, removing columns looks free where there are
    fewer rows than columns.

    >>> shrunk(np.diag([1.0, 3.0]), 10**9).round(2).tolist()
    [[1.0, 0.0], [0.0, 3.0]]
    """
    size = len(covariance)
    diagonal = np.diagonal(covariance)
    deviations = np.sqrt(np.maximum(diagonal, _STILL * max(float(diagonal.mean()), 1e-30)))
    estimate = covariance / deviations
    estimate /= deviations[:, None]
    trace, square = float(np.trace(estimate)), float(np.vdot(estimate, estimate))
    apart = (rows + 1 - 2 / size) * (square - trace * trace / size)
    share = min(1.0, ((1 - 2 / size) * square + trace * trace) / apart) if apart > 0 else 0.0
    estimate *= 1 - share
    estimate.flat[:: size + 1] += share * trace / size + LEAST
    estimate *= deviations
    estimate *= deviations[:, None]
    return np.asarray(estimate, np.float64)
