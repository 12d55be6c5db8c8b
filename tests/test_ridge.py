"""Normal equations give what least squares on the rows themselves give, and a ridge where data is scarce."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.fitting import ridge
from graphprune.fitting.ridge import STRENGTHS, Normal, best, error, solve, strengths

Array = NDArray[np.float64]


def data(
    blocks: int, rows: int, columns: int, outputs: int, noise: float = 0.0, seed: int = 0
) -> tuple[Array, Array, Array]:
    """X [blocks, rows, columns], Y, and the W and b that Y comes from."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((blocks, rows, columns)) * rng.uniform(0.5, 2, columns) + rng.standard_normal(
        columns
    )
    w = rng.standard_normal((blocks, columns + 1, outputs))
    y = ones(x) @ w + noise * rng.standard_normal((blocks, rows, outputs))
    return x, y, w


def ones(x: Array) -> Array:
    return np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)


def gathered(x: Array, y: Array, sizes: tuple[int, ...] = ()) -> Normal:
    normal = Normal(x.shape[0], x.shape[2], y.shape[2])
    at = 0
    for size in sizes or (x.shape[1],):
        normal.add(x[:, at : at + size].astype(np.float32), y[:, at : at + size].astype(np.float32))
        at += size
    assert at == x.shape[1]
    return normal


SHAPES = pytest.mark.parametrize(
    ("blocks", "columns", "outputs"), [(1, 12, 5), (4, 9, 1), (3, 6, 4), (1, 1, 3)], ids=str
)


@SHAPES
def test_exact_data_gives_the_weights_that_it_comes_from(blocks: int, columns: int, outputs: int) -> None:
    x, y, w = data(blocks, 400, columns, outputs)
    found, strength = best(gathered(x, y, (100, 37, 1, 262)), np.zeros_like(w))
    assert strength == STRENGTHS[0]
    np.testing.assert_allclose(found, w, rtol=1e-3, atol=2e-3)
    for block in range(blocks):
        expected = np.linalg.lstsq(ones(x)[block], y[block])[0]
        np.testing.assert_allclose(found[block], expected, rtol=1e-3, atol=2e-3)


@SHAPES
@pytest.mark.parametrize("strength", [1e-5, 1e-2, 1.0])
def test_a_ridge_is_rows_more(blocks: int, columns: int, outputs: int, strength: float) -> None:
    """|X W - Y|^2 + r |W - S|^2 is least squares with rows sqrt(r) I W = sqrt(r) S below X W = Y."""
    x, y, _ = data(blocks, 60, columns, outputs, noise=0.5)
    start = np.random.default_rng(1).standard_normal((blocks, columns + 1, outputs))
    found = solve(*gathered(x, y).sums()[:2], start, strength)
    for block in range(blocks):
        push = np.full(columns + 1, strength * np.mean(np.sum(x[block] ** 2, axis=0)))
        push[-1] = 1e-9 * x.shape[1]
        left = np.concatenate([ones(x)[block], np.diag(np.sqrt(push))])
        right = np.concatenate([y[block], np.sqrt(push)[:, None] * start[block]])
        np.testing.assert_allclose(found[block], np.linalg.lstsq(left, right)[0], rtol=1e-4, atol=1e-4)


def test_a_strong_ridge_leaves_the_start_and_moves_the_bias() -> None:
    x, y, w = data(2, 100, 5, 3)
    start = np.random.default_rng(1).standard_normal(w.shape)
    found = solve(*gathered(x, y).sums()[:2], start, 1e5)
    np.testing.assert_allclose(found[:, :-1], start[:, :-1], atol=1e-3)
    rest = y - x @ found[:, :-1]
    np.testing.assert_allclose(found[:, -1], rest.mean(axis=1), rtol=1e-2)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6], ids=str)
def test_the_ridge_is_relative_to_the_inputs(scale: float) -> None:
    x, y, w = data(1, 80, 6, 2, noise=1.0)
    plain = solve(*gathered(x, y).sums()[:2], np.zeros_like(w), 1e-2)
    scaled = solve(*gathered(x * scale, y).sums()[:2], np.zeros_like(w), 1e-2)
    np.testing.assert_allclose(scaled[:, :-1] * scale, plain[:, :-1], rtol=1e-3)


def test_noisy_data_asks_for_a_stronger_ridge() -> None:
    chosen = [
        best(gathered(*data(1, 120, 40, 3, noise)[:2]), np.zeros((1, 41, 3)))[1] for noise in (0, 0.3, 3)
    ]
    assert chosen[0] < chosen[1] < chosen[2]


