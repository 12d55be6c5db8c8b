"""Protocol buffers' wire format, as far as it takes to leave weights in a model's file and to stream them
into one. (https://protobuf.dev/programming-guides/encoding: a message is a row of fields, each a tag, where
needed a length, and a value.)
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import GraphProto, ModelProto, TensorProto

_GRAPH = ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = GraphProto.INITIALIZER_FIELD_NUMBER
_RAW = TensorProto.RAW_DATA_FIELD_NUMBER
_DATA_LOCATION = TensorProto.DATA_LOCATION_FIELD_NUMBER
_WORTH_LEAVING = 4096

Bytes = bytes | mmap.mmap
M = TypeVar("M", bound=Message)


class Malformed(ValueError):
    """Not a row of fields."""


@dataclass(frozen=True)
class Field:
    """One field of a message: its bytes are `start:stop`, those of its value `value:stop`."""

    number: int
    kind: int
    start: int
    value: int
    stop: int


def fields(data: Bytes, start: int, stop: int) -> Iterator[Field]:
    """Yield the fields of the message that lies at `start:stop` of `data`.

    Raises:
        Malformed: a length leads out of the message, or a tag is none.
    """
    at = start
    while at < stop:
        tag, value = _varint(data, at, stop)
        kind = tag & 7
        if kind == 0:
            _, end = _varint(data, value, stop)
        elif kind == 1:
            end = value + 8
        elif kind == 2:
            length, value = _varint(data, value, stop)
            end = value + length
        elif kind == 5:
            end = value + 4
        else:
            raise Malformed(f"wire type {kind}")
        if end > stop or not tag >> 3:
            raise Malformed(f"field at {at}")
        yield Field(tag >> 3, kind, at, value, end)
        at = end


def skim(data: Bytes) -> tuple[bytes, dict[int, tuple[int, int]]]:
    """Return a serialized model without the larger `raw_data` of its initializers, and where those are.

    That is, by the initializer's index: offset and length in `data`.

    Raises:
        Malformed: `data` is not one model in the usual form; whether it is one at all is for a parser to say.
    """
    graphs = [field for field in fields(data, 0, len(data)) if field.number == _GRAPH]
    if len(graphs) != 1 or graphs[0].kind != 2:
        raise Malformed("not one graph")
    graph = graphs[0]
    pieces: list[bytes] = []
    places: dict[int, tuple[int, int]] = {}
    copied, index = graph.value, 0
    for field in fields(data, graph.value, graph.stop):
        if field.number != _INITIALIZER or field.kind != 2:
            continue
        raw = _large_raw(data, field) if field.stop - field.value >= _WORTH_LEAVING else None
        if raw is not None:
            places[index] = (raw.value, raw.stop - raw.value)
            length = field.stop - field.value - (raw.stop - raw.start)
            pieces += [data[copied : field.start], _head(_INITIALIZER, length), data[field.value : raw.start]]
            copied = raw.stop
        index += 1
    pieces.append(data[copied : graph.stop])
    length = sum(map(len, pieces))
    return b"".join([data[: graph.start], _head(_GRAPH, length), *pieces, data[graph.stop :]]), places


def _large_raw(data: Bytes, tensor: Field) -> Field | None:
    """Return the `raw_data` field of a tensor where it has one, and nothing that would change its meaning."""
    raws = [f for f in fields(data, tensor.value, tensor.stop) if f.number in (_RAW, _DATA_LOCATION)]
    if len(raws) != 1 or raws[0].number != _RAW or raws[0].kind != 2:
        return None
    return raws[0] if raws[0].stop - raws[0].value >= _WORTH_LEAVING else None


@dataclass(frozen=True)
class Parcel:
    """A tensor to be written: everything but its `raw_data`, and that as a length and pieces."""

    tensor: TensorProto
    length: int
    blocks: Callable[[], Iterator[bytes | memoryview]]


def pour(model: ModelProto, initializers: Iterable[Parcel]) -> tuple[int, Iterator[bytes | memoryview]]:
    """Return the size of `model` with `initializers` as those of its graph, serialized, and the bytes.

    The bytes are the same as if the whole had been built and serialized in memory.
    """
    before, after = _split(model, _GRAPH)
    front, back = _split(model.graph, _INITIALIZER)
    heads: list[tuple[bytes, Parcel, bytes]] = []
    inside = len(front) + len(back)
    for parcel in initializers:
        first, last = _split(parcel.tensor, _RAW)
        if parcel.tensor.data_type != TensorProto.STRING and not parcel.tensor.external_data:
            first += _head(_RAW, parcel.length)
        size = len(first) + parcel.length + len(last)
        head = _head(_INITIALIZER, size)
        inside += len(head) + size
        heads.append((head + first, parcel, last))
    prefix = before + _head(_GRAPH, inside)

    def stream() -> Iterator[bytes | memoryview]:
        yield prefix
        yield front
        for head, parcel, last in heads:
            yield head
            yield from parcel.blocks()
            yield last
        yield back
        yield after

    return len(prefix) + inside + len(after), stream()


def _split(message: Message, number: int) -> tuple[bytes, bytes]:
    """Serialize the fields of `message` below `number`, and those above it."""
    low, high = type(message)(), type(message)()
    for descriptor, value in message.ListFields():
        if descriptor.number != number:
            put(low if descriptor.number < number else high, descriptor.name, value)
    return low.SerializeToString(deterministic=True), high.SerializeToString(deterministic=True)


def put(message: Message, name: str, value: object) -> None:
    """Set the field `name` of `message` to `value`, of whatever kind the field is."""
    if isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    elif isinstance(value, (int, float, str, bytes)):
        setattr(message, name, value)
    else:
        getattr(message, name).MergeFrom(value)


def _varint(data: Bytes, at: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while at < stop and shift < 64:
        byte = data[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
    raise Malformed(f"number at {at}")


def _head(number: int, length: int) -> bytes:
    """Return the tag and the length before a value of `length` bytes."""
    out = bytearray()
    for value in (number << 3 | 2, length):
        while value > 127:
            out.append(value & 127 | 128)
            value >>= 7
        out.append(value)
    return bytes(out)
