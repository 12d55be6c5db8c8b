"""What an option of the command line takes when it stands in a config file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import click

from graphprune.user_code import is_code

Kind = Literal["flag", "integer", "number", "choice", "path", "text"]
EXPECTED: Mapping[Kind, str] = {
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "choice": "a text",
    "path": "a path",
    "text": "a text or a number",
}
FILES = ("data", "eval-data", "plan")
"""Options that are texts and name a file; `random` is none."""
CODE = ("metric",)
"""Options that are texts and may name a function in a file."""


class Wrong(Exception):
    """A value has another type than the option; the message says which is expected."""


@dataclass(frozen=True)
class Form:
    """What an option takes.

    Attributes:
        name: in kebab case.
        kind: of each value.
        several: whether there may be several values.
        joined: whether several values are one text, with commas between them.
        table: whether it may be a table, whose entries are `key=value` on the command line.
        file: whether those values are files.
    """

    name: str
    kind: Kind
    several: bool
    joined: bool
    table: bool
    file: bool


def form(option: click.Parameter) -> Form:
    """Return what `option` takes."""
    metavar = option.metavar or ""
    several = option.multiple or option.nargs != 1
    kind = _kind(option)
    return Form(
        name=kebab(option),
        kind=kind,
        several=several,
        joined=kind == "text" and not several and "..." in metavar,
        table="=" in metavar,
        file="=FILE" in metavar,
    )


def kebab(option: click.Parameter) -> str:
    """The name of an option or argument in kebab case."""
    return (option.name or "").strip("_").replace("_", "-")


def keys(option: click.Parameter) -> tuple[str, ...]:
    """Return the keys of a config file that mean this option: its long spellings, or an argument's name."""
    if isinstance(option, click.Option):
        return tuple(spelling[2:] for spelling in option.opts if spelling.startswith("--"))
    return (kebab(option),)


def _kind(option: click.Parameter) -> Kind:
    if isinstance(option, click.Option) and option.is_flag:
        return "flag"
    if isinstance(option.type, click.types.IntParamType):
        return "integer"
    if isinstance(option.type, click.types.FloatParamType):
        return "number"
    if isinstance(option.type, click.Choice):
        return "choice"
    return "path" if isinstance(option.type, click.Path) else "text"


def words(form: Form, value: object, folder: Path) -> object:
    """Return `value` as the command line has it; paths in it are relative to `folder`.

    Raises:
        Wrong: it is of another type.
    """
    single: object = value
    if isinstance(value, dict) and form.table:
        entries = cast("dict[str, object]", value)
        pairs = (f"{key}={item}" for key, item in entries.items() if _checked(form, item))
        return [_one(form, pair, folder) for pair in pairs]
    if isinstance(value, list) and (form.several or form.joined):
        items = [_one(form, item, folder) for item in cast("list[object]", value)]
        return ",".join(str(item) for item in items) if form.joined else items
    one = _one(form, single, folder)
    return [one] if form.several else one


def _one(form: Form, value: object, folder: Path) -> object:
    _checked(form, value)
    if form.file:
        key, equals, file = str(value).partition("=")
        return f"{key}={folder / file}" if equals else key
    if form.kind == "path" or (form.name in FILES and value != "random"):
        return str(folder / str(value))
    if form.name in CODE:
        return ",".join(_code(name, folder) for name in str(value).split(","))
    return str(value) if form.kind == "text" else value


def _checked(form: Form, value: object) -> bool:
    if _fits(form.kind, value):
        return True
    raise Wrong(f"expected {EXPECTED[form.kind]}{', or a list of them' if form.several else ''}")


def _code(name: str, folder: Path) -> str:
    return str(folder / name.strip()) if is_code(name.strip()) else name


def _fits(kind: Kind, value: object) -> bool:
    if kind == "flag" or isinstance(value, bool):
        return kind == "flag" and isinstance(value, bool)
    types: Mapping[Kind, tuple[type, ...]] = {
        "integer": (int,),
        "number": (int, float),
        "text": (str, int, float),
    }
    return isinstance(value, types.get(kind, (str,)))


def settable(options: Sequence[click.Parameter]) -> list[click.Parameter]:
    """Those of a verb's options and arguments that can stand in a config file."""
    return [option for option in options if option.expose_value or option.name == "save_run"]


def file_names(option: click.Parameter, value: object) -> tuple[str, ...]:
    """Return the files that an option names by `value`, which is as click gives it to a verb."""
    taken = form(option)
    items = cast("tuple[object, ...]", value) if isinstance(value, list | tuple) else (value,)
    texts = [str(item) for item in items if item is not None]
    if taken.kind == "path":
        return tuple(texts)
    if taken.file:
        return tuple(text.partition("=")[2] for text in texts if "=" in text)
    if taken.name in FILES:
        return tuple(_file(text) for text in texts if text != "random")
    if taken.name in CODE:
        names = (name.strip() for text in texts for name in text.split(","))
        return tuple(_file(name) for name in names if is_code(name))
    return ()


def _file(text: str) -> str:
    """The file of `data.py:function`, or the file."""
    return text[: text.rindex(".py") + 3] if is_code(text) else text