def test_the_chosen_strength_predicts_best_what_it_has_not_seen() -> None:
    x, y, w = data(2, 90, 30, 4, noise=8.0)
    start = np.zeros_like(w)
    full = ones(x)
    totals: list[float] = []
    for strength in STRENGTHS:
        total = 0.0
        for train in (0, 1):
            half = gathered(x[:, train::2], y[:, train::2])
            found = solve(*half.sums()[:2], start, strength)
            total += float(np.square(full[:, 1 - train :: 2] @ found - y[:, 1 - train :: 2]).sum())
        totals.append(total)
    assert best(gathered(x, y, (31, 59)), start)[1] == STRENGTHS[int(np.argmin(totals))]


def test_the_error_is_that_of_the_rows() -> None:
    x, y, w = data(3, 70, 8, 4, noise=0.7)
    other = w + 0.1 * np.random.default_rng(1).standard_normal(w.shape)
    sums = gathered(x, y, (20, 50)).sums()
    assert error(other, *sums) == pytest.approx(np.square(ones(x) @ other - y).sum(), rel=1e-4)
    assert error(w, *sums) < error(other, *sums)


@pytest.mark.parametrize("sizes", [(41,), (1,) * 41, (3, 4, 0, 5, 29), (7, 7, 7, 20)], ids=str)
def test_the_halves_share_the_rows_evenly_whatever_the_batches(sizes: tuple[int, ...]) -> None:
    x, y, _ = data(2, 41, 5, 3)
    normal = gathered(x, y, sizes)
    assert normal.rows == [21, 20]
    assert normal.gram[0][:, -1, -1].tolist() == [21, 21], "the ones count the rows"
    full = ones(x)
    turned = full.transpose(0, 2, 1)
    for found, expected in zip(normal.sums(), (turned @ full, turned @ y, np.square(y).sum(axis=1))):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rows", [0, 1, 2, 9], ids=str)
def test_fewer_rows_than_columns_change_only_what_they_tell(rows: int) -> None:
    x, y, w = data(2, rows, 20, 3)
    start = np.random.default_rng(1).standard_normal(w.shape)
    found, _ = best(gathered(x, y), start)
    assert np.isfinite(found).all()
    if rows:
        before, after = (np.square(ones(x) @ each - y).sum() for each in (start, found))
        assert after < 0.05 * before
        # What no row has stays, but for what float32 leaves of products over the weakest ridge.
        sizes = np.linalg.svd(found[0] - start[0])[1]
        assert (sizes[rows:] < 0.03 * sizes[0]).all()
    else:
        assert np.allclose(found, start)


def test_columns_without_data_keep_their_weights() -> None:
    x, y, w = data(1, 50, 6, 3)
    x[:, :, [1, 4]] = 0
    start = np.random.default_rng(1).standard_normal(w.shape)
    found, _ = best(gathered(x, y), start)
    np.testing.assert_allclose(found[:, [1, 4]], start[:, [1, 4]], rtol=1e-6)
    nothing, _ = best(gathered(np.zeros_like(x), y), start)
    np.testing.assert_allclose(nothing[:, :-1], start[:, :-1], rtol=1e-6)
    np.testing.assert_allclose(nothing[:, -1], y.mean(axis=1), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30], ids=str)
@pytest.mark.parametrize("side", [0, 1], ids=["X", "Y"])
def test_values_that_are_not_finite_are_refused(side: int, value: float) -> None:
    if (side, value) == (1, 1e30):
        value = np.nan  # the squares of Y are float64
    x, y, _ = data(2, 9, 4, 3)
    normal = gathered(x, y)
    before = [array.copy() for array in (*normal.gram, *normal.cross, *normal.power)]
    (x, y)[side][1, 4, 2] = value
    with pytest.raises(Refused) as caught:
        normal.add(x.astype(np.float32), y.astype(np.float32))
    assert caught.value.what == "values that are not finite"
    for array, old in zip((*normal.gram, *normal.cross, *normal.power), before):
        assert np.array_equal(array, old)
    assert normal.rows == [5, 4]


def test_fewer_strengths_are_tried_where_a_system_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert strengths(2048) == STRENGTHS
    assert strengths(2049) == STRENGTHS[1:-1]
    monkeypatch.setattr(ridge, "_MANY", 11)
    x, y, w = data(1, 400, 12, 5)
    found, strength = best(gathered(x, y), np.zeros_like(w))
    assert strength == STRENGTHS[1]
    np.testing.assert_allclose(found, w, rtol=1e-2, atol=1e-2)
