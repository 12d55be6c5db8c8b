"""Latencies and ratios of latencies with intervals, by a bootstrap over pairs of blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from graphprune.backends import Numbers
from graphprune.gate.outcome import Bound
from graphprune.gate.statistics.blocks import draw, interval, means, often, percentiles, stretch
from graphprune.gate.statistics.estimate import BEYOND, Estimate, decide
from graphprune.profiling.paired import Blocks
from graphprune.profiling.summary import least_runs

Statistic = float | Literal["mean"]
"""A percentile from 0 to 100, or the mean."""
EARLY = 0.00135
"""The probability beyond three standard errors: what is clear by so much need not be measured longer."""
_GROWTH = 1.2


@dataclass(frozen=True)
class LatencyLimit:
    """A limit on a latency.

    Attributes:
        statistic: what of the times.
        bound: what of it: itself, its ratio to the reference's, or how far it is above or below.
        limit: in the unit of the blocks, or a ratio.
        model: the model that is limited, by number.
        reference: the model that it is compared with.
    """

    statistic: Statistic
    bound: Bound
    limit: float
    model: int = 1
    reference: int = 0

    @property
    def upper(self) -> bool:
        """Whether more is worse."""
        return self.bound not in ("min", "min-ratio")


def too_few(blocks: Blocks, statistic: Statistic, model: int = 1) -> str:
    """Return why this statistic is not taken from so few runs; empty where there are enough."""
    if statistic == "mean":
        return ""
    needed, runs = least_runs(statistic), len(blocks.all(model))
    if runs >= needed:
        return ""
    return f"p{statistic:g} takes {needed} runs at least, there are {runs}"


def latency_ratio(
    blocks: Blocks,
    statistic: Statistic,
    seed: int = 0,
    *,
    model: int = 1,
    reference: int = 0,
    beyond: float = BEYOND,
) -> Estimate | None:
    """Return the latency of `model` over that of `reference`; None where there are `too_few` runs.

    The ratio of medians is the median of the ratios of pairs; of other percentiles, and of the mean, those of
    all runs are compared.
    """
    if any(too_few(blocks, statistic, number) for number in (model, reference)):
        return None
    ratios = blocks.ratios(model, reference)
    pairs, length = len(ratios), stretch(ratios)
    draws = draw(pairs, length, seed)
    if statistic == 50:
        drawn = np.median(ratios[draws], axis=1)
        return interval(float(np.median(ratios)), drawn, pairs, length, beyond, 0.0)
    value = _value(blocks, model, statistic) / _value(blocks, reference, statistic)
    times = often(draws)
    drawn = _drawn(blocks, model, statistic, times) / _drawn(blocks, reference, statistic, times)
    return interval(value, drawn, pairs, length, beyond, 0.0)


def latency(
    blocks: Blocks, model: int, statistic: Statistic, seed: int = 0, *, beyond: float = BEYOND
) -> Estimate | None:
    """Return a latency in the unit of the blocks; None where there are `too_few` runs."""
    if too_few(blocks, statistic, model):
        return None
    medians = blocks.medians(model)
    pairs, length = len(medians), stretch(medians)
    drawn = _drawn(blocks, model, statistic, often(draw(pairs, length, seed)))
    return interval(_value(blocks, model, statistic), drawn, pairs, length, beyond, 0.0)


def latency_increase(
    blocks: Blocks,
    statistic: Statistic,
    seed: int = 0,
    *,
    model: int = 1,
    reference: int = 0,
    beyond: float = BEYOND,
) -> Estimate | None:
    """Return by how much `model` takes longer than `reference`; None where there are `too_few` runs."""
    if any(too_few(blocks, statistic, number) for number in (model, reference)):
        return None
    differences = blocks.medians(model) - blocks.medians(reference)
    pairs, length = len(differences), stretch(differences)
    times = often(draw(pairs, length, seed))
    drawn = _drawn(blocks, model, statistic, times) - _drawn(blocks, reference, statistic, times)
    value = _value(blocks, model, statistic) - _value(blocks, reference, statistic)
    return interval(value, drawn, pairs, length, beyond)


def latency_estimate(
    blocks: Blocks, limit: LatencyLimit, seed: int = 0, *, beyond: float = BEYOND
) -> Estimate | None:
    """Return what the bound of `limit` compares with it; None where there are `too_few` runs."""
    model, reference = limit.model, limit.reference
    if limit.bound in ("max", "min"):
        return latency(blocks, model, limit.statistic, seed, beyond=beyond)
    compare = latency_ratio if limit.bound in ("max-ratio", "min-ratio") else latency_increase
    found = compare(blocks, limit.statistic, seed, model=model, reference=reference, beyond=beyond)
    if found is None or limit.bound != "max-drop":
        return found
    return Estimate(-found.value, -found.high, -found.low, found.count)


def settled(limits: Sequence[LatencyLimit], seed: int = 0) -> Callable[[Blocks], bool]:
    """Return the question whether every limit is kept, for `graphprune.profiling.paired.measure`.

    It is asked again and again. Were the answer taken from the 95 % interval, every time would be a chance to
    be wrong. A measurement therefore ends early only where the limits are outside an interval of three
    standard errors (Haybittle 1971; Peto et al. 1976), and it is looked at only when there are a fifth more
    pairs than at the last look. It ends early only to pass: before a gate fails, all the time there is was
    spent, so that what disturbs a machine for seconds does not decide.
    """
    last = 0

    def every(blocks: Blocks) -> bool:
        nonlocal last
        pairs = len(blocks.seconds[0])
        if last < pairs < _GROWTH * last:
            return False
        last = pairs
        for limit in limits:
            found = latency_estimate(blocks, limit, seed, beyond=EARLY)
            if found is None or decide(found.low, found.high, limit.limit, limit.upper) != "pass":
                return False
        return True

    return every


def _value(blocks: Blocks, model: int, statistic: Statistic) -> float:
    runs = blocks.all(model)
    return float(np.mean(runs) if statistic == "mean" else np.percentile(runs, statistic))


def _drawn(blocks: Blocks, model: int, statistic: Statistic, times: Numbers) -> Numbers:
    if statistic == "mean":
        return means(blocks.seconds[model], times)
    return percentiles(blocks.seconds[model], statistic, times)
