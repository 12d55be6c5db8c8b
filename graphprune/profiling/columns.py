"""What was measured, by what it depends on: rounds are put together only where all of that is the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from graphprune.backends import Numbers
from graphprune.profiling.conditions import disturbances
from graphprune.profiling.labels import apart, facts
from graphprune.profiling.merge import Source
from graphprune.profiling.result import Batch, Timed

Known = tuple[str, str]
"""Name and hash of a model."""


@dataclass(frozen=True)
class Column:
    """What figures have in common.

    Attributes:
        backend: as `ort:cpu`.
        device: as it calls itself.
        batch: samples of one inference; None where there is no such axis.
        facts: everything that the figures depend on, by name.
        apart: the facts that tell it from other columns of the same backend, device and batch.
        files: where the figures come from.
        notes: what disturbed them.
    """

    backend: str
    device: str
    batch: int | None
    facts: dict[str, str]
    files: tuple[str, ...]
    apart: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """What tells the rows of a table apart.

    Attributes:
        model: that was timed.
        reference: that it was timed against; None for the reference itself.
        again: how many times this model came before in the same profile.
    """

    model: Known
    reference: Known | None
    again: int = 0


@dataclass(frozen=True)
class Entry:
    """One model in one profile at one batch, with what it was timed against."""

    source: Source
    timed: Timed
    reference: Timed | None

    def medians(self) -> Numbers:
        """Return the median of each block in milliseconds: [blocks]."""
        return _medians(self.timed)

    def ratios(self) -> Numbers:
        """Return the ratio to the reference in each round: [blocks]."""
        assert self.reference is not None
        return _medians(self.timed) / _medians(self.reference)


@dataclass
class Gathered:
    """The batches of one column, with everything that was timed in them."""

    facts: dict[str, str]
    batch: int | None
    sources: list[Source] = field(default_factory=list[Source])
    entries: dict[Key, list[Entry]] = field(default_factory=dict[Key, list[Entry]])

    @property
    def device(self) -> tuple[str, str]:
        """Backend and name of the device."""
        return self.facts["backend"], self.facts["device"]


def gather(sources: Sequence[Source]) -> list[Gathered]:
    """Put batches of which all facts are equal into one column; columns of one device stand together."""
    found: dict[tuple[tuple[str, str], ...], Gathered] = {}
    devices: dict[tuple[str, str], int] = {}
    for source in sources:
        for batch in source.profile.batches:
            known = facts(source.profile, batch)
            column = found.setdefault(tuple(sorted(known.items())), Gathered(known, batch.batch))
            devices.setdefault(column.device, len(devices))
            column.sources.append(source)
            for key, entry in _entries(source, batch):
                column.entries.setdefault(key, []).append(entry)
    return sorted(found.values(), key=lambda column: (devices[column.device], column.batch or 0))


def columns(gathered: Sequence[Gathered]) -> tuple[Column, ...]:
    """Describe columns, and how they differ from each other."""
    return tuple(
        Column(
            *column.device,
            column.batch,
            column.facts,
            tuple(dict.fromkeys(source.file for source in column.sources)),
            apart(column.facts, [other.facts for other in gathered if _siblings(other, column)]),
            _notes(column.sources),
        )
        for column in gathered
    )


def _notes(sources: Sequence[Source]) -> tuple[str, ...]:
    """What disturbed any of the profiles, the worst of it."""
    profiles = [source.profile for source in sources]
    moments = [moment for each in profiles for moment in (each.before, each.after)]
    worst = replace(
        moments[0],
        load=max(each.before.load or 0 for each in profiles),
        throttled=tuple(dict.fromkeys(reason for moment in moments for reason in moment.throttled)),
        others=tuple(dict.fromkeys(process for moment in moments for process in moment.others)),
    )
    return disturbances(worst, worst)


def _siblings(one: Gathered, other: Gathered) -> bool:
    return (one.device, one.batch) == (other.device, other.batch)


def _entries(source: Source, batch: Batch) -> Iterable[tuple[Key, Entry]]:
    first = batch.models[source.profile.reference]
    reference = (first.name, first.hash)
    seen: dict[Known, int] = {}
    for number, timed in enumerate(batch.models):
        model = (timed.name, timed.hash)
        if number == source.profile.reference:
            yield Key(model, None), Entry(source, timed, None)
            continue
        again = seen[model] = seen.get(model, -1) + 1
        yield Key(model, reference, again), Entry(source, timed, first)


def _medians(timed: Timed) -> Numbers:
    return np.array([np.median(block) for block in timed.blocks])
