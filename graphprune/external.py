"""External data: files beside a model that hold its weights, and what they must not be.

A model names these files itself, so a name is never trusted: it may not leave the model's folder by `..`,
by an absolute path, by a symbolic link or by a hard link. One layout of links is let through, that of the
Hugging Face cache, where `snapshots/<revision>/model.onnx` and its weights are links into the same `blobs/`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto

from graphprune import elements
from graphprune.errors import Refused
from graphprune.order import graphs

_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_BLOCK = 4 << 20


@dataclass(frozen=True)
class File:
    """A file that weights are read from, as it was when it was checked."""

    path: Path
    size: int
    mark: tuple[int, int, int]

    def open(self) -> FileIO:
        """Open the file for reading.

        Raises:
            Refused: it is gone, or is no longer the file that was checked.
        """
        try:
            stream = self.path.open("rb", buffering=0)
        except OSError as error:
            raise Refused(f"cannot read '{self.path}': {error.strerror}", "load the model again") from error
        found = os.fstat(stream.fileno())
        if (found.st_size, mark(found)) != (self.size, self.mark):
            stream.close()
            raise Refused(f"'{self.path}' has changed since the model was loaded", "load the model again")
        return stream


def mark(found: os.stat_result) -> tuple[int, int, int]:
    """Return what tells one file, at one time, from another."""
    return (found.st_dev, found.st_ino, found.st_mtime_ns)


@dataclass(frozen=True)
class Stretch:
    """`length` bytes of a file, from `offset` on."""

    file: File
    offset: int
    length: int

    def view(self) -> NDArray[np.uint8]:
        """Return the bytes mapped into memory, read-only; pages come in as they are touched."""
        if not self.length:
            return np.empty(0, np.uint8)
        with self.file.open() as stream:
            mapped = np.memmap(stream, np.uint8, "r", self.offset, (self.length,))
        return mapped.view(np.ndarray)

    def read(self) -> NDArray[np.uint8]:
        """Return a copy of the bytes."""
        out = np.empty(self.length, np.uint8)
        filled = 0
        for block in self.blocks():
            out[filled : filled + len(block)] = np.frombuffer(block, np.uint8)
            filled += len(block)
        return out

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of a few MB."""
        left = self.length
        with self.file.open() as stream:
            stream.seek(self.offset)
            while left:
                block = stream.read(min(left, _BLOCK))
                if not block:
                    raise Refused(f"'{self.file.path}' ended early", "load the model again")
                left -= len(block)
                yield block


@dataclass(frozen=True)
class Folder:
    """Where a model's external data may lie.

    `base` is the folder that the model names files in; `beside`, where the model itself is reached through
    a link, is the folder that the link leads to.
    """

    base: Path
    beside: Path | None = None
    seen: dict[str, File] = field(default_factory=dict[str, File], compare=False, repr=False)

    @staticmethod
    def of(model: Path) -> Folder:
        """Return the folder of the model file `model`."""
        target = model.resolve()
        return Folder(model.parent, target.parent if model.is_symlink() else None)


def tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the tensors of `graph` and of the bodies in it: initializers, and those in attributes."""
    for each in graphs(graph):
        yield from each.initializer
        for attribute in (attribute for node in each.node for attribute in node.attribute):
            yield attribute.t
            yield from attribute.tensors


def locations(graph: GraphProto) -> set[str]:
    """Return the files that tensors of `graph` and of the bodies in it are said to lie in."""
    entries = (entry for tensor in tensors(graph) for entry in tensor.external_data)
    return {entry.value for entry in entries if entry.key == "location"}


def locate(tensor: TensorProto, folder: Folder | None) -> Stretch:
    """Return where the data of `tensor` (with sane dims and type) lies.

    Raises:
        Refused: the file is missing, outside the folder or not a plain file, or the stretch is not in it.
    """
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    where = f"tensor '{tensor.name}': external data '{location}'"
    if folder is None:
        raise Refused(f"{where}: no folder is known", "pass the folder of the model as base")
    file = folder.seen.get(location)
    if file is None:
        file = folder.seen[location] = _contained(location, folder, where)
    if tensor.data_type == TensorProto.STRING:
        raise Refused(f"{where}: strings cannot lie in external data", "export the model again")
    need = elements.stored_bytes(tensor.data_type, elements.count(tensor.dims))
    offset = _number(entries, "offset", 0, where)
    length = _number(entries, "length", need, where)
    if length != need:
        kind = elements.NAMES[tensor.data_type]
        raise Refused(
            f"{where}: length {length}, but {kind} {list(tensor.dims)} takes {need} bytes",
            "the weights do not belong to this model; export it again",
        )
    if offset + length > file.size:
        raise Refused(
            f"{where}: bytes {offset} to {offset + length} of a file of {file.size}",
            "the file is truncated or does not belong to this model; fetch it again",
        )
    return Stretch(file, offset, length)


def _number(entries: dict[str, str], key: str, default: int, where: str) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise Refused(f"{where}: {key} '{text[:40]}' is not a non-negative integer", "export the model again")
    return int(text)


def _contained(location: str, folder: Folder, where: str) -> File:
    inside = "keep the weights in the model's own folder and name them relative to it"
    posix, windows = PurePosixPath(location), PureWindowsPath(location)
    if not location or "\0" in location:
        raise Refused(f"{where}: no file is named", inside)
    if posix.is_absolute() or windows.drive or windows.root:
        raise Refused(f"{where}: an absolute path", inside)
    if ".." in posix.parts or ".." in windows.parts:
        raise Refused(f"{where}: leads out of the model's folder", inside)
    try:
        target = (folder.base / location).resolve(strict=True)
        root = folder.base.resolve(strict=True)
        found = target.stat()
    except FileNotFoundError as error:
        raise Refused(f"{where}: no such file", f"put it into '{folder.base}'") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise Refused(f"{where}: cannot be read ({error})", inside) from error
    if not target.is_relative_to(root) and target.parent != folder.beside:
        raise Refused(f"{where}: a link that leads out of the model's folder", inside)
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{where}: not a plain file", inside)
    if found.st_nlink > 1 and _names_beside(target, found) < found.st_nlink:
        raise Refused(f"{where}: a hard link to a file outside the model's folder", "replace it by a copy")
    return File(target, found.st_size, mark(found))


def _names_beside(target: Path, found: os.stat_result) -> int:
    """Return how many names in its own folder the file `target` has."""
    with os.scandir(target.parent) as entries:
        return sum(_inode(entry) == (found.st_dev, found.st_ino) for entry in entries)


def _inode(entry: os.DirEntry[Any]) -> tuple[int, int]:
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return (-1, -1)
    return (found.st_dev, found.st_ino)
