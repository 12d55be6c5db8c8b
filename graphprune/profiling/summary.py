"""What the times of a profile come to: percentiles, throughput, spread, and how models compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphprune.backends import Numbers
from graphprune.profiling.paired import Blocks, Interval, Verdict
from graphprune.profiling.result import Batch, Profile, Timed

PERCENTILES = (50.0, 90.0, 99.0)
"""The percentiles that are shown where none are asked for."""
UNSTEADY = 0.025
"""A coefficient of variation above this is flagged: the machine does not repeat itself."""
_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Summary:
    """The times of one model at one batch.

    Attributes:
        runs: how many inferences were timed.
        mean: milliseconds of an inference.
        minimum: milliseconds.
        median: milliseconds.
        percentiles: milliseconds by percentile; None where there are too few runs (see `least_runs`).
        throughput: samples a second, from the median; inferences where the batch is not known.
        variation: the coefficient of variation of the runs: standard deviation over mean.
    """

    runs: int
    mean: float
    minimum: float
    median: float
    percentiles: Mapping[float, float | None]
    throughput: float
    variation: float

    @property
    def unsteady(self) -> bool:
        """Whether the runs differ more from each other than those of a quiet machine."""
        return self.variation > UNSTEADY


@dataclass(frozen=True)
class Comparison:
    """How long a model takes in terms of the reference."""

    interval: Interval
    verdict: Verdict


def least_runs(percentile: float) -> int:
    """Return how many runs a percentile needs to be shown.

    The fewest n of which, with 99 % confidence, two lie beyond the percentile: the binomial distribution
    gives at most one with probability (1 - q)^n + n q (1 - q)^(n-1) <= 0.01, where q is the share beyond. An
    order statistic that is not the extreme one then bounds the percentile from that side, so that a
    distribution-free interval exists. It is the rule of MLPerf's LoadGen for an early stop (Reddi et al.
    2020, *MLPerf Inference Benchmark*; loadgen/early_stopping.cc).

    >>> least_runs(50), least_runs(90), least_runs(99)
    (11, 64, 662)
    """
    beyond = min(percentile, 100 - percentile) / 100
    runs = 2
    while (1 - beyond) ** runs + runs * beyond * (1 - beyond) ** (runs - 1) > 1 - _CONFIDENCE:
        runs += 1
    return runs


def summarise(timed: Timed, batch: int | None, percentiles: Sequence[float] = PERCENTILES) -> Summary:
    """Return the figures of one model; `batch` is the number of samples of an inference, where known."""
    times = _milliseconds(timed)
    median = float(np.median(times))
    mean = float(np.mean(times))
    shown = {
        percentile: float(np.percentile(times, percentile)) if len(times) >= least_runs(percentile) else None
        for percentile in percentiles
    }
    spread = float(np.std(times, ddof=1)) if len(times) > 1 else 0.0
    return Summary(
        len(times), mean, float(np.min(times)), median, shown, 1000 * (batch or 1) / median, spread / mean
    )


def compare(profile: Profile, batch: Batch, model: int) -> Comparison | None:
    """Return how the model with this number compares with the reference, which compares with nothing."""
    if model == profile.reference:
        return None
    found = blocks_of(batch).interval(model, profile.reference, profile.seed)
    return Comparison(found, found.verdict(profile.margin))


def blocks_of(batch: Batch) -> Blocks:
    """Return the kept times as blocks, in milliseconds in place of seconds: ratios are the same."""
    return Blocks(
        tuple(tuple(np.array(block, np.float64) for block in timed.blocks) for timed in batch.models)
    )


def _milliseconds(timed: Timed) -> Numbers:
    return np.concatenate([np.array(block, np.float64) for block in timed.blocks])
