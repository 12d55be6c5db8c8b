"""The config file that belongs to a folder."""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path

from graphprune.config.document import LARGEST, PYPROJECT

NAME = "graphprune.toml"
_OURS = re.compile(rb"^\s*\[+\s*[\"']?tool[\"']?\s*\.\s*[\"']?graphprune\b", re.MULTILINE)


def find(folder: Path) -> Path | None:
    """Return the config of `folder`: its own, or that of the nearest folder around it that has one.

    That is a `graphprune.toml`, or a `pyproject.toml` with a table `[tool.graphprune]`. The search ends at
    the first folder with a `.git`. In a folder that all may write to and whose files are guarded, as `/tmp`,
    a file counts only where it is the user's own or the folder's owner's: a config may name code.
    """
    folder = folder.absolute()
    for place in (folder, *folder.parents):
        for path, is_one in ((place / NAME, True), (place / PYPROJECT, False)):
            if path.is_file() and _trusted(path) and (is_one or _has_table(path)):
                return path
        if (place / ".git").exists():
            return None
    return None


def _trusted(path: Path) -> bool:
    folder, file = path.parent.stat(), path.stat()
    if not (folder.st_mode & stat.S_IWOTH and folder.st_mode & stat.S_ISVTX):
        return True
    return file.st_uid in (os.getuid(), folder.st_uid)


def _has_table(path: Path) -> bool:
    """Whether a `pyproject.toml` has our table; of one that is broken, whether it seems to have."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST)
    except OSError:
        return False
    if b"graphprune" not in data:
        return False
    try:
        tool = tomllib.loads(data.decode()).get("tool")
    except (ValueError, RecursionError):
        return _OURS.search(data) is not None
    return isinstance(tool, dict) and "graphprune" in tool
