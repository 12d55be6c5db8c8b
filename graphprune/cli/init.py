"""`graphprune init`: a commented config to start from, and the job that runs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import click

from graphprune.cli.common import Verb, emit, shared
from graphprune.errors import Usage

PLACE = "@CONFIG@"
"""What stands for the path of the config in the jobs."""
JOBS = {
    "github": (Path(".github/workflows/graphprune.yml"), "git add it: it runs on every pull request"),
    "gitlab": (
        Path("graphprune.gitlab-ci.yml"),
        "add to .gitlab-ci.yml: include: [{local: graphprune.gitlab-ci.yml}]",
    ),
}
"""The files of jobs by where they run, and what is to be done with them."""


@dataclass(frozen=True)
class Draft:
    """A file to write, and what to do with it then."""

    path: Path
    text: str
    next: str


@click.command(cls=Verb)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("graphprune.toml"),
    show_default=True,
    help="The config file.",
)
@click.option(
    "--ci",
    type=click.Choice(tuple(JOBS)),
    help="Write a job that runs the gate, too; below the working directory.",
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@shared
def command(
    output: Path, ci: str | None, force: bool, output_format: str, quiet: bool, verbose: bool, debug: bool
) -> None:
    """Write a config file with every key of the gate explained, to start from.

    With --ci also the workflow of GitHub, or the job of GitLab, that judges each change by it.
    """
    drafts = _drafts(output, ci)
    for draft in drafts:
        if draft.path.is_dir():
            raise Usage(f"{draft.path} is a folder", "name a file")
        if draft.path.exists() and not force:
            raise Usage(f"{draft.path} exists", "give --force to overwrite it, or another name with -o")

    from graphprune.text_file import write_text

    if not output.parent.is_dir():
        raise Usage(f"there is no folder {output.parent}", "make it first")
    for draft in drafts:
        draft.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(draft.text, draft.path)
    result = {"version": 1, "written": [str(draft.path) for draft in drafts]}
    emit(result, output_format, lambda: _tables(drafts))


def _drafts(output: Path, ci: str | None) -> list[Draft]:
    """The files that are to be written; the config comes first."""
    default = output == Path("graphprune.toml")
    gate = "graphprune gate" if default else f"graphprune gate --config {shlex.quote(str(output))}"
    drafts = [Draft(output, _template("starter.toml"), f"set the models and budgets, then: {gate}")]
    if ci is not None:
        path, then = JOBS[ci]
        drafts.append(Draft(path, _with_config(_template(f"{ci}.yml"), output), then))
    return drafts


def _with_config(text: str, config: Path) -> str:
    """A job with the path of the config in it, which is to be read by YAML and then by a shell.

    Raises:
        Usage: it holds what one of them would not leave as it is.
    """
    told = config.as_posix()
    if not re.fullmatch(r"[\w./+-]+", told, re.ASCII) or config.is_absolute():
        raise Usage(
            f"a job cannot name {str(config)!r}",
            "give a relative path of letters, digits and . _ - + / with -o",
        )
    return text.replace(PLACE, told)


def _template(name: str) -> str:
    return (resources.files("graphprune") / "ci" / name).read_text(encoding="utf-8")


def _tables(drafts: list[Draft]) -> Iterator[object]:
    from graphprune.cli.tables import table

    yield table(("written", "next"), [(draft.path, draft.next) for draft in drafts])
