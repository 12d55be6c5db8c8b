"""Weights: constants that stay where they are until they are needed.

A cut is recorded as index arrays and carried out when the values are read, some rows at a time, so that a
model of any size is inspected, cut, written and compared within some MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

_BLOCK = 4 << 20  # bytes of the source's elements in memory that are worked on at a time


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
        out = np.empty(elements.count(self.shape), self.dtype)
        at = 0
        for piece in self.pieces():
            out[at : at + piece.size] = piece
            at += piece.size
        return out.reshape(self.shape)

    def pieces(self, rows: int | None = None) -> Iterator[NDArray[Any]]:
        """Yield the elements of the cut tensor in order, as flat arrays (not for strings), to be read only.

        Each holds `rows` rows, which without it take some MB of the source, and a file is mapped for one of
        them at a time. Leading dimensions of size 1 do not count. A tensor is read whole where it lies in a
        typed field of its proto, where its rows end within a byte, and where they are chosen apart.

        Raises:
            Refused: the data cannot be decoded, or its file has changed.
        """
        if not elements.count(self.shape):
            return
        shape, cuts, then = self._inner()
        bits = elements.BITS[self.element] * elements.count(shape[1:])
        step = rows or max(1, _BLOCK // (self.dtype.itemsize * elements.count(shape[1:])))
        if self._is_typed() or bits % 8 or any(dim == 0 for dim, _ in then):
            whole = self._taken(self._decoded()).reshape(-1)
            count = step * (whole.size // self.shape[len(self.shape) - len(shape)] if self.shape else 1)
            yield from (whole[start : start + count] for start in range(0, whole.size, count))
            return
        kept = cuts.pop(0, None)
        count = shape[0] if kept is None else len(kept)
        for start in range(0, count, step):
            stop = min(count, start + step)
            found = self._rows(bits // 8, np.arange(start, stop) if kept is None else kept[start:stop])
            block = self._elements(found).reshape(stop - start, *shape[1:])
            for dim, index in cuts.items():
                block = np.take(block, index, axis=dim)
            for dim, index in then:
                apart = index.ndim > 1 and index.shape[0] > 1
                block = take(block, {dim: index[start:stop] if apart else index})
            yield block.reshape(-1)

    def blocks(self) -> Iterator[bytes | memoryview]:
        """Yield the bytes of the cut tensor as ONNX stores them, `nbytes` in all (not for strings)."""
        whole = not (self.cuts or self.then)
        if whole and self.stretch is not None:
            yield from self.stretch.blocks()
        elif whole and not self._is_typed():
            yield self.proto.raw_data
        else:
            yield from packed_pieces(self.pieces(), self.element)

    def _inner(self) -> tuple[tuple[int, ...], dict[int, Index], list[tuple[int, Index]]]:
        """Return sizes and cuts without leading dimensions of size 1: rows are what there are many of."""
        lead = 0
        while lead < len(self.shape) - 1 and self.source_shape[lead] == self.shape[lead] == 1:
            lead += 1
        cuts = {dim - lead: self.cuts[dim] for dim in sorted(self.cuts) if dim >= lead}
        then = [
            (dim - lead, index if index.ndim == 1 else index.reshape(index.shape[lead:]))
            for dim, index in self.then
            if dim >= lead
        ]
        return self.source_shape[lead:] or (1,), cuts, then

    def _rows(self, size: int, rows: Index) -> NDArray[np.uint8]:
        """Return the bytes of rows of `size` bytes each."""
        first, stop = int(rows.min()), int(rows.max()) + 1
        if self.stretch is not None:
            part = Stretch(self.stretch.file, self.stretch.offset + first * size, (stop - first) * size)
            flat = part.view()
        else:
            flat = np.frombuffer(self.proto.raw_data, np.uint8)[first * size : stop * size]
        if len(rows) == stop - first and np.all(rows[1:] - rows[:-1] == 1):
            return flat
        # As void, so that alignment and the element type play no part in the copy.
        return np.take(flat.view(f"V{size}"), rows - first).view(np.uint8)

    def _elements(self, data: NDArray[np.uint8]) -> NDArray[Any]:
        """Return whole bytes as elements."""
        if not elements.is_packed(self.element):
            return _typed(data, self.dtype)
        count = data.size * 8 // elements.BITS[self.element]
        return self._decode(TensorProto(data_type=self.element, dims=[count], raw_data=data.tobytes()))

    def _taken(self, array: NDArray[Any]) -> NDArray[Any]:
        taken = take(array, self.cuts)
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
        return self._decode(proto)

    def _decode(self, proto: TensorProto) -> NDArray[Any]:
        try:
            return np.array(numpy_helper.to_array(proto))
        except (ValueError, TypeError, OverflowError) as error:
            what = f"tensor '{self.proto.name}' cannot be decoded: {error}"
            raise Refused(what, "export it again") from error

    def __str__(self) -> str:
        return f"Weight (shape={self.shape}, dtype={self.dtype})"

    __repr__ = __str__


class Computed(np.ndarray[Any, Any]):
    """The values of a constant that graphprune has computed from others of the model.

    Another machine computes them anew, and may round a last digit otherwise.
    """


class SparseWeight(SparseValues):
    """The values of a sparse initializer: those that are stored, and where. A cut of it is sparse, too."""

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

    def take(self, cuts: Mapping[int, ArrayLike]) -> SparseWeight:
        """Return this weight at the positions that stay, as `Weight.take` does.

        Its indices keep their form. Where positions differ along another dimension it is dense on the way.
        """
        index = {dim: np.asarray(positions, np.int64) for dim, positions in cuts.items()}
        values, flat = self.parts[0].load(), self._flat()
        if any(positions.ndim > 1 for positions in index.values()):
            stays = take(self.load(), index)
            flat = np.flatnonzero(stays)
            return self._of(stays.reshape(-1)[flat], flat, stays.shape)
        places, shape = list(np.unravel_index(flat, self.shape)), list(self.shape)
        for dim, positions in index.items():
            # Each stored entry, once for every time that its position is taken.
            order = np.argsort(positions, kind="stable")
            first, last = (np.searchsorted(positions, places[dim], s, order) for s in ("left", "right"))
            entries = np.repeat(np.arange(len(values)), last - first)
            turn = np.arange(len(entries)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
            values, places = values[entries], [place[entries] for place in places]
            places[dim] = order[first[entries] + turn]
            shape[dim] = len(positions)
        flat = np.ravel_multi_index(tuple(places), shape)
        order = np.argsort(flat, kind="stable")
        return self._of(values[order], flat[order], shape)

    def load(self) -> NDArray[Any]:
        """Return the values as a dense array; positions that are not stored are 0."""
        dense = np.zeros(elements.count(self.shape), self.dtype)
        dense[self._flat()] = self.parts[0].load()
        return dense.reshape(self.shape)

    def _flat(self) -> NDArray[np.int64]:
        """Return the position of each stored value among all."""
        found: NDArray[np.int64] = self.parts[1].load()
        rows = found.ndim > 1
        return np.asarray(np.ravel_multi_index(tuple(found.T), self.shape) if rows else found, np.int64)

    def _of(self, values: NDArray[Any], flat: NDArray[np.int64], shape: Sequence[int]) -> SparseWeight:
        """Return a weight of this name with other entries."""
        rows = len(self.parts[1].shape) > 1
        places = np.stack(np.unravel_index(flat, shape), axis=1).astype(np.int64) if rows else flat
        proto = SparseTensorProto(dims=[int(size) for size in shape])
        proto.values.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), self.proto.values.name))
        proto.indices.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(places), self.proto.indices.name))
        return SparseWeight(proto, Weight(proto.values), Weight(proto.indices))


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


def packed_pieces(pieces: Iterable[NDArray[Any]], element: int) -> Iterator[memoryview]:
    """Yield the bytes of consecutive flat arrays as `raw_data` of the element type number `element`."""
    whole = 8 // math.gcd(8, elements.BITS[element])  # elements that fill bytes
    rest: NDArray[Any] | None = None
    for piece in pieces:
        if rest is not None and rest.size:
            piece = np.concatenate([rest, piece])
        full = piece.size // whole * whole
        rest = piece[full:]
        yield packed(piece[:full], element)
    if rest is not None and rest.size:
        yield packed(rest, element)


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
