"""`graphprune compare`: saved profiles of several devices and models in one matrix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from graphprune.cli.common import Verb, emit, sharing
from graphprune.cli.recording import keep_result
from graphprune.errors import Usage

if TYPE_CHECKING:
    from graphprune.profiling.baseline import Changes
    from graphprune.profiling.matrix import Matrix
    from graphprune.profiling.merge import Source


@click.command(cls=Verb)
@click.argument("results", metavar="RESULT...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    metavar="SHARE",
    help="A smaller difference is called the same, as 5% (default: the margin of each profile).",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="Compare with a saved profile of the same device, too: not paired, so with caution.",
)
@click.option(
    "--baseline-threshold",
    metavar="SHARE",
    default="15%",
    show_default=True,
    help="A smaller difference from the baseline is called the same.",
)
@click.option("--force-compare", is_flag=True, help="Compare with a baseline that differs in what matters.")
@click.option("--merge", is_flag=True, help="Write the profiles of all files into one, for a later compare.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file that --merge writes.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@sharing("table", "json", "markdown")
def command(
    results: tuple[Path, ...],
    threshold: str | None,
    baseline: Path | None,
    baseline_threshold: str,
    force_compare: bool,
    merge: bool,
    output: Path | None,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Set saved profiles side by side: models down, devices and batches across.

    A RESULT is what profile --export-json or compare --merge has written. Every ratio comes from within one
    profile, where both models were timed in pairs; figures in different columns are not compared. Profiles
    that are alike in all that a figure depends on are put together.
    """
    if merge != (output is not None):
        missing = "--merge lacks the file to write" if merge else "-o goes with --merge"
        raise Usage(missing, "graphprune compare --merge -o all.json RESULT...")
    if merge and (baseline or threshold):
        raise Usage("--merge compares nothing: --threshold and --baseline have no effect", "leave them out")

    from graphprune.profiling.words import read_share

    margin = None if threshold is None else read_share(threshold, "--threshold")
    baseline_margin = read_share(baseline_threshold, "--baseline-threshold")

    import logging

    from graphprune.profiling.merge import read_results

    if output is not None:
        from graphprune.cli.named_files import check_target

        check_target(output, force)
    sources, again = read_results(results)
    for name in again:
        logging.getLogger("graphprune").info("a profile in %s is there already: left out", name)
    if output is not None:
        _merge(sources, again, output, quiet, output_format)
        return

    from graphprune.profiling.matrix import matrix

    made, changes = matrix(sources, margin), None
    if baseline is not None:
        from graphprune.profiling.baseline import against

        changes = against(sources, read_results([baseline])[0], baseline_margin, force=force_compare)
    _show(made, changes, again, baseline, output_format)


def _merge(sources: list[Source], again: list[str], output: Path, quiet: bool, output_format: str) -> None:
    from graphprune.profiling.merge import merged
    from graphprune.text_file import write_text

    write_text(merged([source.profile for source in sources]), output)
    result = {"version": 1, "output": str(output), "profiles": len(sources), "duplicates": again}
    left_out = f"; {len(again)} that came twice left out" if again else ""
    said = f"{len(sources)} profile{'s' if len(sources) > 1 else ''} in {output}{left_out}."
    if output_format == "json":
        emit(result, "json", tuple)
        return
    keep_result(result)
    if not (quiet and output_format == "table"):
        click.echo(said)


def _show(
    made: Matrix, changes: Changes | None, again: list[str], baseline: Path | None, output_format: str
) -> None:
    if output_format == "markdown":
        from graphprune.cli.compare_markdown import markdown

        keep_result(_result(made, changes, again, baseline))
        click.echo(markdown(made, changes))
        return
    from graphprune.cli.compare_tables import tables

    emit(_result(made, changes, again, baseline), output_format, lambda: tables(made, changes))


def _result(
    made: Matrix, changes: Changes | None, again: list[str], baseline: Path | None
) -> Mapping[str, object]:
    return {
        "version": 1,
        "columns": [asdict(column) for column in made.columns],
        "rows": [
            {**asdict(row), "cells": [cell and asdict(cell) for cell in cells]}
            for row, cells in zip(made.rows, made.cells, strict=True)
        ],
        "notes": made.notes,
        "duplicates": again,
        "baseline": None
        if changes is None
        else {
            "file": str(baseline),
            "paired": False,
            "margin": changes.margin,
            "models": [asdict(change) for change in changes.models],
            "missing": changes.missing,
        },
    }
