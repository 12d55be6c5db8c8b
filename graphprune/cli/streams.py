"""Standard output and error as they may be found: closed, unread, full, or unable to show every character."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

from graphprune.cli.failures import Interrupted, Unread

SPELLED = {
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "±": "+-",
    "×": "x",
    "µ": "u",
    "–": "-",
    "─": "-",
    "−": "-",
    "…": "...",
    "·": "-",
    "█": "#",
    "▓": "+",
    "▒": "=",
    "░": ".",
    **{raised: f"({number})" for number, raised in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}
"""What stands for our own signs where a terminal has none of them."""


def shown(text: str) -> str:
    """`text` as stdout can show it: what its encoding lacks is spelled out, or written as an escape.

    Tables are laid out after this, so that their columns stand below each other.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if _encodes(text, encoding):
        return text
    return "".join(
        char if _encodes(char, encoding) else SPELLED.get(char) or char.encode("unicode_escape").decode()
        for char in text
    )


def shows_all() -> bool:
    """Whether stdout can show every character."""
    return _encodes("日≤", getattr(sys.stdout, "encoding", None) or "utf-8")


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


@contextmanager
def usable_streams() -> Generator[None]:
    """Make stdout and stderr such that writing to them neither fails nor harms.

    A process may be started with them closed. Then Python has none, and, worse, the next file that is opened
    gets their number, and with it what native code prints. Both are therefore opened on nothing.
    At the end they are flushed; what nobody takes goes nowhere, or Python would complain once more at exit.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
            os.set_inheritable(number, True)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115  it stays
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                with suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextmanager
def before_click() -> Generator[None]:
    """Turn into errors of our own what click would end the process for, in its own way.

    It exits with 1, which means no, where a pipe is broken, and prints an empty line for an interrupt.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted from error
    except BrokenPipeError as error:
        raise Unread from error
