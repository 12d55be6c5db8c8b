"""The files that the options and arguments of a verb name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from graphprune.errors import Usage
from graphprune.files import is_one_file

OUTPUTS = ("output", "plan-only", "plot", "trace", "file", "markdown")
"""Options that name what is written; so do those that begin as these."""
OUTPUT_PREFIXES = ("save-", "export-")
_DATA = (".npz", ".npy", ".pb")
"""What is read of a folder of data."""
_NO_MODELS = (*_DATA, ".py", ".json", ".toml", ".yaml", ".yml", ".csv", ".txt")


@dataclass(frozen=True)
class Named:
    """A file that an option names; `label` is how a record calls the option."""

    option: click.Parameter
    label: str
    path: Path
    output: bool


def named_files(context: click.Context) -> tuple[Named, ...]:
    """The files that options and arguments name, whether they are there or not."""
    from graphprune.config.options import file_names

    found: list[Named] = []
    for name, option in exposed(context):
        label = name if isinstance(option, click.Argument) else f"--{name}"
        output = name in OUTPUTS or name.startswith(OUTPUT_PREFIXES) or "=FILE" in (option.metavar or "")
        files = file_names(option, context.params[str(option.name)])
        found += [Named(option, label, Path(file), output) for file in files]
    return tuple(found)


def check_target(path: Path | None, force: bool, in_place: bool | None = None) -> None:
    """Refuse before any work is done what could not be written after it, or would be written over an input.

    With `in_place` the model that the verb reads may be written over; where it is None, no verb could.
    """
    if path is None:
        return
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a plain file"
        raise Usage(f"{path} is {kind}", "name a file")
    if path.exists():
        replaced = check_not_read(path, in_place)
        if not (force or replaced):
            raise Usage(f"{path} exists", "give --force to overwrite it, or another name")
    if not path.parent.is_dir():
        raise Usage(f"there is no folder {path.parent}", "make it first")


def check_not_read(path: Path, in_place: bool | None = None) -> bool:
    """Refuse a file that is an input of the verb, or that holds weights of a model that is one.

    Returns whether it is the model, and is to be replaced `in_place`; None: it cannot be.
    """
    context = click.get_current_context(silent=True)
    for label, file in _inputs(context) if context is not None else ():
        if is_one_file(path, file):
            if label == "MODEL" and in_place:
                return True
            ways = ", or --in-place to replace it" if label == "MODEL" and in_place is not None else ""
            raise Usage(f"{path} is an input: {label}", f"give another name{ways}")
        if file.is_dir() and path.suffix in _DATA and file.resolve() in path.resolve().parents:
            raise Usage(f"{path} is an input: it lies in the folder of {label}", "give another name")
        if any(is_one_file(path, weights) for weights in _weights(file)):
            raise Usage(f"{path} is an input: it holds weights of {label}", "give another name")
    return False


def check_pairs(context: click.Context, record: Path | None) -> None:
    """Refuse two outputs that are one file.

    Args:
        context: that of the verb.
        record: where the record of the run goes.
    """
    outputs = [named.path for named in named_files(context) if named.output]
    seen: set[str] = set()
    for path in (*outputs, *([record] if record is not None else [])):
        real = os.path.realpath(path)
        if real in seen:
            raise Usage(f"{path} is named twice", "give every file a name of its own")
        seen.add(real)


def _inputs(context: click.Context) -> Iterator[tuple[str, Path]]:
    from graphprune.cli.settings import settings

    for named in named_files(context):
        if not named.output:
            argument = isinstance(named.option, click.Argument)
            yield named.label.upper() if argument else named.label, named.path
    found = settings(context)
    if found.document is not None:
        yield "--config", Path(found.document.path)
    if found.record:
        yield "--from-run", Path(found.record)


def _weights(file: Path) -> tuple[Path, ...]:
    from graphprune.model import data_files

    return data_files(file) if file.is_file() and file.suffix not in _NO_MODELS else ()


def exposed(context: click.Context) -> Iterator[tuple[str, click.Parameter]]:
    """The options and arguments that are about the work, by their names in a record."""
    from graphprune.config.options import kebab

    for option in context.command.params:
        if option.expose_value and option.name in context.params:
            yield kebab(option), option
