"""`graphprune prune`: choose units, remove them, verify the result and write it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from graphprune.cli.common import Verb, listen, shared
from graphprune.cli.pass_options import given, pruning_options
from graphprune.errors import Usage
from graphprune.pruning import Depth, passes


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the smaller model goes.")
@pruning_options
@click.option("--plan-only", type=click.Path(path_type=Path), help="Write the plan, and no model.")
@click.option("--save-plan", type=click.Path(path_type=Path), help="Write the plan beside the model.")
@click.option("--no-verify", is_flag=True, help="Leave out the proof that the surgery was exact.")
@click.option("--dry-run", is_flag=True, help="Choose and cut, but neither verify nor write.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@shared
def command(
    model: Path,
    output: Path | None,
    plan_only: Path | None,
    save_plan: Path | None,
    no_verify: bool,
    dry_run: bool,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **texts: Any,
) -> None:
    """Choose units by importance, remove them, verify that this was exact, and write the smaller model.

    Half of the units go unless told otherwise. That is far more than half of the parameters: both are shown.
    """
    listen(quiet, verbose, debug)
    if output is None and plan_only is None and not dry_run:
        raise Usage(
            "it is not said where the smaller model goes", "give -o OUT, --plan-only PLAN or --dry-run"
        )
    if plan_only is not None and (output is not None or save_plan is not None):
        raise Usage("--plan-only writes nothing but the plan", "use --save-plan to write both")
    depth: Depth = "plan" if plan_only else "cut" if dry_run or no_verify else "verify"
    chain = passes(given(texts), depth)

    from graphprune.cli.running import Job, execute

    target, plan = (None, None) if dry_run else (output, plan_only or save_plan)
    execute(Job(model, chain, target, plan, force, quiet, output_format))
