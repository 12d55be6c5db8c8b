"""Least squares through an activation that clips.

What lies beyond the bounds on both sides is no error. Zhang et al. 2015, *Efficient and Accurate
Approximations of Nonlinear Convolutional Networks*, section 2.3, here by iteration: where the result that is
wanted lies beyond a bound, the target becomes what the fit gives, or the bound where it gives too much, and
the fit is made again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphprune.fitting.linear import Rows
from graphprune.fitting.ridge import Sums, pushes

ROUNDS = 5
ROWS_A_COLUMN = 8
"""Where there are fewer rows, a fit through the activation follows them too closely."""
Bound = NDArray[np.float32]


class Held:
    """The rows of one operator with their bounds, batch by batch, for another look at them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Rows, Rows, Bound, Bound]] = []

    def add(self, x: Rows, y: Rows, low: Bound, high: Bound) -> None:
        """Keep rows: X [blocks, rows, columns], Y and bounds [blocks, rows, outputs] (or 1 row for all)."""
        self._parts.append((x, y, low, high))

    def error(self, w: Sums) -> float:
        """Return |clip(X W) - clip(Y)|^2."""
        narrow = w.astype(np.float32)
        return sum(_error(_times(x, narrow), y, low, high) for x, y, low, high in self._parts)

    def spread(self) -> float:
        """Return the variance of clip(Y), summed over outputs and rows."""
        first = np.zeros(1)
        second, rows = 0.0, 0
        for _, y, low, high in self._parts:
            seen = np.clip(y, low, high)
            first = first + seen.sum(axis=1, dtype=np.float64)
            second += float(np.vdot(seen, seen))
            rows += y.shape[1]
        return float(second - np.sum(np.square(first)) / max(1, rows))

    def refit(self, gram: Sums, start: Sums, w: Sums, strength: float) -> Sums:
        """Return the best of `start`, `w` and what comes of fitting again and again from it.

        Args:
            gram: X'X over the same rows.
            start: W and b that the ridge pulls towards, [blocks, columns + 1, outputs].
            w: the fit without regard to bounds.
            strength: the ridge.
        """
        push = pushes(gram, strength)
        inverse = np.linalg.inv(gram + push[:, :, None] * np.eye(gram.shape[1]))
        best, least = start, self.error(start)
        for _ in range(ROUNDS):
            cross = push[:, :, None] * start
            error = 0.0
            narrow = w.astype(np.float32)
            for x, y, low, high in self._parts:
                fit = _times(x, narrow)
                error += _error(fit, y, low, high)
                aim = np.where(y <= low, np.minimum(fit, low), np.where(y >= high, np.maximum(fit, high), y))
                cross[:, :-1] += x.transpose(0, 2, 1) @ aim
                cross[:, -1] += aim.sum(axis=1, dtype=np.float64)
            if error < least:
                best, least = w, error
            w = inverse @ cross
        return w if self.error(w) < least else best


def _times(x: Rows, w: Rows) -> Rows:
    fit: Rows = x @ w[:, :-1]
    fit += w[:, -1:]
    return fit


def _error(fit: Rows, y: Rows, low: Bound, high: Bound) -> float:
    apart = np.clip(fit, low, high)
    apart -= np.clip(y, low, high)
    return float(np.vdot(apart, apart))
