"""What a gate found, as JSON, and the schema of it."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from graphprune.gate.outcome import Outcome
from graphprune.json_schema import schema_of
from graphprune.json_values import plain

TITLE = "What a gate of graphprune found"


def as_json(outcome: Outcome) -> str:
    """Return an outcome as JSON, with a line feed at the end; `schema` says what is in it."""
    text = json.dumps(plain(asdict(outcome)), indent=2, ensure_ascii=False, allow_nan=False)
    # names of files that are no text in UTF-8 come with halves of surrogates, which nothing could write
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text) + "\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `as_json`."""
    return schema_of(Outcome, TITLE)
