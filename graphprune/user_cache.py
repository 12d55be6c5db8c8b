"""The user's cache: folders for the user alone, files whole or not at all, a bound on their size."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from graphprune.errors import Environment

_DAY = 24 * 3600


def cache_folder(name: str) -> Path:
    """Return the path of a folder of the user's cache (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphprune" / name


def private_folder(name: str) -> Path:
    """Make a folder of the user's cache that nobody else can read or write, and return its path.

    Raises:
        Environment: it belongs to somebody else.
        OSError: it cannot be made.
    """
    folder = cache_folder(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise Environment(
            f"the cache {folder} belongs to another user", "set XDG_CACHE_HOME to a folder of yours"
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder


def read_bytes(path: Path) -> bytes | None:
    """Return what is in a file; None where there is none, or it cannot be read."""
    with suppress(OSError):
        return path.read_bytes()
    return None


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all, for the user alone."""
    handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def trim(newest: Path, marker: str, most: int) -> None:
    """Bound a folder of entries, each a folder with a file `marker` that is touched when it is used.

    Those that were not used for longest go until the rest takes `most` bytes; `newest` stays. What a process
    that was killed has left half done goes after a day.
    """
    sizes: dict[Path, int] = {}
    used: dict[Path, float] = {}
    for entry in newest.parent.iterdir():
        with suppress(OSError):  # another process may remove it at the same time
            if (entry / marker).is_file():
                sizes[entry] = sum(file.stat().st_size for file in entry.iterdir())
                used[entry] = (entry / marker).stat().st_mtime
            elif entry.name.startswith(".") and entry.stat().st_mtime < time.time() - _DAY:
                shutil.rmtree(entry, ignore_errors=True)
    for entry in sorted(sizes, key=used.__getitem__):
        if sum(sizes.values()) <= most:
            return
        if entry != newest:
            shutil.rmtree(entry, ignore_errors=True)
            del sizes[entry]
