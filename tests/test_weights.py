"""Weights are read late, and a cut of them equals a cut of what they are."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter

from graphprune import elements
from graphprune.errors import Refused
from graphprune.external import Folder, locate
from graphprune.intake import weigh
from graphprune.weights import Weight, stored

EVERY_TYPE = sorted(set(elements.DTYPES) - {TensorProto.STRING})
CUTS: list[dict[int, list[int]]] = [
    {},
    {0: [0, 2]},
    {1: [4, 1]},
    {2: [0]},
    {0: [2, 0, 1], 2: [1, 0]},
    {0: [1], 1: [3], 2: [1]},
    {1: []},
]


def _values(element: int, shape: tuple[int, ...]) -> NDArray[Any]:
    codes = np.random.default_rng(3).integers(0, 2 ** min(elements.BITS[element], 3), shape)
    if elements.NAMES[element].startswith("COMPLEX"):
        return (codes + 1j * codes[::-1]).astype(elements.DTYPES[element])
    return codes.astype(np.float32).astype(elements.DTYPES[element])


def _same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def _expected(values: NDArray[Any], cuts: dict[int, list[int]]) -> NDArray[Any]:
    for dim, positions in cuts.items():
        values = np.take(values, np.array(positions, np.int64), axis=dim)
    return values


def _external(proto: TensorProto, folder: Path, offset: int = 0) -> TensorProto:
    (folder / "w.bin").write_bytes(bytes(offset) + proto.raw_data)
    moved = TensorProto(name="w", data_type=proto.data_type, dims=proto.dims)
    moved.data_location = TensorProto.EXTERNAL
    moved.external_data.add(key="location", value="w.bin")
    moved.external_data.add(key="offset", value=str(offset))
    moved.external_data.add(key="length", value=str(len(proto.raw_data)))
    return moved


def _typed(values: NDArray[Any], element: int) -> TensorProto:
    flat = values.ravel()
    if elements.BITS[element] in (2, 4):
        flat = np.frombuffer(numpy_helper.from_array(flat).raw_data, np.uint8)
    elif elements.NAMES[element].startswith("COMPLEX"):
        flat = flat.view(f"f{values.itemsize // 2}")
    elif elements.FIELDS[element] == "int32_data" and values.dtype.kind not in "iu":
        flat = flat.view(f"u{values.itemsize}")
    proto = TensorProto(name="w", data_type=element, dims=values.shape)
    getattr(proto, elements.FIELDS[element]).extend(flat.tolist())
    return proto


@pytest.mark.parametrize("place", ["inside", "outside", "typed"])
@pytest.mark.parametrize("element", EVERY_TYPE, ids=lambda element: elements.NAMES[element])
def test_a_cut_weight_has_the_values_and_the_type_of_the_cut_array(
    element: int, place: str, tmp_path: Path
) -> None:
    values = _values(element, (3, 5, 2))
    proto = numpy_helper.from_array(values, "w")
    assert proto.data_type == element
    if place == "outside":
        proto = _external(proto, tmp_path, offset=3)  # no element type is aligned there
    elif place == "typed":
        proto = _typed(values, element)
    weight = weigh(proto, Folder(tmp_path))
    for cuts in CUTS:
        cut = weight.take(cuts)
        expected = _expected(values, cuts)
        assert cut.shape == expected.shape
        assert cut.dtype == expected.dtype
        assert _same(cut.load(), expected)
        written = b"".join(cut.blocks())
        assert len(written) == cut.nbytes
        assert written == numpy_helper.from_array(expected).raw_data


def test_cuts_compose() -> None:
    values = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    weight = Weight(numpy_helper.from_array(values, "w"))
    once = weight.take({0: np.array([4, 2, 0]), 2: np.array([2, 1])})
    twice = once.take({0: np.array([1, 0]), 1: np.array([3])})
    assert np.array_equal(twice.load(), values[[2, 4]][:, [3]][:, :, [2, 1]])
    assert np.array_equal(weight.load(), values), "the first weight is as it was"


def test_positions_may_differ_along_another_dimension() -> None:
    values = np.arange(60, dtype=np.float32).reshape(5, 4, 3)
    weight = Weight(numpy_helper.from_array(values, "w"))
    rows = np.array([[3, 0], [1, 2]])
    cut = weight.take({1: rows[:, :, None], 0: np.array([4, 2])})
    assert cut.shape == (2, 2, 3)
    assert np.array_equal(cut.load(), np.stack([values[4, [3, 0]], values[2, [1, 2]]]))
    assert b"".join(cut.blocks()) == cut.load().tobytes()
    again = cut.take({0: np.array([1]), 2: np.array([2, 0])})
    assert np.array_equal(again.load(), values[2, [1, 2]][None, :, [2, 0]])


def test_a_random_cut_of_many_rows_equals_numpys() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4000, 1500)).astype(np.float32)  # more than one block of rows
    rows, columns = rng.permutation(4000)[:2100], rng.permutation(1500)[:700]
    cut = Weight(numpy_helper.from_array(values, "w")).take({0: rows, 1: columns})
    assert np.array_equal(cut.load(), values[np.ix_(rows, columns)])


@pytest.mark.parametrize(
    "cuts",
    [{3: [0]}, {-1: [0]}, {0: [3]}, {0: [-1]}, {0: [[0, 1]]}, {0: [[[0]], [[3]]]}, {0: [[[0] * 3]]}, {0: 1}],
    ids=str,
)
def test_a_cut_outside_the_tensor_is_an_index_error(cuts: dict[int, list[int]]) -> None:
    weight = Weight(numpy_helper.from_array(np.zeros((3, 5, 2), np.float32), "w"))
    with pytest.raises(IndexError):
        weight.take(cuts)


def test_scalars_and_empty_tensors_load() -> None:
    assert Weight(numpy_helper.from_array(np.array(2.5), "w")).load() == 2.5
    assert Weight(TensorProto(data_type=TensorProto.FLOAT, dims=[0, 4])).load().shape == (0, 4)
    empty = Weight(TensorProto(data_type=TensorProto.FLOAT, dims=[0, 4])).take({1: [1, 2]})
    assert empty.load().shape == (0, 2)


def test_strings_keep_their_bytes() -> None:
    proto = helper.make_tensor("w", TensorProto.STRING, [2, 2], [b"a", "ü".encode(), b"\xff", b""])
    weight = Weight(proto)
    assert weight.load().tolist() == [["a", "ü"], ["\udcff", ""]]
    cut = weight.take({0: [1]})
    assert cut.nbytes == 1
    assert list(cut.tensor.string_data) == [b"\xff", b""]


def test_loaded_values_are_the_callers_own() -> None:
    weight = Weight(numpy_helper.from_array(np.zeros(4, np.float32), "w"))
    weight.load()[:] = 1
    assert not weight.load().any()


def test_graphsurgeons_own_exporter_sees_the_cut() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    constant = gs.Constant("w", Weight(numpy_helper.from_array(values, "w")).take({1: [2, 0]}))
    assert constant.shape == (2, 2)
    proto = OnnxExporter.export_tensor_proto(constant)
    assert np.array_equal(numpy_helper.to_array(proto), values[:, [2, 0]])
    assert isinstance(stored(constant), Weight), "nothing was loaded for good"


def test_a_cut_of_external_data_takes_no_more_memory_than_its_result(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((4096, 4096)).astype(np.float32)
    weight = weigh(_external(numpy_helper.from_array(values, "w"), tmp_path), Folder(tmp_path))
    half = np.arange(0, 4096, 2)
    tracemalloc.start()
    cut = weight.take({0: half, 1: half}).load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(cut, values[::2, ::2])
    assert peak < cut.nbytes + (32 << 20)


@pytest.mark.parametrize("element", [TensorProto.FLOAT, TensorProto.INT4], ids=["float", "int4"])
def test_a_cut_weight_is_written_in_blocks_of_rows(element: int, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-8, 8, (4096, 4096)).astype(np.int8)
    values = values.astype(elements.DTYPES[element])
    weight = weigh(_external(numpy_helper.from_array(values, "w"), tmp_path), Folder(tmp_path))
    half = np.arange(0, 4096, 2)
    expected = numpy_helper.from_array(values[::2, ::2]).raw_data
    at = 0
    tracemalloc.start()
    for block in weight.take({0: half, 1: half}).blocks():
        assert bytes(block) == expected[at : at + len(block)]
        at += len(block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert at == len(expected)
    assert peak < 24 << 20, "of 32 MB and more that the whole tensor takes"


@pytest.mark.parametrize("element", EVERY_TYPE, ids=lambda element: elements.NAMES[element])
@pytest.mark.parametrize("shape", [(3, 5, 2), (1, 1, 7, 3), (9,), (1,)], ids=str)
def test_blocks_end_where_they_like(
    shape: tuple[int, ...], element: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphprune.weights._BLOCK", 1)
    values = _values(element, shape)
    weight = Weight(numpy_helper.from_array(values, "w"))
    for cuts in ({}, *({dim: [size - 1, 0]} for dim, size in enumerate(shape) if size > 1)):
        cut, expected = weight.take(cuts), _expected(values, cuts)
        assert _same(cut.load(), expected)
        assert b"".join(cut.blocks()) == numpy_helper.from_array(expected).raw_data


def test_a_file_that_changed_is_not_read(tmp_path: Path) -> None:
    proto = _external(numpy_helper.from_array(np.zeros((8, 8), np.float32), "w"), tmp_path)
    weight = weigh(proto, Folder(tmp_path))
    (tmp_path / "w.bin").write_bytes(bytes(100))
    with pytest.raises(Refused, match="has changed"):
        weight.load()
    (tmp_path / "w.bin").unlink()
    with pytest.raises(Refused, match="cannot read"):
        weight.load()


def test_nothing_is_read_before_load(tmp_path: Path) -> None:
    proto = _external(numpy_helper.from_array(np.zeros((8, 8), np.float32), "w"), tmp_path)
    stretch = locate(proto, Folder(tmp_path))
    (tmp_path / "w.bin").unlink()
    cut = Weight(proto, stretch).take({0: [1, 2]})
    assert (cut.shape, cut.nbytes) == ((2, 8), 64)


def test_every_element_type_of_onnx_is_known() -> None:
    assert set(elements.DTYPES) == set(onnx.TensorProto.DataType.values()) - {0}
