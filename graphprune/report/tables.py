"""Tables as HTML: readable without a script, sorted and searched with one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphprune.report.markup import Html, el
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Table

_SORTED = 4
"""Tables of so many rows and more can be sorted."""
_SHORT = 24
"""Characters of a name that is not broken."""


def table_html(table: Table, *, inner: bool = False) -> Html:
    """A table in a box that scrolls by itself, so that the page never does sideways."""
    table = _filled(table)
    numeric = [column.endswith("#") for column in table.columns]
    heads = [
        el("th", {"scope": "col", "class": "n" if number else None}, column.removesuffix("#"))
        for column, number in zip(table.columns, numeric, strict=True)
    ]
    body = [
        el(
            "tr",
            None,
            *(_cell(cell, number, first=at == 0) for at, (cell, number) in _numbered(row, numeric)),
        )
        for row in table.rows
    ]
    made = el(
        "table",
        {"class": "sortable" if len(table.rows) >= _SORTED else None, "data-search": table.search or None},
        el(
            "caption",
            None,
            table.caption,
            el("span", {"class": "count"}, f" ({plural(len(table.rows), 'row')})"),
        ),
        el("thead", None, el("tr", None, *heads)),
        el("tbody", None, *body),
    )
    label = {"class": "scroll inner" if inner else "scroll", "tabindex": 0, "role": "group"}
    return el("div", {**label, "aria-label": table.caption}, made)


def _filled(table: Table) -> Table:
    """The table without the columns that say nothing in any row."""
    kept = [at for at in range(len(table.columns)) if any(row[at].text for row in table.rows)]
    if len(kept) == len(table.columns) or not table.rows:
        return table
    rows = tuple(tuple(row[at] for at in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[at] for at in kept), rows=rows)


def _numbered(row: Sequence[Cell], numeric: Sequence[bool]) -> list[tuple[int, tuple[Cell, bool]]]:
    return list(enumerate(zip(row, numeric, strict=True)))


def _cell(cell: Cell, number: bool, *, first: bool) -> Html:
    words = " ".join(filter(None, ("n" if number else "", cell.tone)))
    attributes = {
        "class": words or None,
        "data-key": None if cell.key is None or (number and _same(cell)) else f"{cell.key:.6g}",
    }
    inside: object = _code(cell.text) if cell.code and cell.text else cell.text
    if first:
        return el("th", {"scope": "row", **attributes}, inside)
    return el("td", attributes, inside)


def _code(name: str) -> Html:
    """A name; a short one stays in one piece."""
    return el("code", {"class": "short" if len(name) <= _SHORT else None}, name)


def _same(cell: Cell) -> bool:
    """Whether the text itself sorts as the key does."""
    try:
        return float(cell.text) == cell.key
    except ValueError:
        return False
