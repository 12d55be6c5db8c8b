"""The matrix of a comparison as tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from graphprune.cli.compare_text import (
    Footnotes,
    cell_lines,
    change_cells,
    explanation,
    heading,
    missing,
    name,
    warning,
)
from graphprune.cli.failures import printable
from graphprune.cli.tables import Renderable, table, text

if TYPE_CHECKING:
    from graphprune.profiling.baseline import Changes
    from graphprune.profiling.matrix import Matrix

BESIDE = 3
"""So many devices fit beside each other; further ones go into a table below."""


def tables(made: Matrix, changes: Changes | None) -> Iterator[Renderable]:
    """The matrix, and what was found against the baseline."""
    footnotes = Footnotes()
    for start in range(0, len(made.columns), BESIDE):
        if start:
            yield text("")
        yield _table(made, range(start, min(start + BESIDE, len(made.columns))), footnotes)
    for line in (*footnotes.lines(), *explanation(made)):
        yield text(line)
    if changes is not None:
        yield from _changes(changes)


def _table(made: Matrix, shown: range, footnotes: Footnotes) -> Renderable:
    heads = ["model"]
    for number in shown:
        column = made.columns[number]
        first, *others = heading(column)
        numbered = f"{number + 1}: {first}{footnotes.mark(column.notes)}"
        heads.append("\n".join(map(printable, (numbered, *others))) + "=")
    lines: list[tuple[str, ...]] = []
    for row, cells in zip(made.rows, made.cells, strict=True):
        if any(cells[number] is not None for number in shown):
            columns = [cell_lines(cells[number], footnotes) for number in shown]
            lines += zip_longest((name(row, made),), *columns, fillvalue="")
    return table(heads, lines)


def _changes(changes: Changes) -> Iterator[Renderable]:
    footnotes = Footnotes()
    rows = [
        (
            change.name,
            change.column + 1,
            *change_cells(change, footnotes),
        )
        for change in changes.models
    ]
    yield text("")
    yield table(("against the baseline", "column#", "then#", "now#", "ratio=", "="), rows, keys=2)
    for line in (*footnotes.lines(), warning(changes), *missing(changes)):
        yield text(line)
