"""Least squares through an activation that clips.

What lies beyond the bounds on both sides is no error. Zhang et al. 2015, *Efficient and Accurate
Approximations of Nonlinear Convolutional Networks*, section 2.3, here by iteration: where the result that is
wanted lies beyond a bound, the target becomes what the fit gives, or the bound where it gives too much, and
the fit is made again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphprune.linear import Rows
from graphprune.ridge import Sums, pushes

ROUNDS = 5
Bound = NDArray[np.float32]


class Held:
    """The rows of one operator with their bounds, for another look at them."""

    def __init__(self) -> None:
        self._parts: list[tuple[Rows, Rows, Bound, Bound]] = []

    def add(self, x: Rows, y: Rows, low: Bound, high: Bound) -> None:
        """Keep rows: X [blocks, rows, columns], Y and bounds [blocks, rows, outputs] (or 1 row for all)."""
        one = np.ones((*x.shape[:2], 1), np.float32)
        bounds = (np.broadcast_to(low, y.shape), np.broadcast_to(high, y.shape))
        self._parts.append((np.concatenate([x, one], axis=2), y, *bounds))

    def error(self, w: Sums) -> float:
        """Return |clip(X W) - clip(Y)|^2."""
        x, y, low, high = self._whole()
        return _error(x @ w.astype(np.float32), y, low, high)

    def spread(self) -> float:
        """Return the variance of clip(Y), summed over outputs and rows."""
        _, y, low, high = self._whole()
        seen = np.clip(y, low, high)
        mean = seen.mean(axis=1, dtype=np.float64)
        return float(np.sum(np.square(seen, dtype=np.float64)) - y.shape[1] * np.sum(np.square(mean)))

    def refit(self, gram: Sums, start: Sums, w: Sums, strength: float) -> Sums:
        """Return the best of `start`, `w`, and what comes of fitting again and again from `w`.

        Args:
            gram: X'X over the same rows.
            start: W and b that the ridge pulls towards, [blocks, columns + 1, outputs].
            w: the fit without regard to bounds.
            strength: the ridge.
        """
        x, y, low, high = self._whole()
        turned = x.transpose(0, 2, 1)
        push = pushes(gram, strength)
        inverse = np.linalg.inv(gram + push[:, :, None] * np.eye(gram.shape[1]))
        best, least = start, self.error(start)
        for _ in range(ROUNDS):
            fit = x @ w.astype(np.float32)
            error = _error(fit, y, low, high)
            if error < least:
                best, least = w, error
            np.copyto(fit, np.minimum(fit, low), where=y <= low)
            np.copyto(fit, np.maximum(fit, high), where=y >= high)
            np.copyto(fit, y, where=(y > low) & (y < high))
            w = inverse @ (turned @ fit + push[:, :, None] * start)
        return w if self.error(w) < least else best

    def _whole(self) -> tuple[Rows, Rows, Bound, Bound]:
        if len(self._parts) > 1:
            joined = (np.concatenate(arrays, axis=1) for arrays in zip(*self._parts, strict=True))
            x, y, low, high = joined
            self._parts = [(x, y, low, high)]
        return self._parts[0]


def _error(fit: Rows, y: Rows, low: Bound, high: Bound) -> float:
    apart = np.clip(fit, low, high) - np.clip(y, low, high)
    return float(np.sum(np.square(apart), dtype=np.float64))
