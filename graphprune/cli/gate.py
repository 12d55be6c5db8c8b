"""`graphprune gate`: whether a candidate may ship."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphprune.cli.common import Verb, config_document, emit, running_models, sharing
from graphprune.cli.gate_files import FORMATS, formatted, targets_of
from graphprune.cli.recording import keep_result
from graphprune.errors import Usage

if TYPE_CHECKING:
    from graphprune.gate.outcome import Outcome
    from graphprune.gate.running import Job


@click.command(cls=Verb)
@click.argument("models", nargs=-1, metavar="[ORIGINAL CANDIDATE]", type=click.Path(path_type=Path))
@click.option("--original", type=click.Path(path_type=Path), help="The same as ORIGINAL, for config files.")
@click.option(
    "--candidate",
    type=click.Path(path_type=Path),
    help="The same as CANDIDATE; with --from, the name or hash of the one that is judged.",
)
@click.option(
    "--assert", "assert_", multiple=True, metavar="LIMIT", help="A budget, as 'latency.p50.ratio<=0.7'."
)
@click.option(
    "--from",
    "from_",
    multiple=True,
    metavar="RESULT",
    type=click.Path(path_type=Path),
    help="Judge saved results, of any devices, in place of measuring.",
)
@click.option(
    "--plan",
    type=click.Path(path_type=Path),
    help="What was cut out of ORIGINAL: CANDIDATE must equal it masked.",
)
@click.option(
    "--run", type=click.Path(path_type=Path), help="The record of the run that has written CANDIDATE."
)
@click.option("--data", metavar="DATA", help="Labelled data: a .npz, a folder, data.py, random.")
@click.option("--label-key", default="labels", help="The key of the labels in the data.")
@click.option("--class-names", type=click.Path(path_type=Path), help="Names of the classes, one a line.")
@click.option("--samples", type=click.IntRange(min=1), help="At most so many samples of the data.")
@click.option(
    "--output",
    type=click.IntRange(min=0),
    default=0,
    help="The output that is judged, counted from 0.",
)
@click.option(
    "--backend",
    default="ort:cpu",
    show_default=True,
    metavar="NAME",
    help="Where latencies are measured: ort:cpu ort:cuda trt trt-rtx.",
)
@click.option("--batch", metavar="N,...", help="Samples of an inference (default: what the budgets ask for).")
@click.option(
    "--threads",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Threads of one inference on the CPU; 0: all.",
)
@click.option(
    "--gpu", type=click.IntRange(min=0), default=0, show_default=True, help="The number of the GPU."
)
@click.option("--shape", multiple=True, metavar="TEXT,...", help="Shapes of inputs, as x:1x3x224x224.")
@click.option(
    "--duration",
    default="3s",
    show_default=True,
    metavar="TIME",
    help="How long each model is timed; up to 4 times that while a budget is open.",
)
@click.option(
    "--rounds", type=click.IntRange(min=6), default=30, show_default=True, help="At least so many pairs."
)
@click.option("--only", multiple=True, metavar="GLOB", help="Look at these metrics alone.")
@click.option("--warn-only", is_flag=True, help="Show what is broken, and exit with 0.")
@click.option(
    "--inconclusive",
    type=click.Choice(("warn", "fail", "exit")),
    default="warn",
    show_default=True,
    help="What an undecided budget does: 0 and a warning, 1, or 5.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The seed of inputs and intervals.")
@click.option(
    "-o",
    "--output-file",
    "file",
    type=click.Path(path_type=Path),
    help="Write the chosen format there, and show the table.",
)
@click.option("--export", multiple=True, metavar="FORMAT=FILE", help="Write one more format to a file.")
@click.option("--save-evidence", type=click.Path(path_type=Path), help="Write what was measured, for --from.")
@click.option("--dry-run", is_flag=True, help="Say what would be measured.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@sharing(*FORMATS)
@running_models
def command(
    assert_: tuple[str, ...],
    file: Path | None,
    export: tuple[str, ...],
    save_evidence: Path | None,
    dry_run: bool,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **given: Any,
) -> int:
    """Judge CANDIDATE beside ORIGINAL by budgets: accuracy, latency, size, and whether the surgery was exact.

    Budgets are tables [[gate.assert]] of the config file, and --assert. Only what they need is measured.
    A budget passes or fails where the whole 95 % interval is on one side of it, and is inconclusive else.
    Exits with 0 where no error is broken, 1 where one is, 5 where nothing could be judged.
    """
    from graphprune.cli.progress_bar import progress_bar
    from graphprune.gate.running import execute

    job = _job(assert_, given)
    targets = targets_of(file, output_format, export, save_evidence, force)
    if dry_run:
        _dry(job, output_format)
        return 0
    with progress_bar(quiet, still=True):
        outcome, evidence = execute(job)
    keep_result(asdict(outcome))
    targets.write(outcome, evidence)
    _show(outcome, "table" if file is not None else output_format)
    return outcome.exit_code


def _job(words: tuple[str, ...], given: Mapping[str, Any]) -> Job:
    """What is to be judged: the options, which know the config file, and the budgets of both."""
    from graphprune.gate.config import limits
    from graphprune.gate.running import job_of
    from graphprune.gate.settings import read_settings

    document = config_document()
    config = None if document is None else limits(document)
    values = {name.strip("_").replace("_", "-"): value for name, value in given.items()}
    models = values.pop("models")
    if len(models) not in (0, 2):
        named = "one model is" if len(models) == 1 else f"{len(models)} models are"
        raise Usage(f"{named} named", "name two, as graphprune gate ORIGINAL CANDIDATE, or none with --from")
    values |= dict(zip(("original", "candidate"), models, strict=False))
    values = {name: value for name, value in values.items() if value not in (None, ())}
    settings = read_settings(values, None, lambda key: f"--{key}")
    return job_of(settings, config, words)


def _show(outcome: Outcome, output_format: str) -> None:
    if output_format in ("table", "text"):
        from graphprune.cli.gate_tables import tables

        emit(asdict(outcome), "table", lambda: tables(outcome))
        return
    click.echo(formatted(outcome, output_format).rstrip("\n"))
    if output_format == "github":
        from graphprune.gate.outputs.github import publish

        publish(outcome)  # the summary and the outputs of the step


def _dry(job: Job, output_format: str) -> None:
    """Say what would be measured, for which budgets."""
    settings = job.settings
    budgets = [
        {
            "metric": one.metric,
            "bound": one.bound,
            "limit": one.written,
            "level": one.level,
            "where": str(one.where),
        }
        for one in job.assertions
    ]
    proof = settings.run or settings.plan
    if proof is not None and not any(one.metric == "exact" for one in job.assertions):
        implied = {"metric": "exact", "bound": "max", "limit": "1", "level": "error", "where": str(proof)}
        budgets.append(implied)
    result = {
        "version": 1,
        "original": None if settings.original is None else str(settings.original),
        "candidate": None if settings.candidate is None else str(settings.candidate),
        "from": [str(path) for path in settings.results],
        "budgets": budgets,
    }

    def tables() -> Iterator[object]:
        from graphprune.cli.tables import table, text

        yield text(
            f"Would judge {', '.join(map(str, settings.results))}:"
            if settings.results
            else f"Would judge {settings.candidate} beside {settings.original}:"
        )
        yield table(("metric", "bound", "limit", "level", "where"), [tuple(one.values()) for one in budgets])

    emit(result, "json" if output_format == "json" else "table", tables)
