"""Constants made ready for writing: into the model itself, or into a file beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune import elements
from graphprune.errors import GraphpruneError
from graphprune.weights import SparseWeight, Weight, packed, stored
from graphprune.wire import Parcel

_SMALL = 1024  # bytes; smaller tensors stay in the model even where there is external data
_BIG, _PAGE, _LINE = 1 << 20, 4096, 64  # big tensors start on a page, so that runtimes can map them


def parcel(constant: gs.Constant) -> Parcel:
    """Return the tensor of `constant` in the form that it is written in; nothing is read yet.

    Raises:
        GraphpruneError: the constant is sparse.
    """
    held = stored(constant)
    if isinstance(held, SparseWeight):
        raise GraphpruneError(f"sparse tensor '{constant.name}' in a dense place", "please report this")
    element = held.element if isinstance(held, Weight) else elements.number_of(held.dtype)
    head = TensorProto(data_type=element, dims=[int(size) for size in held.shape])
    if constant.name:
        head.name = constant.name
    if element == TensorProto.STRING:
        texts = held.load() if isinstance(held, Weight) else held
        head.string_data.extend(
            bytes(text) if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape")
            for text in texts.ravel().tolist()
        )
        return Parcel(head, 0, lambda: iter(()))
    if isinstance(held, Weight):
        return Parcel(head, held.nbytes, held.blocks)
    return Parcel(head, elements.stored_bytes(element, held.size), lambda: iter((packed(held, element),)))


def whole(constant: gs.Constant, outermost: bool = False) -> TensorProto:
    """Return the tensor of `constant` with its data."""
    return _filled(parcel(constant))


def outline(constant: gs.Constant, outermost: bool = False) -> TensorProto:
    """Return the tensor of `constant`, with its data where that is little."""
    found = parcel(constant)
    return _filled(found) if found.length < _SMALL else found.tensor


class Inline:
    """A packer that leaves the outermost initializers to be streamed in, in the order they were packed."""

    def __init__(self) -> None:
        self._packed: list[Parcel] = []
        self.end = 0
        """The bytes that go to a file beside the model."""

    def pack(self, constant: gs.Constant, outermost: bool) -> TensorProto:
        """Return the tensor of `constant`: without its data where it is to be streamed."""
        if not outermost:
            return whole(constant)
        self._packed.append(parcel(constant))
        return self._packed[-1].tensor

    def parcels(self, initializers: Iterable[TensorProto]) -> Iterator[Parcel]:
        """Yield what is to be streamed; `initializers` are the packed tensors, as they are by now."""
        for tensor, found in zip(initializers, self._packed, strict=True):
            yield Parcel(tensor, found.length, found.blocks)


class External(Inline):
    """A packer that lays all but small tensors one after another in the file `location`."""

    def __init__(self, location: str) -> None:
        super().__init__()
        self.location = location
        self._laid: list[tuple[int, Parcel]] = []

    def pack(self, constant: gs.Constant, outermost: bool) -> TensorProto:
        """Return the tensor of `constant`, which says where its data will lie or has it."""
        found = parcel(constant)
        # Few tools expect the tensors of a Constant node or of a body outside the model.
        if found.length < (_SMALL if outermost else _BIG):
            if not outermost:
                return _filled(found)
            self._packed.append(found)
            return found.tensor
        line = _PAGE if found.length >= _BIG else _LINE
        offset = -(-self.end // line) * line
        self._laid.append((offset, found))
        self.end = offset + found.length
        tensor = found.tensor
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self.location), ("offset", offset), ("length", found.length)):
            tensor.external_data.add(key=key, value=str(value))
        if outermost:
            self._packed.append(Parcel(tensor, 0, lambda: iter(())))
        return tensor

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the file, `end` in all."""
        at = 0
        for offset, found in self._laid:
            yield bytes(offset - at)
            yield from found.blocks()
            at = offset + found.length


def total_bytes(graph: gs.Graph) -> int:
    """Return the bytes of all constants of `graph` and of the bodies in it, each counted once."""
    found: dict[int, int] = {}
    for each in (graph, *graph.subgraphs(recursive=True)):
        for node in each.nodes:
            for value in (*node.inputs, *node.attrs.values()):
                if isinstance(value, gs.Constant):
                    found[id(value)] = stored(value).nbytes
        for value in each.outputs:
            if isinstance(value, gs.Constant):
                found[id(value)] = stored(value).nbytes
    return sum(found.values())


def _filled(found: Parcel) -> TensorProto:
    if found.tensor.data_type != TensorProto.STRING:
        found.tensor.raw_data = b"".join(found.blocks())
    return found.tensor
