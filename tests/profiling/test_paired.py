"""Models are timed in pairs of blocks, in alternating order, and the interval says what it should."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.backends import Numbers
from graphprune.profiling.paired import Blocks, Interval, Rounds, interval, measure
from tests.profiling.drawn import Drawn, tailed

QUICK = Rounds(warmup=0.0, duration=0.1, rounds=8, longest=0.1)


def measured(slowdown: float, seed: int = 0, rounds: Rounds = QUICK) -> Blocks:
    """A model of 5 ms beside one that takes `slowdown` times as long."""
    calls: list[tuple[str, int]] = []
    return measure(
        [Drawn("a", 5e-3, calls, 2 * seed), Drawn("b", 5e-3 * slowdown, calls, 2 * seed + 1)], rounds
    )


def test_the_order_of_the_models_turns_round_from_one_round_to_the_next() -> None:
    calls: list[tuple[str, int]] = []
    measure([Drawn("a", 5e-3, calls), Drawn("b", 5e-3, calls)], QUICK)
    counted = [name for name, runs in calls if runs > 1]
    assert "".join(counted).startswith("abbaabba")


def test_three_models_are_timed_forwards_and_backwards() -> None:
    calls: list[tuple[str, int]] = []
    measure([Drawn(name, 5e-3, calls) for name in "abc"], QUICK)
    assert "".join(name for name, runs in calls if runs > 1).startswith("abccbaabccba")


def test_a_run_before_each_block_is_not_counted() -> None:
    calls: list[tuple[str, int]] = []
    blocks = measure([Drawn("a", 5e-3, calls), Drawn("b", 5e-3, calls)], QUICK)
    after_warmup = calls[2:]
    assert all(runs == 1 for _, runs in after_warmup[::2])
    assert sum(runs for _, runs in after_warmup[1::2]) == sum(
        len(block) for m in blocks.seconds for block in m
    )


def test_every_model_has_as_many_blocks_and_each_as_many_runs_as_fill_it() -> None:
    calls: list[tuple[str, int]] = []
    blocks = measure([Drawn("a", 5e-3, calls), Drawn("b", 0.1, calls)], Rounds(0.0, 0.1, 8, 0.1))
    assert [len(of_model) for of_model in blocks.seconds] == [8, 8]
    assert {len(block) for block in blocks.seconds[0]} <= {4, 5, 6}
    assert {len(block) for block in blocks.seconds[1]} == {1}


def test_the_same_seeds_give_the_same_interval() -> None:
    ratios = np.random.default_rng(0).normal(1.0, 0.1, 200)
    assert interval(ratios, 3) == interval(ratios, 3)
    assert len({interval(ratios, seed) for seed in range(20)}) > 1


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.90, 0.97, "faster"),
        (1.03, 1.10, "slower"),
        (0.985, 1.015, "same"),
        (0.98, 1.02, "same"),
        (0.97, 1.01, "inconclusive"),
        (0.99, 1.03, "inconclusive"),
        (0.5, 2.0, "inconclusive"),
        (0.97, 0.98, "inconclusive"),
    ],
)
def test_a_verdict_is_given_where_the_whole_interval_is_on_one_side(
    low: float, high: float, verdict: str
) -> None:
    assert Interval((low + high) / 2, low, high).verdict(0.02) == verdict


def test_a_larger_margin_calls_more_the_same() -> None:
    assert Interval(1.03, 1.025, 1.035).verdict(0.02) == "slower"
    assert Interval(1.03, 1.025, 1.035).verdict(0.05) == "same"


def test_an_interval_holds_the_true_ratio_about_as_often_as_it_says() -> None:
    draw = np.random.default_rng(0)
    held = 0
    for trial in range(400):
        ratios = np.array([np.median(tailed(draw, 5)) / np.median(tailed(draw, 5)) for _ in range(30)])
        found = interval(ratios, trial)
        held += found.low <= 1 <= found.high
    # 95 % less what a percentile bootstrap of a median misses, and three standard errors
    assert held / 400 > 0.9


@pytest.mark.parametrize("slowdown", [0.9, 1.1])
def test_a_difference_is_found_under_heavy_tails(slowdown: float) -> None:
    expected = "slower" if slowdown > 1 else "faster"
    longer = Rounds(0.0, 0.5, 30, 2.0)
    verdicts = [measured(slowdown, seed, longer).interval(1).verdict() for seed in range(20)]
    assert verdicts.count(expected) == 20


def test_a_model_is_not_told_from_itself_under_heavy_tails() -> None:
    longer = Rounds(0.0, 0.5, 30, 2.0)
    verdicts = [measured(1.0, seed, longer).interval(1).verdict() for seed in range(40)]
    assert verdicts.count("same") >= 38
    assert not {"faster", "slower"} & set(verdicts)


def test_a_drift_of_the_machine_is_charged_to_neither_model() -> None:
    made = [0]

    def drifting(draw: np.random.Generator, count: int) -> Numbers:
        made[0] += count
        return (1 + made[0] / 500) * draw.normal(1.0, 0.002, count)

    calls: list[tuple[str, int]] = []
    blocks = measure(
        [Drawn("a", 5e-3, calls, 0, drifting), Drawn("b", 5e-3, calls, 1, drifting)], Rounds(0, 0.5, 40, 0.5)
    )
    assert blocks.medians(0)[-1] > 1.5 * blocks.medians(0)[0]
    assert blocks.interval(1).ratio == pytest.approx(1.0, abs=0.01)


def test_measuring_goes_on_while_the_verdict_is_open_and_stops_when_the_time_is_up() -> None:
    def wild(draw: np.random.Generator, count: int) -> Numbers:
        return draw.uniform(0.8, 1.2, count)

    calls: list[tuple[str, int]] = []
    bounded = Rounds(0.0, 0.1, 8, 1.0)
    # a ratio at the edge of the margin stays open
    opened = measure([Drawn("a", 5e-3, calls, 0, wild), Drawn("b", 5.1e-3, calls, 1, wild)], bounded)
    settled = measure([Drawn("a", 5e-3, calls, 0, wild), Drawn("b", 0.02, calls, 1, wild)], bounded)
    assert len(settled.seconds[0]) == 8
    assert 35 <= len(opened.seconds[0]) <= 45


def test_the_caller_may_say_when_it_is_settled_and_is_told_how_far_it_is() -> None:
    calls: list[tuple[str, int]] = []
    told: list[tuple[int, int]] = []
    blocks = measure(
        [Drawn("a", 5e-3, calls)],
        Rounds(0.0, 0.1, 8, 5.0),
        tell=lambda done, count: told.append((done, count)),
        settled=lambda blocks: len(blocks.seconds[0]) >= 20,
    )
    assert len(blocks.seconds[0]) == 20
    assert told[0] == (1, 8)
    assert told[-1] == (20, 20)


def test_a_single_model_is_timed_for_as_long_as_is_asked() -> None:
    blocks = measure([Drawn("a", 5e-3, [])], QUICK)
    assert len(blocks.seconds) == 1
    assert len(blocks.all(0)) == sum(len(block) for block in blocks.seconds[0])
