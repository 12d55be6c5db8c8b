"""Statistics of inputs are those of the rows themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphprune.errors import Refused, Usage
from graphprune.feeds import Feeds
from graphprune.fitting import sampling
from graphprune.fitting.linear import inputs, results, row_count
from graphprune.fitting.sampling import MASK, masks, pick, rows_for
from graphprune.fitting.shrinkage import LEAST, shrunk
from graphprune.fitting.statistics import Moments, collect
from graphprune.model import Model
from tests.calibrated import Array, normal, operator, pieces, prepared
from tests.operators import EVERY, OPERATORS, model_of, only, values

ROW = "g (float[n, 6] x) => (float[n, 3] y) <float[6, 3] w> { [last] y = MatMul (x, w) }"
WORDS = (
    "g (float[n, s, 6] x, int64[n, s] attention_mask) => (float[n, s, 3] y, int64[n, s] m) <float[6, 3] w> "
    "{ [last] y = MatMul (x, w) m = Identity (attention_mask) }"
)


def moments(model: Model, feeds: list[Feeds], name: str = "last") -> Moments:
    return collect(model, feeds).moments(operator(model, name)[0])


def same(found: Moments, x: Array, y: Array) -> None:
    """The moments are those of the rows: x [blocks, rows, columns], y [blocks, rows, outputs]."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    mean = x.mean(axis=1)
    centred = x - mean[:, None]
    np.testing.assert_allclose(found.mean, mean, rtol=1e-5, atol=1e-5)
    covariance = centred.transpose(0, 2, 1) @ centred / x.shape[1]
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.square, np.square(x).mean(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.power, np.square(y).mean(axis=1), rtol=1e-4)
    assert found.rows == x.shape[1]


@EVERY
def test_moments_are_those_of_all_rows_where_the_budget_covers_them(name: str) -> None:
    model = model_of(OPERATORS[name])
    it = only(model)
    x, y = values(model, it.target)
    everything = np.arange(row_count(it, y))
    spatial = y.shape[2:] if it.node.op in ("Conv", "ConvTranspose") else ()
    found = collect(model, [{"x": x}])
    assert found.samples == x.shape[0]
    ((number),) = found.numbers
    assert number in found
    same(found.moments(number), inputs(it, x, spatial, everything), results(it, y, everything))


def test_batches_of_any_size_are_summed_up() -> None:
    model, _ = prepared(ROW)
    x = normal(50, 6) + np.arange(6, dtype=np.float32)
    whole = moments(model, pieces(50, x=x))
    for size in (1, 7, 20):
        parts = moments(model, pieces(size, x=x))
        np.testing.assert_allclose(parts.covariance, whole.covariance, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(parts.power, whole.power, rtol=1e-5)
        assert parts.rows == 50


def test_a_budget_of_rows_is_spread_over_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling.rows_for, "__defaults__", (40,))
    model, _ = prepared(ROW)
    x = normal(400, 6)
    first, second = (moments(model, pieces(100, x=x)) for _ in range(2))
    assert first.rows == 40
    assert np.array_equal(first.covariance, second.covariance), "the same rows each time"
    np.testing.assert_allclose(first.covariance[0], np.eye(6), atol=0.6)


def test_an_operator_with_many_columns_gets_more_rows() -> None:
    assert rows_for(10, 100) == 100
    assert rows_for(1000, 100) == 4000


def test_rows_are_picked_ascending_without_repeats_and_others_in_another_batch() -> None:
    it = only(model_of(OPERATORS["Gemm"]))
    y = normal(1000, 5)
    first, again, other = (pick(it, y, 30, seed, None) for seed in ((0, 0), (0, 0), (0, 1)))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.size == 30 and np.all(np.diff(first) > 0) and first.max() < 1000
    assert pick(it, y, 1000, (0, 0), None).tolist() == list(range(1000))


def test_padding_is_left_out() -> None:
    model, _ = prepared(WORDS)
    x, mask = normal(4, 5, 6), np.ones((4, 5), np.int64)
    mask[0, 2:] = mask[2, 4:] = 0
    x[mask == 0] = 1e3
    found = moments(model, pieces(2, x=x, attention_mask=mask))
    rows = x[mask == 1][None]
    same(found, rows, rows @ model_weight(model))


def model_weight(model: Model) -> Array:
    from graphprune.fitting.linear import matrix

    return matrix(operator(model, "last")[1])[0][0]


def test_picks_within_a_mask_are_positions_that_count() -> None:
    it = only(model_of(OPERATORS["MatMul-batch-Add"]))
    mask = np.zeros((2, 7), bool)
    mask[0, 3:], mask[1, 0] = True, True
    assert pick(it, normal(2, 7, 5), 100, (0,), mask).tolist() == [3, 4, 5, 6, 7]
    assert set(pick(it, normal(2, 7, 5), 2, (0,), mask)) < {3, 4, 5, 6, 7}
    assert pick(it, normal(3, 7, 5), 100, (0,), mask).size == 21, "a mask of other sizes says nothing"
    assert masks({MASK: np.array([[1, 0]])}) is not None
    assert masks({"x": np.zeros(1)}) is None


