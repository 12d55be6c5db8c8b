"""What a metric says of two models, with intervals; classes; and how many samples are missing."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.gate.statistics import (
    Paired,
    candidate,
    decide,
    drop,
    estimate,
    ratio,
)
from graphprune.json_values import plain
from graphprune.metrics import ClassScore, Spread, open_metric
from graphprune.metrics.tally import Score
from graphprune.profiling.strict import read

METRICS = ("top1", "top5", "agreement", "cosine", "mse", "kl")


def judged(
    name: str, a: NDArray[Any], b: NDArray[Any], labels: NDArray[Any] | None = None, batch: int = 7
) -> Score:
    metric = open_metric(name).start(0)
    for start in range(0, len(a), batch):
        part = slice(start, start + batch)
        metric.update([a[part]], [b[part]], None if labels is None else labels[part])
    return metric.value()


def known(name: str, a: NDArray[Any], b: NDArray[Any], labels: NDArray[Any] | None = None) -> Paired:
    paired = judged(name, a, b, labels).paired
    assert paired is not None
    return paired


def pictures(count: int, side: int = 6, classes: int = 5) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Outputs [n, classes, side, side] of two models, of which the second errs in whole pictures."""
    random = np.random.default_rng(3)
    labels = random.integers(0, classes, (count, side, side))
    right = np.moveaxis(np.eye(classes)[labels], -1, 1)
    wrong = np.roll(right, 1, axis=1)
    share = random.beta(1, 6, count)
    bad = random.random((count, 1, side, side)) < share[:, None, None, None]
    return right, np.where(bad, wrong, right), labels


def of_counts(*tables: tuple[int, int, int, int]) -> Paired:
    """Classes given by: both right, only the original, only the candidate, neither."""
    scores = [
        ClassScore(label, sum(table), table[0] + table[1], table[0] + table[2], table[0])
        for label, table in enumerate(tables)
    ]
    return Paired("top1", True, "share", classes=tuple(scores))


@pytest.fixture(scope="module")
def outputs() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    random = np.random.default_rng(0)
    labels = random.integers(0, 8, 200)
    a = random.normal(size=(200, 8))
    a[np.arange(200), labels] += 3
    return a, a + random.normal(size=a.shape), labels


@pytest.mark.parametrize("name", METRICS)
def test_an_estimate_is_the_score_and_lies_in_its_interval(
    name: str, outputs: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
) -> None:
    score = judged(name, *outputs)
    assert score.paired is not None
    found = candidate(score.paired)
    assert found.value == pytest.approx(score.value, rel=1e-12)
    assert found.low < found.value < found.high
    assert found.count == 200


@pytest.mark.parametrize("name", METRICS)
def test_what_is_kept_of_a_metric_goes_through_json(
    name: str, outputs: tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
) -> None:
    paired = known(name, *outputs)
    text = json.dumps(plain(asdict(paired)), allow_nan=False)
    assert read(Paired, json.loads(text)) == paired


def test_pictures_go_through_json_however_they_are_batched() -> None:
    a, b, labels = pictures(20)
    paired = known("top1", a, b, labels)
    assert paired == judged("top1", a, b, labels, batch=20).paired
    assert read(Paired, json.loads(json.dumps(asdict(paired)))) == paired


