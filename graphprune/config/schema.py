"""The JSON Schema of a config file: what each verb's options take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from graphprune.config.defaults import VERSION, ordered
from graphprune.config.options import Form, form, keys
from graphprune.json_schema import DIALECT

TITLE = "The config file of graphprune"
_LIMIT = {"type": ["string", "number"]}


def schema(commands: Mapping[str, click.Command]) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config file for these verbs, by name."""
    tables = {verb: _table(command) for verb, command in commands.items()}
    if "gate" in tables:
        tables["gate"]["properties"]["assert"] = _assertions()
    version = {"const": VERSION, "description": "The version of this file's layout."}
    named = {"$schema": {"type": "string"}, "version": version}
    return {"$schema": DIALECT, "title": TITLE, **_closed({**named, **tables})}


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _table(command: click.Command) -> dict[str, Any]:
    found = {key: _option(option) for option in ordered(command.params) for key in keys(option)}
    said = (command.help or "").partition("\n")[0]
    return {**_closed(found), "description": said}


def _option(option: click.Parameter) -> dict[str, Any]:
    taken, one = form(option), _value(option)
    forms = [one]
    if taken.several or taken.joined:
        forms.append({"type": "array", "items": one})
    if taken.table:
        forms.append({"type": "object", "additionalProperties": one})
    found = one if len(forms) == 1 else {"anyOf": forms}
    return {**found, **_described(option, taken)}


def _value(option: click.Parameter) -> dict[str, Any]:
    kind = option.type
    if isinstance(kind, click.Choice):
        choices: Sequence[Any] = kind.choices
        return {"enum": [str(choice) for choice in choices]}
    found: dict[str, Any] = dict(_TYPES[form(option).kind])
    if isinstance(kind, click.IntRange | click.FloatRange):
        bounds = {"minimum": kind.min, "maximum": kind.max}
        found |= {key: bound for key, bound in bounds.items() if bound is not None}
    return found


_TYPES: Mapping[str, Mapping[str, Any]] = {
    "flag": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "path": {"type": "string"},
    "text": {"type": ["string", "number"]},
}


def _described(option: click.Parameter, taken: Form) -> dict[str, Any]:
    if not isinstance(option, click.Option):
        return {"description": f"The argument {option.human_readable_name}."}
    found: dict[str, Any] = {"description": option.help or ""}
    default = option.default
    if isinstance(default, bool | int | float | str) and not taken.several:
        found["default"] = default
    return found


def _assertions() -> dict[str, Any]:
    """`[[gate.assert]]`."""
    from graphprune.gate.assertions import BOUNDS, LEVELS
    from graphprune.gate.catalogue import METRICS

    metric = {"type": "string", "description": "What is limited.", "examples": list(METRICS)}
    table = _closed(
        {
            "metric": metric,
            **{bound: {**_LIMIT, "description": _BOUNDS[bound]} for bound in BOUNDS},
            "level": {"enum": list(LEVELS), "default": "error"},
            "device": {"type": "string", "description": "A pattern of the device or the backend."},
            "batch": {"type": "integer", "minimum": 1},
        }
    )
    one_bound = [{"required": [bound]} for bound in BOUNDS]
    described = "A budget: a metric, and at least one bound."
    table |= {"required": ["metric"], "anyOf": one_bound, "description": described}
    text = {"type": "string", "description": "A budget as --assert takes it, as size.ratio<=0.5."}
    return {"anyOf": [{"type": "array", "items": {"anyOf": [table, text]}}, text]}


_BOUNDS = {
    "max": "The value is at most this, as 5ms or 20MB.",
    "min": "The value is at least this, as 92%.",
    "max-ratio": "Its ratio to the original's is at most this.",
    "min-ratio": "Its ratio to the original's is at least this.",
    "max-increase": "It is at most so far above the original's.",
    "max-drop": "It is at most so far below the original's.",
}
