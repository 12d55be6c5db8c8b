"""What became of each class, and whether one lost more than a limit allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphprune.gate.outcome import ClassChange
from graphprune.gate.statistics.estimate import Decision, Estimate
from graphprune.metrics.paired import Paired


@dataclass(frozen=True)
class WorstClass:
    """The class that decides.

    Attributes:
        label: its index.
        estimate: its drop, or its share, with an interval: simultaneous over classes where the status is
            `fail`, its own otherwise. `count` counts samples of this class.
        status: `fail` where a class is beyond the limit by an interval that is simultaneous over classes,
            `pass` where every class is within it, else `inconclusive`.
        missing: about so many more samples of this class would decide; None where this is not known, or
            nothing is open.
        classes: how many classes there are.
        open: how many of them are not known to be within the limit.
    """

    label: int
    estimate: Estimate
    status: Decision
    missing: int | None
    classes: int
    open: int


def class_drops(paired: Paired) -> list[ClassChange]:
    """Return what became of each class that occurs, the worst first, each with a 95 % interval of its own."""
    raise NotImplementedError(paired)


def worst_class(
    paired: Paired, limit: float, bound: Literal["max-drop", "min"] = "max-drop"
) -> WorstClass | None:
    """Judge every class by one limit on its drop, or on the candidate's own share of it (`min`).

    None for a metric without classes.
    """
    raise NotImplementedError(paired, limit, bound)
