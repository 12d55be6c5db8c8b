"""The statistics of the gate: figures with 95 % intervals, and what these say of a limit."""

from graphprune.gate.statistics.classes import WorstClass, class_drops, worst_class
from graphprune.gate.statistics.estimate import Decision, Estimate, decide
from graphprune.gate.statistics.latency import (
    LatencyLimit,
    Statistic,
    latency,
    latency_estimate,
    latency_ratio,
    settled,
    too_few,
)
from graphprune.gate.statistics.samples import missing
from graphprune.gate.statistics.scores import candidate, drop, estimate, ratio
from graphprune.metrics.paired import Paired

__all__ = [
    "Decision",
    "Estimate",
    "LatencyLimit",
    "Paired",
    "Statistic",
    "WorstClass",
    "candidate",
    "class_drops",
    "decide",
    "drop",
    "estimate",
    "latency",
    "latency_estimate",
    "latency_ratio",
    "missing",
    "ratio",
    "settled",
    "too_few",
    "worst_class",
]
