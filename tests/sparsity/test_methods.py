"""Methods that know the inputs leave the results nearer to what they were."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.sparsity import methods
from graphprune.sparsity.patterns import Pattern, best_of, highest, holds

Numbers = NDArray[np.float64]
TWO = Pattern(2, 4)


def correlated(columns: int, rows: int = 4000, seed: int = 0) -> Numbers:
    """Rows of inputs that say much the same, on very different scales."""
    draw = np.random.default_rng(seed)
    mixed = draw.standard_normal((rows, columns // 4)) @ draw.standard_normal((columns // 4, columns))
    x: Numbers = (mixed + 0.3 * draw.standard_normal((rows, columns))) * draw.uniform(0.1, 3.0, columns)
    return x


def drawn(columns: int, outputs: int, seed: int = 1) -> Numbers:
    return np.random.default_rng(seed).standard_normal((columns, outputs))


def lost(w: Numbers, new: Numbers, x: Numbers) -> float:
    return float(np.square(x @ (new - w)).sum() / np.square(x @ w).sum())


def by_magnitude(w: Numbers, taps: int, pattern: Pattern | None, sparsity: float) -> Numbers:
    return methods.wanda(w, np.eye(len(w)), taps, pattern, sparsity)


@pytest.mark.parametrize("taps", [1, 3])
@pytest.mark.parametrize(("pattern", "sparsity"), [(TWO, 0.0), (Pattern(4, 8), 0.0), (None, 0.5)])
def test_sparsegpt_is_ahead_of_wanda_and_wanda_of_magnitude(
    taps: int, pattern: Pattern | None, sparsity: float
) -> None:
    x, w = correlated(96), drawn(96, 24)
    gram = x.T @ x / len(x)
    errors = [
        lost(w, made, x)
        for made in (
            methods.sparsegpt(w, gram, taps, pattern, sparsity),
            methods.wanda(w, gram, taps, pattern, sparsity),
            by_magnitude(w, taps, pattern, sparsity),
        )
    ]
    assert errors[0] < 0.5 * errors[1]
    assert errors[1] < 0.9 * errors[2]


@pytest.mark.parametrize("taps", [1, 4, 9])
@pytest.mark.parametrize("method", [methods.wanda, methods.sparsegpt])
def test_a_pattern_runs_over_channels_at_one_tap(method: object, taps: int) -> None:
    assert callable(method)
    columns = 16 * taps
    x = correlated(columns)
    new = method(drawn(columns, 8), x.T @ x, taps, TWO, 0.0)
    assert holds(new.reshape(16, taps, 8), 0, TWO)
    assert np.count_nonzero(new) == new.size // 2


def test_the_order_of_columns_has_channels_of_a_group_together() -> None:
    turn = methods.order(8, 3, 4).reshape(-1, 4)
    channels, taps = np.divmod(turn, 3)
    assert (taps == taps[:, :1]).all()
    assert (np.diff(channels, axis=1) == 1).all()
    assert (channels[:, 0] % 4 == 0).all()
    assert sorted(turn.reshape(-1)) == list(range(24))


def test_without_correlation_sparsegpt_goes_by_magnitude_and_moves_nothing() -> None:
    w = drawn(16, 8)
    expected = np.where(best_of(np.abs(w), 0, TWO), w, 0.0)
    np.testing.assert_allclose(methods.sparsegpt(w, np.eye(16), 1, TWO, 0.0), expected, atol=1e-12)


def test_one_column_that_goes_is_made_up_for_as_least_squares_would() -> None:
    # Optimal brain surgeon: with one weight of two gone, the other is what a fit of it alone gives.
    x = correlated(8)[:, :2]
    gram, w = x.T @ x, np.array([[0.1], [1.0]])
    new = methods.sparsegpt(w, gram, 1, Pattern(1, 2), 0.0)
    pushed = gram + methods.DAMPING * np.trace(gram) / 2 * np.eye(2)
    assert new[0, 0] == 0
    np.testing.assert_allclose(new[1, 0], (pushed @ w)[1, 0] / pushed[1, 1])


def test_unstructured_wanda_compares_within_each_output() -> None:
    w = drawn(20, 6) * np.arange(1, 7)
    new = methods.wanda(w, np.eye(20), 1, None, 0.75)
    assert np.count_nonzero(new, axis=0).tolist() == [5] * 6
    assert np.array_equal(new[:, 2] != 0, highest([np.abs(w[:, 2])], 0.75)[0])


def test_columns_beyond_one_block_hear_of_those_before() -> None:
    x, w = correlated(320), drawn(320, 4)
    gram = x.T @ x / len(x)
    new = methods.sparsegpt(w, gram, 1, TWO, 0.0)
    assert lost(w, new, x) < 0.5 * lost(w, methods.wanda(w, gram, 1, TWO, 0.0), x)


def test_a_weight_moves_to_what_was_wanted_of_other_inputs() -> None:
    x, w = correlated(12), drawn(12, 5)
    other = x + 0.2 * np.random.default_rng(3).standard_normal(x.shape)
    new = methods.corrected(w, other.T @ other, other.T @ (x @ w))
    assert np.square(other @ new - x @ w).sum() < np.square(other @ w - x @ w).sum()
    np.testing.assert_allclose(methods.corrected(w, x.T @ x, x.T @ x @ w), w)


@pytest.mark.parametrize(("rows", "least", "most"), [(40, 0.08, 1.28), (4000, 0.001, 0.02)])
def test_the_fewer_rows_the_stronger_the_damping(rows: int, least: float, most: float) -> None:
    draw = np.random.default_rng(4)
    w = drawn(32, 5)
    x = draw.standard_normal((2, rows, 32))
    y = x @ (w + 0.5 * drawn(32, 5, seed=5)) + 3 * draw.standard_normal((2, rows, 5))
    grams, crosses = (x.transpose(0, 2, 1) @ each / rows for each in (x, y))
    assert least <= methods.damping_of(w, grams, crosses) <= most
