"""The options of pruning on the command line: those of the passes, with the same types, help and errors."""

from __future__ import annotations

import logging
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from graphprune.errors import Usage
from graphprune.options import Item, Option, is_collection, options
from graphprune.pruning import OPTIONS, option
from graphprune.registry import find

log = logging.getLogger(__name__)
EITHER = (("target", "ratio"),)
"""Options of which one takes the place of the other."""
_RANK = {
    source: rank
    for rank, source in enumerate(
        (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
    )
}
Command = TypeVar("Command", bound=Callable[..., Any])


def pruning_options(*names: str) -> Callable[[Command], Command]:
    """Give a verb these options of pruning, or all of them; they arrive as texts."""

    def give(command: Command) -> Command:
        for name in reversed(names or tuple(OPTIONS)):
            command = _click_option(name, option(name))(command)
        return command

    return give


def options_of(targets: dict[str, tuple[str, str]]) -> Callable[[Command], Command]:
    """Give a verb options of passes, by name the pass and its option; they arrive as texts."""

    def give(command: Command) -> Command:
        for name in reversed(targets):
            of, target = targets[name]
            described = {option.name: option for option in options(find(of))}[target]
            command = _click_option(name, described)(command)
        return command

    return give


def given(texts: Mapping[str, Any], names: Iterable[str] = OPTIONS) -> dict[str, tuple[Item, ...]]:
    """What the user gave, by option, out of the keyword arguments of a verb."""
    values: dict[str, tuple[Item, ...]] = {}
    for name in names:
        text = texts.get(name.replace("-", "_"))
        if text is True:
            values[name] = ()
        elif text == "":
            raise Usage(f"--{name} is empty", "give a value, or leave it out")
        elif isinstance(text, str):
            values[name] = (Item(text),)
        elif text:
            values[name] = tuple(Item(piece) for piece in _pieces(text))
    _settle(values)
    seed = "".join(item.text for item in values.get("seed", ()))
    if seed.startswith("-"):
        raise Usage(f"--seed is '{seed}'", "expected a whole number from 0 on")
    return values


def _settle(values: dict[str, tuple[Item, ...]]) -> None:
    """Leave out what something else takes the place of that counts for more: the command line over a config.

    What stands beside it in one place is left for the passes to refuse.
    """
    context = click.get_current_context()
    for pair in EITHER:
        if not all(name in values for name in pair):
            continue
        one, other = sorted(pair, key=lambda name: _RANK[_source(context, name)])
        if _source(context, one) is not _source(context, other):
            log.warning("--%s does not count: --%s is given, and goes before it", other, one)
            del values[other]


def _source(context: click.Context, name: str) -> ParameterSource:
    return context.get_parameter_source(name) or ParameterSource.DEFAULT


def _pieces(texts: Iterable[str]) -> Iterable[str]:
    return (piece for text in texts for piece in text.split(","))


def _click_option(name: str, described: Option) -> Callable[[Command], Command]:
    if described.type is bool:
        return click.option(f"--{name}", is_flag=True, help=_sentence(described.help))
    several = is_collection(described.type)
    shown = not several and isinstance(described.default, int | float | str) and described.default != ""
    return click.option(
        f"--{name}",
        multiple=several,
        metavar=_metavar(described.type),
        help=_sentence(described.help) + (f"  [default: {described.default}]" if shown else ""),
    )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _metavar(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return _metavar(arguments[0])
    if origin is Literal:
        return "|".join(str(choice) for choice in arguments)
    if origin is tuple:
        return f"{_metavar(arguments[0])},..."
    if is_collection(kind):
        return f"GLOB={_metavar(arguments[1])}"
    return {int: "N", float: "NUMBER", str: "TEXT"}[kind]
