"""The matrix of a comparison as Markdown, for a pull request or a summary of CI."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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

if TYPE_CHECKING:
    from graphprune.profiling.baseline import Changes
    from graphprune.profiling.matrix import Matrix

_STEERING = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$^])")


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
    parts = [_table(heads, rows), *_below(footnotes), *map(escaped, explanation(made))]
    return "\n\n".join(parts if changes is None else [*parts, *_changes(changes)])


def code(text: str) -> str:
    """`text` as code in a table, so that a name neither formats nor notifies anybody.

    >>> code("model.onnx"), code("a|b"), code("`")
    ('`model.onnx`', '`a\\\\|b`', '`` ` ``')
    """
    shown = printable(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def escaped(text: str) -> str:
    """`text` with all that Markdown would read as more than text escaped; an @ calls nobody.

    >>> escaped("a_b [x](y) @all")
    'a\\\\_b \\\\[x\\\\]\\\\(y\\\\) @<!-- -->all'
    """
    return _STEERING.sub(r"\\\1", printable(text)).replace("@", "@<!-- -->")


def _lines(lines: Iterable[str]) -> str:
    return "<br>".join(map(escaped, lines))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


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
    table = _table(("against the baseline", "column", "then", "now", "ratio", ""), rows)
    return [table, *_below(footnotes), *map(escaped, (warning(changes), *missing(changes)))]


def _below(footnotes: Footnotes) -> list[str]:
    """The notes as one paragraph."""
    return ["<br>\n".join(map(escaped, footnotes.lines()))] if footnotes.texts else []
