"""JSON Schemas of what is kept in files."""

from __future__ import annotations

import json
from inspect import cleandoc
from pathlib import Path
from typing import Any, cast

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_FINITE = {"enum": ["inf", "-inf", "nan"]}
"""The texts that stand for the numbers that JSON lacks."""


def schema_of(kind: type, title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a dataclass as `graphprune.json_values.plain` writes it."""
    import msgspec

    # as JSON has it: defaults that are tuples become lists
    told = json.loads(json.dumps(msgspec.json.schema(kind, schema_hook=_schema_of)))
    return {"$schema": DIALECT, "title": title, **cast("dict[str, Any]", _with_texts(told))}


def _schema_of(kind: type) -> dict[str, Any]:
    """The schema of what msgspec has none for: `object` is whatever JSON can say."""
    if kind is object:
        return {"description": "Any value."}
    if issubclass(kind, Path):
        return {"type": "string"}
    raise NotImplementedError


def _with_texts(value: object) -> object:
    """A schema in which every number may also be one of the texts for those that JSON lacks.

    Descriptions, which are docstrings, lose their indentation, as not every msgspec takes it away.
    """
    if isinstance(value, list):
        return [_with_texts(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, object]", value)
    if entries.get("type") == "number":
        return {"anyOf": [entries, _NOT_FINITE]}
    return {
        key: cleandoc(item) if key == "description" and isinstance(item, str) else _with_texts(item)
        for key, item in entries.items()
    }
