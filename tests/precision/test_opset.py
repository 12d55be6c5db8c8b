"""A model of an older operator set computes the same in a newer one, and is quantised there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from graphprune import prune
from graphprune.errors import GraphpruneError, Refused
from graphprune.model import from_proto, save, to_proto
from graphprune.precision import quantise as quantising
from graphprune.precision.opset import CHANNELS, converted, raised
from graphprune.verify import compare
from tests.networks import network
from tests.networks.fill import fill

SOFTMAX = """<ir_version: 7, opset_import: ["" : {opset}]>
g (float[2, 3, 4, 4] x) => (float[2, 3, 4, 4] y) {{ y = Softmax <axis = 1> (x) }}"""
LAST = """<ir_version: 7, opset_import: ["" : 12]>
g (float[2, 3, 4, 4] x) => (float[2, 3, 4, 4] y) { y = Softmax <axis = -1> (x) }"""
FUSED = """<ir_version: 7, opset_import: ["" : 11, "com.microsoft" : 1]>
g (float[n, 8] x) => (float[n] y) <float[8, 8] w>
{ a = MatMul (x, w) b = com.microsoft.Gelu (a) y = ReduceSum <axes = [1], keepdims = 0> (b) }"""
CHAIN = """<ir_version: {ir}, opset_import: ["" : {opset}]>
g (float[1, 3, 8, 8] x) => (float[1, 8, 8, 8] y) <float[16, 3, 3, 3] w0, float[8, 16, 3, 3] w1>
{{ a = Conv <pads = [1, 1, 1, 1]> (x, w0) r = Relu (a) y = Conv <pads = [1, 1, 1, 1]> (r, w1) }}"""


@pytest.mark.parametrize("name", ["opset-7", "opset-9", "opset-11", "opset-12"])
def test_a_network_computes_the_same_in_a_newer_operator_set(name: str) -> None:
    model = from_proto(network(name))
    found = converted(model, CHANNELS)
    onnx.checker.check_model(to_proto(found), full_check=True)  # pyright: ignore[reportUnknownMemberType]
    assert found.graph.opset == CHANNELS
    assert compare(model, found).passed


@pytest.mark.parametrize("text", [SOFTMAX.format(opset=12), SOFTMAX.format(opset=9), LAST, FUSED])
def test_an_operator_that_means_something_else_is_rewritten(text: str) -> None:
    model = from_proto(fill(text))
    found = converted(model, CHANNELS)
    assert found.graph.opset == CHANNELS
    assert compare(model, found).passed


def test_a_softmax_over_several_axes_is_not_taken_for_that_of_a_newer_operator_set() -> None:
    model = from_proto(fill(SOFTMAX.format(opset=12)))
    assert raised(model, CHANNELS) is model


@pytest.mark.parametrize(("opset", "ir"), [(8, 3), (9, 4), (10, 5), (11, 6), (12, 7)])
def test_a_model_of_an_older_operator_set_is_quantised(opset: int, ir: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).standard_normal((6, 3, 8, 8), np.float32))
    model = fill(CHAIN.format(opset=opset, ir=max(ir, 4)))
    model.ir_version = ir
    state = prune(from_proto(model), data=str(tmp_path / "data.npz"), precision="int8")
    save(state.result, tmp_path / "small.onnx")
    written = onnx.load(str(tmp_path / "small.onnx"))  # pyright: ignore[reportUnknownMemberType]
    onnx.checker.check_model(written, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    assert written.opset_import[0].version == CHANNELS
    ort.InferenceSession(str(tmp_path / "small.onnx"))


BRANCHES = """<ir_version: 6, opset_import: ["" : 11]>
g (float[2, 3, 4, 4] x, bool which) => (float[2, 3, 4, 4] y) {
  y = If (which) <
    then_branch = t () => (float[2, 3, 4, 4] p) { p = OPERATOR (x) },
    else_branch = e () => (float[2, 3, 4, 4] q) { q = Neg (x) }
  >
}"""


def test_a_body_is_raised_where_its_operators_mean_the_same() -> None:
    model = from_proto(fill(BRANCHES.replace("OPERATOR", "Tanh")))
    found = converted(model, CHANNELS)
    assert found.graph.opset == CHANNELS
    assert compare(model, found).passed


def test_a_body_whose_operators_mean_something_else_is_refused() -> None:
    model = from_proto(fill(BRANCHES.replace("OPERATOR", "Softmax <axis = 1>")))
    with pytest.raises(Refused, match="opset 11"):
        converted(model, CHANNELS)


def test_an_invalid_result_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the quantizer writes what its operator set does not have, the user's model is not blamed."""
    monkeypatch.setattr(quantising, "CHANNELS", 12)
    model = from_proto(fill(CHAIN.format(opset=12, ir=7)))
    with pytest.raises(GraphpruneError, match="the quantised model is not valid") as error:
        quantising.quantise(model, [{"x": np.ones((1, 3, 8, 8), np.float32)}])
    assert error.value.code == 70
    assert "export" not in error.value.hint
