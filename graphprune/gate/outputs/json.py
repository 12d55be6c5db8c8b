"""What a gate found, as JSON, and the schema of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any, cast

from graphprune.gate.outcome import Outcome
from graphprune.json_values import plain

TITLE = "What a gate of graphprune found"
_NOT_FINITE = {"enum": ["inf", "-inf", "nan"]}
"""The texts that stand for the numbers that JSON lacks."""


def as_json(outcome: Outcome) -> str:
    """Return an outcome as JSON, with a line feed at the end; `schema` says what is in it."""
    text = json.dumps(plain(asdict(outcome)), indent=2, ensure_ascii=False, allow_nan=False)
    # names of files that are no text in UTF-8 come with halves of surrogates, which nothing could write
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `as_json`."""
    import msgspec

    # as JSON has it: defaults that are tuples become lists
    told = json.loads(json.dumps(msgspec.json.schema(Outcome)))
    made = cast("dict[str, Any]", _with_texts(told))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": TITLE, **made}


def _with_texts(value: object) -> object:
    """A schema in which every number may also be one of the texts for those that JSON lacks."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        return [_with_texts(item) for item in items]
    if not isinstance(value, dict):
        return value
    entries = cast("dict[str, object]", value)
    if entries.get("type") == "number":
        return {"anyOf": [entries, _NOT_FINITE]}
    return {key: _with_texts(item) for key, item in entries.items()}
