"""Files that get their places whole or not at all, whatever ends the process that writes them.

What is written lies first in a *room*: a hidden folder beside the places, which holds a lock for as long as
its process lives. One rename is the commit. What goes with it, as a model's data, got its place before under
a name that nothing else has, and what it took the place of goes after it: both stand in the room's note. So a
process may die at any moment, and the next one that writes into the folder takes away the room, and what is
in its note and no model names.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import signal
import stat
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import cast

if os.name == "posix":
    import fcntl

DATA = re.compile(r"(?P<model>.+)\.[0-9a-f]{16}\.data", re.DOTALL)
"""The name of a file that holds a model's weights: the model's, and the start of their hash."""
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
TEXT_SUFFIXES = frozenset(
    {".textproto", ".prototxt", ".pbtxt", ".json", ".onnxjson", ".onnxtxt", ".onnxtext"}
)
"""The names of models as text end so."""
written: list[Path] = []
"""What this process has put in its place, for what is said when it is interrupted."""

_ROOM = re.compile(r"\.graphprune-[0-9a-f]{16}")
_LOCK, _NOTE = ".graphprune-lock", ".graphprune-note"
_NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF, errno.EISDIR, errno.EPERM}
_LARGEST_MODEL = (1 << 31) - 1
_LAST_FIELD = 25
_BLOCK, _GLANCE = 1 << 20, 32
_DAY = 24 * 3600


@contextmanager
def room(folder: Path) -> Generator[Path]:
    """Yield a hidden folder in `folder` to write in, which goes in the end. Those of dead runs go before.

    Raises:
        OSError: it cannot be made.
    """
    sweep(folder)
    made, lock = _locked_room(folder)
    try:
        yield made
    finally:
        with undisturbed():
            _leave(made, lock)


def put(room: Path, path: Path, beside: Iterable[str] = (), before: Iterable[str] = ()) -> None:
    """Give the file `path.name` in `room` its place, and before it the files `beside` that it names.

    Signals are heard afterwards. The rename of `path` is the commit.

    Args:
        room: where the files lie, synchronised with the disk.
        path: the place.
        beside: files of the room whose names tell what they hold.
        before: files beside `path` that are no longer named after it; they go with the room, unless another
            model in the folder names them.

    Raises:
        Usage: a file beside is there already and holds something else.
        OSError: the disk does not take it.
    """
    with undisturbed():
        new = [name for name in beside if not _is_there(room / name, path.with_name(name))]
        noted = [*new, *before]
        if noted:
            with (room / _NOTE).open("x", encoding="utf-8") as file:
                json.dump(noted, file)
                file.flush()
                os.fsync(file.fileno())
        for name in new:
            (room / name).replace(path.with_name(name))
        if new:
            sync(path.parent)
        (room / path.name).replace(path)
        written.append(path)
        for name in set(beside) - set(new):  # another run may have taken it away meanwhile
            if not path.with_name(name).exists():
                (room / name).replace(path.with_name(name))
        sync(path.parent)


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write `data` to `path`, whole or not at all; where it is `private`, for the user alone.

    Raises:
        OSError: it cannot be written.
    """
    with room(path.parent) as made:
        # Opened by itself, not by tempfile, so that the file gets the permissions that the umask gives.
        handle = os.open(made / path.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with os.fdopen(handle, "wb", buffering=0) as file:
            pour(file.fileno(), (data,))
        put(made, path)


def pour(handle: int, blocks: Iterable[bytes | memoryview]) -> None:
    """Write `blocks` to an open file, to its end on the disk."""
    for block in blocks:
        view = memoryview(block)
        while view:
            view = view[os.write(handle, view) :]
    os.fsync(handle)


def is_one_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file that exists, by whatever links and spellings."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where its file system has a way to do so."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def sweep(folder: Path) -> None:
    """Take away what dead runs have left in `folder`."""
    with suppress(OSError), os.scandir(folder) as entries:
        rooms = [Path(entry) for entry in entries if _ROOM.fullmatch(entry.name)]
        for each in rooms:
            _sweep_one(each)


@contextmanager
def undisturbed() -> Generator[None]:
    """Hear the signals that end us only after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def keep(number: int, _: FrameType | None) -> None:
        came.append(number)

    # A handler that Python did not install is not known, and cannot be put back.
    before = {each: handler for each in SIGNALS if (handler := signal.getsignal(each)) is not None}
    for each, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(each, keep)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def _is_there(new: Path, place: Path) -> bool:
    """Whether `place` holds what `new` holds."""
    from graphprune.errors import Usage

    try:
        found = place.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISREG(found.st_mode) and found.st_size == new.stat().st_size:
        with new.open("rb") as first, place.open("rb") as second:
            while (block := first.read(_BLOCK)) == second.read(_BLOCK):
                if not block:
                    return True
    raise Usage(f"'{place}' exists already, and holds something else than its name says", "remove it")


def _locked_room(folder: Path) -> tuple[Path, int | None]:
    while True:
        made = folder / f".graphprune-{secrets.token_hex(8)}"
        made.mkdir(mode=0o700)
        lock = _lock(made, wait=True)
        if lock is None or _is_same(lock, made / _LOCK):
            return made, lock
        os.close(lock)  # it was swept before it was locked


def _lock(made: Path, *, wait: bool) -> int | None:
    """Lock a room, and return the open file that holds the lock; None where there are no locks.

    The kernel lets go of it when the process ends. A child that is started does not inherit it.

    Raises:
        BlockingIOError: another process holds it, and we are not to `wait`.
    """
    if os.name != "posix":
        return None
    lock = None
    try:
        lock = os.open(made / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if lock is not None:
            os.close(lock)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return lock


def _is_same(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _sweep_one(made: Path) -> None:
    with suppress(OSError):
        found = made.lstat()
        if not stat.S_ISDIR(found.st_mode) or (os.name == "posix" and found.st_uid != os.getuid()):
            return
        lock = _lock(made, wait=False)
        if lock is not None or found.st_mtime < time.time() - _DAY:
            _leave(made, lock)


def _leave(made: Path, lock: int | None) -> None:
    """Remove a room, and before it the files of its note that no model names."""
    try:
        for name in _noted(made):
            place = made.parent / name
            if _is_plain(place) and not _is_named(place, made):
                place.unlink()
    except OSError:
        pass  # the next run finds the room, and tries again
    else:
        shutil.rmtree(made, ignore_errors=True)
    if lock is not None:
        os.close(lock)
        with suppress(OSError):  # over a network a file that is open has a name until it is closed
            made.rmdir()


def _noted(made: Path) -> list[str]:
    try:
        found: object = json.loads((made / _NOTE).read_bytes())
    except (FileNotFoundError, ValueError):  # a note that is cut off is older than what it would name
        return []
    listed = cast("list[object]", found) if isinstance(found, list) else []
    texts = [each for each in listed if isinstance(each, str)]
    return [name for name in texts if DATA.fullmatch(name) and Path(name).name == name]


def _is_plain(place: Path) -> bool:
    try:
        return stat.S_ISREG(place.lstat().st_mode)
    except FileNotFoundError:
        return False


def _is_named(place: Path, made: Path) -> bool:
    """Whether a model in the folder of `place` or the one above names it, or another room holds the like.

    Raises:
        OSError: a file that may be one cannot be read.
    """
    name = os.fsencode(place.name)
    for folder in (place.parent, place.parent.resolve().parent):
        try:
            entries = list(os.scandir(folder))
        except PermissionError:
            continue
        for entry in entries:
            path = Path(entry)
            if _ROOM.fullmatch(entry.name):
                if path.name != made.name and (path / place.name).exists():
                    return True
            elif entry.is_file() and not DATA.fullmatch(entry.name) and names(path, name):
                return True
    return False


def names(path: Path, name: bytes) -> bool:
    """Whether the file `path` is a model, as far as a glance tells, that holds `name`; or may not be read."""
    size = path.stat().st_size
    if not len(name) < size <= _LARGEST_MODEL:
        return False
    try:
        # Not mapped: somebody may cut it off meanwhile, which would end us by a signal.
        with path.open("rb") as file:
            if path.suffix not in TEXT_SUFFIXES and not _is_message(file.read(_GLANCE), size):
                return False
            file.seek(0)
            before = b""
            while block := file.read(_BLOCK):
                if name in before + block:
                    return True
                before = block[-len(name) :]
    except PermissionError:
        return True
    return False


def _is_message(start: bytes, size: int) -> bool:
    """Whether bytes begin as a serialized model does: with a field that it has, of a length that fits."""
    from graphprune.wire import Malformed, fields

    try:
        first = next(fields(start, 0, size))
    except (Malformed, IndexError):
        return False
    return first.number <= _LAST_FIELD and first.kind in (0, 2)