def test_a_mask_that_hides_everything_is_refused() -> None:
    model, _ = prepared(WORDS)
    with pytest.raises(Usage, match="leaves MatMul 'last' without inputs"):
        collect(model, [{"x": normal(2, 3, 6), MASK: np.zeros((2, 3), np.int64)}])


@pytest.mark.parametrize("value", [-1.0, 0.0], ids=["not-a-number", "infinite"])
def test_values_that_are_not_finite_are_refused_with_the_operator_that_gets_them(value: float) -> None:
    model, _ = prepared(
        """g (float[n, 4] x) => (float[n, 3] y) <float[4, 5] w0, float[5, 3] w1, float[4, 5] w2>
        { [first] a = MatMul (x, w0) l = Log (x) [middle] m = MatMul (l, w2) b = Add (a, m)
          [last] y = MatMul (b, w1) }"""
    )
    x = np.abs(normal(8, 4)) + 1
    x[3, 2] = value
    with pytest.raises(Usage, match="inputs of MatMul 'middle' are not finite numbers"):
        collect(model, [{"x": x}])


def test_no_data_is_refused() -> None:
    model, _ = prepared(ROW)
    with pytest.raises(Refused, match="no inputs"):
        collect(model, [])


@pytest.mark.parametrize("batch", [1, 4, 500])
def test_independent_rows_count_for_about_as_many(batch: int) -> None:
    model, _ = prepared(ROW)
    found = moments(model, pieces(batch, x=normal(500, 6)))
    assert 200 < found.effective[0] <= 500


@pytest.mark.parametrize("times", [5, 20])
def test_rows_that_repeat_within_a_sample_count_for_as_many_as_are_different(times: int) -> None:
    model, _ = prepared(ROW.replace("n, ", "n, s, "))
    x = np.repeat(normal(200, 1, 6), times, axis=1)
    found = moments(model, pieces(20, x=x))
    assert found.rows == 200 * times
    assert 100 < found.effective[0] < 400


def test_the_positions_of_one_sample_are_not_told_apart_from_each_other() -> None:
    """In a model that takes one sample at a time, the two halves that are compared are still of others."""
    model, _ = prepared(ROW.replace("n, ", "n, s, "))
    x = np.repeat(normal(200, 1, 6), 20, axis=1)
    assert 100 < moments(model, pieces(1, x=x)).effective[0] < 400


def test_effective_rows_are_told_for_each_block() -> None:
    model, _ = prepared(
        """g (float[n, 4, 1, 20] x) => (float[n, 2, 1, 20] y) <float[2, 2, 1, 1] w>
        { [last] y = Conv <group = 2> (x, w) }"""
    )
    x = normal(100, 4, 1, 20)
    x[:, 2:] = x[:, 2:, :, :1]
    effective = moments(model, pieces(10, x=x)).effective
    assert effective.shape == (2,)
    assert effective[1] < effective[0] / 4


def test_progress_is_told_operator_by_operator(tmp_path: Path) -> None:
    model, _ = prepared(
        "g (float[n, 4] x) => (float[n, 3] y) <float[4, 5] a, float[5, 3] b> "
        "{ h = MatMul (x, a) r = Relu (h) y = MatMul (r, b) }"
    )
    told: list[tuple[int, int]] = []
    collect(model, [{"x": normal(3, 4)}], folder=tmp_path, tell=lambda *each: told.append(each))
    assert told == [(1, 2), (2, 2)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.npz", "2.npz"]


def test_few_rows_shrink_to_the_variances_alone() -> None:
    x = normal(4, 30).astype(np.float64)
    covariance = np.cov(x.T, bias=True)
    found = shrunk(covariance, 2)
    assert np.abs(found - np.diag(np.diag(covariance))).max() < 0.1 * np.trace(covariance) / 30
    assert np.linalg.cond(shrunk(covariance, 4)) < 1e3, "there is an inverse"


def test_many_rows_are_left_as_they_are_but_for_the_least_ridge() -> None:
    covariance = np.cov(normal(50, 6).T.astype(np.float64))
    found = shrunk(covariance, 1e12)
    np.testing.assert_allclose(found, covariance + LEAST * np.diag(np.diag(covariance)), rtol=1e-6)


def test_shrinkage_falls_with_the_rows() -> None:
    covariance = np.cov(normal(50, 6).T.astype(np.float64))
    off = [np.abs(shrunk(covariance, rows)[0, 1]) for rows in (5, 50, 500, 5000)]
    assert off == sorted(off)
    assert off[0] < off[-1]


@pytest.mark.parametrize("covariance", [np.zeros((3, 3)), np.array([[2.0]]), np.ones((3, 3))])
def test_what_has_no_inverse_gets_one(covariance: Array) -> None:
    assert np.isfinite(np.linalg.inv(shrunk(covariance, 10.0))).all()
