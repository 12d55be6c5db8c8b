"""`graphprune inspect`: what a model consists of, and what of it can be pruned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from graphprune import runs
from graphprune.cli.common import Verb, emit, running_models, shared
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean
from graphprune.state import made

PARTS = ("groups", "pinned", "layers", "weights", "ops", "shapes", "map")


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--show",
    multiple=True,
    metavar="|".join(PARTS) + ",...",
    help="What to list (default: the groups, and why the other axes are pinned, in short).",
)
@click.option(
    "--shape",
    multiple=True,
    metavar="NAME:1x3x224x224 SYMBOL=8 ...",
    help="Sizes of inputs or of symbols to check against the model.",
)
@click.option("--group", metavar="NAME", help="Every place where this group stands.")
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path),
    help="What stays, for --show map and --node-data: a file that `prune --save-plan` wrote.",
)
@click.option(
    "--node-data",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Write files there that colour the graph in Model Explorer.",
)
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    help="Latency for --node-data: what `profile --per-layer --export-json` wrote.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@shared
@running_models
def command(
    model: Path,
    show: tuple[str, ...],
    shape: tuple[str, ...],
    group: str | None,
    plan_path: Path | None,
    node_data: Path | None,
    profile: Path | None,
    force: bool,
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
    parts = tuple(part for text in show for part in text.split(",") if part)
    for part in parts:
        if part not in PARTS:
            raise Usage(f"there is no part {part} to show", did_you_mean(part, PARTS))

    if profile is not None and node_data is None:
        raise Usage("--profile tells node data what takes how long", "give --node-data FOLDER")
    if plan_path is not None and node_data is None and "map" not in parts:
        raise Usage("--plan tells the map and node data what stays", "give --show map or --node-data FOLDER")

    from graphprune.cli import node_data_files
    from graphprune.graph_view.groups import groups_of, view
    from graphprune.inspection import facts, solved

    state = node_data_files.planned(solved(model, shape), plan_path)
    found = facts(state)
    known = {each.name: each for each in found.groups}
    if group is not None and group not in known:
        raise Usage(f"the model has no group {group}", did_you_mean(group, known))
    runs.attach("groups", lambda: groups_of(state))
    files = node_data_files.write(state, node_data, profile, force) if node_data else ()

    from graphprune.cli import inspection_tables as tables

    written = {"node_data": [str(path) for path in files]} if files else {}

    def shown() -> Iterator[object]:
        if group is not None:
            yield from tables.one(known[group])
        else:
            solution = made(state.solution, "solution")
            yield from tables.overview(found, parts, lambda: view(solution, state.plan))
        if files:
            yield from node_data_files.told(model, files)

    chosen = {"version": 1, "group": asdict(known[group])} if group is not None else found.to_dict()
    emit({**chosen, **written}, output_format, shown)
