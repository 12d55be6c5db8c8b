"""Engine files that users name. An engine is native code: one that was not built here needs their word."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from graphprune.engines.store import Entry, is_ours
from graphprune.errors import Environment, Refused, Usage
from graphprune.user_cache import write_bytes


def note_of(path: Path) -> Path:
    """Return where the note of an engine file lies: beside it."""
    return path.with_name(path.name + ".json")


def write_engine(path: Path, entry: Entry, plan: bytes) -> None:
    """Write an engine, and beside it a note of what it is, each whole or not at all.

    Raises:
        Environment: they cannot be written.
    """
    try:
        write_bytes(note_of(path), msgspec.json.format(msgspec.json.encode(entry)) + b"\n")
        write_bytes(path, plan)
    except OSError as error:
        raise Environment(f"{path} cannot be written: {error.strerror}", "write it elsewhere") from error


def read_engine(path: Path, library: str, version: str, *, trusted: bool) -> bytes:
    """Return the bytes of an engine file for version `version` of `library`.

    Raises:
        Usage: there is no such file, or it was not built here and is not trusted.
        Environment: it was built by another version, as the note beside it says.
        Refused: it is not what the note beside it says.
    """
    try:
        plan = path.read_bytes()
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}", "name an engine file") from error
    found = hashlib.sha256(plan).hexdigest()
    if not trusted and not is_ours(found):
        raise Usage(
            f"{path} was not built by graphprune here, and an engine is native code",
            "give --trust-engine where you know who built it",
        )
    entry = _note(path)
    if entry is not None and entry.sha256 != found:
        raise Refused(
            f"{path} is damaged: it is not the engine that {note_of(path).name} tells of", "build it again"
        )
    if entry is not None and (entry.library, entry.version) != (library, version):
        raise Environment(
            f"{path} was built by {entry.library} {entry.version}, and this is {library} {version}",
            "build it again, or install that version",
        )
    return plan


def _note(path: Path) -> Entry | None:
    try:
        return msgspec.json.decode(note_of(path).read_bytes(), type=Entry)
    except (OSError, msgspec.DecodeError):
        return None
