"""Dataclasses read back from JSON values: every field is there, none is unknown, all have their types."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from graphprune.nearest import did_you_mean

Kind = TypeVar("Kind")
_NOT_FINITE = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}
"""Numbers that JSON does not have are written as these texts."""


class Mismatch(Exception):
    """A value is not what it should be; the message says where, and what was expected."""


def read(kind: type[Kind], value: object, names: Mapping[str, Any] | None = None) -> Kind:
    """Return `value`, as JSON has it, as the dataclass `kind`.

    Args:
        kind: a dataclass of numbers, texts, tuples, mappings and further dataclasses.
        value: what `json.loads` gives.
        names: types that annotations name and their modules import for type checkers only.

    Raises:
        Mismatch: a field is missing or unknown, or a value has another type.
    """
    return cast(Kind, _read(kind, value, "", dict(names or {})))


def _read(kind: Any, value: Any, where: str, names: dict[str, Any]) -> object:
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None and types.NoneType in parts:
            return None
        (one,) = (part for part in parts if part is not types.NoneType)
        return _read(one, value, where, names)
    if origin is tuple:
        items = cast("list[object]", _given(value, list, where))
        return tuple(_read(parts[0], item, f"{where}[{number}]", names) for number, item in enumerate(items))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        entries = cast("dict[str, object]", _given(value, dict, where))
        return {key: _read(parts[1], item, f"{where}[{key!r}]", names) for key, item in entries.items()}
    if origin is typing.Literal:
        if value not in parts:
            raise Mismatch(f"{where or 'it'} is {_shown(value)}; {did_you_mean(str(value), parts)}")
        return value
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(cast("type[Any]", kind), _given(value, dict, where), where, names)
    return _read_word(kind, value, where)


def _read_dataclass(kind: type[Any], given: Mapping[str, Any], where: str, names: dict[str, Any]) -> object:
    hints = typing.get_type_hints(kind, localns=names)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in given:
        if key not in fields:
            raise Mismatch(f"{where or 'it'} has an unknown entry {key!r}; {did_you_mean(key, fields)}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in given:
            raise Mismatch(f"{where or 'it'} lacks {name}")
    inside = f"{where}." if where else ""
    return kind(**{key: _read(hints[key], item, inside + key, names) for key, item in given.items()})


def _read_word(kind: Any, value: Any, where: str) -> object:
    if kind is float:
        if value in _NOT_FINITE if isinstance(value, str) else False:
            return _NOT_FINITE[value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif kind is Path:
        return Path(_given(value, str, where))
    elif isinstance(value, kind) and isinstance(value, bool) == (kind is bool):
        return value
    raise Mismatch(f"{where or 'it'} is {_shown(value)} in place of a {kind.__name__}")


def _given(value: Any, kind: type[Any], where: str) -> Any:
    if not isinstance(value, kind):
        raise Mismatch(f"{where or 'it'} is {_shown(value)} in place of a {kind.__name__}")
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
