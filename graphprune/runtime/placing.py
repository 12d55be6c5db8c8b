"""Models made ready for another process: the graph as bytes, the weights as places in files.

Weights that lie in a file as they are stay there; the other process maps them. Weights that are cut, or made
by a pass, go to an unnamed file first, in blocks. Only small ones stand in the bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune import elements, parcels
from graphprune.exports import export_model
from graphprune.external import Stretch
from graphprune.ir import constants
from graphprune.model import Model, save, to_proto
from graphprune.runtime.wire import PASSES_FILES
from graphprune.weights import Weight, stored

_SMALL = 4096
_LINE = 64
_IN_MEMORY = 1_500_000_000
_NAMED = "child.py"
"""What the proto says holds the data of a placed weight: ONNX Runtime asks for a file that is there."""


@dataclass(frozen=True)
class Placed:
    """A model made ready.

    Attributes:
        proto: the serialized model, without the weights that are placed.
        places: of each of those the name, file (None: `spool`), mark, offset, length, element type and dims.
        spool: the descriptor of the file that holds those that lie in no file of the model.
        path: the file of the model, where it is too large for all that (then `proto` is empty).
        weights: how many elements the weights have in all.
        bytes: how many bytes they take.
        nodes: how many nodes the model has.
    """

    proto: bytes
    places: Sequence[dict[str, Any]]
    spool: int | None
    path: str | None
    weights: int
    bytes: int
    nodes: int


class _Packer:
    """Leaves weights where they are; see the module."""

    def __init__(self, spool: IO[bytes]) -> None:
        self.spool = spool
        self.end = self.inline = self.weights = self.bytes = 0
        self.places: list[dict[str, Any]] = []

    def pack(self, constant: gs.Constant, outermost: bool) -> TensorProto:
        """Return the tensor of `constant`, without its data where that is placed."""
        found = parcels.parcel(constant)
        tensor = found.tensor
        self.weights += elements.count(tensor.dims)
        self.bytes += found.length
        element = tensor.data_type
        stretch = _stretch(constant)
        small = found.length < _SMALL or element == TensorProto.STRING or elements.is_packed(element)
        if not outermost or small or (stretch is None and not PASSES_FILES):
            self.inline += found.length
            return parcels.whole(constant)
        place: dict[str, Any] = {
            "name": tensor.name,
            "length": found.length,
            "element": element,
            "dims": list(tensor.dims),
        }
        if stretch is not None:
            file = stretch.file
            place |= {"file": str(file.path), "mark": [file.size, *file.mark], "offset": stretch.offset}
        else:
            self.end = -(-self.end // _LINE) * _LINE
            self.spool.seek(self.end)
            for block in found.blocks():
                self.spool.write(block)
            place |= {"file": None, "offset": self.end}
            self.end += found.length
        self.places.append(place)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=_NAMED)
        tensor.external_data.add(key="offset", value="0")
        tensor.external_data.add(key="length", value="0")
        return tensor


@contextmanager
def serialised(model: Model) -> Generator[bytes | str]:
    """Yield a model with its weights: as bytes, or where it is large as the path of a temporary file."""
    if sum(int(stored(tensor).nbytes) for tensor in constants(model.graph)) <= _IN_MEMORY:
        yield to_proto(model).SerializeToString()
        return
    with tempfile.TemporaryDirectory(prefix="graphprune-") as folder:
        path = str(Path(folder) / "model.onnx")
        save(model, path)
        yield path


def _stretch(constant: gs.Constant) -> Stretch | None:
    """Return where a file holds the values of `constant` as they are."""
    held = stored(constant)
    if not isinstance(held, Weight) or held.cuts or held.then:
        return None
    return held.stretch


@contextmanager
def placed(model: Model) -> Generator[Placed]:
    """Make `model` ready; what it is made ready as is gone afterwards.

    Raises:
        OSError: there is no room for the weights that are to be laid down.
    """
    with tempfile.TemporaryFile() as spool:
        packer = _Packer(spool)
        proto = export_model(model.graph, model.source, packer.pack)
        nodes = len(proto.graph.node)
        if packer.inline > _IN_MEMORY:
            with tempfile.TemporaryDirectory(prefix="graphprune-") as folder:
                path = str(Path(folder) / "model.onnx")
                save(model, path)
                yield Placed(b"", (), None, path, packer.weights, packer.bytes, nodes)
            return
        spool.flush()
        file = spool.fileno() if packer.end else None
        text = proto.SerializeToString()
        del proto
        yield Placed(text, packer.places, file, None, packer.weights, packer.bytes, nodes)
