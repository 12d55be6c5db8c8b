"""A profile against a saved one of the same device: not paired, and judged with the care that this needs.

An unchanged model that is measured twice, in two processes and at two times, differs by up to 14 % on a
disturbed machine: what the machine did in between is not in either measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphprune.backends import Numbers
from graphprune.errors import Usage
from graphprune.profiling.columns import Column, Entry, Gathered, Known, columns, gather
from graphprune.profiling.labels import DISTURBED, THROTTLED, VERSION, said
from graphprune.profiling.matrix import LEAST, notes_of
from graphprune.profiling.merge import Source
from graphprune.profiling.paired import Interval, Verdict

MARGIN = 0.15
"""A difference of less than this share may be the machine's."""
_DRAWS = 2000
_SAID = frozenset({"seed", "GPU"})
"""Facts that may differ, and are said where they do, beside versions."""


@dataclass(frozen=True)
class Change:
    """One model now and then.

    Attributes:
        name: of the model.
        hash: of the model now.
        hash_then: of the model in the baseline.
        column: the number of the column of the run.
        milliseconds: the median now.
        milliseconds_then: the median in the baseline.
        ratio: now to then, from an unpaired bootstrap.
        verdict: what the ratio says.
        notes: what differs between the two.
    """

    name: str
    hash: str
    hash_then: str
    column: int
    milliseconds: float
    milliseconds_then: float
    ratio: Interval
    verdict: Verdict
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Changes:
    """A run against a baseline.

    Attributes:
        columns: of the run.
        models: what is in both.
        missing: what is in the run alone, as `small.onnx at batch 8`.
        margin: a ratio within 1 - margin and 1 + margin is called the same.
    """

    columns: tuple[Column, ...]
    models: tuple[Change, ...]
    missing: tuple[str, ...]
    margin: float


def against(
    run: Sequence[Source], baseline: Sequence[Source], margin: float = MARGIN, *, force: bool = False
) -> Changes:
    """Compare a run with a baseline, model by model, by name or else by hash.

    Args:
        run: profiles of one device.
        baseline: saved profiles of the same device.
        margin: a ratio within 1 - margin and 1 + margin is called the same.
        force: whether to compare what cannot be compared, and say why in the notes.

    Raises:
        Usage: they are of different devices, shapes or setups, or one was disturbed, or nothing is in both.
    """
    now, then = gather(run), gather(baseline)
    models: list[Change] = []
    missing: list[str] = []
    for number, column in enumerate(now):
        other = _counterpart(column, then, force)
        notes = _differences(column, other, force) if other is not None else ()
        for model, entries in _by_model(column).items():
            found = _find(model, _by_model(other)) if other is not None else None
            if found is None:
                missing.append(model[0] if column.batch is None else f"{model[0]} at batch {column.batch}")
            else:
                models.append(_change(number, model, entries, *found, margin, notes))
    if not models:
        raise Usage(
            f"no model of the run is in the baseline at the same batch: {', '.join(missing)}",
            "compare profiles of models of the same name, at the same --batch",
        )
    return Changes(columns(now), tuple(models), tuple(missing), margin)


def _counterpart(column: Gathered, then: Sequence[Gathered], force: bool) -> Gathered | None:
    """The column of the baseline that differs least; None where it has none of this batch."""
    if not force and all(other.device != column.device for other in then):
        here, there = (" on ".join(each.device) for each in (column, then[0]))
        raise Usage(f"the run is of {here}, the baseline of {there}", "take a baseline of the same device")
    alike = [
        other for other in then if other.batch == column.batch and (force or other.device == column.device)
    ]
    return min(alike, key=lambda other: len(_unlike(column, other)), default=None)


def _unlike(column: Gathered, other: Gathered) -> list[str]:
    """The names of the facts that differ, and of disturbances on either side."""
    names = dict.fromkeys((*column.facts, *other.facts))
    return [
        name
        for name in names
        if column.facts.get(name, "") != other.facts.get(name, "")
        or (name == DISTURBED and column.facts[name])
    ]


def _differences(column: Gathered, other: Gathered, force: bool) -> tuple[str, ...]:
    """Say what differs; refuse it where the ratio would mean nothing."""
    notes: list[str] = []
    for name in _unlike(column, other):
        now, then = (said(name, each.facts.get(name, "")) for each in (column, other))
        if not (force or name in _SAID or name.startswith(VERSION) or _bearable(name, column, other)):
            raise Usage(
                f"the run and the baseline cannot be compared: {now} now, {then} then",
                "profile both alike, or pass --force-compare to see the ratio none the less",
            )
        notes.append(f"{now} now, {then} then")
    return tuple(notes)


def _bearable(name: str, *columns: Gathered) -> bool:
    """Whether a disturbance is one that the margin is there for: a device in use, but for a GPU."""
    return name == DISTURBED and all(
        column.device[0] == "ort:cpu" and THROTTLED not in column.facts[DISTURBED] for column in columns
    )


def _by_model(column: Gathered) -> dict[Known, list[Entry]]:
    found: dict[Known, list[Entry]] = {}
    for key, entries in column.entries.items():
        found.setdefault(key.model, []).extend(entries)
    return found


def _find(model: Known, there: dict[Known, list[Entry]]) -> tuple[Known, list[Entry]] | None:
    """The same model, or one of the same name, or the same under another name."""
    for part in (slice(0, 2), slice(0, 1), slice(1, 2)):
        for other, entries in there.items():
            if other[part] == model[part]:
                return other, entries
    return None


def _change(
    column: int,
    model: Known,
    entries: Sequence[Entry],
    other: Known,
    others: Sequence[Entry],
    margin: float,
    notes: Sequence[str],
) -> Change:
    now, then = (np.concatenate([entry.medians() for entry in each]) for each in (entries, others))
    ratio = unpaired(now, then, entries[0].source.profile.seed)
    said_of = [*notes, *(f"{note}, now" for note in notes_of(entries))]
    said_of += [f"{note}, then" for note in notes_of(others)]
    if model[1] != other[1]:
        said_of.append("another model of this name then")
    elif model[0] != other[0]:
        said_of.append(f"{other[0]} then")
    verdict = ratio.verdict(margin)
    if min(len(now), len(then)) < LEAST:
        said_of.append(f"fewer than {LEAST} rounds allow no verdict")
        verdict = "inconclusive"
    return Change(
        model[0],
        model[1],
        other[1],
        column,
        _median(entries),
        _median(others),
        ratio,
        verdict,
        tuple(said_of),
    )


def _median(entries: Sequence[Entry]) -> float:
    return float(np.median(np.concatenate([block for entry in entries for block in entry.timed.blocks])))


def unpaired(now: Numbers, then: Numbers, seed: int = 0) -> Interval:
    """Return the ratio of two medians, and its 95 % percentile bootstrap interval from independent draws.

    Args:
        now: medians of blocks: [blocks].
        then: medians of blocks that were measured at another time: [blocks], another number maybe.
        seed: of the draws.

    Example:
        >>> unpaired(np.full(10, 3.0), np.full(8, 2.0))
        Interval(ratio=1.5, low=1.5, high=1.5)
    """
    random = np.random.default_rng(seed)
    drawn = [
        np.median(values[random.integers(0, len(values), (_DRAWS, len(values)))], axis=1)
        for values in (now, then)
    ]
    low, high = np.percentile(drawn[0] / drawn[1], [2.5, 97.5])
    return Interval(float(np.median(now) / np.median(then)), float(low), float(high))
