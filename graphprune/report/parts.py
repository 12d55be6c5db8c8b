"""What a section of the report is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphprune.report.markup import Html

Figure = Mapping[str, Any]
"""A chart as Plotly has it: `data` and `layout`, in JSON values."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what is shown.
        key: what the column is sorted by; None for the text.
        tone: `good`, `bad`, `open` or empty; the text says the same.
        code: whether it is a name.
    """

    text: str
    key: float | None = None
    tone: str = ""
    code: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: what it lists.
        columns: their headings; one that ends in `#` holds numbers.
        rows: as wide as `columns`.
        search: what the field above it asks for; empty for a table that is not searched.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    search: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        name: unique in the page; letters, digits and hyphens.
        title: what it shows.
        summary: what is to be seen in it, in one sentence.
        views: figures by the words on their buttons; the first is shown first. One needs no button.
        height: pixels.
        table: its data; None where a table of the section holds them.
    """

    name: str
    title: str
    summary: str
    views: Mapping[str, Figure]
    height: int = 340
    table: Table | None = None


@dataclass(frozen=True)
class Note:
    """A sentence to heed: `warning`, or `plain`."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Fold:
    """Parts that are shown when the reader asks for them, under a title."""

    title: str
    parts: tuple[Chart | Table | Note | Html, ...]


Part = Chart | Table | Note | Html | Fold


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        name: of its anchor.
        title: its heading.
        lead: what is found in it, in a sentence or two.
        parts: from top to bottom.
    """

    name: str
    title: str
    lead: str
    parts: tuple[Part, ...]


def charts_of(sections: Iterable[Section]) -> list[Chart]:
    """All charts, from top to bottom."""
    flat = [part for section in sections for part in section.parts]
    inner = [each for part in flat for each in (part.parts if isinstance(part, Fold) else (part,))]
    return [each for each in inner if isinstance(each, Chart)]


def folded(titled: Sequence[tuple[str, Sequence[Chart | Table | Note | Html]]]) -> list[Part]:
    """The parts of the first as they are, those of the others folded under their titles."""
    made: list[Part] = []
    for number, (title, parts) in enumerate(titled):
        made += parts if number == 0 else [Fold(title, tuple(parts))]
    return made


def name_cell(name: str) -> Cell:
    """A name of something in a model."""
    return Cell(name, code=True)


def number_cell(shown: str, number: float | None, tone: str = "") -> Cell:
    """A number, sorted by its value; nothing where there is none."""
    return Cell("" if number is None else shown, number, tone)
