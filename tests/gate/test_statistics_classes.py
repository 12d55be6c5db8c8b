"""Classes that are judged one by one, and how many samples are missing to decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphprune.gate.statistics import (
    Estimate,
    Paired,
    class_drops,
    decide,
    drop,
    missing,
    worst_class,
)
from graphprune.metrics import ClassScore


def of_counts(*tables: tuple[int, int, int, int]) -> Paired:
    """Classes given by: both right, only the original, only the candidate, neither."""
    scores = [
        ClassScore(label, sum(table), table[0] + table[1], table[0] + table[2], table[0])
        for label, table in enumerate(tables)
    ]
    return Paired("top1", True, "share", classes=tuple(scores))


def test_classes_come_worst_first_with_their_own_intervals() -> None:
    changes = class_drops(of_counts((9, 0, 0, 1), (2, 7, 0, 1), (5, 1, 3, 1)))
    assert [change.label for change in changes] == [1, 0, 2]
    worst = changes[0]
    assert (worst.count, worst.original, worst.candidate) == (10, 0.9, 0.2)
    assert worst.low < -0.7 < worst.high < 0


@pytest.mark.parametrize(("classes", "count"), [(10, 9), (100, 12), (1000, 18)])
def test_a_dead_class_is_found_and_named(classes: int, count: int) -> None:
    tables = [(round(0.9 * 50), 0, 0, 5)] * classes
    tables[3] = (0, round(0.9 * count), 0, count - round(0.9 * count))
    paired = of_counts(*tables)
    overall = drop(paired)
    worst = worst_class(paired, 0.1)
    assert overall is not None
    assert worst is not None
    assert (worst.status, worst.label, worst.classes) == ("fail", 3, classes)
    assert worst.estimate.low > 0.1
    if classes > 10:
        assert decide(overall.low, overall.high, 0.01, upper=True) == "pass"


def test_classes_pass_where_each_is_within_the_limit() -> None:
    worst = worst_class(of_counts((450, 5, 5, 40), (440, 10, 5, 45)), 0.05)
    assert worst is not None
    assert (worst.status, worst.label, worst.open, worst.missing) == ("pass", 1, 0, None)


def test_a_small_class_is_open_and_says_how_many_samples_it_lacks() -> None:
    worst = worst_class(of_counts((450, 5, 5, 40), (5, 0, 0, 0)), 0.05)
    assert worst is not None
    assert (worst.status, worst.label, worst.open, worst.estimate.count) == ("inconclusive", 1, 1, 5)
    assert worst.missing is not None
    more = 5 + worst.missing
    again = worst_class(of_counts((450, 5, 5, 40), (more, 0, 0, 0)), 0.05)
    assert again is not None
    assert again.status == "pass"


def test_a_class_may_be_limited_by_its_own_share() -> None:
    paired = of_counts((90, 0, 0, 10), (10, 20, 0, 70))
    worst = worst_class(paired, 0.5, "min")
    assert worst is not None
    assert (worst.status, worst.label) == ("fail", 1)
    assert worst.estimate.value == pytest.approx(0.1)
    assert worst.estimate.high < 0.5


def test_chance_does_not_make_one_of_many_classes_fail() -> None:
    random = np.random.default_rng(4)
    failed = 0
    for _ in range(20):
        tables = random.multinomial(30, [0.79, 0.11, 0.01, 0.09], 200)
        worst = worst_class(of_counts(*((a, b, c, d) for a, b, c, d in tables.tolist())), 0.1)
        assert worst is not None
        failed += worst.status == "fail"
    assert failed <= 2


@given(st.integers(0, 30), st.integers(0, 30), st.integers(100, 2000), st.floats(0.005, 0.1))
@settings(max_examples=40, deadline=None)
def test_the_missing_samples_decide(lost: int, won: int, same: int, limit: float) -> None:
    paired = of_counts((same, lost, won, 20))
    found = drop(paired)
    assert found is not None
    number = missing(paired, limit)
    if number == 0:
        assert not found.low <= limit <= found.high
    elif number is not None:
        times = (found.count + number) / found.count
        larger = of_counts((round(same * times), round(lost * times), round(won * times), round(20 * times)))
        then = drop(larger)
        assert then is not None
        assert not then.low <= limit <= then.high


def test_an_estimate_at_the_limit_is_never_decided() -> None:
    assert missing(Estimate(0.01, 0.005, 0.015, 100), 0.01) is None
    assert missing(of_counts((90, 1, 0, 9)), 0.01) is None


def test_missing_samples_follow_from_the_width() -> None:
    """Power 80 %: (1.96 + 0.84)^2 / 1.96^2 = 2.04 times the samples where the interval just reaches."""
    assert missing(Estimate(0.0, -0.01, 0.01, 1000), 0.01) == pytest.approx(1050, abs=60)
    assert missing(Estimate(0.0, -0.01, 0.01, 1000), 0.02) == 0
