"""The record of a verb's run: what it was given and from where, what it read and wrote, what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
from click.core import ParameterSource

from graphprune import runs
from graphprune.cli.failures import explain
from graphprune.cli.named_files import check_not_read, check_pairs, exposed, named_files
from graphprune.cli.settings import SAVE_RUN, Settings, settings
from graphprune.errors import GraphpruneError, Usage

if TYPE_CHECKING:
    from graphprune.runs.run import File, Run

_RESULT = "graphprune.result"
log = logging.getLogger(__name__)


def keep_result(result: Mapping[str, object]) -> None:
    """Keep `result` for the record of the run; entries of several results are put together."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_RESULT] = {**context.meta.get(_RESULT, {}), **result}


def recorded(context: click.Context, body: Callable[[click.Context], object]) -> object:
    """Run the verb; write the record of the run where one is asked for, also of one that fails.

    Where a recorded run is repeated, its inputs are checked before, and its outputs are compared after it.
    """
    path, found = cast("Path | None", context.meta.get(SAVE_RUN)), settings(context)
    check_pairs(context, path)
    if path is not None:
        _check_target(path, context)
    if found.document is not None:
        log.info("config: %s", found.document.path)
    if found.run is not None:
        from graphprune.cli.repeating import check_inputs, tell_versions

        tell_versions(found.run)
        check_inputs(found, context, named_files(context))
    before = {named.path: _stamp(named.path) for named in named_files(context)}
    value = body(context) if path is None else _kept(context, body, path, before)
    if found.run is not None:
        from graphprune.cli.repeating import tell_outputs

        tell_outputs(found, options(context), _files(context, before, written=True))
    return value


def _kept(
    context: click.Context,
    body: Callable[[click.Context], object],
    path: Path,
    before: Mapping[Path, object],
) -> object:
    started, begin = datetime.now(UTC), time.monotonic()

    def write(code: int, error: str) -> None:
        from graphprune.runs.files import write_run

        seconds = time.monotonic() - begin
        write_run(_run(context, kept, before, started.isoformat(), seconds, code, error), path)

    with runs.keeping() as kept:
        try:
            value = body(context)
        except BaseException as error:
            code, said = ended(error)
            try:
                write(code, said)
            except GraphpruneError as failure:
                log.warning("no record of the run: %s", failure.what)
            raise
    write(value if isinstance(value, int) else 0, "")
    return value


def ended(error: BaseException) -> tuple[int, str]:
    """The exit code of the process that ends so, and what is said."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code, ""
    if isinstance(error, SystemExit):
        return (error.code if isinstance(error.code, int) else 70), ""
    what, _, code = explain(error)
    return code, what


def _run(
    context: click.Context,
    kept: Mapping[str, object],
    before: Mapping[Path, object],
    started: str,
    seconds: float,
    code: int,
    error: str,
) -> Run:
    from graphprune.runs.run import Run
    from graphprune.runs.surroundings import machine, peak_memory, versions

    found = settings(context)
    memory = peak_memory()  # before the files are hashed, which the run did not
    return Run(
        verb=str(context.info_name),
        command=found.words,
        options=options(context),
        sources=_sources(context, found),
        config=found.document.path if found.document is not None else "",
        files=(*_config(found), *_files(context, before)),
        versions=versions(),
        machine=machine(),
        started=started,
        seconds=round(seconds, 6),
        peak_memory=memory,
        exit_code=code,
        error=error,
        result=context.meta.get(_RESULT),
        raw=dict(kept),
    )


def options(context: click.Context) -> dict[str, object]:
    """Every option and argument of the verb, as JSON has them."""
    from graphprune.json_values import plain

    return {name: plain(context.params[str(option.name)]) for name, option in exposed(context)}


def _sources(context: click.Context, found: Settings) -> dict[str, str]:
    words = {
        ParameterSource.COMMANDLINE: "command line",
        ParameterSource.ENVIRONMENT: "environment",
        ParameterSource.DEFAULT_MAP: "run" if found.run is not None else "config",
    }
    return {
        name: words.get(context.get_parameter_source(str(option.name)) or ParameterSource.DEFAULT, "default")
        for name, option in exposed(context)
    }


def _files(context: click.Context, before: Mapping[Path, object], written: bool = False) -> tuple[File, ...]:
    """What was read and written; with `written` only that."""
    from graphprune.runs.hashes import file_of

    found: list[File] = []
    for named in named_files(context):
        stamp = _stamp(named.path)
        new = stamp != before.get(named.path)
        if stamp is None or ((named.output or written) and not new):
            continue
        try:
            found.append(file_of(named.label, named.path, new))
        except OSError as error:
            log.warning("%s is not in the record of the run: %s", named.path, error.strerror)
    return tuple(found)


def _config(found: Settings) -> tuple[File, ...]:
    from graphprune.runs.hashes import file_of

    return () if found.document is None else (file_of("--config", found.document.path, written=False),)


def _stamp(path: Path) -> object:
    """What changes when a file is written; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _check_target(path: Path, context: click.Context) -> None:
    """Refuse before any work is done a record that could not be written after it."""
    if not path.parent.is_dir():
        raise Usage(f"there is no folder {path.parent}", "make it first")
    if not path.exists():
        return
    check_not_read(path)
    if context.params.get("force"):
        return
    from graphprune.runs.files import read_run

    try:
        read_run(path)
    except GraphpruneError as error:
        raise Usage(f"{path} exists, and is no record of a run", "give another name") from error
