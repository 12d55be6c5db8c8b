"""Texts as files: written whole or not at all, read up to a size."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from graphprune.errors import Environment, Refused, Usage
from graphprune.files import write

LARGEST = 1 << 28
"""Bytes; a result that takes more is none."""


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path`, whole or not at all; raises `Environment` where it cannot be written."""
    try:
        write(path, text.encode())
    except OSError as error:
        raise Environment(f"{path} cannot be written: {error.strerror}", "write it elsewhere") from error


def bounded(path: Path | str, largest: int) -> bytes:
    """Return what a file or a pipe holds, one byte more than `largest` at the most.

    Raises:
        Usage: it is a device, which may have no end.
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as file:
        kind = os.fstat(file.fileno()).st_mode
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):
            raise Usage(f"'{path}' is a device", "name a file")
        return file.read(largest + 1)


def read_bytes(path: Path | str, largest: int, folder: str = "") -> bytes:
    """Return what a file holds, one byte more than `largest` at the most.

    Args:
        path: the file.
        largest: bytes; the caller refuses what is longer.
        folder: what to do where `path` is a folder; by default, to name the files in it.

    Raises:
        Usage: there is no such file, or it is a folder.
        Environment: it cannot be read.
    """
    try:
        return bounded(path, largest)
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = "no file matches it" if set(str(path)) & set("*?[") else "check the path"
        raise Usage(f"no such file: '{path}'", hint) from error
    except IsADirectoryError as error:
        raise Usage(f"'{path}' is a folder", folder or f"name the files in it: {path}/*.json") from error
    except (OSError, ValueError) as error:
        raise Environment(f"cannot read '{path}': {error}", "check its permissions") from error


def read_text(path: Path | str, hint: str) -> str:
    """Return the text in a file of at most 256 MB.

    Args:
        path: the file.
        hint: what to give in place of a file that holds no text.

    Raises:
        Usage: there is no such file, or it is a folder.
        Refused: it is too large, or no UTF-8.
        Environment: it cannot be read.
    """
    data = read_bytes(path, LARGEST)
    if len(data) > LARGEST:
        raise Refused(f"'{path}': it is larger than 256 MB", hint)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"'{path}': it is no text", hint) from error
