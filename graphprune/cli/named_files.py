"""The files that the options and arguments of a verb name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

OUTPUTS = ("output", "plan-only", "plot", "trace", "file", "markdown")
"""Options that name what is written; so do those that begin as these."""
OUTPUT_PREFIXES = ("save-", "export-")


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


def exposed(context: click.Context) -> Iterator[tuple[str, click.Parameter]]:
    """The options and arguments that are about the work, by their names in a record."""
    from graphprune.config.options import kebab

    for option in context.command.params:
        if option.expose_value and option.name in context.params:
            yield kebab(option), option
