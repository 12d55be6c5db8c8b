"""A pass's fields as options: their types, read from text and written as text.

One reader serves the pipeline text and the command line, so that a wrong value is refused in the same
words everywhere.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from graphprune.errors import Usage
from graphprune.nearest import did_you_mean
from graphprune.state import Pass

BARE = re.compile(r'[^\s{}",\\]+')
TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True)
class Item:
    """One piece of an option's value; a quoted piece is text and never a word such as `none`."""

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        if not self.quoted and BARE.fullmatch(self.text):
            return self.text
        escaped = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True)
class Option:
    """A field of a pass: `name` is kebab-case, `type` the field's resolved annotation."""

    name: str
    field: str
    type: Any
    default: object
    help: str


class _Mismatch(Exception):
    """A value is not of the type; the message says what is expected."""


def options(kind: type[Pass]) -> tuple[Option, ...]:
    """The options of a pass class, in field order."""
    hints = typing.get_type_hints(kind)
    found: list[Option] = []
    for field in dataclasses.fields(kind):
        default: object = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        help_text = str(field.metadata.get("help", ""))
        found.append(Option(field.name.replace("_", "-"), field.name, hints[field.name], default, help_text))
    return tuple(found)


def build(
    kind: type[Pass], values: Mapping[str, Sequence[Item]], spelled: Mapping[str, str] | None = None
) -> Pass:
    """The pass of class `kind` with the options `values` (kebab-case name -> pieces of the value).

    `spelled` says how the user knows an option (`--ratio`), for the errors; by default `ratio of select`.
    Raises `Usage` for an unknown option, a wrong type, and an option without default that is missing.
    """
    known = {option.name: option for option in options(kind)}
    _exclude(kind, values, spelled or {})
    arguments: dict[str, object] = {}
    for name, items in values.items():
        option = known.get(name.replace("_", "-"))
        if option is None:
            raise Usage(f"pass {kind.name} has no option {name}", did_you_mean(name, known))
        label = (spelled or {}).get(option.name, f"option {option.name} of pass {kind.name}")
        try:
            arguments[option.field] = read(option.type, tuple(items))
        except _Mismatch as mismatch:
            given = ",".join(item.text for item in items)
            raise Usage(f"{label} is {given!r}", f"expected {mismatch}") from None
    for option in known.values():
        if option.default is dataclasses.MISSING and option.field not in arguments:
            raise Usage(
                f"pass {kind.name} lacks its option {option.name}",
                f"write {kind.name}{{{option.name}={describe(option.type)}}}",
            )
    return kind(**arguments)


def _exclude(kind: type[Pass], values: Mapping[str, Sequence[Item]], spelled: Mapping[str, str]) -> None:
    """Refuse options of which one would count in silence."""
    excludes: Mapping[str, str] = getattr(kind, "excludes", {})
    for one, other in excludes.items():
        if one in values and other in values:
            first, second = spelled.get(one, one), spelled.get(other, other)
            raise Usage(f"{first} and {second} are both given", f"leave one out; {first} needs no {other}")


def read(kind: Any, items: tuple[Item, ...]) -> object:
    """The value of type `kind` that `items` say; raises a mismatch that names what is expected."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return _read_optional(kind, arguments, items)
    if origin is tuple:
        return tuple(read(arguments[0], (item,)) for item in items)
    if _is_mapping(origin):
        return dict(_read_pair(kind, arguments[1], item) for item in items)
    if kind is bool and not items:
        return True
    if kind is str:
        return ",".join(item.text for item in items)
    if len(items) != 1:
        raise _Mismatch(describe(kind))
    return _read_word(kind, items[0].text)


def _read_optional(kind: Any, arguments: tuple[Any, ...], items: tuple[Item, ...]) -> object:
    if items == (Item("none"),):
        return None
    for argument in arguments:
        if argument is not types.NoneType:
            try:
                return read(argument, items)
            except _Mismatch:
                continue
    raise _Mismatch(describe(kind))


def _read_pair(kind: Any, value: Any, item: Item) -> tuple[str, object]:
    key, equals, text = item.text.rpartition("=")
    if not equals:
        raise _Mismatch(describe(kind))
    return key, read(value, (Item(text, item.quoted),))


def _read_word(kind: Any, text: str) -> object:
    if typing.get_origin(kind) is Literal:
        choices = {str(choice): choice for choice in typing.get_args(kind)}
        if text not in choices:
            raise _Mismatch(f"{describe(kind)}; {did_you_mean(text, choices)}")
        return choices[text]
    if kind is bool:
        if text.lower() not in TRUE | FALSE:
            raise _Mismatch(describe(kind))
        return text.lower() in TRUE
    if kind not in {int, float}:
        raise TypeError(f"an option cannot be a {kind}")
    percent = kind is float and text.endswith("%")
    try:
        number = kind(text.removesuffix("%") if percent else text)
    except ValueError:
        raise _Mismatch(describe(kind)) from None
    if math.isnan(number):
        raise _Mismatch(describe(kind))
    return float(Decimal(text.removesuffix("%").strip()) / 100) if percent else number


def write(kind: Any, value: object) -> tuple[Item, ...]:
    """The pieces that `read` reads back as `value`."""
    if value is None:
        return (Item("none"),)
    optional = types.NoneType in typing.get_args(kind)
    if isinstance(value, Mapping):
        pairs = typing.cast("Mapping[str, object]", value)
        return tuple(_item(f"{key}={_word(pair)}", optional) for key, pair in pairs.items())
    if isinstance(value, tuple):
        return tuple(_item(_word(piece), optional) for piece in typing.cast("tuple[object, ...]", value))
    return (_item(_word(value), optional),)


def describe(kind: Any) -> str:
    """What a value of type `kind` looks like, for errors and help."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join("none" if part is types.NoneType else describe(part) for part in arguments)
    if origin is Literal:
        return "one of " + "|".join(str(choice) for choice in arguments)
    if origin is tuple:
        return f"a comma-separated list, each {describe(arguments[0])}"
    if _is_mapping(origin):
        return f"NAME=VALUE, each value {describe(arguments[1])}"
    return {bool: "true or false", int: "a whole number", float: "a number, or a percentage", str: "a text"}[
        kind
    ]


def is_collection(kind: Any) -> bool:
    """Whether an option of type `kind` takes several pieces."""
    parts = typing.get_args(kind) if typing.get_origin(kind) in {typing.Union, types.UnionType} else (kind,)
    return any(typing.get_origin(part) is tuple or _is_mapping(typing.get_origin(part)) for part in parts)


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _item(text: str, optional: bool) -> Item:
    """A piece that is quoted where it would else read as several pieces, or as none."""
    return Item(text, quoted=not BARE.fullmatch(text) or (optional and text == "none"))
