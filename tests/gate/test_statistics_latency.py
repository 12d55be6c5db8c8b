"""Latencies and their ratios with intervals, from times that are made up."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.gate.statistics import (
    LatencyLimit,
    Statistic,
    decide,
    latency,
    latency_estimate,
    latency_ratio,
    settled,
    too_few,
)
from graphprune.gate.statistics.blocks import draw, interval, stretch
from graphprune.profiling.paired import Blocks

EVERY: tuple[Statistic, ...] = (50.0, 90.0, 95.0, 10.0, "mean")


def timed(slower: float = 1.0, pairs: int = 100, runs: int = 8, noise: float = 0.05, seed: int = 0) -> Blocks:
    random = np.random.default_rng(seed)
    models = [random.lognormal(-5, noise, (pairs, runs)) for _ in range(2)]
    return Blocks((tuple(models[0]), tuple(slower * models[1])))


@pytest.mark.parametrize("statistic", EVERY)
def test_a_ratio_is_found(statistic: Statistic) -> None:
    found = latency_ratio(timed(1.2, pairs=200), statistic)
    assert found is not None
    assert found.value == pytest.approx(1.2, rel=0.01)
    assert found.low < found.value < found.high
    assert found.high - found.low < 0.06
    assert found.count == 200


@pytest.mark.parametrize("statistic", EVERY)
def test_a_latency_is_in_the_unit_of_the_blocks(statistic: Statistic) -> None:
    blocks = timed(1.2)
    found = latency(blocks, 1, statistic)
    runs = blocks.all(1)
    assert found is not None
    assert found.value == pytest.approx(
        runs.mean() if statistic == "mean" else np.percentile(runs, statistic)
    )
    assert found.low < found.value < found.high


def test_the_ratio_of_medians_is_that_of_the_profile() -> None:
    blocks = timed(1.1)
    found = latency_ratio(blocks, 50)
    assert found is not None
    assert found.value == blocks.interval(1).ratio


def test_the_same_seed_gives_the_same_interval() -> None:
    blocks = timed()
    assert latency_ratio(blocks, 90, 1) == latency_ratio(blocks, 90, 1)
    assert latency_ratio(blocks, 90, 1) != latency_ratio(blocks, 90, 2)


def test_the_models_are_told_by_number() -> None:
    blocks = timed(1.25)
    forth, back = latency_ratio(blocks, 50), latency_ratio(blocks, 50, model=0, reference=1)
    assert forth is not None
    assert back is not None
    assert back.value == pytest.approx(1 / forth.value, rel=1e-3)


def test_a_percentile_takes_as_many_runs_as_bound_it() -> None:
    few, enough = timed(pairs=30, runs=22), timed(pairs=30, runs=23)
    assert latency_ratio(few, 99) is None
    assert latency(few, 1, 99) is None
    assert "662 runs at least, there are 660" in too_few(few, 99)
    assert too_few(enough, 99) == ""
    assert latency_ratio(enough, 99) is not None


@pytest.mark.parametrize(
    ("bound", "value"),
    [("max", 0.0081), ("max-ratio", 1.2), ("max-increase", 0.00135), ("max-drop", -0.00135)],
)
def test_what_is_compared_is_what_the_bound_says(bound: str, value: float) -> None:
    limit = LatencyLimit(50.0, bound, 0.0)  # type: ignore[arg-type]
    found = latency_estimate(timed(1.2), limit)
    assert found is not None
    assert found.value == pytest.approx(value, rel=0.03)
    assert found.low < found.value < found.high


def test_percentiles_of_many_runs_are_taken_in_fine_steps() -> None:
    blocks = timed(1.2, pairs=60, runs=300)
    fine = latency_ratio(blocks, 90)
    assert fine is not None
    assert fine.low < 1.2 < fine.high
    assert fine.high - fine.low < 0.02


@pytest.mark.parametrize(("limit", "done"), [(1.25, True), (1.21, False), (1.2, False), (1.15, False)])
def test_a_measurement_ends_early_only_where_the_limit_is_clearly_kept(limit: float, done: bool) -> None:
    blocks = timed(1.2, noise=0.1)
    assert settled([LatencyLimit(50.0, "max-ratio", limit)])(blocks) is done


def test_it_is_settled_where_every_limit_is() -> None:
    clear, open_ = (LatencyLimit(50.0, "max-ratio", limit) for limit in (1.4, 1.2))
    assert settled([clear, clear])(timed(1.2))
    assert not settled([clear, open_])(timed(1.2))


def test_an_early_end_takes_more_than_the_last_look() -> None:
    """What passes at the last look may still be too near to stop for."""
    seen: set[tuple[str, bool]] = set()
    for seed in range(40):
        blocks = timed(0.99, noise=0.1, seed=seed)
        found = latency_ratio(blocks, 50)
        assert found is not None
        early = settled([LatencyLimit(50.0, "max-ratio", 1.0)])(blocks)
        verdict = decide(found.low, found.high, 1.0, upper=True)
        assert verdict == "pass" or not early
        seen.add((verdict, early))
    assert {("pass", True), ("pass", False), ("inconclusive", False)} <= seen


def test_it_looks_again_only_after_a_fifth_more_pairs() -> None:
    question = settled([LatencyLimit(50.0, "max-ratio", 1.4)])
    short = Blocks(tuple(model[:90] for model in timed(1.39).seconds))
    assert not question(short)
    assert not question(timed(1.0, pairs=100))
    assert question(timed(1.0, pairs=108))


def test_pairs_are_drawn_in_stretches() -> None:
    draws = draw(100, 10, 0)
    assert draws.shape == (2000, 100)
    assert np.mean(np.diff(draws, axis=1) % 100 == 1) == pytest.approx(0.9, abs=0.02)
    assert np.bincount(draws.ravel()) == pytest.approx(np.full(100, 2000), rel=0.2)


def test_stretches_are_longer_where_the_machine_remembers() -> None:
    random = np.random.default_rng(0)
    noise = random.random(400)
    lasting = noise + np.repeat(random.random(20), 20)
    assert stretch(noise) == 20
    assert 30 < stretch(lasting) <= 66
    assert stretch(np.ones(100)) == 10
    assert stretch(np.ones(1)) == 1


@pytest.mark.parametrize(("memory", "least", "most"), [(0.0, 0.91, 0.98), (0.4, 0.88, 0.98)])
def test_intervals_hold_the_truth_though_pairs_remember_each_other(
    memory: float, least: float, most: float
) -> None:
    random = np.random.default_rng(9)
    held, naive, trials, pairs = 0, 0, 200, 120
    for _ in range(trials):
        steps = random.standard_normal(pairs + 30)
        noise = np.zeros(pairs + 30)
        for number in range(1, pairs + 30):
            noise[number] = memory * noise[number - 1] + steps[number]
        ratios = np.exp(0.01 * noise[30:])
        length = stretch(ratios)
        drawn = np.median(ratios[draw(pairs, length, 0)], axis=1)
        found = interval(float(np.median(ratios)), drawn, pairs, length)
        held += found.low <= 1 <= found.high
        plain = np.median(ratios[random.integers(0, pairs, (400, pairs))], axis=1)
        naive += np.percentile(plain, 2.5) <= 1 <= np.percentile(plain, 97.5)
    assert least <= held / trials <= most
    if memory:
        assert naive < held


@pytest.mark.parametrize("statistic", [50.0, "mean"])
def test_no_time_and_no_ratio_of_times_is_below_zero(statistic: Statistic) -> None:
    blocks = timed(pairs=6, runs=8, noise=2.0)
    for found in (latency(blocks, 1, statistic), latency_ratio(blocks, statistic)):
        assert found is not None
        assert 0 <= found.low <= found.value <= found.high
