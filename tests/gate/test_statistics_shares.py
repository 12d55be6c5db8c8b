"""Intervals of shares, of their difference and their ratio, beside published figures."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.gate.statistics.quantiles import normal, student, two_sided
from graphprune.gate.statistics.shares import difference, least_difference, least_share, quotient, wilson

Z = two_sided(0.95)
TABLES = st.tuples(*[st.integers(0, 60)] * 4).filter(lambda counts: sum(counts) > 0)


@pytest.mark.parametrize(
    ("probability", "freedom", "quantile"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 5, 2.5706),
        (0.975, 10, 2.2281),
        (0.975, 30, 2.0423),
        (0.995, 7, 3.4995),
        (0.95, 120, 1.6577),
        (0.975, 1000, 1.9623),
    ],
)
def test_quantiles_of_student_are_those_of_the_tables(
    probability: float, freedom: int, quantile: float
) -> None:
    assert student(probability, freedom) == pytest.approx(quantile, abs=6e-5)
    assert student(1 - probability, freedom) == -student(probability, freedom)


def test_both_ways_to_a_quantile_of_student_agree_where_they_meet() -> None:
    below, above = student(0.975, 399), student(0.975, 400)
    assert normal(0.975) < above < below < above + 1e-4


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_of_a_share_are_those_of_newcombe_1998(
    right: int, count: int, low: float, high: float
) -> None:
    """Newcombe 1998, Statistics in Medicine 17:857-872, table I, method 3."""
    found = wilson(right, count, Z)
    assert [float(end) for end in found] == pytest.approx([low, high], abs=6e-5)


def test_the_difference_is_tangos_interval() -> None:
    """1, 1, 7, 12 of 21 children, in Fagerland, Lydersen and Laake 2014 (Statistics in Medicine 33)."""
    low, high = difference(1, 7, 21, Z)
    assert (float(low), float(high)) == pytest.approx((-0.517, -0.026), abs=6e-4)


def test_the_ratio_is_the_score_interval_of_tang() -> None:
    """The same children: 2 before, 8 after."""
    low, high = quotient(1, 7, 1, 21, Z)
    assert (float(low), float(high)) == pytest.approx((0.065, 0.907), abs=6e-4)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_the_difference_holds_what_mcnemars_test_does_not_reject(counts: tuple[int, int, int, int]) -> None:
    _, lost, won, _ = counts
    low, high = difference(lost, won, sum(counts), Z)
    statistic = abs(lost - won) / math.sqrt(lost + won) if lost + won else 0.0
    if abs(statistic - Z) > 1e-6:
        assert (low <= 0 <= high) == (statistic < Z)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_swapping_the_models_turns_every_interval_over(counts: tuple[int, int, int, int]) -> None:
    both, lost, won, _ = counts
    count = sum(counts)
    low, high = difference(lost, won, count, Z)
    other = difference(won, lost, count, Z)
    assert (-float(high), -float(low)) == pytest.approx([float(end) for end in other], abs=1e-9)
    if both + lost and both + won:
        low, high = quotient(both, lost, won, count, Z)
        other = quotient(both, won, lost, count, Z)
        turned = [1 / float(end) if end > 0 else math.inf for end in reversed((low, high))]
        assert turned == pytest.approx([float(end) for end in other], rel=1e-4)


@given(TABLES)
@settings(max_examples=60, deadline=None)
def test_intervals_hold_the_estimate_and_stay_in_range(counts: tuple[int, int, int, int]) -> None:
    both, lost, won, _ = counts
    count = sum(counts)
    low, high = difference(lost, won, count, Z)
    assert -1 <= low <= (lost - won) / count + 1e-9
    assert (lost - won) / count - 1e-9 <= high <= 1
    if both + lost:
        ratio = (both + won) / (both + lost)
        low, high = quotient(both, lost, won, count, Z)
        assert 0 <= low <= ratio + 1e-6
        assert ratio - 1e-6 <= high


@pytest.mark.parametrize(
    ("lost", "won", "count"), [(0, 0, 1), (1, 0, 1), (0, 1, 1), (0, 0, 100), (100, 0, 100), (0, 100, 100)]
)
def test_extreme_tables_have_an_interval_of_some_width(lost: int, won: int, count: int) -> None:
    low, high = difference(lost, won, count, Z)
    assert np.isfinite([low, high]).all()
    assert high - low > 0.01


def test_more_of_the_same_narrows() -> None:
    widths: list[float] = []
    for times in (1, 4, 16, 64):
        low, high = difference(5 * times, 2 * times, 100 * times, Z)
        widths.append(float(high - low))
    for before, after in pairwise(widths):
        assert after == pytest.approx(before / 2, rel=0.15)


@pytest.mark.parametrize(
    ("count", "lost", "won"), [(300, 0.02, 0.02), (1000, 0.03, 0.01), (3000, 0.005, 0.005)]
)
def test_the_interval_of_a_difference_covers_as_it_says(count: int, lost: float, won: float) -> None:
    drawn = np.random.default_rng(0).multinomial(count, [lost, won, 1 - lost - won], 4000)
    low, high = difference(drawn[:, 0], drawn[:, 1], count, Z)
    assert 0.93 <= np.mean((low <= lost - won) & (lost - won <= high)) <= 0.97


@pytest.mark.parametrize(("count", "z"), [(10, 2.0), (20, 4.0), (200, 3.0)])
def test_where_all_are_right_the_likelihood_has_a_closed_form(count: int, z: float) -> None:
    assert float(least_share(count, count, z)) == pytest.approx(math.exp(-z * z / (2 * count)))


def test_the_likelihood_of_a_difference_is_as_maximised_by_search() -> None:
    lost, won, same, z = 12, 3, 25, 3.0
    low = float(least_difference(lost, won, lost + won + same, z))

    def likelihood(p: float, q: float) -> float:
        return lost * math.log(p) + won * math.log(q) + same * math.log(1 - p - q)

    grid = np.linspace(1e-4, 0.5, 20001)
    at_low = max(likelihood(q + low, q) for q in grid if q + low > 0 and 2 * q + low < 1)
    assert 2 * (likelihood(lost / 40, won / 40) - at_low) == pytest.approx(z * z, abs=1e-3)


@pytest.mark.parametrize(("lost", "won"), [(0.12, 0.02), (0.1, 0.0), (0.3, 0.2)])
def test_small_errors_are_as_small_as_they_say(lost: float, won: float) -> None:
    drawn = np.random.default_rng(0).multinomial(50, [lost, won, 1 - lost - won], 200_000)
    pairs, counts = np.unique(drawn[:, :2], axis=0, return_counts=True)
    beyond = least_difference(pairs[:, 0], pairs[:, 1], 50, normal(1 - 0.0025)) > 0.1 + 1e-9
    assert counts[beyond].sum() / 200_000 < 0.0035
