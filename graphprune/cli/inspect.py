"""`graphprune inspect`: what a model consists of, and what of it can be pruned."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from graphprune.cli.common import Verb, emit, listen, shared
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

PARTS = ("groups", "pinned", "layers", "weights", "ops", "shapes")


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--show",
    multiple=True,
    metavar="|".join(PARTS) + ",...",
    help="What to list (default: the groups, and why the other axes are pinned, in short).",
)
@click.option("--group", metavar="NAME", help="Every place where this group stands.")
@shared
def command(
    model: Path,
    show: tuple[str, ...],
    group: str | None,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Show what a model consists of, its groups, and why an axis is not prunable.

    A group is a set of units (channels, neurons, heads, head dims, width) that can be removed one by one; a
    unit stands in several weights at once. A free group's units do not depend on each other; in a mixed
    one, removing a unit changes the values of the others, as in a norm over them. A layer is a residual
    branch that can be taken out whole.
    """
    listen(quiet, verbose, debug)
    parts = tuple(part for text in show for part in text.split(",") if part)
    for part in parts:
        if part not in PARTS:
            raise Usage(f"there is no part {part} to show", did_you_mean(part, PARTS))

    from graphprune.inspection import inspect

    found = inspect(model)
    known = {facts.name: facts for facts in found.groups}
    if group is not None and group not in known:
        raise Usage(f"the model has no group {group}", did_you_mean(group, known))
    if quiet and output_format != "json":
        return

    from graphprune.cli import inspection_tables as tables

    if group is not None:
        chosen = known[group]
        emit({"version": 1, "group": asdict(chosen)}, output_format, lambda: tables.one(chosen))
    else:
        emit(found.to_dict(), output_format, lambda: tables.overview(found, parts))