def test_scores_as_json_do_not_hold_what_each_sample_gave(
    outputs: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> None:
    assert set(judged("top1", *outputs).to_dict()) == {"value", "reference", "count", "classes"}


@pytest.mark.parametrize(
    ("low", "high", "limit", "upper", "decision"),
    [
        (0.1, 0.2, 0.2, True, "pass"),
        (0.1, 0.2, 0.15, True, "inconclusive"),
        (0.1, 0.2, 0.1, True, "inconclusive"),
        (0.1, 0.2, 0.09, True, "fail"),
        (0.1, 0.2, 0.1, False, "pass"),
        (0.1, 0.2, 0.2, False, "inconclusive"),
        (0.1, 0.2, 0.21, False, "fail"),
        (math.nan, math.nan, 1.0, True, "fail"),
        (-math.inf, math.inf, 1.0, True, "inconclusive"),
    ],
)
def test_a_limit_is_kept_only_by_a_whole_interval(
    low: float, high: float, limit: float, upper: bool, decision: str
) -> None:
    assert decide(low, high, limit, upper) == decision


def test_a_drop_is_positive_where_the_candidate_is_worse() -> None:
    found = drop(of_counts((80, 10, 2, 8)))
    assert found is not None
    assert found.value == pytest.approx(0.08)
    assert found.low > 0
    turned = drop(of_counts((80, 2, 10, 8)))
    assert turned is not None
    assert (-turned.high, -turned.low) == pytest.approx((found.low, found.high))


def test_an_increase_is_a_drop_turned_over() -> None:
    paired = of_counts((80, 10, 2, 8))
    lost, won = estimate(paired, "max-drop"), estimate(paired, "max-increase")
    assert lost is not None
    assert won is not None
    assert (won.value, won.low, won.high) == (-lost.value, -lost.high, -lost.low)


def test_an_agreement_is_lost_by_what_differs() -> None:
    random = np.random.default_rng(1)
    a = random.normal(size=(100, 4))
    paired = known("agreement", a, a + random.normal(size=a.shape))
    own, lost = candidate(paired), drop(paired)
    assert lost is not None
    assert lost.value == pytest.approx(1 - own.value)
    assert (lost.low, lost.high) == pytest.approx((1 - own.high, 1 - own.low))


def test_an_error_grows_from_none() -> None:
    a = np.random.default_rng(1).normal(size=(50, 4))
    paired = known("mse", a, a + 0.1)
    own, grown = candidate(paired), estimate(paired, "max-increase")
    assert grown is not None
    assert grown.value == pytest.approx(own.value)
    assert own.low >= 0
    assert ratio(paired) is None


def test_a_metric_of_the_users_has_no_value_of_the_original() -> None:
    paired = Paired("metric.py:func", True, "mean", candidate=(0.5, 0.6, 0.7))
    assert candidate(paired).value == pytest.approx(0.6)
    assert drop(paired) is None
    assert ratio(paired) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_candidate_that_is_not_finite_fails_every_limit(bad: float) -> None:
    found = candidate(Paired("mse", False, "mean", 0.0, candidate=(0.1, bad, 0.2)))
    assert decide(found.low, found.high, 1e9, upper=True) == "fail"


def test_one_sample_decides_nothing() -> None:
    found = candidate(Paired("mse", False, "mean", 0.0, candidate=(0.1,)))
    assert (found.low, found.high) == (0, math.inf)
    lost = drop(of_counts((1, 0, 0, 0)))
    assert lost is not None
    assert lost.low < -0.5
    assert lost.high > 0.5


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [((50, 0, 0, 0), -0.08, 0.08), ((0, 0, 0, 50), -0.08, 0.08), ((0, 50, 0, 0), 0.85, 1)],
)
def test_all_alike_is_still_an_estimate(table: tuple[int, int, int, int], low: float, high: float) -> None:
    found = drop(of_counts(table))
    assert found is not None
    assert low < found.low <= found.value <= found.high <= high


def test_pixels_of_one_picture_do_not_count_as_so_many_samples() -> None:
    a, b, labels = pictures(60)
    paired = known("top1", a, b, labels)
    assert paired.spread is not None
    naive = Paired("top1", True, "share", classes=paired.classes)
    for figure in (candidate, drop, ratio):
        wide, narrow = figure(paired), figure(naive)
        assert wide is not None
        assert narrow is not None
        assert wide.value == narrow.value
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
        assert wide.count == 60


def test_pixels_that_err_alone_count_nearly_as_samples() -> None:
    random = np.random.default_rng(5)
    right = np.moveaxis(np.eye(2)[np.zeros((80, 8, 8), int)], -1, 1)
    bad = random.random((80, 1, 8, 8)) < 0.1
    paired = known("top1", right, np.where(bad, right[:, ::-1], right), np.zeros((80, 8, 8), int))
    naive = Paired("top1", True, "share", classes=paired.classes)
    wide, narrow = drop(paired), drop(naive)
    assert wide is not None
    assert narrow is not None
    assert 1 <= (wide.high - wide.low) / (narrow.high - narrow.low) < 1.35


def test_one_picture_says_nothing_of_others() -> None:
    a, b, labels = pictures(1)
    found = candidate(known("top1", a, b, labels))
    assert (found.low, found.high) == (0, 1)


def test_clustered_intervals_cover_as_they_say() -> None:
    random = np.random.default_rng(7)
    held, trials = 0, 200
    for _ in range(trials):
        losses = random.binomial(50, random.beta(1, 9, 60))
        m, b = np.full(60, 50), 50 - losses
        sums = [int((x * y).sum()) for x, y in ((m, m), (m, m), (m, b), (m, m), (m, b), (b, b))]
        spread = Spread(60, *sums)
        score = ClassScore(0, 3000, 3000, int(b.sum()), int(b.sum()))
        found = drop(Paired("top1", True, "share", classes=(score,), spread=spread, class_spread=(spread,)))
        assert found is not None
        held += found.low <= 0.1 <= found.high
    assert 0.9 <= held / trials <= 0.99


def test_ranks_have_an_interval_that_is_the_same_each_time() -> None:
    random = np.random.default_rng(2)
    labels = random.normal(size=150)
    a = (labels + random.normal(size=150)).round(1)
    b = a + random.normal(size=150)
    score = judged("spearman", a[:, None], b[:, None], labels)
    assert score.paired is not None
    found, lost = candidate(score.paired), drop(score.paired)
    assert lost is not None
    assert score.reference is not None
    assert found.value == score.value
    assert lost.value == pytest.approx(score.reference - score.value)
    assert found.low < found.value < found.high < 1
    assert lost.low > 0
    again = read(Paired, json.loads(json.dumps(asdict(score.paired))))
    assert candidate(again) == found
