"""Rules of other packages, by entry point.

Another package offers rules by naming a table under the entry-point group `graphprune.rules`:

    [project.entry-points."graphprune.rules"]
    acme = "acme_pruning.rules:TABLE"

The table goes from domain to operator to `Row`. All of them are imported once, when a model has an operator
that graphprune itself has no row for, and not before.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from graphprune.errors import Environment
from graphprune.rules.site import Row, Table

ENTRY_POINTS = "graphprune.rules"


def row_of(domain: str, operator: str, own: Mapping[str, Iterable[str]]) -> Row | None:
    """Return the row that another package has for an operator; None where none has one.

    Args:
        domain: its domain, empty for ONNX's own.
        operator: its name.
        own: the operators by domain that graphprune itself knows, and that nobody else may have rows for.

    Raises:
        Environment: a table cannot be imported or is none, or two packages know the same operator.
    """
    tables = _tables()
    for source, table in tables.items():
        for known, operators in table.items():
            for name in operators:
                if name in own.get(known, ()):
                    raise _twice(known, name, source, "graphprune")
    holders = [source for source, table in tables.items() if operator in table.get(domain, {})]
    if len(holders) > 1:
        raise _twice(domain, operator, *holders[:2])
    return tables[holders[0]][domain][operator] if holders else None


def offered() -> dict[str, str]:
    """Import the tables that other packages offer, and return what is wrong with each; empty: nothing."""
    found: dict[str, str] = {}
    for point in _points():
        try:
            _load(point)
        except Environment as error:
            found[point.name] = error.what
        else:
            found[point.name] = ""
    return found


@functools.cache
def _tables() -> dict[str, dict[str, Table]]:
    return {f"{_source(point)} ({point.name})": _load(point) for point in _points()}


def _points() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: (point.name, _source(point)))


def _load(point: EntryPoint) -> dict[str, Table]:
    hint = f"repair or remove {_source(point)}"
    try:
        table: Any = point.load()
    except Exception as error:
        what = f"rules of {_source(point)} cannot be imported from {point.value}"
        raise Environment(f"{what}: {type(error).__name__}: {error}", hint) from error
    fault = _fault(table)
    if fault:
        raise Environment(f"{point.value} of {_source(point)} is no table of rules: {fault}", hint)
    tables = cast("Mapping[str, Table]", table)
    return {"" if domain == "ai.onnx" else domain: dict(rows) for domain, rows in tables.items()}


def _fault(table: object) -> str:
    """What keeps `table` from being one of rules; empty when nothing does."""
    if not isinstance(table, Mapping):
        return "it is no mapping from domain to operator to Row"
    for domain, rows in cast("Mapping[object, object]", table).items():
        if not isinstance(domain, str) or not isinstance(rows, Mapping):
            return f"{domain!r} leads to no mapping from operator to Row"
        for operator, row in cast("Mapping[object, object]", rows).items():
            if not isinstance(operator, str) or not isinstance(row, Row):
                return f"{operator!r} of {domain or 'ai.onnx'} leads to no Row"
    return ""


def _twice(domain: str, operator: str, one: str, other: str) -> Environment:
    name = f"{domain}.{operator}" if domain else operator
    return Environment(f"{one} and {other} both have a rule for {name}", f"remove one of them; {one} can go")


def _source(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value
