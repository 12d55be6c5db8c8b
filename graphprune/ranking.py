"""From the importance of units to the units that stay, and to what it costs to remove so and so many.

Scores are one number a unit, or [blocks, units] where every block chooses for itself (`graphprune.blocks`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphprune.blocks import choose
from graphprune.positions import Index

Numbers = NDArray[np.float64]


def kept(scores: Numbers, stay: int) -> Index:
    """Return the units with the highest scores, ascending; [stay], or [blocks, stay].

    Of equal scores the later unit goes, on every machine: the sort is stable.

    >>> kept(np.array([0.5, 2.0, 1.0]), 2).tolist()
    [1, 2]
    >>> kept(np.array([[0.5, 2.0, 1.0], [3.0, 0.0, 1.0]]), 2).tolist()
    [[1, 2], [0, 2]]
    """
    if scores.ndim == 2:
        return choose(scores, stay)
    return np.sort(np.argsort(-scores, kind="stable")[:stay]).astype(np.int64)


def prices(scores: Numbers) -> Numbers:
    """Return what the first unit costs that goes, the second, and so on; [units].

    >>> prices(np.array([[0.5, 2.0], [3.0, 1.0]])).tolist()
    [1.5, 5.0]
    """
    rising: Numbers = np.sort(scores, axis=-1)
    return rising.sum(axis=0) if rising.ndim == 2 else rising
