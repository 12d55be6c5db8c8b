"""Estimates of what a metric says of the candidate, and of what it lost."""

from __future__ import annotations

from graphprune.gate.outcome import Bound
from graphprune.gate.statistics.estimate import Estimate
from graphprune.metrics.paired import Paired


def candidate(paired: Paired) -> Estimate:
    """Return the metric of the candidate."""
    raise NotImplementedError(paired)


def drop(paired: Paired) -> Estimate | None:
    """Return how far the candidate is below the original, in the metric's unit; negative where above.

    None for a metric that has no value of the original (those in user code).
    """
    raise NotImplementedError(paired)


def ratio(paired: Paired) -> Estimate | None:
    """Return the metric of the candidate over that of the original.

    None for a metric that has no value of the original, or 0, or one that may be negative.
    """
    raise NotImplementedError(paired)


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
