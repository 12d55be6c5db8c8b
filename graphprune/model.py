"""A model: an ONNX file as a graph that can be cut, and back.

The IR is onnx-graphsurgeon's graph; what it does not carry stays in the source proto and is put back when the
model is written. Weights stay on disk until they are written.
"""

from __future__ import annotations

import mmap
import stat
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_graphsurgeon as gs
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto
from onnx_graphsurgeon.logger import G_LOGGER

from graphprune import parcels
from graphprune.errors import Environment, GraphpruneError, Refused, Usage
from graphprune.exports import export_model
from graphprune.external import File, Folder, Stretch, locations, mark
from graphprune.files import TEXT_SUFFIXES, is_one_file
from graphprune.functions import inline
from graphprune.imports import Source, import_model
from graphprune.intake import (
    WEIGHTS_ALONE,
    check_bodies,
    check_kernels,
    check_operators,
    check_sizes,
    check_text,
    check_versions,
    raised,
)
from graphprune.order import is_ordered, sort
from graphprune.wire import Malformed, skim
from graphprune.write import write

# graphsurgeon writes warnings to stderr; what matters of them is an error of ours.
G_LOGGER.severity = G_LOGGER.CRITICAL

_MOST_BYTES = (1 << 31) - 1


@dataclass(frozen=True, eq=False)
class Model:
    """A graph, and the model that it came from.

    graph: the graph, its nodes in topological order. Every constant holds a `graphprune.weights.Weight` (or
        a `SparseWeight`, or an array that a pass has made), also those in the bodies of control-flow
        nodes and in the attributes of `Constant` nodes.
    source: the proto that it was read from, local functions inlined; without the larger weights.
    base: the folder of its external data.
    path: the file.
    notes: sentences on what was made of the file before anything was asked of it, for who looks at it.
    """

    graph: gs.Graph
    source: ModelProto
    base: Path | None = None
    path: Path | None = None
    notes: tuple[str, ...] = ()


def load(source: ModelProto | Path | str) -> Model:
    """Read a model from a file, or take one that `onnx.load` has read.

    Weights stay in the file, and in its external data, until they are used; those of a proto stay in it, so
    leave it as it is.

    Raises:
        Usage: there is no such file.
        Refused: it is no valid ONNX model, or of a version that the installed onnx does not know, or its
            external data is missing, too short, or outside its folder, or ONNX Runtime, which has all its
            operators, does not accept it.
    """
    model = from_proto(source) if isinstance(source, ModelProto) else read(source)
    _check_accepted(model)
    return model


def _check_accepted(model: Model) -> None:
    """Open `model` in ONNX Runtime, with every optimisation off; weights are mapped from their files.

    It infers types and shapes, and makes each kernel, so that most of what is wrong with a model shows: what
    it refuses, no step of ours needs to understand. A model with operators that it does not have, or that it
    lacks a kernel for, is not judged.

    Raises:
        Refused: it does not accept the model, or crashes on it, or comes to no end.
        Environment: memory ran out.
    """
    from graphprune.kernels import lacking
    from graphprune.runtime.process import Endless
    from graphprune.runtime.sessions import NoKernel, session

    try:
        with session(model):
            return
    except NoKernel:
        return
    except (Refused, Endless):
        if not lacking(model.graph):
            raise


def read(path: Path | str) -> Model:
    """Read a model as `load` does, without asking ONNX Runtime.

    Raises:
        Usage, Refused: as for `load`.
    """
    path = Path(path)
    proto, places = _parse(path)
    return _model(proto, Folder.of(path), path, places)


def data_files(path: Path) -> tuple[Path, ...]:
    """Return the files of external data that the model in a file names; none where it is no model."""
    try:
        proto, _ = _parse(path)
    except GraphpruneError:
        return ()
    return tuple(path.parent / name for name in sorted(locations(proto.graph)))


def from_proto(proto: ModelProto, base: Path | None = None) -> Model:
    """Return `proto` as a model. The weights are read from `proto` when they are used, so leave it as it is.

    `base` is the folder of its external data.

    Raises:
        Refused: as for `load`.
    """
    return _model(proto, Folder(base) if base is not None else None, None, {})


def to_proto(model: Model) -> ModelProto:
    """Return the model with all weights in memory; it must be smaller than 2 GB."""
    return export_model(model.graph, model.source, parcels.whole)


def outline(model: Model) -> ModelProto:
    """Return the model with the data of tensors below 1 KB only, for shape inference and the like."""
    return export_model(model.graph, model.source, parcels.outline)


