"""Weights: constants that stay where they are until they are needed.

A cut is recorded as index arrays and carried out when the values are read, one tensor at a time, so that a
model of any size is inspected, cut and written within a few times its largest tensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import ArrayLike, NDArray
from onnx import SparseTensorProto, TensorProto, numpy_helper
from onnx_graphsurgeon.ir.tensor import LazyValues, SparseValues

from graphprune import elements
from graphprune.cuts import in_order, take
from graphprune.errors import Refused
from graphprune.external import Stretch
from graphprune.positions import Index

_BLOCK = 16 << 20


class Weight(LazyValues):
    """The values of one dense tensor: in a `TensorProto`, or at a stretch of a file.

    `shape`, `dtype` (numpy's or ml_dtypes') and `nbytes` (as stored: two int4 share a byte) are those after
    the cut. Nothing is read before `load`.

    >>> proto = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3))
    >>> Weight(proto).take({1: np.array([2, 0])}).load()
    array([[2., 0.],
           [5., 3.]], dtype=float32)
    """

    def __init__(
        self,
        proto: TensorProto,
        stretch: Stretch | None = None,
        cuts: Mapping[int, Index] | None = None,
        then: Sequence[tuple[int, Index]] = (),
    ) -> None:
        """`proto` has been checked (graphprune.intake); `stretch` holds its bytes where it has none.

        `cuts` are lists of positions (`graphprune.positions.Cuts`), `then` what is cut after them.
        """
        self.proto = proto
        self.stretch = stretch
        self.cuts: dict[int, Index] = dict(cuts or {})
        self.then = tuple(then)
        self.element = int(proto.data_type)
        self.source_shape = tuple(int(size) for size in proto.dims)
        shape = list(self.source_shape)
        for dim, index in (*self.cuts.items(), *self.then):
            shape[dim] = index.shape[dim if index.ndim > 1 else 0]
        self.shape = tuple(shape)
        self.dtype = elements.DTYPES[self.element]

    @property
    def nbytes(self) -> int:
        """Bytes as stored, after the cut."""
        if self.element == TensorProto.STRING:
            return sum(len(text) for text in self._strings().ravel())
        return elements.stored_bytes(self.element, elements.count(self.shape))

    @property
    def tensor(self) -> TensorProto:
        """The tensor as it is after the cut, in memory: what graphsurgeon's own exporter asks for."""
        proto = TensorProto(name=self.proto.name, data_type=self.element, dims=self.shape)
        if self.element == TensorProto.STRING:
            proto.string_data.extend(self._strings().ravel().tolist())
        else:
            proto.raw_data = b"".join(self.blocks())
        return proto

    def take(self, cuts: Mapping[int, ArrayLike]) -> Weight:
        """Return this weight at the positions that stay (`graphprune.positions.Cuts`).

        Raises:
            IndexError: a dimension or a position that the weight does not have.
        """
        merged, then, shape = dict(self.cuts), list(self.then), list(self.shape)
        for dim, index in in_order({dim: np.asarray(positions, np.int64) for dim, positions in cuts.items()}):
            if not 0 <= dim < len(shape):
                raise IndexError(f"no dimension {dim} in a tensor of shape {self.shape}")
            if not _fits(index, dim, shape):
                raise IndexError(f"positions outside dimension {dim} of a tensor of shape {self.shape}")
            if then or index.ndim > 1:
                then.append((dim, index.copy()))
            else:
                merged[dim] = merged[dim][index] if dim in merged else index.copy()
            shape[dim] = index.shape[dim if index.ndim > 1 else 0]
        return Weight(self.proto, self.stretch, merged, then)

    def load(self) -> NDArray[Any]:
        """Read the values, cut: a new array of `shape` and `dtype`, free to be written into.

        Raises:
            Refused: the data cannot be decoded, or its file has changed.
        """
        if self.element == TensorProto.STRING:
            texts = [text.decode("utf-8", "surrogateescape") for text in self._strings().ravel()]
            return np.array(texts, dtype=object).reshape(self.shape)
        if elements.is_packed(self.element) or self._is_typed():
            return self._taken(self._decoded())
        # As void, so that alignment and the element type play no part in the copy.
        void = np.dtype(f"V{self.dtype.itemsize}")
        if self.stretch is None:
            flat = np.frombuffer(self.proto.raw_data, np.uint8)
        elif self.cuts or self.then:
            flat = self.stretch.view()
        else:
            return _typed(self.stretch.read(), self.dtype).reshape(self.shape)
        array: NDArray[Any] = flat.view(void).reshape(self.source_shape)
        return _typed(self._taken(array), self.dtype)

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the cut tensor as ONNX stores them, `nbytes` in all (not for strings)."""
        whole = not (self.cuts or self.then)
        if whole and self.stretch is not None:
            yield from self.stretch.blocks()
        elif whole and not self._is_typed():
            yield self.proto.raw_data
        else:
            yield packed(self.load(), self.element)

    def _taken(self, array: NDArray[Any]) -> NDArray[Any]:
        taken = _gather(array, self.cuts)
        for dim, index in self.then:
            taken = take(taken, {dim: index})
        return taken

    def _is_typed(self) -> bool:
        return self.stretch is None and not self.proto.HasField("raw_data")

    def _strings(self) -> NDArray[Any]:
        texts = np.empty(len(self.proto.string_data), dtype=object)
        texts[:] = list(self.proto.string_data)
        return self._taken(texts.reshape(self.source_shape))

    def _decoded(self) -> NDArray[Any]:
        proto = self.proto
        if self.stretch is not None:
            proto = TensorProto(data_type=self.element, dims=self.source_shape)
            proto.raw_data = self.stretch.read().tobytes()
        try:
            return np.array(numpy_helper.to_array(proto))
        except (ValueError, TypeError, OverflowError) as error:
            what = f"tensor '{self.proto.name}' cannot be decoded: {error}"
            raise Refused(what, "export it again") from error

    def __str__(self) -> str:
        return f"Weight (shape={self.shape}, dtype={self.dtype})"

    __repr__ = __str__


class SparseWeight(SparseValues):
    """The values of a sparse initializer. It is carried along as it is, and never cut."""

    def __init__(self, proto: SparseTensorProto, values: Weight, indices: Weight) -> None:
        self.proto = proto
        self.parts = (values, indices)
        self.shape = tuple(int(size) for size in proto.dims)
        self.dtype = values.dtype

    @property
    def nbytes(self) -> int:
        """Bytes as stored: values and indices."""
        return sum(part.nbytes for part in self.parts)

    @property
    def tensor(self) -> SparseTensorProto:
        """The sparse tensor, with its data in memory."""
        if all(part.stretch is None for part in self.parts):
            copy = SparseTensorProto()
            copy.CopyFrom(self.proto)
            return copy
        values, indices = (part.tensor for part in self.parts)
        return SparseTensorProto(values=values, indices=indices, dims=self.shape)

    def load(self) -> NDArray[Any]:
        """Return the values as a dense array; positions that are not stored are 0."""
        values, indices = (part.load() for part in self.parts)
        flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), self.shape)
        dense = np.zeros(elements.count(self.shape), self.dtype)
        dense[flat] = values
        return dense.reshape(self.shape)


def stored(constant: gs.Constant) -> Weight | SparseWeight | NDArray[Any]:
    """Return what `constant` holds without reading it (`constant.values` would load and keep it)."""
    held: Any = constant._values  # pyright: ignore[reportPrivateUsage]  # graphsurgeon has no public way
    return held  # type: ignore[no-any-return]


def packed(array: NDArray[Any], element: int) -> memoryview:
    """Return the bytes of `array` as `raw_data` of the element type number `element`."""
    if elements.is_packed(element):
        return memoryview(numpy_helper.from_array(array).raw_data)
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _typed(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    view: NDArray[Any] = array.view(dtype)
    return view


def _fits(index: Index, dim: int, shape: Sequence[int]) -> bool:
    """Whether an index array names positions that a tensor of `shape` has."""
    if index.size and not 0 <= index.min() <= index.max() < shape[dim]:
        return False
    if index.ndim <= 1:
        return index.ndim == 1
    return index.ndim == len(shape) and all(
        at == dim or size in (1, shape[at]) for at, size in enumerate(index.shape)
    )


def _gather(array: NDArray[Any], cuts: Mapping[int, Index]) -> NDArray[Any]:
    """Return `array` at `cuts`, as a new array, with no more memory beside it than some blocks of rows."""
    inner = {dim: index for dim, index in cuts.items() if dim}
    if not inner:
        return np.take(array, cuts[0], axis=0) if cuts else np.array(array)
    rows = cuts.get(0)
    kept = len(array) if rows is None else len(rows)
    shape = tuple(len(cuts[dim]) if dim in cuts else size for dim, size in enumerate(array.shape))
    out = np.empty(shape, array.dtype)
    if not out.size:
        return out
    step = max(1, _BLOCK // max(1, array[0].nbytes))
    for start in range(0, kept, step):
        stop = min(kept, start + step)
        block = array[start:stop] if rows is None else np.take(array, rows[start:stop], axis=0)
        for dim in sorted(inner):
            block = np.take(block, inner[dim], axis=dim)
        out[start:stop] = block
    return out
