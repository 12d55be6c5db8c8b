"""Writing a model: some rows at a time, read again, and under its name only when it is what it should be."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx_graphsurgeon as gs
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, TensorProto

from graphprune.errors import Environment, Usage
from graphprune.exports import export_model
from graphprune.external import tensors
from graphprune.files import DATA, TEXT_SUFFIXES, names, put, room
from graphprune.files import pour as write_through
from graphprune.parcels import External, Inline, total_bytes
from graphprune.wire import pour

INLINE_LIMIT = 1_900_000_000  # bytes; a protobuf message ends at 2 GiB
_PARSE_LIMIT = 256 << 20
_DIGITS = 16
"""Of the hash in the name of a data file, in hexadecimal."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


Check = Callable[[Path], None]
"""Looks at a model that was written, before it gets its place; raises where it is not as it should be."""


def write(
    graph: gs.Graph, source: ModelProto, path: Path, *, force: bool, checks: Sequence[Check] = ()
) -> None:
    """Write `graph`, with what `source` has beside it, to `path`.

    The weights go into the model, or to `path` + `.<their hash>.data` where the source keeps them in external
    data or where they are more than a protobuf message holds. Until all is written and checked, the files lie
    under their own names in a hidden folder beside. The data gets its place first, which no other data has;
    the rename of the model is the one commit; the data of the model that was there goes after it, where it is
    of our making and no other model names it (`graphprune.files`).

    Raises:
        Usage: the folder does not exist, or a file does and `force` is not set.
        Environment: the disk is full, or may not be written to.
    """
    outside = uses_external_data(source) or total_bytes(graph) > INLINE_LIMIT
    _check_target(path, force)
    with _explained(path), room(path.parent) as made:
        packer = External(_data_name(path, "0" * _DIGITS)) if outside else Inline()
        model = export_model(graph, source, packer.pack)
        size, blocks = pour(model, packer.parcels(model.graph.initializer))
        need, free = size + packer.end, shutil.disk_usage(path.parent).free
        if need > free:
            raise Environment(f"disk full: '{path}' takes {need} bytes, {free} are free", "make room")
        beside: list[str] = []
        if isinstance(packer, External):
            beside = [_write_data(made, path, packer)]
            _relocate(model.graph, beside[0])
            size, blocks = pour(model, packer.parcels(model.graph.initializer))
        _write_one(made / path.name, size, blocks)
        _check_model(made / path.name, size)
        for check in checks:
            check(made / path.name)
        _check_target(path, force)
        put(made, path, beside, _replaced(path))


def uses_external_data(source: ModelProto) -> bool:
    """Whether an initializer of `source` lies in external data."""
    return any(tensor.data_location == TensorProto.EXTERNAL for tensor in source.graph.initializer)


def _data_name(path: Path, digest: str) -> str:
    # A model names its data in UTF-8; a file name need not be in it.
    return f"{path.name.encode('utf-8', 'replace').decode()}.{digest}.data"


def _write_data(made: Path, path: Path, packer: External) -> str:
    """Write the data into the room under its name, and return that."""
    digest = hashlib.blake2b(digest_size=_DIGITS // 2)

    def noted() -> Iterator[bytes | memoryview]:
        for block in packer.blocks():
            digest.update(block)
            yield block

    _write_one(made / "data", packer.end, noted())
    name = _data_name(path, digest.hexdigest())
    (made / "data").rename(made / name)
    return name


def _relocate(graph: GraphProto, name: str) -> None:
    """Have all external data of `graph` and the bodies in it lie in the file `name`."""
    for entry in (entry for tensor in tensors(graph) for entry in tensor.external_data):
        if entry.key == "location":
            entry.value = name


def _replaced(path: Path) -> list[str]:
    """The names of data of our making that the model at `path` names, which is to be replaced."""
    stem = _data_name(path, "").removesuffix("..data")
    if not path.is_file():
        return []
    found = [
        entry.name
        for entry in path.parent.iterdir()
        if (name := DATA.fullmatch(entry.name)) and name["model"] == stem
    ]
    return [name for name in found if names(path, os.fsencode(name))]


def _check_target(path: Path, force: bool) -> None:
    if path.suffix in TEXT_SUFFIXES:
        raise Usage(f"'{path}': models are written in binary form only", "name it .onnx")
    if not path.parent.is_dir():
        raise Usage(f"'{path.parent}' is no folder", "create it first")
    if path.is_dir():
        raise Usage(f"'{path}' is a folder", "name a file")
    if not force and (path.exists() or path.is_symlink()):
        raise Usage(f"'{path}' exists already", "choose another name, or pass --force")


def _write_one(path: Path, size: int, blocks: Iterable[bytes | memoryview]) -> None:
    # Opened by itself, not by tempfile, so that the file gets the permissions that the umask gives.
    with path.open("xb", buffering=0) as stream:
        write_through(stream.fileno(), blocks)
    found = path.stat().st_size
    if found != size:
        raise Environment(f"'{path.name}': {found} bytes were written of {size}", "try again")


def _check_model(path: Path, size: int) -> None:
    """Read back what was written; not a large model with its weights inside, to spare the memory."""
    if size > _PARSE_LIMIT:
        return
    try:
        ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise Environment(f"'{path}': what was written cannot be read back", "check the disk") from error


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            raise Environment(f"disk full while writing '{path}' ({reason})", "make room") from error
        raise Environment(f"cannot write '{path}': {reason}", "check folder and permissions") from error
