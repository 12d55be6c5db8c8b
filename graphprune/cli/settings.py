"""Where the options of a verb come from beside the command line: environment, config file, run record.

The command line goes over `GRAPHPRUNE_<VERB>_<OPTION>`, that over the config file (or over the record of
`--from-run`, which takes its place), that over the defaults.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from graphprune.errors import GraphpruneError, Usage

if TYPE_CHECKING:
    from graphprune.config.document import Document
    from graphprune.runs.run import Run

Command = TypeVar("Command", bound=Callable[..., Any])
SAVE_RUN = "graphprune.save-run"
_SETTINGS = "graphprune.settings"
OWN_TABLE = ("gate",)
"""Verbs that read more of their table of a config file than their options."""
NOT_REPEATED = ("force", "in-place", "quiet", "verbose", "debug")
"""Options of a recorded run that another run does not take over."""


@dataclass(frozen=True)
class Settings:
    """What the options of a verb come from.

    Attributes:
        words: the verb, and the words behind it.
        document: the config file; None where there is none.
        record: the path of the record that is repeated; empty where none is.
        run: what it says.
    """

    words: tuple[str, ...] = ()
    document: Document | None = None
    record: str = ""
    run: Run | None = None


def setting_options(command: Command) -> Command:
    """Give a verb the options that say where others come from, and where the record goes."""
    file = click.Path(path_type=Path)
    for option in (
        click.option(
            "--from-run",
            type=file,
            expose_value=False,
            allow_from_autoenv=False,
            help="Repeat the run of this record; what is given here goes before it.",
        ),
        click.option(
            "--save-run", type=file, expose_value=False, callback=_keep, help="Write a record of this run."
        ),
        click.option(
            "--no-config",
            is_flag=True,
            expose_value=False,
            allow_from_autoenv=False,
            help="Read no config file.",
        ),
        click.option(
            "-c",
            "--config",
            type=file,
            expose_value=False,
            envvar="GRAPHPRUNE_CONFIG",
            allow_from_autoenv=False,
            help="The config file (default: graphprune.toml or pyproject.toml, here or above).",
        ),
    ):
        command = option(command)
    return command


def _keep(context: click.Context, _: click.Parameter, path: Path | None) -> Path | None:
    context.meta[SAVE_RUN] = path
    return path


def settings(context: click.Context) -> Settings:
    """Return what the options of the verb come from."""
    found = context.meta.get(_SETTINGS, Settings())
    assert isinstance(found, Settings)
    return found


def prepare(command: click.Command, context: click.Context, words: Sequence[str]) -> None:
    """Read the config file or the record before the options are read, and make its values their defaults.

    Raises:
        Usage: the file is missing or wrong.
    """
    context.meta[_SETTINGS] = Settings((str(context.info_name), *words))
    given = command.make_parser(context).parse_args(list(words))[0]
    options = command.get_params(context)
    leaves = any(option.is_eager and option.name in given for option in options)  # as --help does
    if leaves or context.resilient_parsing:
        return
    config = next(option for option in options if option.name == "config")
    named, record = given.get("config") or config.value_from_envvar(context), given.get("from_run")
    if given.get("no_config") and given.get("config"):
        raise Usage("--config and --no-config are both given", "leave one of them out")
    if record is not None:
        if given.get("config"):
            raise Usage("--from-run takes the place of --config", "leave one of them out")
        _repeat(context, words, Path(record), options)
    elif not given.get("no_config"):
        _configure(context, words, None if named is None else Path(str(named)), options)


def _configure(
    context: click.Context, words: Sequence[str], named: Path | None, options: Sequence[click.Parameter]
) -> None:
    from graphprune.config.find import find

    path = find(Path.cwd()) if named is None else named
    if path is None:
        return
    from graphprune.config.document import read

    verb = str(context.info_name)
    document = read(Path(os.path.relpath(path)) if named is None else path)
    context.meta[_SETTINGS] = Settings((verb, *words), document)
    context.default_map = _defaults(document, context, options)


def _defaults(
    document: Document, context: click.Context, options: Sequence[click.Parameter]
) -> dict[str, Any]:
    from graphprune.cli import VERBS
    from graphprune.config.defaults import check_tables, defaults

    verb = str(context.info_name)
    check_tables(document, VERBS)
    if verb in OWN_TABLE:
        from graphprune.gate.config import gate_config

        gate_config(document)
        return defaults(document, verb, options, context, others=("assert",))
    return defaults(document, verb, options, context)


def _repeat(
    context: click.Context, words: Sequence[str], path: Path, options: Sequence[click.Parameter]
) -> None:
    from graphprune.config.document import read
    from graphprune.config.options import kebab
    from graphprune.runs.files import read_run

    verb, run = str(context.info_name), read_run(path)
    if run.verb != verb:
        raise Usage(
            f"{path} is the record of {run.verb}, not of {verb}", f"graphprune {run.verb} --from-run {path}"
        )
    known = {kebab(option): option.name for option in options}
    for name in run.options:
        if name not in known:
            version = run.versions.get("graphprune", "another version")
            raise Usage(f"{path}: {verb} has no option {name}", f"it was made with graphprune {version}")
    document = read(Path(run.config)) if run.config and verb in OWN_TABLE else None
    context.meta[_SETTINGS] = Settings((verb, *words), document, str(path), run)
    context.default_map = {
        str(known[name]): value
        for name, value in run.options.items()
        if value is not None and name not in NOT_REPEATED
    }


def placed(error: GraphpruneError, context: click.Context) -> GraphpruneError:
    """Return `error` with the place of the option that it is about, unless that was on the command line.

    What a verb finds wrong only when it runs names its options, as `--duration is 'x'`, or their files, as
    `no such file: 'model.onnx'`.
    """
    from graphprune.config.defaults import place

    document, found = settings(context).document, list[tuple[int, str]]()
    for option in context.command.params:
        source = context.get_parameter_source(str(option.name))
        said = _said(option, context, by_name=isinstance(error, Usage))
        named = [re.search(pattern, error.what) for pattern in said]
        at = min((match.start() for match in named if match), default=None)
        if at is not None and source is ParameterSource.ENVIRONMENT:
            found.append((at, _variable(option, context)))
        elif at is not None and source is ParameterSource.DEFAULT_MAP and document is not None:
            found.append((at, place(document, str(context.info_name), option)))
    if not found or (document is not None and error.what.startswith(f"{document.path}:")):
        return error
    made = copy(error)
    made.what = f"{min(found)[1]}: {error.what}"
    return made


def _said(option: click.Parameter, context: click.Context, by_name: bool) -> Iterator[str]:
    """Patterns of what an error says of an option: its name, and the files that it names."""
    from graphprune.config.options import file_names, keys

    if by_name:
        yield from (rf"(?:^|--){re.escape(key)}(?![\w-])" for key in keys(option))
    for file in file_names(option, context.params.get(str(option.name))):
        yield rf"(?<![\w./-]){re.escape(file)}(?![\w/-])"


def _variable(option: click.Parameter, context: click.Context) -> str:
    return f"{context.auto_envvar_prefix}_{str(option.name).upper()}"
