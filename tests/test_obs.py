"""Units go in the order, and at the errors, that least squares from scratch gives."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.fitting import obs, removal
from graphprune.fitting.obs import Consumer, Path, eliminate

Array = NDArray[np.float64]
RIDGE = 1e-3


def consumer(
    units: list[int], outputs: int, seed: int = 0, rows: int = 200, share: float = 0.5, scale: float = 1.0
) -> Consumer:
    """A consumer of correlated columns, one for each entry of `units`."""
    rng = np.random.default_rng(seed)
    columns = len(units)
    x = rng.standard_normal((rows, columns)) @ (
        np.eye(columns) + share * rng.standard_normal((columns, columns))
    )
    x *= scale
    return Consumer(x.T @ x / rows, rng.standard_normal((columns, outputs)), np.array(units))


def ridged(one: Consumer) -> Array:
    gram: Array = one.gram + RIDGE * np.trace(one.gram) / len(one.gram) * np.eye(len(one.gram))
    return gram


def optimum(one: Consumer, gone: NDArray[np.int64]) -> float:
    """What is lost at best without the columns of these units, computed from scratch, over the variance."""
    gram, stays = ridged(one), ~np.isin(one.units, gone)
    new = np.zeros_like(one.weight)
    if stays.any():
        new[stays] = np.linalg.solve(gram[np.ix_(stays, stays)], (gram @ one.weight)[stays])
    off = one.weight - new
    return float(np.sum(off * (gram @ off)) / np.sum(one.weight * (one.gram @ one.weight)))


def brute(consumers: list[Consumer], size: int) -> Path:
    """The greedy order by trying every unit at every step."""
    order: list[int] = []
    errors: list[float] = []
    for _ in range(size):
        left = [unit for unit in range(size) if unit not in order]
        tried = [np.mean([optimum(one, np.array([*order, unit])) for one in consumers]) for unit in left]
        order.append(left[int(np.argmin(tried))])
        errors.append(float(min(tried)))
    return Path(np.array(order), np.array(errors))


CASES: dict[str, tuple[list[Consumer], int]] = {
    "one-column-a-unit": ([consumer(list(range(9)), 4)], 9),
    "several-columns-a-unit": ([consumer([unit for unit in range(7) for _ in range(3)], 5)], 7),
    "scattered-columns": ([consumer([3, 0, 2, 1, 0, 2, 3, 1, 3, 0, 1, 2], 5)], 4),
    "units-of-unequal-size": ([consumer([0, 1, 1, 2, 2, 2, 3, 4, 4, 5], 3)], 6),
    "columns-that-stay": ([consumer([0, -1, 1, 2, -1, 3, 4, -1, 5], 3)], 6),
    "more-outputs-than-columns": ([consumer([0, 0, 1, 2, 3, 3], 40)], 4),
    "one-output": ([consumer(list(range(8)), 1)], 8),
    "several-consumers": (
        [
            consumer(list(range(6)), 4, 1),
            consumer([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5], 3, 2, scale=30),
            consumer([2, 4, 1, 0, 5, 3, -1], 7, 3, scale=1e-3),
        ],
        6,
    ),
    "consumers-of-some-units": ([consumer([0, 1, 2], 4, 1), consumer([2, 3, 3, 4], 3, 2)], 5),
    "a-unit-that-nobody-reads": ([consumer([0, 1, 3], 4)], 4),
    "fewer-rows-than-columns": ([consumer(list(range(10)), 4, rows=4)], 10),
}


@pytest.mark.parametrize("rank", [1, 4, 256])
@pytest.mark.parametrize("name", CASES)
def test_each_step_is_the_best_by_least_squares(
    name: str, rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`rank` is how much is removed before the matrices are brought up to date."""
    monkeypatch.setattr(removal, "_RANK", rank)
    consumers, size = CASES[name]
    found, expected = eliminate(consumers, size, RIDGE), brute(consumers, size)
    assert found.order.tolist() == expected.order.tolist()
    np.testing.assert_allclose(found.errors, expected.errors, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_errors_rise_to_what_is_lost_without_all(name: str) -> None:
    consumers, size = CASES[name]
    found = eliminate(consumers, size, RIDGE)
    assert sorted(found.order.tolist()) == list(range(size))
    assert all(before <= after for before, after in pairwise(found.errors.tolist()))
    every = np.arange(size)
    assert found.errors[-1] == pytest.approx(np.mean([optimum(one, every) for one in consumers]))


def test_the_inputs_are_left_as_they_are() -> None:
    one = consumer([0, 0, 1, 2, 3, 3], 4)
    before = [one.gram.copy(), one.weight.copy(), one.units.copy()]
    eliminate([one], 4)
    assert all(np.array_equal(*pair) for pair in zip(before, (one.gram, one.weight, one.units)))


def test_one_of_two_equal_columns_costs_nothing() -> None:
    x = np.random.default_rng(0).standard_normal((300, 6))
    x[:, 4] = x[:, 1]
    weight = 1 + np.random.default_rng(1).uniform(size=(6, 3))
    found = eliminate([Consumer(x.T @ x / 300, weight, np.arange(6))], 6, 1e-6)
    assert found.order[0] in (1, 4)
    assert found.errors[0] < 1e-5
    assert found.errors[1] > 0.01
    twin = 5 - found.order[0]
    assert found.order.tolist().index(twin) == 5, "what stays of the two carries both, so it goes last"


def test_a_diagonal_sorts_by_energy() -> None:
    rng = np.random.default_rng(0)
    h, w = rng.uniform(0.5, 3, 40), rng.standard_normal((40, 7))
    found = eliminate([Consumer(np.diag(h), w, np.arange(40))], 40, 1e-9)
    energy = h * np.square(w).sum(axis=1)
    assert found.order.tolist() == np.argsort(energy).tolist()
    np.testing.assert_allclose(found.errors, np.cumsum(np.sort(energy)) / energy.sum(), rtol=1e-6)
    np.testing.assert_allclose(found.scores(), energy / energy.sum(), rtol=1e-6)


def test_scores_rise_along_the_order() -> None:
    found = Path(np.array([2, 0, 1]), np.array([0.3, 0.4, 0.9]))
    assert found.scores() == pytest.approx([0.3, 0.5, 0.3])


def test_consumers_count_by_their_own_variance() -> None:
    one, other = consumer(list(range(6)), 4, 1), consumer(list(range(6)), 4, 2)
    large = Consumer(other.gram * 1e8, other.weight * 1e3, other.units)
    small = Consumer(other.gram * 1e-9, other.weight * 1e-7, other.units)
    expected = eliminate([one, other], 6)
    for scaled in (large, small):
        found = eliminate([one, scaled], 6)
        assert found.order.tolist() == expected.order.tolist()
        np.testing.assert_allclose(found.errors, expected.errors, rtol=1e-6)


def test_a_consumer_of_nothing_has_no_say() -> None:
    one = consumer(list(range(5)), 4)
    nothing = Consumer(np.zeros((5, 5)), np.ones((5, 2)), np.arange(5)[::-1].copy())
    found, alone = eliminate([one, nothing], 5), eliminate([one], 5)
    assert found.order.tolist() == alone.order.tolist()
    np.testing.assert_allclose(found.errors, alone.errors / 2)
    assert eliminate([nothing], 5).errors.tolist() == [0] * 5


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=str)
@pytest.mark.parametrize("part", ["gram", "weight"])
def test_numbers_that_are_not_finite_are_refused(part: str, value: float) -> None:
    one = consumer(list(range(5)), 4)
    getattr(one, part)[1, 2] = value
    with pytest.raises(Refused, match="values that are not finite"):
        obs.eliminate([one], 5)


def test_a_long_elimination_stays_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "_RANK", 32)
    one = consumer([unit for unit in range(100) for _ in range(3)], 20, rows=500, share=0.2)
    found = eliminate([one], 100, RIDGE)
    for step in range(0, 100, 7):
        assert found.errors[step] == pytest.approx(optimum(one, found.order[: step + 1]), rel=1e-8)
