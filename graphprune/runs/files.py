"""Run records as files."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from graphprune.errors import Refused
from graphprune.json_values import plain
from graphprune.runs.run import VERSION, Run
from graphprune.text_file import read_text, write_text

HINT = "give a file that --save-run has written"


def to_json(run: Run) -> str:
    """Return `run` as JSON: each field, and each of `raw`, on a line of its own."""
    lines = [f"{_text(field.name)}: {_field(run, field.name)}" for field in fields(run)]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _field(run: Run, name: str) -> str:
    if name == "raw":
        kept = [f"  {_text(key)}: {_text(value)}" for key, value in run.raw.items()]
        return "{\n" + ",\n".join(kept) + "\n}" if kept else "{}"
    if name == "files":
        return _text([{part.name: getattr(file, part.name) for part in fields(file)} for file in run.files])
    return _text(getattr(run, name))


def _text(value: object) -> str:
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    # A file name need not be a text: its bytes are kept as escapes, and come back as they were.
    return text.encode("utf-8", "backslashreplace").decode()


def write_run(run: Run, path: Path) -> None:
    """Write `run` to `path`, whole or not at all; raises `Environment` where it cannot be written."""
    write_text(to_json(run), path)


def from_json(text: str) -> Run:
    """Return the record that `to_json` wrote.

    Raises:
        Refused: it is none, or of another version.
    """
    from graphprune.profiling.strict import Mismatch, read

    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"it is no JSON: {str(error)[:200]}", HINT) from error
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if not {"verb", "command", "version"} <= given.keys():
        raise Refused("it is no record of a run", HINT)
    if given["version"] != VERSION:
        found = given["version"]
        raise Refused(f"it is version {found!r} of a record, this graphprune reads {VERSION}", HINT)
    # The values of these are free, so they are taken as they are.
    options, result, raw = given.pop("options", None), given.pop("result", None), given.pop("raw", {})
    tables: dict[str, object] = {"options": options, "result": {} if result is None else result, "raw": raw}
    for key, found in tables.items():
        if not isinstance(found, dict):
            raise Refused(f"it is no record of a run: {key} is no table", HINT)
    try:
        run = read(Run, {**given, "options": {}})
    except (Mismatch, RecursionError, OverflowError) as error:
        raise Refused(f"it is no record of a run: {error}", HINT) from error
    return replace(run, options=options, result=result, raw=raw)


def read_run(path: Path | str) -> Run:
    """Return the record in a file.

    Raises:
        Usage: there is no such file.
        Refused: it holds no record, or one of another version.
        Environment: it cannot be read.
    """
    text = read_text(path, HINT)
    try:
        return from_json(text)
    except Refused as error:
        raise Refused(f"'{path}': {error.what}", error.hint) from error
