"""Sessions take and give every element type, also those that numpy does not know."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from graphprune import elements
from graphprune.errors import Refused
from graphprune.model import from_proto
from graphprune.runtime import run, session

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
