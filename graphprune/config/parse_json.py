"""JSON (RFC 8259), without keys that stand twice. The lines are found by reading it as YAML, which it is."""

from __future__ import annotations

import json
from typing import Any

from graphprune.config import parse_yaml
from graphprune.config.syntax import Broken, Parsed


class _Twice(Exception):
    """A key stands twice in one object."""


def parse(text: str) -> Parsed:
    """Read a JSON document; raises `Broken`."""
    try:
        values = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise Broken(error.lineno, f"it is no JSON: {error.msg}", "see https://www.json.org") from error
    except _Twice:
        values = None
    # A tab within a text is escaped; those between values are no white space to PyYAML.
    found = parse_yaml.parse(text.replace("\t", " "))
    return Parsed(values, found.lines)


def check_keys(text: str) -> None:
    """Refuse a JSON text in which a key stands twice in one object: a reader takes one of them in silence.

    Raises:
        Broken: it does, at this line.
        ValueError: it is no JSON.
    """
    try:
        json.loads(text, object_pairs_hook=_object)
    except _Twice:
        parse(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _Twice
    return table


def _constant(word: str) -> Any:
    raise json.JSONDecodeError(f"{word} is no number of JSON", "", 0)
