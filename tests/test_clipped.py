"""A fit through an activation minimises what is left behind it."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.fitting import ridge
from graphprune.fitting.clipped import Held
from tests.calibrated import Array, normal

STRENGTH = 1e-5


def held(x: Array, y: Array, low: float, high: float, parts: int = 1) -> tuple[Held, ridge.Normal]:
    rows, sums = Held(), ridge.Normal(x.shape[0], x.shape[2], y.shape[2])
    for a, b in zip(np.array_split(x, parts, axis=1), np.array_split(y, parts, axis=1), strict=True):
        bound = np.ones((len(x), 1, y.shape[2]), np.float32)
        rows.add(a, b, bound * np.float32(low), bound * np.float32(high))
        sums.add(a, b)
    return rows, sums


def ones(x: Array) -> Array:
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


def clipped_error(x: Array, y: Array, w: Array, low: float, high: float) -> float:
    return float(np.square(np.clip(ones(x) @ w, low, high) - np.clip(y, low, high)).sum())


@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (0, np.inf), (0, 6), (-np.inf, 1)])
def test_the_error_is_that_behind_the_activation(low: float, high: float) -> None:
    x, y, w = normal(2, 40, 3), 5 * normal(2, 40, 4, seed=1), normal(2, 4, 4, seed=2).astype(np.float64)
    rows, _ = held(x, y, low, high, parts=3)
    assert rows.error(w) == pytest.approx(clipped_error(x, y, w, low, high), rel=1e-4)
    seen = np.clip(y, low, high)
    assert rows.spread() == pytest.approx(float(seen.var(axis=1).sum() * 40), rel=1e-4)


def fits(
    x: Array, y: Array, low: float, high: float, start: Array | None = None
) -> tuple[float, float, float]:
    """The errors behind the activation of the start, of plain least squares, and of the clipped fit."""
    rows, sums = held(x, y, low, high)
    begin = np.zeros((len(x), x.shape[2] + 1, y.shape[2])) if start is None else start
    gram, cross, _ = sums.sums()
    plain = ridge.solve(gram, cross, begin, STRENGTH)
    found = rows.refit(gram, begin, plain, STRENGTH)
    return rows.error(begin), rows.error(plain), rows.error(found)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (0.0, 1.0), (-np.inf, -1.0)])
def test_a_clipped_fit_is_no_worse_than_plain_least_squares(low: float, high: float, seed: int) -> None:
    x, y = normal(2, 60, 4, seed=seed), normal(2, 60, 3, seed=100 + seed) - 1
    _, plain, found = fits(x, y, low, high)
    assert found <= plain * (1 + 1e-6)


def test_a_clipped_fit_is_better_where_most_results_are_below_the_bound() -> None:
    """What the one column that is left cannot tell lies below 0, far and not so far."""
    x, lost = normal(1, 300, 1), normal(1, 300, 1, seed=1)
    y = np.where(x > 1, x - 1, -10 * np.abs(lost)).astype(np.float32)
    _, plain, found = fits(x, y, 0.0, np.inf)
    assert found < 0.6 * plain


def test_results_that_are_wanted_within_the_bounds_are_fitted_as_ever() -> None:
    x, y = normal(1, 50, 3), normal(1, 50, 2, seed=1)
    _, plain, found = fits(x, y, -100.0, 100.0)
    assert found == pytest.approx(plain, rel=1e-4)


def test_a_clipped_fit_is_no_worse_than_the_start() -> None:
    """One result far below, where 0.1 is wanted, drags least squares away from a start that fits."""
    x = np.concatenate([[-100.0], np.zeros(5), np.ones(5)]).astype(np.float32).reshape(1, -1, 1)
    y = np.concatenate([[0.1], np.full(5, 0.5), np.ones(5)]).astype(np.float32).reshape(1, -1, 1)
    start, plain, found = fits(x, y, 0.0, np.inf, np.array([[[0.5], [0.5]]]))
    assert plain > start
    assert found <= start
