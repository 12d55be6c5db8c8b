"""`graphprune report`: one page, and a summary, of what runs have found."""

from __future__ import annotations

from pathlib import Path

import click

from graphprune.cli.common import Verb, emit, shared
from graphprune.errors import Usage


@click.command(cls=Verb)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the HTML page goes.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Where a summary in Markdown goes.")
@click.option("--title", metavar="TEXT", help="The title of both (default: the models).")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@shared
def command(
    runs: tuple[Path, ...],
    output: Path | None,
    markdown: Path | None,
    title: str | None,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Show what runs have found as one HTML page that asks for nothing from outside, and as a summary.

    A RUN is what --save-run has written, a profile of --export-json, or what a verb prints as JSON. Several
    are put together: candidates of all of them are set side by side.
    """
    if output is None and markdown is None:
        raise Usage("it is not said where the report goes", "give -o report.html or --markdown summary.md")

    from graphprune.cli.named_files import check_target

    for path in (output, markdown):
        check_target(path, force)

    from graphprune.report.facts import facts_of
    from graphprune.report.load import files_of, load
    from graphprune.report.markdown import markdown as summary
    from graphprune.report.page import page, sections_of
    from graphprune.text_file import write_text

    facts = facts_of(load(runs), title or "")
    sections = sections_of(facts)
    size = 0
    if output is not None:
        text = page(facts, sections)
        size = len(text.encode())
        write_text(text, output)
    if markdown is not None:
        write_text(summary(facts), markdown)
    result = {
        "version": 1,
        "title": facts.title,
        "output": None if output is None else str(output),
        "bytes": size,
        "markdown": None if markdown is None else str(markdown),
        "runs": files_of(facts.sources),
        "sections": [section.name for section in sections],
        "candidates": [candidate.name for candidate in facts.candidates],
    }
    if output_format != "json" and not quiet:
        for path, more in ((output, f" ({size / 1e6:.1f} MB)"), (markdown, "")):
            if path is not None:
                click.echo(f"{path}{more}")
    emit(result, output_format, tuple)
