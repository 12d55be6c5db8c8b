"""Counts of right answers as arrays, and intervals of what follows, samples of many positions included.

The positions of one sample are alike. Counts of such samples are divided by their design effect, the ratio
of the variance between samples (that of a ratio of totals, linearised) to what it were if positions were
independent, and then go into the intervals for independent ones (Rao and Scott 1992, Biometrics 48:577-585).
Few samples estimate that effect badly: Student's t takes the place of the normal quantile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphprune.gate.statistics.quantiles import normal, student
from graphprune.gate.statistics.shares import (
    Ends,
    difference,
    least_difference,
    least_share,
    quotient,
    wilson,
)
from graphprune.metrics.paired import ClassScore, Paired, Spread

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Counts of one or several classes, an entry each.

    Attributes:
        counts: [4, classes]: positions, how many of them the original, the candidate, and both get right.
        spread: the fields of `Spread`, [7, classes]; None where each sample is one position.
        perfect: whether the original is right by definition.
    """

    counts: Floats
    spread: Floats | None
    perfect: bool

    @property
    def count(self) -> Floats:
        """Positions."""
        return self._row(0)

    @property
    def original(self) -> Floats:
        """How many the original gets right."""
        return self._row(1)

    @property
    def candidate(self) -> Floats:
        """How many the candidate gets right."""
        return self._row(2)

    @property
    def both(self) -> Floats:
        """How many both get right."""
        return self._row(3)

    @property
    def samples(self) -> Floats:
        """How many samples there are of each class."""
        return self.count if self.spread is None else self.spread[0]

    def _row(self, number: int) -> Floats:
        row: Floats = self.counts[number]
        return row

    def scaled(self, by: float) -> Table:
        """The same shares in so many times the samples."""
        return Table(self.counts * by, None if self.spread is None else self.spread * by, self.perfect)

    def only(self, place: int) -> Table:
        """One class alone."""
        spread = None if self.spread is None else self.spread[:, [place]]
        return Table(self.counts[:, [place]], spread, self.perfect)


def whole(paired: Paired) -> Table:
    """Return the counts of all classes together: one entry."""
    counts = np.array([_counts(each) for each in paired.classes], np.float64).reshape(-1, 4).sum(axis=0)
    return _table(counts[:, None], [] if paired.spread is None else [paired.spread], paired.perfect)


def by_class(paired: Paired) -> Table:
    """Return the counts of each class."""
    counts = np.array([_counts(each) for each in paired.classes], np.float64).reshape(-1, 4).T
    return _table(counts, paired.class_spread, paired.perfect)


def share(table: Table, beyond: float) -> Ends:
    """Return the interval of the candidate's share, which is beyond either end with probability `beyond`."""
    rate = table.candidate / table.count
    less = _effect(table, 1.0, 0.0, -rate)
    z = _quantiles(table, beyond)
    return _bounded(table, wilson(table.candidate * less, table.count * less, z), 0, 1)


def fall(table: Table, beyond: float) -> Ends:
    """Return the interval of how far the candidate's share is below the original's."""
    if table.perfect:
        low, high = share(table, beyond)
        return 1 - high, 1 - low
    lost, won = table.original - table.both, table.candidate - table.both
    less = _effect(table, -1.0, 1.0, -(lost - won) / table.count)
    z = _quantiles(table, beyond)
    return _bounded(table, difference(lost * less, won * less, table.count * less, z), -1, 1)


def least_fall(table: Table, beyond: float) -> Floats:
    """Return the lower end of the same by likelihood, for the small error that each of many classes has."""
    lost, won = table.original - table.both, table.candidate - table.both
    z = _quantiles(table, beyond)
    if table.perfect:
        lost = table.count - table.candidate
        less = _effect(table, -1.0, 0.0, table.candidate / table.count)
        low = least_share(lost * less, table.count * less, z)
    else:
        less = _effect(table, -1.0, 1.0, -(lost - won) / table.count)
        low = least_difference(lost * less, won * less, table.count * less, z)
    return _bounded(table, (low, low), -1, 1)[0]


def relation(table: Table, beyond: float) -> Ends:
    """Return the interval of the candidate's share over the original's."""
    if table.perfect:
        return share(table, beyond)
    lost, won = table.original - table.both, table.candidate - table.both
    rate = table.candidate / np.maximum(table.original, 1e-9)
    less = _effect(table, 1.0, -rate, 0.0)
    z = _quantiles(table, beyond)
    return _bounded(
        table, quotient(table.both * less, lost * less, won * less, table.count * less, z), 0, np.inf
    )


def _counts(one: ClassScore) -> tuple[int, int, int, int]:
    return one.count, one.reference, one.candidate, one.both


def _table(counts: Floats, spreads: Sequence[Spread], perfect: float | None) -> Table:
    fields = [(s.samples, s.mm, s.ma, s.mb, s.aa, s.ab, s.bb) for s in spreads]
    spread = np.array(fields, np.float64).T if fields else None
    return Table(counts, spread, perfect is not None)


def _effect(table: Table, b: float, a: float | Floats, m: float | Floats) -> Floats:
    """What counts are multiplied with: one over the design effect of b times right of the candidate, plus a
    times right of the original, plus m times positions, whose total is 0."""
    if table.spread is None:
        return np.ones_like(table.count)
    fields: list[Floats] = list(table.spread)
    samples, mm, ma, mb, aa, ab, bb = fields
    among = b * b * bb + a * a * aa + m * m * mm + 2 * (a * b * ab + b * m * mb + a * m * ma)
    among = among * samples / np.maximum(samples - 1, 1)
    right_m = 2 * m * (b * table.candidate + a * table.original)
    alone = b * b * table.candidate + a * a * table.original + m * m * table.count + 2 * a * b * table.both
    alone = alone + right_m
    # Where no position differs from another, nothing says how alike they are: a sample is then one
    varies = alone > 1e-9 * table.count
    largest = np.maximum(mm / table.count, 1)
    effect: Floats = np.where(varies, among / np.where(varies, alone, 1), largest)
    less: Floats = 1 / np.maximum(effect, 1)
    return less


def _quantiles(table: Table, beyond: float) -> Floats:
    if table.spread is None:
        return np.full_like(table.count, normal(1 - beyond))
    return np.array([student(1 - beyond, max(1, round(samples) - 1)) for samples in table.samples])


def _bounded(table: Table, ends: Ends, least: float, largest: float) -> Ends:
    """One sample of many positions says nothing of others."""
    if table.spread is None:
        return ends
    one = table.samples < 2
    return np.where(one, least, ends[0]), np.where(one, largest, ends[1])
