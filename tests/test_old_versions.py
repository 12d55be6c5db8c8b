"""Of models of IR version 3, which lists every weight as an input, weights become weights alone."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime as ort
import pytest
from onnx import ModelProto

from graphprune import prune
from graphprune.model import from_proto, load, save, to_proto
from tests.networks.fill import fill

FLAT = """<ir_version: 4, opset_import: ["" : 8]>
g (float[1, 3, 8, 8] x) => (float[1, 4] y)
<float[16, 3, 3, 3] w0, float[16] b0, float[16, 16, 3, 3] w1, int64[2] flat = {1, 1024},
 float[4, 1024] w2, float[4] b2>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  r = Relu (a)
  b = Conv <pads = [1, 1, 1, 1]> (r, w1)
  s = Relu (b)
  f = Reshape (s, flat)
  y = Gemm <transB = 1> (f, w2, b2)
}"""
BRANCHES = """<ir_version: 4, opset_import: ["" : 9]>
g (float[n, 6] x, bool which) => (float[n, 4] y)
<float[6, 16] w0, float[16, 4] w2>
{
  a = MatMul (x, w0)
  r = If (which) <
    then_branch = t () => (float[n, 16] p) <float[16, 16] u> { h = MatMul (a, u) p = Relu (h) },
    else_branch = e () => (float[n, 16] q) { q = Neg (a) }
  >
  y = MatMul (r, w2)
}"""


def old(text: str) -> ModelProto:
    """The model of IR version 3: every initializer of the outermost graph is an input as well."""
    model = fill(text)
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    return model


@pytest.mark.parametrize("text", [FLAT, BRANCHES], ids=["flattened", "weights in a body"])
def test_a_cut_of_an_old_model_is_valid_and_has_no_weight_among_its_inputs(text: str, tmp_path: Path) -> None:
    source, target = tmp_path / "old.onnx", tmp_path / "new.onnx"
    onnx.save(old(text), source)  # pyright: ignore[reportUnknownMemberType]
    state = prune(source)
    save(state.result, target)
    written = onnx.load(target)  # pyright: ignore[reportUnknownMemberType]
    onnx.checker.check_model(written, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    assert written.ir_version == 4
    assert [value.name for value in written.graph.input] == [value.name for value in fill(text).graph.input]
    ort.InferenceSession(target)
    assert state.verification is not None
    assert state.verification.passed


def test_an_old_model_says_what_was_made_of_it() -> None:
    assert "IR version 3" in from_proto(old(FLAT)).notes[0]
    assert from_proto(fill(FLAT)).notes == ()


def test_an_old_model_in_memory_is_not_changed() -> None:
    model = old(FLAT)
    before = model.SerializeToString()
    from_proto(model)
    assert model.SerializeToString() == before


def test_a_weight_that_a_caller_may_give_since_version_4_stays_an_input(tmp_path: Path) -> None:
    model = old(FLAT)
    model.ir_version = 4
    onnx.save(model, tmp_path / "m.onnx")  # pyright: ignore[reportUnknownMemberType]
    written = to_proto(load(tmp_path / "m.onnx"))
    assert [value.name for value in written.graph.input] == [value.name for value in model.graph.input]
