"""What became of each class, and whether one lost more than a limit allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphprune.gate.outcome import ClassChange
from graphprune.gate.statistics.estimate import BEYOND, Decision, Estimate
from graphprune.gate.statistics.samples import more
from graphprune.gate.statistics.tables import Table, by_class, fall, least_fall, share
from graphprune.metrics.paired import Paired

Floats = NDArray[np.float64]


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
    """Return what became of each class that occurs, the worst first, each with a 95 % interval of its own.

    Without names; empty for a metric without classes.
    """
    if not paired.classes:
        return []
    table = by_class(paired)
    low, high = fall(table, BEYOND)
    original = table.count if table.perfect else table.original
    before, after = original / table.count, table.candidate / table.count
    change = after - before
    ends = np.minimum(-high, change), np.maximum(-low, change)
    columns = (table.samples.round().astype(int), before, after, *ends)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    changes = [ClassChange(one.label, "", *row) for one, row in zip(paired.classes, rows, strict=True)]
    return sorted(changes, key=lambda change: (change.candidate - change.original, change.label))


def worst_class(
    paired: Paired, limit: float, bound: Literal["max-drop", "min"] = "max-drop"
) -> WorstClass | None:
    """Judge every class by one limit on its drop, or on the candidate's own share of it (`min`).

    It passes where each class passes: no chance of error adds up, since all must (an intersection-union test,
    Berger 1982, Technometrics 24:295-300). With many classes one may look bad by chance. It therefore fails
    only where a class is beyond the limit by an interval whose error is divided by their number (Bonferroni).

    The class that is named is the one that fails by most. Where it is open, it is the worst of those whose
    estimate is beyond the limit, or else the one that needs most samples to be known within it.

    None for a metric without classes.
    """
    if not paired.classes:
        return None
    table = by_class(paired)
    # As drops, so that more is worse in either case
    values, lows, highs = _ends(table, bound, BEYOND)
    together = _together(table, bound, BEYOND / len(values), values)
    limit = limit if bound == "max-drop" else -limit
    undecided = highs > limit
    failing = together > limit
    missing: int | None = None
    if failing.any():
        status: Decision = "fail"
        place = _largest(failing, together, values)
        lows = together
    elif not undecided.any():
        status, place = "pass", _largest(np.ones_like(undecided), values, highs)
    else:
        status = "inconclusive"
        beyond = undecided & (values > limit)
        place = (
            _largest(beyond, values, lows) if beyond.any() else _least_known(table, undecided, values, limit)
        )
        missing = _missing(table, place, values, limit, bound, len(values) if beyond.any() else 1)
    found = Estimate(
        float(values[place]), float(lows[place]), float(highs[place]), round(table.samples[place])
    )
    if bound == "min":
        found = Estimate(-found.value, -found.high, -found.low, found.count)
    label = paired.classes[place].label
    return WorstClass(label, found, status, missing, len(values), int(np.count_nonzero(undecided)))


def _ends(table: Table, bound: str, beyond: float) -> tuple[Floats, Floats, Floats]:
    """Estimates and both ends of what is worse where it is more: [classes] each."""
    after = table.candidate / table.count
    if bound == "min":
        low, high = share(table, beyond)
        return -after, np.minimum(-high, -after), np.maximum(-low, -after)
    before = np.ones_like(after) if table.perfect else table.original / table.count
    low, high = fall(table, beyond)
    drop = before - after
    return drop, np.minimum(low, drop), np.maximum(high, drop)


def _together(table: Table, bound: str, beyond: float, values: Floats) -> Floats:
    """The lower ends of what is worse where it is more, by which a class fails."""
    if bound == "min":
        return _ends(table, bound, beyond)[1]
    return np.minimum(least_fall(table, beyond), values)


def _largest(among: NDArray[np.bool_], by: Floats, then: Floats) -> int:
    """The place with the largest of `by`, then of `then`, then the first."""
    places = np.flatnonzero(among)
    return int(places[np.lexsort((places, -then[places], -by[places]))[0]])


def _least_known(table: Table, among: NDArray[np.bool_], values: Floats, limit: float) -> int:
    """The place that needs most samples, nearly: variance over the square of the distance."""
    rate = np.clip(table.candidate / table.count, 0, 1)
    variance = np.maximum(rate * (1 - rate), 1 / (table.samples + 4))
    need = variance / np.maximum(limit - values, 1e-6) ** 2 / table.samples
    return _largest(among, need, values)


def _missing(table: Table, place: int, values: Floats, limit: float, bound: str, of: int) -> int | None:
    one = table.only(place)
    if bound == "min":
        return more(one, share, -float(values[place]), -limit, BEYOND / of)
    if values[place] > limit:
        return more(one, _alone, float(values[place]), limit, BEYOND / of)
    return more(one, fall, float(values[place]), limit, BEYOND / of)


def _alone(table: Table, beyond: float) -> tuple[Floats, Floats]:
    return least_fall(table, beyond), np.ones_like(table.count)
