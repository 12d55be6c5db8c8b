"""`graphprune profile`: measured latency of models, each beside the first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from graphprune import runs
from graphprune.cli.common import Verb, emit, running_models, shared

FEWEST = 6
"""Pairs: of fewer, no interval holds the median with 95 % confidence (2 / 2^5 is more than 0.05)."""


@click.command(cls=Verb)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=click.Path(path_type=Path))
@click.option(
    "--reference", type=click.Path(path_type=Path), help="The model to compare with (default: the first)."
)
@click.option(
    "--backend",
    default="ort:cpu",
    show_default=True,
    metavar="NAME",
    help="Where the models run: ort:cpu ort:cuda trt trt-rtx.",
)
@click.option("--batch", metavar="N,...", help="Samples of an inference, several one after another.")
@click.option("--shape", multiple=True, metavar="TEXT,...", help="Shapes of inputs, as x:1x3x224x224.")
@click.option("--data", metavar="DATA", help="Real inputs, the first samples of which are taken.")
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Threads of one inference on the CPU; 0: all.",
)
@click.option("--no-spin", is_flag=True, help="Let waiting threads block in place of spinning.")
@click.option("--no-cuda-graph", is_flag=True, help="Launch kernels one by one on a GPU.")
@click.option("--transfers", is_flag=True, help="Count copies to the GPU and back.")
@click.option(
    "--gpu", type=click.IntRange(min=0), default=0, show_default=True, help="The number of the GPU."
)
@click.option(
    "--warmup",
    default="200ms",
    show_default=True,
    metavar="TIME",
    help="How long each model runs before anything counts.",
)
@click.option(
    "--duration",
    default="3s",
    show_default=True,
    metavar="TIME",
    help="How long each model is timed; up to 4 times that while the verdict is open.",
)
@click.option(
    "--rounds", type=click.IntRange(min=FEWEST), default=30, show_default=True, help="At least so many pairs."
)
@click.option(
    "--iterations", type=click.IntRange(min=0), default=0, help="At least so many inferences of each model."
)
@click.option("--percentile", default="50,90,99", show_default=True, metavar="N,...", help="What to show.")
@click.option("--margin", default="2%", show_default=True, help="A smaller difference is called the same.")
@click.option("--per-layer", is_flag=True, help="Time the steps of the runtime, too, side by side.")
@click.option(
    "--null-test", is_flag=True, help="Time one MODEL against itself: what does the machine repeat?"
)
@click.option("--no-check", is_flag=True, help="Do not check the outputs of what is timed.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The seed of the random inputs.")
@click.option("--export-json", type=click.Path(path_type=Path), help="Write everything, all times included.")
@click.option("--export-csv", type=click.Path(path_type=Path), help="Write the figures as CSV.")
@click.option("--export-markdown", type=click.Path(path_type=Path), help="Write the figures as Markdown.")
@click.option(
    "--trace", type=click.Path(path_type=Path), help="Write the steps of one inference, for ui.perfetto.dev."
)
@click.option("--dry-run", is_flag=True, help="Say what would be timed.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@shared
@running_models
def command(
    models: tuple[Path, ...],
    percentile: str,
    null_test: bool,
    dry_run: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Measure the latency of models, and how each compares with the first.

    Short blocks of all models are timed in turn, there and back; the ratio is the median over pairs of
    blocks, with a 95 % bootstrap interval. Once measured, the exit code is 0 whatever the verdict.
    """
    from graphprune.cli.profile_request import exports_of, request_of
    from graphprune.profiling.words import read_percentiles

    percentiles = read_percentiles(percentile)
    exports = exports_of(given)
    request = request_of(models, null_test, exports.trace is not None, given)

    from dataclasses import asdict

    from graphprune.cli import profile_tables
    from graphprune.cli.progress_bar import progress_bar
    from graphprune.profiling.null_test import judged
    from graphprune.profiling.profile import prepare, run
    from graphprune.profiling.report import report

    with progress_bar(quiet, still=True):
        prepared = prepare(request)
        found = None if dry_run else run(prepared)
    if found is None:
        plan = profile_tables.plan(prepared, exports)
        emit({"version": 1, **plan}, output_format, lambda: profile_tables.plan_tables(plan))
        return
    graphs = {subject.name: subject.model.graph for subject in prepared.subjects}
    read = report(found, percentiles, graphs)
    null = judged(found) if null_test else None
    exports.write(found, percentiles)
    runs.attach("profile", lambda: asdict(found))
    result = {**read.to_dict(), "null_test": null.to_dict() if null else None}
    emit(result, output_format, lambda: profile_tables.tables(read, null, exports))
