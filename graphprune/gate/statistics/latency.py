"""Latencies and ratios of latencies with intervals, by a bootstrap over pairs of blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from graphprune.gate.outcome import Bound
from graphprune.gate.statistics.estimate import Estimate
from graphprune.profiling.paired import Blocks

Statistic = float | Literal["mean"]
"""A percentile from 0 to 100, or the mean."""


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


def too_few(blocks: Blocks, statistic: Statistic, model: int = 1) -> str:
    """Return why this statistic is not taken from so few runs; empty where there are enough."""
    raise NotImplementedError(blocks, statistic, model)


def latency_ratio(
    blocks: Blocks, statistic: Statistic, seed: int = 0, *, model: int = 1, reference: int = 0
) -> Estimate | None:
    """Return the latency of `model` over that of `reference`; None where there are `too_few` runs."""
    raise NotImplementedError(blocks, statistic, seed, model, reference)


def latency(blocks: Blocks, model: int, statistic: Statistic, seed: int = 0) -> Estimate | None:
    """Return a latency in the unit of the blocks; None where there are `too_few` runs."""
    raise NotImplementedError(blocks, model, statistic, seed)


def latency_estimate(blocks: Blocks, limit: LatencyLimit, seed: int = 0) -> Estimate | None:
    """Return what the bound of `limit` compares with it; None where there are `too_few` runs."""
    raise NotImplementedError(blocks, limit, seed)


def settled(limits: Sequence[LatencyLimit], seed: int = 0) -> Callable[[Blocks], bool]:
    """Return the question whether every limit is decided, for `graphprune.profiling.paired.measure`."""
    raise NotImplementedError(limits, seed)
