"""Sessions take and give every element type, also those that numpy does not know."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune import elements
from graphprune.errors import Refused
from graphprune.ir import constants
from graphprune.model import from_proto, load
from graphprune.precision.lower import lower
from graphprune.runtime import run, session
from graphprune.weights import stored

TYPES = ["float", "float16", "bfloat16", "float8e4m3fn", "float8e5m2", "int4", "uint4", "int32", "bool"]


def casting(source: str, target: str) -> onnx.ModelProto:
    number = onnx.TensorProto.DataType.Value(target.upper())
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": 21]> '
        f"g ({source}[2, 3] x) => ({target}[2, 3] y) {{ y = Cast <to = {number}> (x) }}"
    )


@pytest.mark.parametrize("name", TYPES)
def test_outputs_of_every_element_type_are_read(name: str) -> None:
    values = np.array([[0, 1, 2], [3, 4, 5]], np.float32)
    with session(from_proto(casting("float", name))) as opened:
        (found,) = run(opened, {"x": values})
    dtype = elements.DTYPES[onnx.TensorProto.DataType.Value(name.upper())]
    assert found.dtype == dtype
    assert np.array_equal(found, values.astype(dtype))


@pytest.mark.parametrize("name", [name for name in TYPES if "int4" not in name])
def test_inputs_of_every_element_type_are_given(name: str) -> None:
    dtype = elements.DTYPES[onnx.TensorProto.DataType.Value(name.upper())]
    values = np.array([[0, 1, 0], [1, 1, 0]], np.float32).astype(dtype)
    with session(from_proto(casting(name, "float"))) as opened:
        (found,) = run(opened, {"x": values})
    assert np.array_equal(found, values.astype(np.float32))


def test_sequences_are_flattened() -> None:
    text = (
        '<ir_version: 10, opset_import: ["": 21]> '
        "g (float[4] x) => (seq(float[2]) y) { y = SplitToSequence (x) }"
    )
    with session(from_proto(onnx.parser.parse_model(text))) as opened:
        found = run(opened, {"x": np.arange(4, dtype=np.float32)})
    assert [array.tolist() for array in found] == [[0], [1], [2], [3]]


def test_what_the_runtime_refuses_is_refused_in_two_lines() -> None:
    text = '<ir_version: 10, opset_import: ["": 21]> g (float[2, 3] x) => (float y) { y = MatMul (x, x) }'
    with (
        pytest.raises(Refused, match="ONNX Runtime refuses the model"),
        session(from_proto(onnx.parser.parse_model(text))),
    ):
        pass


def test_inputs_of_other_sizes_are_refused() -> None:
    with (
        session(from_proto(casting("float", "float16"))) as opened,
        pytest.raises(Refused, match="cannot be run"),
    ):
        run(opened, {"x": np.zeros((3, 3), np.float32)})


def test_strings_are_given_and_read() -> None:
    text = (
        '<ir_version: 10, opset_import: ["": 21]> g (string[2, 2] x) => (string[2, 2] y) { y = Identity (x) }'
    )
    words = np.array([["", "é"], ["日本", "a b"]], dtype=object)
    with session(from_proto(onnx.parser.parse_model(text))) as opened:
        (found,) = run(opened, {"x": words})
    assert found.tolist() == words.tolist()


def test_maps_are_flattened_to_their_keys_and_values() -> None:
    text = """
    <ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>
    g (float[1, 2] x) => (seq(map(int64, float)) y) {
      y = ai.onnx.ml.ZipMap <classlabels_int64s = [7, 9]> (x)
    }
    """
    with session(from_proto(onnx.parser.parse_model(text))) as opened:
        found = run(opened, {"x": np.array([[0.5, 2]], np.float32)})
    assert [array.tolist() for array in found] == [[7, 9], [0.5, 2.0]]


@pytest.mark.parametrize("optimised", [False, True])
def test_large_arrays_are_given_read_and_free_to_be_written_into(optimised: bool) -> None:
    values = np.arange(1 << 18, dtype=np.float32).reshape(2, -1)
    text = (
        '<ir_version: 10, opset_import: ["": 21]> g (float[2, N] x, float[2, N] z) '
        "=> (float[2, N] y, float[N, 2] t) { y = Add (x, z) t = Transpose (x) }"
    )
    with session(from_proto(onnx.parser.parse_model(text)), optimised=optimised) as opened:
        total, turned = run(opened, {"x": values, "z": values})
        again, _ = run(opened, {"x": values[:, :3], "z": values[:, :3]})
    assert np.array_equal(total, 2 * values)
    assert np.array_equal(turned, values.T)
    assert np.array_equal(again, 2 * values[:, :3])
    total[:] = 0


def weighted(element: int) -> onnx.ModelProto:
    """A matrix product with a weight that is too large to stand in the bytes that are sent."""
    values = np.arange(96 * 80).reshape(96, 80) % 7
    weight = onnx.numpy_helper.from_array(values.astype(elements.DTYPES[element]), "w")
    model = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 21]> '
        "g (float[2, 96] x) => (float[2, 80] y) { c = Cast <to = 1> (w) y = MatMul (x, c) }"
    )
    model.graph.initializer.append(weight)
    return model


@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("kind", ["FLOAT", "FLOAT16", "BFLOAT16", "FLOAT8E4M3FN", "INT8", "INT4", "DOUBLE"])
def test_weights_of_every_element_type_are_placed(kind: str, optimised: bool, tmp_path: Path) -> None:
    proto = weighted(onnx.TensorProto.DataType.Value(kind))
    onnx.save(proto, tmp_path / "model.onnx")
    wanted = np.arange(96 * 80).reshape(96, 80) % 7
    x = np.ones((2, 96), np.float32)
    for model in (load(tmp_path / "model.onnx"), from_proto(proto)):
        with session(model, optimised=optimised) as opened:
            assert np.array_equal(run(opened, {"x": x})[0], x @ wanted)


def test_weights_that_are_cut_are_placed_as_they_are_after_the_cut(tmp_path: Path) -> None:
    onnx.save(weighted(onnx.TensorProto.FLOAT), tmp_path / "model.onnx")
    model = load(tmp_path / "model.onnx")
    (weight,) = (constant for constant in constants(model.graph))
    index = np.arange(79, -1, -1)
    weight.values = stored(weight).take({1: index})
    x = np.ones((2, 96), np.float32)
    with session(model) as opened:
        (found,) = run(opened, {"x": x})
    assert np.array_equal(found, (x @ (np.arange(96 * 80).reshape(96, 80) % 7))[:, ::-1])


def test_a_weight_whose_file_has_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(weighted(onnx.TensorProto.FLOAT), path)
    model = load(path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(Refused, match="has changed since the model was loaded"), session(model):
        pass


def test_two_sessions_are_open_at_once() -> None:
    with (
        session(from_proto(casting("float", "int32"))) as a,
        session(from_proto(casting("int32", "float"))) as b,
    ):
        (first,) = run(a, {"x": np.full((2, 3), 2.5, np.float32)})
        assert run(b, {"x": first})[0].tolist() == [[2, 2, 2]] * 2


HALF = """
<ir_version: 8, opset_import: ["": 17]>
g (float[T, N, 16] x) => (float[N, T, 32] y)
<float[16, 32] w = {%s}>
{ t = Transpose <perm = [%s]> (x) i = Identity (t) y = MatMul (i, w) }
"""


@pytest.mark.parametrize("keep_io", [True, False])
def test_a_sequence_first_net_in_float16_opens_at_the_default_level(keep_io: bool) -> None:
    text = HALF % (", ".join(["0.5"] * 512), "1, 0, 2")
    model = from_proto(onnx.parser.parse_model(text))
    half = lower(model, "fp16", [{"x": np.ones((3, 2, 16), np.float32)}], keep_io=keep_io)
    assert any("crashes" in reason for _, reason in half.places.stay)
    dtype = np.float32 if keep_io else np.float16
    with session(half.model, optimised=True) as opened:
        (found,) = run(opened, {"x": np.ones((3, 2, 16), dtype)})
    assert np.array_equal(found, np.full((2, 3, 32), 8, dtype))
