"""Engines in the user's cache: each with its hash and a note of what it is, checked whenever one is used."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import msgspec

from graphprune import files
from graphprune.engines.sparsity import Sparsity
from graphprune.user_cache import private_folder, trim

MOST = 8 << 30
"""Bytes that the cache may hold; the engines that were not used for longest go first."""
PLAN, NOTE = "engine.plan", "entry.json"
_NAME = "engines"
_LOG = logging.getLogger("graphprune.engines")


class Entry(msgspec.Struct, frozen=True):
    """What an engine is.

    Attributes:
        sha256: the hash of the engine.
        bytes: its size.
        model: the hash of the model that it was built from (`graphprune.model_hash`).
        library: `TensorRT` or `TensorRT-RTX`.
        version: of that library; no other loads the engine.
        target: what it was built for: a GPU, or as `SM86` a compute capability.
        options: what was asked for, by the names of `BuildOptions`.
        seconds: what the build took.
        sparsity: what TensorRT said of sparse weights; None where it said nothing.
    """

    sha256: str
    bytes: int
    model: str
    library: str
    version: str
    target: str
    options: dict[str, object]
    seconds: float
    sparsity: Sparsity | None = None


@contextmanager
def room() -> Generator[Path]:
    """Yield a folder to build in, inside the cache, that is gone afterwards.

    Where the user's cache cannot be written to, it lies among the temporary files.
    """
    with ExitStack() as stack:
        try:
            place = stack.enter_context(files.room(private_folder(_NAME)))
        except OSError as error:
            _LOG.warning("engines are not kept: %s", error)
            place = stack.enter_context(files.room(Path(tempfile.gettempdir())))
        yield place


def find(key: str) -> tuple[Entry, bytes] | None:
    """Return the engine of a key; None where there is none. One that is damaged is thrown away."""
    place: Path | None = None
    try:
        place = private_folder(_NAME) / key
        if not place.is_dir():
            return None
        entry = msgspec.json.decode((place / NOTE).read_bytes(), type=Entry)
        plan = (place / PLAN).read_bytes()
    except (OSError, msgspec.DecodeError) as error:
        _discard(place, str(error))
        return None
    if len(plan) != entry.bytes or hashlib.sha256(plan).hexdigest() != entry.sha256:
        _discard(place, "it is not what was written")
        return None
    with suppress(OSError):  # a cache that may be read only
        (place / NOTE).touch()
    return entry, plan


def keep(key: str, entry: Entry, plan: Path) -> None:
    """Move a plan that was built in `room()` into the cache, in place of what is there."""
    try:
        folder = private_folder(_NAME)
        if plan.parent.parent != folder:
            return
        ready = plan.parent / "ready"
        ready.mkdir(mode=0o700)
        plan.replace(ready / PLAN)
        (ready / NOTE).write_bytes(msgspec.json.encode(entry))
        place = folder / key
        if place.exists():
            shutil.rmtree(place, ignore_errors=True)
        try:
            ready.rename(place)
        except OSError:  # another process was faster
            shutil.rmtree(ready)
        trim(place, NOTE, MOST)
    except OSError as error:
        _LOG.warning("the engine is not kept: %s", error)


def is_ours(sha256: str) -> bool:
    """Whether an engine with this hash lies in the cache."""
    with suppress(OSError):
        for note in private_folder(_NAME).glob(f"*/{NOTE}"):
            with suppress(OSError, msgspec.DecodeError):
                if msgspec.json.decode(note.read_bytes(), type=Entry).sha256 == sha256:
                    return True
    return False


def _discard(place: Path | None, why: str) -> None:
    if place is not None:
        _LOG.warning("an engine in the cache is damaged and is built again: %s", why)
        shutil.rmtree(place, ignore_errors=True)
