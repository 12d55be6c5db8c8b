"""Profiles side by side: models down, devices across, and every ratio from within one process.

Times in different columns are never set in ratio to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphprune.profiling.columns import Column, Entry, Key, Known, columns, gather
from graphprune.profiling.labels import versions
from graphprune.profiling.merge import Source
from graphprune.profiling.paired import Interval, Verdict, interval
from graphprune.profiling.summary import UNSTEADY, summarise

LEAST = 6
"""Rounds from which a verdict is given: all of n values lie on one side of the median that they are drawn
from with probability 2 / 2^n, which is below 5 % from six on."""


@dataclass(frozen=True)
class Row:
    """A model, beside the one that it was timed against.

    Attributes:
        name: of the model.
        hash: of its graph and weights.
        reference: the name of what it was timed against; None for the reference itself.
        label: the name, with the hash where another model has the same name.
    """

    name: str
    hash: str
    reference: str | None
    label: str


@dataclass(frozen=True)
class Cell:
    """One model on one device.

    Attributes:
        milliseconds: the median over all inferences.
        ratio: to the reference, from pairs of blocks in one process; None for the reference itself.
        verdict: what the ratio says; None for the reference itself.
        rounds: pairs of blocks.
        runs: inferences.
        notes: what to know before the figures are believed.
    """

    milliseconds: float
    ratio: Interval | None
    verdict: Verdict | None
    rounds: int
    runs: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matrix:
    """Models down, devices across.

    Attributes:
        columns: the devices.
        rows: the models, each reference above what was timed against it.
        cells: [rows][columns]; None where a model was not timed.
        notes: on the whole.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    cells: tuple[tuple[Cell | None, ...], ...]
    notes: tuple[str, ...] = ()


def matrix(sources: Sequence[Source], threshold: float | None = None) -> Matrix:
    """Set profiles side by side.

    Args:
        sources: the profiles, none of them twice.
        threshold: a ratio within 1 - threshold and 1 + threshold is called the same; by default the margin
            that each profile was measured with.
    """
    gathered = gather(sources)
    keys = _ordered(dict.fromkeys(key for column in gathered for key in column.entries))
    cells = tuple(
        tuple(_cell(column.entries[key], threshold) if key in column.entries else None for column in gathered)
        for key in keys
    )
    notes = (*_same_names([key.model for key in keys]), *versions([column.facts for column in gathered]))
    return Matrix(columns(gathered), _rows(keys), cells, notes)


def _ordered(keys: Iterable[Key]) -> list[Key]:
    """Every reference first, what was timed against it below."""
    known = list(keys)
    references = {key.model: place for place, key in enumerate(known) if key.reference is None}
    return sorted(known, key=lambda key: (references[key.reference or key.model], key.reference is not None))


def _rows(keys: Sequence[Key]) -> tuple[Row, ...]:
    hashes = _grouped((key.model[0], key.model[1]) for key in keys)

    def label(model: Known) -> str:
        return f"{model[0]} ({model[1][:8]})" if len(hashes[model[0]]) > 1 else model[0]

    return tuple(Row(*key.model, key.reference and label(key.reference), label(key.model)) for key in keys)


def _same_names(models: Sequence[Known]) -> list[str]:
    """Say which names mean several models, and which models have several names."""
    hashes = _grouped(models)
    names = _grouped((hash_, name) for name, hash_ in models)
    return [
        f"{name} is the name of {len(found)} models, told apart by their hashes"
        for name, found in hashes.items()
        if len(found) > 1
    ] + [f"{' and '.join(found)} are the same model" for found in names.values() if len(found) > 1]


def _grouped(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Mapping[str, None]]:
    """The second items by the first, each once, in order."""
    found: dict[str, dict[str, None]] = {}
    for first, second in pairs:
        found.setdefault(first, {})[second] = None
    return found


def _cell(entries: Sequence[Entry], threshold: float | None) -> Cell:
    """Put the rounds of `entries` together."""
    times = np.concatenate([block for entry in entries for block in entry.timed.blocks])
    rounds = sum(len(entry.timed.blocks) for entry in entries)
    median, notes = float(np.median(times)), notes_of(entries)
    if entries[0].reference is None:
        return Cell(median, None, None, rounds, len(times), tuple(notes))
    ratio = interval(np.concatenate([entry.ratios() for entry in entries]), entries[0].source.profile.seed)
    each = [interval(entry.ratios(), entry.source.profile.seed) for entry in entries]
    if max(one.low for one in each) > min(one.high for one in each):
        # What differs from process to process is not among the rounds of any one of them.
        ratio = Interval(ratio.ratio, min(one.low for one in each), max(one.high for one in each))
        notes.append(f"the {len(each)} profiles disagree: the interval spans theirs")
    margin = max(entry.source.profile.margin for entry in entries) if threshold is None else threshold
    verdict = ratio.verdict(margin)
    if rounds < LEAST:
        notes.append(f"fewer than {LEAST} rounds allow no verdict")
        verdict = "inconclusive"
    return Cell(median, ratio, verdict, rounds, len(times), tuple(notes))


def notes_of(entries: Sequence[Entry]) -> list[str]:
    """Say what is to be known of the times of one model."""
    notes: list[str] = []
    if any(summarise(entry.timed, None).unsteady for entry in entries):
        notes.append(f"unsteady: times vary by more than {100 * UNSTEADY:g} %")
    for timed in (entry.timed for entry in entries):
        if timed.deviation is not None and timed.limit is not None and not timed.deviation <= timed.limit:
            notes.append(f"its outputs are off by {timed.deviation:.1g}, more than {timed.limit:.0g}")
            break
    return notes
