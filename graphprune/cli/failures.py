"""How an error ends: two lines on stderr and an exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from contextlib import suppress

import click

from graphprune.errors import GraphpruneError
from graphprune.files import written
from graphprune.printable import printable

__all__ = [
    "BROKEN_PIPE",
    "BUG",
    "INTERRUPTED",
    "REPORT",
    "Interrupted",
    "Unread",
    "explain",
    "printable",
    "report",
]

BUG = 70
INTERRUPTED = 130
BROKEN_PIPE = 141
REPORT = "run it again with --debug and report the traceback"


class Unread(GraphpruneError):
    """Whoever read stdout has gone away, as `head` does; the shell's name for it is a broken pipe."""

    code = BROKEN_PIPE

    def __init__(self) -> None:
        super().__init__("whoever read the output has gone away")


class Interrupted(GraphpruneError):
    """The user has pressed the keys that interrupt."""

    code = INTERRUPTED

    def __init__(self) -> None:
        there = ", ".join(str(path) for path in written)
        super().__init__("interrupted", f"written before that: {there}" if there else "nothing was written")


def report(error: BaseException, debug: bool) -> int:
    """Print what `error` means to the user and return the exit code; the traceback only when `debug`."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else BUG
    what, hint, code = explain(error)
    if code == BROKEN_PIPE:
        return code
    with suppress(OSError):  # nobody may read stderr either
        if debug:
            traceback.print_exception(error)
        for line in (f"error: {what}", f"hint: {hint}" if hint else ""):
            if line:
                print(printable(line), file=sys.stderr)
    return code


def explain(error: BaseException) -> tuple[str, str, int]:
    """What happened, what to do about it, and the exit code."""
    if isinstance(error, GraphpruneError):
        return error.what, error.hint, error.code
    if isinstance(error, click.ClickException):
        return _explain_click(error)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return explain(Interrupted())
    if isinstance(error, MemoryError):
        return "out of memory", "free memory, or use a machine with more", 4
    if isinstance(error, BrokenPipeError):
        return explain(Unread())
    if isinstance(error, OSError):
        return _explain_system(error)
    return f"{type(error).__name__}: {error} (a bug)", REPORT, BUG


def _explain_click(error: click.ClickException) -> tuple[str, str, int]:
    what = error.format_message().rstrip(".")
    hint = "graphprune --help shows the verbs"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = f"{error.ctx.command_path} --help shows the options"
    if isinstance(error, click.NoSuchOption):
        what = f"there is no option {error.option_name}"
        hint = f"did you mean {error.possibilities[0]}?" if error.possibilities else hint
    return what[:1].lower() + what[1:], hint, 2


def _explain_system(error: OSError) -> tuple[str, str, int]:
    where = f" at {error.filename}" if error.filename else ""
    hints = {
        errno.ENOSPC: "free space on the disk, or write elsewhere",
        errno.EDQUOT: "free space on the disk, or write elsewhere",
        errno.EACCES: "change the permissions, or write elsewhere",
        errno.EROFS: "write elsewhere",
    }
    return (
        f"{error.strerror or error}{where}",
        hints.get(error.errno or 0, "see that the path can be used"),
        4,
    )
