"""Covariances from fewer rows than one would like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEAST = 1e-3
"""The least that is added to the diagonal, as a share of its mean: rows of one image are not independent."""


def shrunk(covariance: Numbers, rows: float) -> Numbers:
    """Return an invertible estimate: (1 - r) S + r mean(diagonal) I.

    `r` is that of Chen et al. 2010, *Shrinkage Algorithms for MMSE Covariance Estimation*, eq. 23 (OAS),
    which goes to 1 as rows become few beside columns. Without it, removing columns looks free where there
    are fewer rows than columns.

    >>> shrunk(np.diag([1.0, 3.0]), 10**9).round(2).tolist()
    [[1.0, 0.0], [0.0, 3.0]]
    """
    size = len(covariance)
    trace, square = float(np.trace(covariance)), float(np.sum(np.square(covariance)))
    apart = (rows + 1 - 2 / size) * (square - trace * trace / size)
    share = min(1.0, ((1 - 2 / size) * square + trace * trace) / apart) if apart > 0 else 0.0
    mean = trace / size
    eye = np.eye(size)
    return (1 - share) * covariance + (share * mean + LEAST * mean + 1e-12) * eye
