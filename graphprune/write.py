"""Writing a model: some rows at a time, read again, and under its name only when it is what it should be."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import onnx_graphsurgeon as gs
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto

from graphprune.errors import Environment, Usage
from graphprune.exports import export_model
from graphprune.parcels import External, Inline, total_bytes
from graphprune.wire import pour

INLINE_LIMIT = 1_900_000_000  # bytes; a protobuf message ends at 2 GiB
TEXT_SUFFIXES = frozenset(
    {".textproto", ".prototxt", ".pbtxt", ".json", ".onnxjson", ".onnxtxt", ".onnxtext"}
)
_PARSE_LIMIT = 256 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class _Output:
    """A file to be written: `size` bytes that come out of `blocks`."""

    path: Path
    size: int
    blocks: Iterable[bytes | memoryview]


Check = Callable[[Path], None]
"""Looks at a model that was written, before it gets its place; raises where it is not as it should be."""


def write(
    graph: gs.Graph, source: ModelProto, path: Path, *, force: bool, checks: Sequence[Check] = ()
) -> None:
    """Write `graph`, with what `source` has beside it, to `path`.

    The weights go into the model, or to `path` + `.data` where the source keeps them in external data or
    where they are more than a protobuf message holds. Until all is written and checked, the files lie under
    their own names in a hidden folder beside.

    Raises:
        Usage: the folder does not exist, or a file does and `force` is not set.
        Environment: the disk is full, or may not be written to.
    """
    data = path.with_name(path.name + ".data")
    outside = uses_external_data(source) or total_bytes(graph) > INLINE_LIMIT
    with _explained(path):
        _check_target(path, force)
        if outside:
            _check_target(data, force)
        outputs = _external(graph, source, path, data) if outside else _inline(graph, source, path)
        need, free = sum(output.size for output in outputs), shutil.disk_usage(path.parent).free
        if need > free:
            raise Environment(f"disk full: '{path}' takes {need} bytes, {free} are free", "make room")
        _write(outputs, force, checks)


def uses_external_data(source: ModelProto) -> bool:
    """Whether an initializer of `source` lies in external data."""
    return any(tensor.data_location == TensorProto.EXTERNAL for tensor in source.graph.initializer)


def _inline(graph: gs.Graph, source: ModelProto, path: Path) -> list[_Output]:
    packer = Inline()
    model = export_model(graph, source, packer.pack)
    size, blocks = pour(model, packer.parcels(model.graph.initializer))
    return [_Output(path, size, blocks)]


def _external(graph: gs.Graph, source: ModelProto, path: Path, data: Path) -> list[_Output]:
    packer = External(data.name)
    model = export_model(graph, source, packer.pack)
    size, blocks = pour(model, packer.parcels(model.graph.initializer))
    return [_Output(data, packer.end, packer.blocks()), _Output(path, size, blocks)]


def _check_target(path: Path, force: bool) -> None:
    if path.suffix in TEXT_SUFFIXES:
        raise Usage(f"'{path}': models are written in binary form only", "name it .onnx")
    if not path.parent.is_dir():
        raise Usage(f"'{path.parent}' is no folder", "create it first")
    if path.is_dir():
        raise Usage(f"'{path}' is a folder", "name a file")
    if not force and (path.exists() or path.is_symlink()):
        raise Usage(f"'{path}' exists already", "choose another name, or pass --force")


def _write(outputs: list[_Output], force: bool, checks: Sequence[Check]) -> None:
    model = outputs[-1].path
    room = model.with_name(f".{model.name[:100]}.{secrets.token_hex(6)}.tmp")
    room.mkdir()
    try:
        for output in outputs:
            _write_one(room / output.path.name, output)
        _check_model(room / model.name, outputs[-1].size)
        for check in checks:
            check(room / model.name)
        for output in outputs:
            _check_target(output.path, force)
        for output in outputs:
            (room / output.path.name).replace(output.path)
        _sync_folder(model.parent)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _write_one(path: Path, output: _Output) -> None:
    # Opened by itself, not by tempfile, so that the file gets the permissions that the umask gives.
    with path.open("xb", buffering=0) as stream:
        for block in output.blocks:
            view = memoryview(block)
            while view:
                view = view[stream.write(view) or 0 :]
        stream.flush()
        os.fsync(stream.fileno())
    size = path.stat().st_size
    if size != output.size:
        raise Environment(f"'{output.path}': {size} bytes were written of {output.size}", "try again")


def _check_model(path: Path, size: int) -> None:
    """Read back what was written; not a large model with its weights inside, to spare the memory."""
    if size > _PARSE_LIMIT:
        return
    try:
        ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise Environment(f"'{path}': what was written cannot be read back", "check the disk") from error


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system lets a folder be synchronised
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise Environment(f"disk full while writing '{path}' ({reason})", "make room") from error
        raise Environment(f"cannot write '{path}': {reason}", "check folder and permissions") from error
