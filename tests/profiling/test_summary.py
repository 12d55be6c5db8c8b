"""Percentiles are shown where there are the runs for them, and figures are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.profiling.result import Timed
from graphprune.profiling.summary import blocks_of, compare, least_runs, summarise
from tests.profiling.profiles import batch, profile


@pytest.mark.parametrize(("percentile", "runs"), [(50, 11), (90, 64), (95, 130), (99, 662), (99.9, 6636)])
def test_a_percentile_needs_as_many_runs_as_in_loadgen(percentile: float, runs: int) -> None:
    assert least_runs(percentile) == runs


@pytest.mark.parametrize("percentile", [1, 10, 25])
def test_low_percentiles_need_as_many_runs_as_high_ones(percentile: float) -> None:
    assert least_runs(percentile) == least_runs(100 - percentile)


@pytest.mark.parametrize("percentile", [50, 90, 99])
def test_with_that_many_runs_two_lie_beyond_the_percentile(percentile: float) -> None:
    draw = np.random.default_rng(0)
    runs = least_runs(percentile)
    beyond = (draw.random((4000, runs)) > percentile / 100).sum(axis=1)
    assert np.mean(beyond >= 2) > 0.985


def test_figures_of_known_times() -> None:
    times = Timed("m", "", 0, ((1.0, 2.0, 3.0), (4.0, 5.0, 30.0)))
    found = summarise(times, 8, (50.0, 90.0))
    assert (found.runs, found.minimum, found.median, found.mean) == (6, 1.0, 3.5, 7.5)
    assert found.percentiles == {50.0: None, 90.0: None}
    assert found.throughput == pytest.approx(8 / 3.5e-3)
    assert found.variation == pytest.approx(np.std([1, 2, 3, 4, 5, 30], ddof=1) / 7.5)
    assert found.unsteady


def test_p99_is_left_out_below_662_runs_and_shown_from_there_on() -> None:
    few = Timed("m", "", 0, (tuple(np.linspace(1, 2, 661).tolist()),))
    enough = Timed("m", "", 0, (tuple(np.linspace(1, 2, 662).tolist()),))
    assert summarise(few, 1).percentiles[99.0] is None
    assert summarise(few, 1).percentiles[90.0] == pytest.approx(1.9)
    assert summarise(enough, 1).percentiles[99.0] == pytest.approx(1.99)


def test_without_a_batch_throughput_counts_inferences() -> None:
    assert summarise(Timed("m", "", 0, ((2.0, 2.0),)), None).throughput == pytest.approx(500)


def test_runs_that_repeat_themselves_are_steady() -> None:
    assert not summarise(Timed("m", "", 0, ((1.0, 1.01, 0.99, 1.0),)), 1).unsteady


def test_a_model_is_compared_with_the_reference_and_the_reference_with_nothing() -> None:
    kept = profile({"model.onnx": 2.0, "small.onnx": 1.0, "tiny.onnx": 0.5}, reference=1)
    first, second, third = (compare(kept, kept.batches[0], number) for number in range(3))
    assert second is None
    assert first is not None
    assert third is not None
    assert (first.verdict, third.verdict) == ("slower", "faster")
    assert first.interval.ratio == pytest.approx(2.0)
    assert third.interval.ratio == pytest.approx(0.5)


def test_the_profiles_margin_decides_what_is_the_same() -> None:
    for margin, verdict in ((0.02, "slower"), (0.05, "same")):
        kept = profile({"a": 1.0, "b": 1.03}, margin=margin)
        found = compare(kept, kept.batches[0], 1)
        assert found is not None
        assert found.verdict == verdict


def test_kept_times_are_blocks_again() -> None:
    blocks = blocks_of(batch({"a": 1.0, "b": 0.7}, rounds=6))
    assert [len(of_model) for of_model in blocks.seconds] == [6, 6]
    np.testing.assert_allclose(blocks.ratios(1), 0.7)
