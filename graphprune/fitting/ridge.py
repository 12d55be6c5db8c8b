"""Least squares from sums: the normal equations of X W + b = Y, gathered batch by batch.

Sums are float64; a product of one batch is float32. Rows are dealt to two halves of different samples, so
that the strength of the ridge can be chosen by how well one predicts the other (two-fold cross-validation).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.fitting.linear import Rows

Sums = NDArray[np.float64]
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Ridges that are tried, as shares of the mean of the diagonal of X'X."""
_MANY = 2048
"""Columns from which on fewer are tried, since each takes the time of two systems of this size."""
_BIAS = 1e-9
"""The ridge of the bias, as a share of the number of rows."""
_TINY = np.finfo(np.float64).tiny ** 0.25
"""A ridge where X is zero, so that the system has a solution, which is the start."""


@dataclass
class Normal:
    """X'X, X'Y and Y'Y's diagonal of both halves, with a column of ones at the end of X for the bias.

    Attributes:
        blocks: systems that are solved apart.
        columns: columns of X, without the ones.
        outputs: columns of Y.
        gram: X'X of each half, [blocks, columns + 1, columns + 1].
        cross: X'Y of each half, [blocks, columns + 1, outputs].
        power: the sums of squares of Y of each half, [blocks, outputs].
        rows: how many rows each half has.
    """

    blocks: int
    columns: int
    outputs: int
    gram: list[Sums] = field(init=False)
    cross: list[Sums] = field(init=False)
    power: list[Sums] = field(init=False)
    rows: list[int] = field(init=False)

    def __post_init__(self) -> None:
        size = self.columns + 1
        self.gram = [np.zeros((self.blocks, size, size)) for _ in range(2)]
        self.cross = [np.zeros((self.blocks, size, self.outputs)) for _ in range(2)]
        self.power = [np.zeros((self.blocks, self.outputs)) for _ in range(2)]
        self.rows = [0, 0]

    def add(self, x: Rows, y: Rows, *, alone: bool = False) -> None:
        """Add rows, in the order of the samples: X [blocks, rows, columns], Y [blocks, rows, outputs].

        Rows that are `alone`, all of one sample, go to one half; halves take turns.

        Raises:
            Refused: a value is not finite, or its square is not. The sums are as they were.
        """
        one = np.ones((*x.shape[:2], 1), np.float32)
        full = np.concatenate([x, one], axis=2)
        middle = x.shape[1] // 2
        # Of batches of one row every other goes to the first half.
        middle += (sum(self.rows) + 1) % 2 * (x.shape[1] % 2)
        if alone:
            middle = x.shape[1] if self.rows[0] <= self.rows[1] else 0
        parts: list[tuple[Rows, Rows, Sums]] = []
        for part in (slice(0, middle), slice(middle, None)):
            a, b = full[:, part], y[:, part]
            turned = a.transpose(0, 2, 1)
            with np.errstate(over="ignore", invalid="ignore"):
                parts.append((turned @ a, turned @ b, np.square(b, dtype=np.float64).sum(axis=1)))
        if not all(np.isfinite(each).all() for three in parts for each in three):
            raise Refused("values that are not finite", "check the data, and that the model can take it")
        for half, (gram, cross, power) in enumerate(parts):
            self.gram[half] += gram
            self.cross[half] += cross
            self.power[half] += power
        self.rows[0] += middle
        self.rows[1] += x.shape[1] - middle

    def sums(self) -> tuple[Sums, Sums, Sums]:
        """Return `gram`, `cross` and `power` of both halves together."""
        (a, b), (c, d), (e, f) = self.gram, self.cross, self.power
        return a + b, c + d, e + f


def solve(gram: Sums, cross: Sums, start: Sums, strength: float) -> Sums:
    """Return the W that minimises |X W - Y|^2 + ridge |W - start|^2; the last row, the bias, is all but free.

    The ridge is `strength` times the mean of the diagonal of X'X, block by block. (Hoerl and Kennard 1970,
    *Ridge Regression*, eq. 2.1, moved to `start`.)

    Args:
        gram: X'X, [blocks, columns + 1, columns + 1], the ones at the end.
        cross: X'Y, [blocks, columns + 1, outputs].
        start: W and b, [blocks, columns + 1, outputs].
        strength: above 0.
    """
    size = gram.shape[1]
    push = pushes(gram, strength)
    out = np.empty_like(start)
    for block in range(len(gram)):
        left = gram[block].copy()
        left.flat[:: size + 1] += push[block]
        out[block] = np.linalg.solve(left, cross[block] + push[block, :, None] * start[block])
    return out


def pushes(gram: Sums, strength: float) -> Sums:
    """Return what the ridge adds to X'X's diagonal, [blocks, columns + 1]; next to nothing for the bias."""
    diagonal = np.einsum("bkk->bk", gram)
    ridge = strength * diagonal[:, :-1].mean(axis=1, keepdims=True)
    push = np.concatenate([np.repeat(ridge, gram.shape[1] - 1, axis=1), _BIAS * diagonal[:, -1:]], axis=1)
    out: Sums = np.maximum(push, _TINY)
    return out


def error(w: Sums, gram: Sums, cross: Sums, power: Sums) -> float:
    """Return |X W - Y|^2."""
    fit = np.einsum("bkm,bkm->bm", w, gram @ w - 2 * cross) + power
    return float(np.maximum(fit, 0).sum())


def strengths(columns: int) -> tuple[float, ...]:
    """Return the strengths to try: those in the middle where there are many columns."""
    return STRENGTHS[1:-1] if columns > _MANY else STRENGTHS


def best(normal: Normal, start: Sums) -> tuple[Sums, float]:
    """Return W and b as one [blocks, columns + 1, outputs], and the strength of the ridge that predicts best.

    W is pulled towards `start`, of the same shape, where the data does not tell.
    """
    errors: dict[float, float] = {}
    for strength in strengths(normal.columns):
        errors[strength] = 0.0
        for train, test in ((0, 1), (1, 0)):
            w = solve(normal.gram[train], normal.cross[train], start, strength)
            errors[strength] += error(w, normal.gram[test], normal.cross[test], normal.power[test])
    strength = min(errors, key=lambda each: errors[each])
    gram, cross, _ = normal.sums()
    return solve(gram, cross, start, strength), strength
