"""`graphprune schema`: the JSON Schemas of what graphprune reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from graphprune.cli.common import Verb, emit, json_text, sharing

Kind = Literal["config", "run", "gate", "profile"]
KINDS: tuple[Kind, ...] = ("config", "run", "gate", "profile")


@click.command(cls=Verb)
@click.argument("kind", metavar="config|run|gate|profile", type=click.Choice(KINDS))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the schema to this file.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@sharing("json")
def command(
    kind: Kind,
    output: Path | None,
    force: bool,
    output_format: str,
    quiet: bool,
    verbose: bool,
    debug: bool,
) -> None:
    """Print a JSON Schema (draft 2020-12) of a file.

    `config` is of the config file, `run` of what --save-run writes, `gate` of what gate finds, as JSON,
    `profile` of what profile --export-json writes. Editors complete and check a config by its schema.
    """
    from graphprune.cli.named_files import check_target
    from graphprune.text_file import write_text

    check_target(output, force)
    found = schema(kind)
    if output is None:
        emit(found, output_format, tuple)
    else:
        write_text(json_text(found) + "\n", output)


def schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema of a file of this kind."""
    from graphprune.json_schema import schema_of

    if kind == "config":
        from graphprune.cli import VERBS, verbs
        from graphprune.config import schema as config

        context = click.Context(verbs)
        return config.schema({verb: verbs.get_command(context, verb) for verb in VERBS})
    if kind == "run":
        from graphprune.runs.run import Run

        return schema_of(Run, "The record of a run of graphprune")
    if kind == "gate":
        from graphprune.gate.outputs import json as outcome

        return outcome.schema()
    from graphprune.profiling.result import Profile

    return schema_of(Profile, "A profile of graphprune, with every time")
