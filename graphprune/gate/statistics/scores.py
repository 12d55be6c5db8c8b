"""Estimates of what a metric says of the candidate, and of what it lost."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from graphprune.gate.outcome import Bound
from graphprune.gate.statistics.estimate import BEYOND, Estimate
from graphprune.gate.statistics.means import mean_interval
from graphprune.gate.statistics.ranks import rank_estimates
from graphprune.gate.statistics.shares import Ends
from graphprune.gate.statistics.tables import Table, fall, relation, share, whole
from graphprune.metrics.paired import Paired


def candidate(paired: Paired) -> Estimate:
    """Return the metric of the candidate."""
    if paired.form == "share":
        table = whole(paired)
        return _estimate(table, share, float(table.candidate[0] / table.count[0]))
    if paired.form == "rank":
        return rank_estimates(paired).candidate
    low, high = mean_interval(paired.candidate, BEYOND)
    if paired.perfect is not None:  # nothing agrees better with a model than it does itself
        least, most = (-1.0, 1.0) if paired.higher_is_better else (0.0, math.inf)
        low, high = max(low, least), min(high, most)
    value = float(np.sum(paired.candidate)) / len(paired.candidate)
    return Estimate(value, low, high, len(paired.candidate))


def drop(paired: Paired) -> Estimate | None:
    """Return how far the candidate is below the original, in the metric's unit; negative where above.

    None for a metric that has no value of the original (those in user code).
    """
    if paired.form == "share":
        table = whole(paired)
        original = float(table.count[0]) if table.perfect else float(table.original[0])
        return _estimate(table, fall, (original - float(table.candidate[0])) / float(table.count[0]))
    if paired.form == "rank":
        return rank_estimates(paired).drop
    if paired.perfect is None:
        return None
    found = candidate(paired)
    perfect = paired.perfect
    return Estimate(perfect - found.value, perfect - found.high, perfect - found.low, found.count)


def ratio(paired: Paired) -> Estimate | None:
    """Return the metric of the candidate over that of the original.

    None for a metric that has no value of the original, or one that is 0 or may be negative.
    """
    if paired.form == "share":
        table = whole(paired)
        if table.perfect:
            return candidate(paired)
        original, found = float(table.original[0]), float(table.candidate[0])
        return _estimate(table, relation, found / original) if original else None
    return candidate(paired) if paired.perfect == 1 else None


def estimate(paired: Paired, bound: Bound) -> Estimate | None:
    """Return what `bound` compares with its limit: `candidate`, `ratio`, `drop`, or minus the drop."""
    if bound in ("max", "min"):
        return candidate(paired)
    if bound in ("max-ratio", "min-ratio"):
        return ratio(paired)
    found = drop(paired)
    if found is None or bound == "max-drop":
        return found
    return Estimate(-found.value, -found.high, -found.low, found.count)


def _estimate(table: Table, interval: Callable[[Table, float], Ends], value: float) -> Estimate:
    low, high = interval(table, BEYOND)
    # The design effect is an estimate of its own: no interval may leave out what was seen
    return Estimate(value, min(float(low[0]), value), max(float(high[0]), value), round(table.samples[0]))
