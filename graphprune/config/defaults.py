"""What a config file says of a verb, as the defaults of its options."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click

from graphprune.config.document import Document
from graphprune.config.options import Wrong, form, keys, settable, words
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

VERSION = 1
"""The version of the config file; one that does not say it is of this version."""


def check_tables(document: Document, verbs: Iterable[str]) -> None:
    """Refuse a config file of another version, and what is no table of a verb; raises `Usage`."""
    known = ("version", "$schema", *verbs)
    for key, value in document.values.items():
        where = f"{document.path}:{document.line(key)}"
        if key not in known:
            what = f"there is no verb {key}" if isinstance(value, dict) else f"there is no key {key}"
            raise Usage(f"{where}: {what}", did_you_mean(key, known))
        if key == "version":
            if type(value) is not int or value != VERSION:
                found = f"{where}: it is version {value!r} of a config, this graphprune reads {VERSION}"
                raise Usage(found, f"write version = {VERSION}")
        elif key != "$schema" and not isinstance(value, dict):
            raise Usage(f"{where}: {key} is no table", f"write [{key}], and the options below it")


def defaults(
    document: Document,
    verb: str,
    options: Sequence[click.Parameter],
    context: click.Context,
    others: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the values that a config file gives to the options of a verb, by the names that click has.

    Args:
        document: the config file, of which `check_tables` has looked at.
        verb: the verb, whose table is read.
        options: its options and arguments.
        context: what click converts values in.
        others: keys of the table that are somebody else's.

    Raises:
        Usage: a key is unknown, stands there under two names, or its value is wrong: `file:line: ...`.
    """
    known = {key: option for option in ordered(options) for key in keys(option)}
    table = cast("Mapping[str, object]", document.values.get(verb, {}))
    folder = Path(document.path).parent
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key in others:
            continue
        where = f"{document.path}:{document.line(verb, key)}"
        if key not in known:
            raise Usage(f"{where}: [{verb}] has no key {key}", did_you_mean(key.replace("_", "-"), known))
        option = known[key]
        assert option.name is not None
        if option.name in found:
            raise Usage(f"{where}: {key} stands there under another name, too", "leave one of them out")
        found[option.name] = _converted(option, value, folder, f"{where}: {key}", context)
    return found


def ordered(options: Sequence[click.Parameter]) -> list[click.Parameter]:
    """What can stand in a file, arguments last: their keys go before those of options with the same name."""
    return sorted(settable(options), key=lambda option: isinstance(option, click.Argument))


def _converted(
    option: click.Parameter, value: object, folder: Path, where: str, context: click.Context
) -> object:
    """The value as the command line has it, of which click has said that it is right."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    shown = text if len(text) <= 40 else f"{text[:40]}..."
    try:
        given = words(form(option), value, folder)
    except Wrong as error:
        raise Usage(f"{where} = {shown} is not what it takes", str(error)) from error
    try:
        option.type_cast_value(context, given)
    except click.BadParameter as error:
        raise Usage(f"{where} = {shown} is not what it takes", error.message) from error
    return given


def place(document: Document, verb: str, option: click.Parameter) -> str:
    """Return where a config file sets `option`, as `file:line`."""
    table = cast("Mapping[str, object]", document.values.get(verb, {}))
    key = next((key for key in keys(option) if key in table), "")
    return f"{document.path}:{document.line(verb, key)}"
