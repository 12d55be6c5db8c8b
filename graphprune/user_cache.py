"""The user's cache: folders for the user alone, files whole or not at all, a bound on their size."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from graphprune.errors import Environment
from graphprune.files import write

_SEAL = hashlib.sha256().digest_size


class ForeignCache(Environment):
    """The user's cache belongs to another user."""


def cache_folder(name: str) -> Path:
    """Return the path of a folder of the user's cache (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphprune" / name


def private_folder(name: str) -> Path:
    """Make a folder of the user's cache that nobody else can read or write, and return its path.

    Raises:
        ForeignCache: it belongs to somebody else.
        OSError: it cannot be made.
    """
    folder = cache_folder(name)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        found = each.stat()
        if hasattr(os, "getuid") and found.st_uid != os.getuid():
            raise ForeignCache(
                f"the cache {each} belongs to another user", "set XDG_CACHE_HOME to a folder of yours"
            )
        if found.st_mode & 0o077:
            each.chmod(0o700)
    return folder


def read_bytes(path: Path) -> bytes | None:
    """Return what is in a file; None where there is none, or it cannot be read."""
    with suppress(OSError):
        return path.read_bytes()
    return None


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all, for the user alone."""
    write(path, data, private=True)


def read_sealed(path: Path) -> bytes | None:
    """Return what `write_sealed` has written to a file; None where there is none, or it is damaged."""
    data = read_bytes(path) or b""
    seal, found = data[:_SEAL], data[_SEAL:]
    return found if seal == hashlib.sha256(found).digest() else None


def write_sealed(path: Path, data: bytes) -> None:
    """Write `data` to `path` for the user alone, with a hash by which damage is seen."""
    write_bytes(path, hashlib.sha256(data).digest() + data)


def trim(newest: Path, marker: str, most: int) -> None:
    """Bound a folder of entries, each a folder with a file `marker` that is touched when it is used.

    Those that were not used for longest go until the rest takes `most` bytes; `newest` stays.
    """
    sizes: dict[Path, int] = {}
    used: dict[Path, float] = {}
    for entry in newest.parent.iterdir():
        with suppress(OSError):  # another process may remove it at the same time
            if (entry / marker).is_file():
                sizes[entry] = sum(file.stat().st_size for file in entry.iterdir())
                used[entry] = (entry / marker).stat().st_mtime
    for entry in sorted(sizes, key=used.__getitem__):
        if sum(sizes.values()) <= most:
            return
        if entry != newest:
            shutil.rmtree(entry, ignore_errors=True)
            del sizes[entry]
