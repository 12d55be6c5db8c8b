"""`graphprune prune`: choose units, remove them, verify the result and write it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphprune.cli.common import Verb, in_place_option, running_models, shared, target_of
from graphprune.cli.pass_options import given, pruning_options
from graphprune.errors import Usage
from graphprune.options import Item
from graphprune.pruning import Depth, passes

if TYPE_CHECKING:
    from graphprune.judging import Judging


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the smaller model goes.")
@pruning_options()
@click.option(
    "--metric",
    multiple=True,
    metavar="NAME,...",
    help="Judge the result beside the original: top1 top5 agreement cosine mse kl spearman, metric.py:func.",
)
@click.option(
    "--eval-data",
    metavar="DATA",
    help="The data to judge on (default: the calibration data, for metrics that need no labels).",
)
@click.option("--plan-only", type=click.Path(path_type=Path), help="Write the plan, and no model.")
@click.option("--save-plan", type=click.Path(path_type=Path), help="Write the plan beside the model.")
@click.option("--no-verify", is_flag=True, help="Leave out the proof that the surgery was exact.")
@click.option("--dry-run", is_flag=True, help="Choose and cut, but neither verify nor write.")
@click.option("--force", is_flag=True, help="Overwrite what is there, unless it is an input.")
@in_place_option
@shared
@running_models
def command(
    model: Path,
    output: Path | None,
    metric: tuple[str, ...],
    eval_data: str | None,
    plan_only: Path | None,
    save_plan: Path | None,
    no_verify: bool,
    dry_run: bool,
    force: bool,
    in_place: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **texts: Any,
) -> None:
    """Choose units by importance, remove them, verify that this was exact, and write the smaller model.

    Half of the units go unless told otherwise. That is far more than half of the parameters: both are shown.
    With --data, units are judged by what they do on real inputs, and the weights that stay make up for them.
    """
    output = target_of(model, output, in_place)
    if output is None and plan_only is None and not dry_run:
        raise Usage(
            "it is not said where the smaller model goes", "give -o OUT, --plan-only PLAN or --dry-run"
        )
    if plan_only is not None and (output is not None or save_plan is not None):
        raise Usage("--plan-only writes nothing but the plan", "use --save-plan to write both")
    depth: Depth = "plan" if plan_only else "cut" if dry_run or no_verify else "verify"
    if plan_only is not None and (metric or eval_data is not None):
        raise Usage("--metric and --eval-data judge a model, and --plan-only makes none", "give -o OUT")
    values = given(texts)
    judged = _judging(metric, eval_data, values)
    if eval_data is not None and "data" not in values:
        values.pop("label-key", None)  # it is that of the data to judge on
    chain = passes(values, depth)

    from graphprune.cli.running import Job, execute

    target, plan = (None, None) if dry_run else (output, plan_only or save_plan)
    execute(Job(model, chain, target, plan, force, quiet, output_format, judging=judged, in_place=in_place))


def _judging(
    metric: tuple[str, ...], eval_data: str | None, values: Mapping[str, tuple[Item, ...]]
) -> Judging | None:
    """What the result is to be judged by, if it is."""
    from graphprune.cli.score_tables import names
    from graphprune.judging import judging_of

    if not metric and eval_data is None:
        return None
    if eval_data is None and "data" not in values:
        raise Usage("--metric has no data to judge on", "give it with --eval-data")
    return judging_of(names(metric) or ("cosine",), eval_data, values)