def save(
    model: Model,
    path: Path | str,
    *,
    force: bool = False,
    in_place: bool = False,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write the model to `path`, whole or not at all.

    What was written is read again before it gets its place: every node and every weight must be there.

    Where the source keeps its weights in external data, or where they take more than 1.9 GB, they go to
    `path` + `.<their hash>.data`, and the model is the one commit (`graphprune.files`). The same model gives
    the same bytes.

    Args:
        model: the model.
        path: where to.
        force: whether a file that exists is written over, unless it is the one that the model was read from.
        in_place: whether that one is, too; weights that lay in it can then no longer be read.
        check: looks at the file before it gets its place, and raises where it is not as it should be.

    Raises:
        Usage: the folder does not exist, or a file does and `force` is not set, or the model was read from
            that, or its weights lie there.
        Environment: the disk is full, or may not be written to, or gives back something else.
    """
    path = Path(path)
    own = model.path is not None and is_one_file(path, model.path)
    if own and force and not in_place:
        raise Usage(f"'{path}' is the model that was read", "choose another name, or say in_place")
    base = model.base or path.parent
    if any(is_one_file(path, base / name) for name in locations(model.source.graph)):
        raise Usage(f"'{path}' holds weights of the model that was read", "choose another name")

    def is_the_same(written: Path) -> None:
        from graphprune.proof.structure import compared, wrong

        try:
            found = read(written)
        except Refused as error:
            what = f"the model to be written is not valid: {error.what}"
            raise GraphpruneError(what, "please report this with the model") from error
        differ = compared(model.graph, found.graph)
        if differ:
            what = wrong(differ) or str(differ[0])
            raise Environment(f"'{path}': what was written is not what is read: {what}", "check the disk")

    checks = (is_the_same,) if check is None else (is_the_same, check)
    write(model.graph, model.source, path, force=force or (own and in_place), checks=checks)


def _model(
    proto: ModelProto, folder: Folder | None, path: Path | None, places: Mapping[int, Stretch]
) -> Model:
    check_text(proto)
    check_sizes(proto)
    check_versions(proto)
    own, notes = path is not None, list[str]()
    if proto.ir_version < WEIGHTS_ALONE:
        notes.append(
            f"The model is of IR version {proto.ir_version}, which lists every weight as an input as well; "
            f"it is read and written as version {WEIGHTS_ALONE}, in which weights are weights alone."
        )
        proto, own = raised(proto), True
    if proto.functions:
        proto, own = inline(proto), True
        check_versions(proto)
    if not is_ordered(proto.graph):
        if not own:
            copy = ModelProto()
            copy.CopyFrom(proto)
            proto = copy
        sort(proto.graph)
    check_operators(proto)
    check_bodies(proto)
    check_kernels(proto)
    graph = import_model(Source(proto, folder, places))
    return Model(graph, proto, folder.base if folder is not None else None, path, tuple(notes))


def _parse(path: Path) -> tuple[ModelProto, dict[int, Stretch]]:
    """Return the proto in a file, without the larger weights, and where those lie, by initializer."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Usage(f"no such file: '{path}'", "check the path") from error
    except (OSError, ValueError) as error:
        raise Environment(f"cannot read '{path}': {error}", "check its permissions") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "not a plain file"
        raise Refused(f"'{path}' is {kind}", "name an .onnx file")
    if not found.st_size:
        raise Refused(f"'{path}' is empty", "fetch or export it again")
    if found.st_size > _MOST_BYTES:
        raise Refused(f"'{path}' is larger than 2 GB", "keep the weights in external data")
    file = File(path.resolve(), found.st_size, mark(found))
    try:
        if path.suffix in TEXT_SUFFIXES:
            return _parse_text(path), {}
        return _parse_binary(file)
    except OSError as error:
        raise Environment(f"cannot read '{path}': {error.strerror}", "check its permissions") from error
    except (DecodeError, ValueError, onnx.parser.ParseError) as error:
        raise Refused(f"'{path}' is not an ONNX model, or is damaged", "fetch or export it again") from error


def _parse_text(path: Path) -> ModelProto:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the format is experimental
        return onnx.load_model(path, load_external_data=False)  # pyright: ignore[reportUnknownMemberType]


def _parse_binary(file: File) -> tuple[ModelProto, dict[int, Stretch]]:
    with file.open() as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            text, places = skim(data)
        except Malformed:
            text, places = data[:], {}
    proto = ModelProto.FromString(text)
    return proto, {i: Stretch(file, offset, length) for i, (offset, length) in places.items()}
