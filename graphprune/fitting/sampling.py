"""Which rows of an operator's inputs and results are looked at: a budget of them, spread over the samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from graphprune.fitting.linear import Linear, Picks, row_count

ROWS = 16384
"""Rows for each operator, in all; more where it has many columns."""
PER_COLUMN = 4
MASK = "attention_mask"
"""The input that says which positions of a sequence are padding, where a model has one of this name."""


def rows_for(columns: int, rows: int = ROWS) -> int:
    """Return how many rows are looked at for an operator with so many columns."""
    return max(rows, PER_COLUMN * columns)


def pick(it: Linear, y: NDArray[np.generic], share: int, seed: tuple[int, ...], mask: Mask) -> Picks:
    """Return the rows of a batch to look at, ascending: at most `share`, the same for the same seed.

    Args:
        it: the operator.
        y: its results.
        share: how many rows.
        seed: what makes the choice another one for another operator and batch.
        mask: which positions count, or None.
    """
    count = row_count(it, y)
    allowed: Picks | None = None
    if mask is not None:
        leading = list(y.shape)
        del leading[it.target_dim]
        if tuple(leading) == mask.shape:
            allowed = np.flatnonzero(mask.reshape(-1))
    size = count if allowed is None else allowed.size
    if size > share:
        rng = np.random.default_rng(seed)
        chosen = np.sort(rng.choice(size, share, replace=False))
    else:
        chosen = np.arange(size)
    return chosen if allowed is None else allowed[chosen]


Mask = NDArray[np.bool_] | None


def masks(feeds: Mapping[str, NDArray[np.generic]]) -> Mask:
    """Return which positions of a batch are no padding, where its inputs say so."""
    given = feeds.get(MASK)
    return None if given is None else given.astype(bool)
