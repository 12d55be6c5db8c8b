"""The command line: `graphprune VERB MODEL [-o OUT]`.

stdout carries the result, stderr the progress and the log. Nothing heavy is imported before a verb needs it.
"""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from graphprune.cli import failures
from graphprune.cli.streams import before_click, usable_streams
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

VERBS = {
    "inspect": "Show what a model consists of, its groups, and why an axis is not prunable.",
    "prune": "Choose units, remove them, verify the result and write it.",
    "sparsify": "Set weights to zero in a pattern that hardware knows, as 2:4.",
    "sensitivity": "Measure how much each group and each layer may lose.",
    "verify": "Compare two models: interface, outputs, and with a plan the exactness of the surgery.",
    "build": "Build an engine: for the GPU at hand, or for others.",
    "profile": "Measure the latency of models, each beside the first.",
    "run": "Run any pipeline of passes.",
    "gate": "Judge a model beside the original by budgets, with an exit code.",
    "report": "Show what runs have found as one offline page, and as a summary in Markdown.",
    "init": "Write a commented config to start from, and the job that runs the gate.",
    "compare": "Set saved profiles of several devices and models side by side.",
    "schema": "Print the JSON Schema of the config file, of a run's record, of a gate's result.",
    "doctor": "Show the environment, and whether it can do what graphprune needs.",
}
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end the process in good order, with 128 and their number, as a shell has it."""


class Verbs(click.Group):
    """A group whose verbs are imported when they are called, one file a verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in VERBS:
            raise Usage(f"there is no verb {cmd_name}", did_you_mean(cmd_name, VERBS))
        command = importlib.import_module(f"graphprune.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with before_click():  # --help prints here
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with before_click():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from graphprune import __version__

        click.echo(f"graphprune {__version__}")
        ctx.exit()


@click.command(
    cls=Verbs,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    subcommand_metavar="VERB ...",
    epilog="graphprune VERB --help shows the options of a verb.",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version.",
)
def verbs() -> None:
    """Make an ONNX model smaller by removing channels, neurons, heads and width, and prove it exact."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code of the process (see docs/interface.md)."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    before = {each: signal.getsignal(each) for each in ENDING}
    for each, handler in before.items():
        if handler == signal.SIG_DFL:  # what is ignored, as SIGHUP under nohup, stays so
            signal.signal(each, _terminate)
    with usable_streams():
        try:
            code = verbs.main(words, prog_name="graphprune", standalone_mode=False)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001  the one place where everything ends in an exit code
            return failures.report(error, debug="--debug" in words)
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)
    return code if isinstance(code, int) else 0


def _terminate(number: int, _: FrameType | None) -> None:
    """Leave by way of `finally` blocks, so that unfinished files are removed."""
    raise SystemExit(128 + number)
