"""Attributes of nodes, from their Python values to ONNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
from onnx import AttributeProto, GraphProto, SparseTensorProto, TensorProto, TypeProto


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


_WRITERS: dict[int, Callable[[AttributeProto, Any], object]] = {
    AttributeProto.FLOAT: lambda a, v: setattr(a, "f", float(v)),
    AttributeProto.INT: lambda a, v: setattr(a, "i", int(v)),
    AttributeProto.STRING: lambda a, v: setattr(a, "s", _bytes(v)),
    AttributeProto.TENSOR: lambda a, v: a.t.CopyFrom(v),
    AttributeProto.GRAPH: lambda a, v: a.g.CopyFrom(v),
    AttributeProto.SPARSE_TENSOR: lambda a, v: a.sparse_tensor.CopyFrom(v),
    AttributeProto.TYPE_PROTO: lambda a, v: a.tp.CopyFrom(v),
    AttributeProto.FLOATS: lambda a, v: a.floats.extend(float(x) for x in v),
    AttributeProto.INTS: lambda a, v: a.ints.extend(int(x) for x in v),
    AttributeProto.STRINGS: lambda a, v: a.strings.extend(_bytes(x) for x in v),
    AttributeProto.TENSORS: lambda a, v: a.tensors.extend(v),
    AttributeProto.GRAPHS: lambda a, v: a.graphs.extend(v),
    AttributeProto.SPARSE_TENSORS: lambda a, v: a.sparse_tensors.extend(v),
    AttributeProto.TYPE_PROTOS: lambda a, v: a.type_protos.extend(v),
}

_ONE: tuple[tuple[Any, int], ...] = (
    (Integral, AttributeProto.INT),
    (Real, AttributeProto.FLOAT),
    ((str, bytes), AttributeProto.STRING),
    (TensorProto, AttributeProto.TENSOR),
    (GraphProto, AttributeProto.GRAPH),
    (SparseTensorProto, AttributeProto.SPARSE_TENSOR),
    (TypeProto, AttributeProto.TYPE_PROTO),
)
_MANY: dict[int, int] = {
    AttributeProto.INT: AttributeProto.INTS,
    AttributeProto.FLOAT: AttributeProto.FLOATS,
    AttributeProto.STRING: AttributeProto.STRINGS,
    AttributeProto.TENSOR: AttributeProto.TENSORS,
    AttributeProto.GRAPH: AttributeProto.GRAPHS,
    AttributeProto.SPARSE_TENSOR: AttributeProto.SPARSE_TENSORS,
    AttributeProto.TYPE_PROTO: AttributeProto.TYPE_PROTOS,
}


def write_attribute(out: AttributeProto, name: str, value: Any, source: AttributeProto | None = None) -> None:
    """Fill `out` with `value`, in the type that `source` has where that holds such a value.

    A list without elements has no type of its own: without a source it is one of integers.

    Raises:
        TypeError: ONNX has no attribute for such a value.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    kind = kind_of(value)
    if source is not None:
        if source.HasField("doc_string"):
            out.doc_string = source.doc_string
        if _holds(source.type, kind, value):
            kind = source.type
    out.name, out.type = name, kind  # type: ignore[assignment]
    _WRITERS[kind](out, value)


def kind_of(value: Any) -> int:
    """Return the attribute type that a Python value has by itself."""
    if isinstance(value, (list, tuple)):
        kinds = {kind_of(element) for element in cast("Sequence[Any]", value)}
        if kinds == {AttributeProto.INT, AttributeProto.FLOAT}:
            kinds = {AttributeProto.FLOAT}
        if len(kinds) > 1 or not kinds <= _MANY.keys():
            raise TypeError(f"no attribute type for {value!r:.80}")
        return _MANY[kinds.pop()] if kinds else int(AttributeProto.INTS)
    for types, kind in _ONE:
        if isinstance(value, types):
            return int(kind)
    raise TypeError(f"no attribute type for {value!r:.80}")


def _holds(source: int, kind: int, value: Any) -> bool:
    """Whether an attribute of type `source` may hold a value of type `kind`."""
    wider: dict[int, int] = {
        AttributeProto.FLOAT: AttributeProto.INT,
        AttributeProto.FLOATS: AttributeProto.INTS,
    }
    empty = isinstance(value, (list, tuple)) and not value
    return source == kind or wider.get(source) == kind or (empty and source in _MANY.values())
