"""What a gate found, as tables: the verdict, the limits, what is wrong, the classes, the notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from graphprune.cli.tables import Renderable, table, text
from graphprune.gate.outputs.words import (
    Mark,
    cells_of,
    change_of,
    clipped,
    mark,
    named_classes,
    names,
    sentence,
    subject,
    verdict,
)

if TYPE_CHECKING:
    from graphprune.gate.outcome import Finding, Outcome

STYLES: dict[Mark, str] = {"fail": "bold red", "warn": "yellow", "inconclusive": "yellow", "pass": "green"}
_VERDICTS = {"fail": "bold red", "inconclusive": "bold yellow", "pass": "bold green"}
_SHORTER = (
    ("is ", ""),
    ("fell by", "down"),
    ("rose by", "up"),
    (" times the original's", "x"),
    (" of the original's", "x"),
)
_SIGNS = (("at most", "≤"), ("at least", "≥"))


def tables(outcome: Outcome) -> Iterator[Renderable]:
    """The verdict in one line; what came of each limit; a sentence for each that is not met; the rest."""
    yield Text(verdict(outcome), style=_VERDICTS[outcome.status])
    if names(outcome):
        yield text(names(outcome))
    judged = [finding for finding in outcome.findings if finding.status != "off"]
    if judged:
        yield text("")
        yield _limits(judged)
    wrong = [finding for finding in judged if finding.status != "pass"]
    if wrong:
        yield text("")
    for finding in wrong:
        yield _told(finding)
    yield from _classes(outcome)
    if outcome.notes:
        yield text("")
    for note in outcome.notes:
        yield text(f"note: {clipped(note)}")


def _limits(judged: list[Finding]) -> Renderable:
    rows: list[tuple[object, ...]] = []
    for finding in judged:
        cells = cells_of(finding)
        words = (cells.original, cells.candidate, _shorter(cells.measured), cells.interval)
        rows.append((_mark(finding), subject(finding), *words, _shorter(cells.allowed)))
    heads = ("=", "metric", "original#", "candidate#", "measured=", "95 % interval=", "allowed=")
    return table(heads, rows, keys=2)


def _shorter(words: str) -> str:
    """What is measured or allowed, as a narrow column has room for it.

    >>> _shorter("is 0.652 times the original's"), _shorter("a fall of at most 1 point")
    ('0.652x', 'a fall ≤ 1 point')
    """
    for long, short in (("a fall of", "a fall"), ("a rise of", "a rise"), *_SIGNS):
        words = words.replace(long, short, 1)
    for long, short in _SHORTER:
        words = words.removeprefix(long) if not short else words.replace(long, short, 1)
    return words


def _told(finding: Finding) -> Table:
    """The sentence of a finding, its further lines below the first word."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    made.add_row(_mark(finding), text(sentence(finding)))
    return made


def _mark(finding: Finding) -> Text:
    word = mark(finding)
    return Text(word, style=STYLES.get(word, ""))


def _classes(outcome: Outcome) -> Iterator[Renderable]:
    shown, others = named_classes(outcome)
    if not shown:
        return
    rows: list[tuple[str, ...]] = []
    for change in shown:
        name, *words = change_of(change)
        rows.append((name, f"{change.count:,}", *words))
    yield text("")
    yield table(("class", "samples#", "original#", "candidate#", "change#", "95 % interval#"), rows)
    if others:
        yield text(f"{others} not shown")
