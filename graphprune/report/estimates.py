"""What scores say of a candidate, with intervals, from the statistics of the gate."""

from __future__ import annotations

from collections.abc import Mapping

from graphprune.gate.evidence import Scored
from graphprune.gate.outcome import ClassChange
from graphprune.gate.statistics import candidate as estimate_of
from graphprune.gate.statistics import class_drops, drop
from graphprune.gate.statistics.estimate import Estimate
from graphprune.report import numbers

PREFERRED = ("top1", "top5", "agreement", "cosine", "spearman")
_LOWER = frozenset({"mse", "kl"})
SHARES = frozenset({"top1", "top5", "agreement"})
"""Metrics whose values are shares of samples."""


def change(scored: Scored) -> Estimate | None:
    """How far the candidate is above the original, with a 95 % interval; None where that has no value."""
    if scored.paired is not None:
        found = drop(scored.paired)
        if found is not None:
            return Estimate(-found.value, -found.high, -found.low, found.count)
    if scored.reference is None:
        return None
    moved = scored.value - scored.reference
    return Estimate(moved, moved, moved, scored.count)


def value(scored: Scored) -> Estimate:
    """The candidate's own value, with its 95 % interval."""
    if scored.paired is not None:
        return estimate_of(scored.paired)
    return Estimate(scored.value, scored.value, scored.value, scored.count)


def by_class(scored: Scored) -> tuple[ClassChange, ...]:
    """What became of each class, the worst first; nothing for a metric without classes."""
    paired = scored.paired
    if paired is None or paired.form != "share" or not paired.classes or paired.classes[0].label < 0:
        return ()
    return tuple(class_drops(paired))


def higher_is_better(metric: str, scored: Scored | None = None) -> bool:
    """Whether larger values of a metric are better."""
    if scored is not None and scored.paired is not None:
        return scored.paired.higher_is_better
    return metric not in _LOWER


def first_metric(scores: Mapping[str, Scored]) -> str:
    """The metric that people look at first; empty where there is none."""
    known = [metric for metric in PREFERRED if metric in scores]
    return known[0] if known else next(iter(scores), "")


def shown(metric: str, number: float) -> str:
    """A value of a metric."""
    return numbers.percent(number) if metric in SHARES else numbers.three(number)


def shown_change(metric: str, number: float) -> str:
    """A difference of two values of a metric."""
    if metric in SHARES:
        return numbers.points(number)
    return numbers.signed(numbers.three(number), number)
