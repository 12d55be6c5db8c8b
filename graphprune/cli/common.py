"""What the verbs share: the options every one of them has, and how a result leaves the process."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from graphprune.cli.failures import printable
from graphprune.cli.recording import keep_result, recorded
from graphprune.cli.settings import placed, prepare, setting_options, settings
from graphprune.cli.streams import shows_all
from graphprune.errors import GraphpruneError, Usage
from graphprune.files import is_one_file, room
from graphprune.json_values import plain

if TYPE_CHECKING:
    from graphprune.config.document import Document

WIDTH = 100
"""A table is at most this many columns wide."""

SPELLINGS = {
    "--shapes": "--shape",
    "--optShapes": "--shape",
    "--warmUp": "--warmup",
    "--minShapes": "--min-shapes",
    "--maxShapes": "--max-shapes",
    "--saveEngine": "--save-engine",
    "--timingCacheFile": "--timing-cache",
    "--builderOptimizationLevel": "--level",
    "--hardwareCompatible": "--hardware-compatible",
    "--versionCompatible": "--version-compatible",
}
"""Spellings of other tools that mean the same; the help does not show them."""

_TEMPORARY = ("/tmp", "/var/tmp", "/usr/tmp") if os.name == "posix" else ()  # noqa: S108  a room of ours

Command = TypeVar("Command", bound=Callable[..., Any])


class Verb(click.Command):
    """A verb; it knows the spellings of other tools, the environment, config files, and keeps records."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        prefix = f"GRAPHPRUNE_{info_name}"
        return super().make_context(info_name, args, parent, **{"auto_envvar_prefix": prefix, **extra})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [_known_spelling(word) for word in args]
        prepare(self, ctx, words)
        return super().parse_args(ctx, words)

    def invoke(self, ctx: click.Context) -> object:
        given = ctx.params
        _listen(given["quiet"], given["verbose"], given["debug"])
        try:
            with _temporary_folder():
                return recorded(ctx, super().invoke)
        except Exception as error:
            if given["debug"] and "--debug" not in settings(ctx).words:
                traceback.print_exc()
            if isinstance(error, GraphpruneError):
                raise placed(error, ctx) from error
            raise


@contextmanager
def _temporary_folder() -> Generator[None]:
    """Have all temporary files made in one folder, which goes when the verb ends, whatever ends it.

    Those of runs that were killed go when the next one begins. Python is not asked for the place: it would
    try it out with a file of its own, which stays where the process is killed just then.
    """
    import tempfile

    before = tempfile.tempdir
    with ExitStack() as stack:
        for place in filter(None, (before, *map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), *_TEMPORARY)):
            with suppress(OSError):
                folder = stack.enter_context(room(Path(place).absolute()))
                break
        else:
            folder = stack.enter_context(room(Path(tempfile.gettempdir())))
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def _known_spelling(word: str) -> str:
    option, equals, value = word.partition("=")
    return SPELLINGS.get(option, option) + equals + value


def shared(command: Command) -> Command:
    """The options that every verb has."""
    return sharing("table", "json")(command)


def in_place_option(command: Command) -> Command:
    """The option of verbs that write a model, which may be the one that they read."""
    return click.option("--in-place", is_flag=True, help="Replace MODEL itself; -o is then not needed.")(
        command
    )


def target_of(model: Path, output: Path | None, in_place: bool) -> Path | None:
    """Where the result goes; raises `Usage` where `--in-place` is given beside another place."""
    if not in_place:
        return output
    if output is not None and not is_one_file(model, output):
        raise Usage("--in-place has no effect here", f"-o names {output}; leave one of them out")
    return output or model


def running_models(command: Command) -> Command:
    """The option of verbs that run models: libraries whose operators ONNX Runtime gets."""

    @functools.wraps(command)
    def run(*arguments: object, custom_ops: tuple[Path, ...], **options: object) -> object:
        from graphprune.custom_ops import custom_ops as named

        with named(custom_ops):
            return command(*arguments, **options)

    option = click.option(
        "--custom-ops",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="LIB",
        help="A library of ONNX Runtime operators; its code is run. May be repeated.",
    )
    return cast("Command", option(run))


def sharing(*formats: str) -> Callable[[Command], Command]:
    """The options that every verb has, with these forms of output."""

    def add(command: Command) -> Command:
        for option in (
            click.option(
                "--debug", is_flag=True, help="Show the traceback of an error, and every log message."
            ),
            click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
            click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is being done."),
            click.option(
                "--output-format",
                type=click.Choice(formats),
                default="table" if "table" in formats else formats[0],
                show_default=True,
                help="How the result is printed on stdout.",
            ),
        ):
            command = option(command)
        return setting_options(command)

    return add


def check_used(names: Iterable[str], hint: str) -> None:
    """Refuse options that were given to this run and change nothing in it.

    Those of a config file are for all runs of a verb, and may be there.

    Raises:
        Usage: one of `names` is on the command line or in the environment.
    """
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
            raise Usage(f"--{name.replace('_', '-')} has no effect here", hint)


def config_document() -> Document | None:
    """Return the config file of the verb that is running; None where there is none."""
    return settings(click.get_current_context()).document


def _listen(quiet: bool, verbose: bool, debug: bool) -> None:
    """Send the log of graphprune to stderr until the verb is done, as much of it as was asked for."""
    log = logging.getLogger("graphprune")
    before = log.handlers[:], log.propagate, log.level

    def restore() -> None:
        log.handlers[:], log.propagate, level = before
        log.setLevel(level)

    click.get_current_context().call_on_close(restore)
    log.handlers.clear()
    handler = _Stderr()
    handler.setFormatter(_Line())
    log.addHandler(handler)
    log.propagate = False
    loud = logging.DEBUG if debug else logging.INFO if verbose else logging.WARNING
    log.setLevel(logging.ERROR if quiet else loud)


class _Stderr(logging.Handler):
    """Writes to what stderr is at the moment: a progress bar takes its place for a while."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except OSError:
            self.handleError(record)


class _Line(logging.Formatter):
    """One line a message; warnings say that they are."""

    def format(self, record: logging.LogRecord) -> str:
        word = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return printable(word + record.getMessage())


def json_text(result: Mapping[str, object], plain_ascii: bool = False) -> str:
    """`result` as JSON; with `plain_ascii`, characters beyond ASCII are escapes."""
    return json.dumps(plain(result), indent=2, ensure_ascii=plain_ascii, allow_nan=False)


def emit(
    result: Mapping[str, object],
    output_format: str,
    tables: Callable[[], Iterable[object]],
) -> None:
    """Print the result: as JSON, or, unless the verb is to be quiet, as the tables that `tables` makes of it.

    The record of the run keeps it, too; of several results, all their entries.
    """
    keep_result(result)
    context = click.get_current_context(silent=True)
    if output_format != "json" and context is not None and context.params.get("quiet"):
        return
    if output_format == "json":
        click.echo(json_text(result, plain_ascii=not shows_all()))
        return
    from rich.console import Console

    console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    with console.capture() as captured:  # Rich would end the process where nobody reads
        for table in tables():
            console.print(table)
    sys.stdout.write(captured.get())
