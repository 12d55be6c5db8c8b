"""`graphprune sensitivity`: how much each group, and each layer, may lose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from graphprune.cli.common import Verb, emit, json_text, running_models, shared
from graphprune.cli.pass_options import given, pruning_options
from graphprune.errors import Usage

PICTURES = (".svg", ".html")


@click.command(cls=Verb)
@click.argument("model", type=click.Path(path_type=Path))
@pruning_options("data", "samples", "label-key")
@click.option(
    "--ratios",
    default="0.1:0.9:0.1",
    show_default=True,
    metavar="FIRST:LAST:STEP|NUMBER,...",
    help="Shares of a group's units that go.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="What to measure: top1 top5 agreement cosine mse kl spearman, metric.py:func (default: the squared "
    "error of the outputs over their variance).",
)
@click.option(
    "--eval-data", metavar="DATA", help="The data to measure on (default: samples of the calibration data)."
)
@pruning_options("importance", "only", "ignore", "shape", "seed")
@click.option("--plain", is_flag=True, help="Leave the other weights as they are, in place of making up.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the curves: a .svg or .html file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the result as JSON.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@shared
@running_models
def command(
    model: Path,
    ratios: str,
    metric: str | None,
    eval_data: str | None,
    plain: bool,
    plot: Path | None,
    output: Path | None,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **texts: Any,
) -> None:
    """Cut one group at a time, at several ratios, and measure what this does to the outputs.

    The units that matter least go first, and the weights that stay make up for them, as in prune --data.
    Layers are taken out one at a time where --only names them. Nothing is written but what -o and --plot ask
    for.
    """
    from graphprune.ratios import read_ratios

    asked = read_ratios(ratios)
    if plot is not None and plot.suffix.lower() not in PICTURES:
        raise Usage(f"--plot {plot}: the curves are drawn as {' or '.join(PICTURES)}", "name such a file")

    from graphprune import hooks
    from graphprune.cli.named_files import check_target
    from graphprune.cli.progress_bar import progress_bar
    from graphprune.judging import judging_of
    from graphprune.sensitivity_report import report
    from graphprune.text_file import write_text

    for path in (output, plot):
        check_target(path, force)
    values = given(texts)
    judging = judging_of((metric,) if metric else (), eval_data, values)
    with progress_bar(quiet) as watch:
        found = report(model, values, asked, judging, plain=plain, hooks=(hooks.tell, watch))
    result = {"model": str(model), **found.to_dict()}
    if plot is not None:
        from graphprune.sensitivity_plot import picture

        write_text(picture(found, model.name, html=plot.suffix.lower() == ".html"), plot)
    if output is not None:
        write_text(json_text(result) + "\n", output)

    from graphprune.cli.sensitivity_tables import tables

    emit(result, output_format, lambda: tables(found, output, plot))
