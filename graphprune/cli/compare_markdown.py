"""The matrix of a comparison as Markdown, for a pull request or a summary of CI."""

from __future__ import annotations

from collections.abc import Iterable
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
from graphprune.markdown import code, escaped, table

if TYPE_CHECKING:
    from graphprune.profiling.baseline import Changes
    from graphprune.profiling.matrix import Matrix


def markdown(made: Matrix, changes: Changes | None) -> str:
    """Return the matrix, and what was found against the baseline."""
    footnotes = Footnotes()
    heads = ["model"]
    for number, column in enumerate(made.columns, 1):
        first, *others = heading(column)
        heads.append(_lines((f"{number}: {first}{footnotes.mark(column.notes)}", *others)))
    rows = [
        [code(name(row, made)), *(_lines(cell_lines(cell, footnotes)) for cell in cells)]
        for row, cells in zip(made.rows, made.cells, strict=True)
    ]
    parts = [table(heads, rows, range(1, len(heads))), *_below(footnotes), *map(escaped, explanation(made))]
    return "\n\n".join(parts if changes is None else [*parts, *_changes(changes)])


def _lines(lines: Iterable[str]) -> str:
    return "<br>".join(map(escaped, lines))


def _changes(changes: Changes) -> list[str]:
    footnotes = Footnotes()
    rows = [
        [
            code(change.name),
            str(change.column + 1),
            *change_cells(change, footnotes),
        ]
        for change in changes.models
    ]
    heads = ("against the baseline", "column", "then", "now", "ratio", "")
    return [
        table(heads, rows, range(1, len(heads))),
        *_below(footnotes),
        *map(escaped, (warning(changes), *missing(changes))),
    ]


def _below(footnotes: Footnotes) -> list[str]:
    """The notes as one paragraph."""
    return ["<br>\n".join(map(escaped, footnotes.lines()))] if footnotes.texts else []
