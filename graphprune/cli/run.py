"""`graphprune run`: any pipeline of passes."""

from __future__ import annotations

from pathlib import Path

import click

from graphprune.cli.common import Verb, emit, in_place_option, running_models, shared, target_of
from graphprune.errors import Usage

EXAMPLE = "fold,group,score{by=l2},select{ratio=0.5},cut,verify"


def _list_passes(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from graphprune.cli.pass_list import tables

        emit({}, "table", tables)
        ctx.exit()


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the resulting model goes.")
@click.option("-p", "--pipeline", required=True, metavar="TEXT", help=f'Passes and options, as "{EXAMPLE}".')
@click.option("--save-plan", type=click.Path(path_type=Path), help="Write the plan beside the model.")
@click.option("--stop-after", type=int, metavar="N", help="Run the first N passes only.")
@click.option("--dump-after", multiple=True, metavar="PASS", help="Write the model also after this pass.")
@click.option("--time-passes", is_flag=True, help="Show how long every pass took.")
@click.option("--dry-run", is_flag=True, help="Run, but write nothing.")
@click.option("--force", is_flag=True, help="Overwrite what is there, unless it is an input.")
@in_place_option
@click.option(
    "--list-passes",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_passes,
    help="Show every pass with its options.",
)
@shared
@running_models
def command(
    model: Path,
    output: Path | None,
    pipeline: str,
    save_plan: Path | None,
    stop_after: int | None,
    dump_after: tuple[str, ...],
    time_passes: bool,
    dry_run: bool,
    force: bool,
    in_place: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Run a pipeline of passes on a model and write what comes of it.

    `graphprune prune MODEL -o OUT` is the pipeline "fold,group,score,select,cut,verify".
    """
    output = target_of(model, output, in_place)
    if output is None and not dry_run:
        raise Usage("it is not said where the resulting model goes", "give -o OUT or --dry-run")
    if dump_after and (output is None or dry_run):
        raise Usage("--dump-after writes beside OUT", "give -o OUT, without --dry-run")

    from graphprune import hooks
    from graphprune import pipeline as passes
    from graphprune.cli.named_files import check_target
    from graphprune.cli.running import Job, execute
    from graphprune.pipeline_text import parse

    chain = parse(pipeline)
    if stop_after is not None:
        chain = passes.stop_after(chain, stop_after)
    more = [hooks.dump_after(dump_after, chain, output, force, check_target)] if dump_after and output else []
    target, plan = (None, None) if dry_run else (output, save_plan)
    job = Job(model, chain, target, plan, force, quiet, output_format, time_passes, in_place=in_place)
    execute(job, *more)
