"""Residual branches whose addition an optimiser fused with something else can be taken out like others."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.layers import layers
from graphprune.model import Model, from_proto, to_proto
from graphprune.plan import Plan
from graphprune.proof.weights import demand_alike
from graphprune.runtime import run, session
from graphprune.solve import solve
from graphprune.verify import verify
from tests.networks.fill import fill
from tests.networks.solved import halved

HEADER = '<ir_version: 10, opset_import: ["" : {opset}, "com.microsoft" : 1]>'
WEIGHTS = """float[6, 8] w0, float[8] scale0, float[8] shift0, float[8, 12] up1, float[12, 8] down1,
 float[8] scale1,
 float[8] shift1, float[8] bias1, float[8, 10] up2, float[10, 8] down2, float[8] scale2, float[8] shift2,
 float[8] bias2, float[8, 3] w1"""
# id -> two branches behind `h`, whose last matrices are `down1` and `down2`
FUSED = {
    "norms-in-front": """
      n = LayerNormalization (h, scale0, shift0)
      u1 = MatMul (n, up1) r1 = Relu (u1) d1 = MatMul (r1, down1)
      n1, , , s1 = com.microsoft.SkipLayerNormalization (h, d1, scale1, shift1, bias1)
      u2 = MatMul (n1, up2) r2 = Relu (u2) d2 = MatMul (r2, down2)
      n2 = com.microsoft.SkipLayerNormalization (s1, d2, scale2, shift2, bias2)""",
    "norms-behind": """
      u1 = MatMul (h, up1) r1 = Relu (u1) d1 = MatMul (r1, down1)
      n1 = com.microsoft.SkipLayerNormalization (d1, h, scale1, shift1, bias1)
      u2 = MatMul (n1, up2) r2 = Relu (u2) d2 = MatMul (r2, down2)
      n2 = com.microsoft.SkipLayerNormalization (d2, n1, scale2, shift2)""",
}


def network(name: str, opset: int = 17) -> onnx.ModelProto:
    nodes = f"h = MatMul (x, w0) {FUSED[name]} y = MatMul (n2, w1)"
    header = HEADER.format(opset=opset)
    return fill(f"{header} g (float[B, 5, 6] x) => (float[B, 5, 3] y) <{WEIGHTS}> {{ {nodes} }}")


def without(proto: onnx.ModelProto, *names: str) -> onnx.ModelProto:
    """The model with these weights at zero."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    for tensor in copy.graph.initializer:
        if tensor.name in names:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 0, tensor.name))
    return copy


def result(model: Model) -> np.ndarray:
    x = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.float32)
    with session(model) as opened:
        found: np.ndarray = run(opened, {"x": x})[0]
    return found


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", FUSED)
def test_a_branch_is_taken_out_of_a_fused_addition_with_its_bias(name: str, number: int) -> None:
    proto = network(name)
    model = fold(from_proto(proto))
    solution = solve(model.graph)
    found = layers(solution)
    assert [layer.branch for layer in found] == ["d1", "d2"]
    small = cut(model, solution, Plan({}, {}, (found[number - 1].name,)))
    expected = without(proto, f"down{number}", f"bias{number}")
    np.testing.assert_allclose(result(small.model), result(from_proto(expected)), rtol=1e-5, atol=1e-5)
    assert f"up{number}" not in {tensor.name for tensor in to_proto(small.model).graph.initializer}
    assert [node.op for node in small.model.graph.nodes].count("SkipLayerNormalization") == 1
    assert verify(model, small, solution.shapes).passed
    demand_alike(model, small)
    onnx.checker.check_model(to_proto(small.model))


@pytest.mark.parametrize("name", FUSED)
def test_branches_and_units_go_together(name: str) -> None:
    model = fold(from_proto(network(name)))
    solution = solve(model.graph)
    units = halved(solution)
    plan = Plan(units.keep, units.sizes, (layers(solution)[0].name,))
    small = cut(model, solution, plan)
    assert verify(model, small, solution.shapes).passed
    demand_alike(model, small)


def test_both_branches_may_go() -> None:
    model = fold(from_proto(network("norms-in-front")))
    solution = solve(model.graph)
    small = cut(model, solution, Plan({}, {}, tuple(layer.name for layer in layers(solution))))
    assert verify(model, small, solution.shapes).passed
    assert [node.op for node in small.model.graph.nodes] == ["MatMul", "LayerNormalization", "MatMul"]


def test_an_operator_set_without_the_norm_has_no_such_layers() -> None:
    model = fold(from_proto(network("norms-behind", opset=16)))
    assert layers(solve(model.graph)) == ()


def test_a_sum_of_integers_adds_its_zero_point() -> None:
    scales = "float s = {0.02}, uint8 z = {128}, float v = {0.03}, uint8 u = {120}"
    proto = fill(f"""{HEADER.format(opset=17)} g (float[B, 8] x) => (float[B, 8] y)
    <int8[8, 8] w, float ws = {{0.01}}, int8 wz = {{0}}, {scales}> {{
      q = QuantizeLinear (x, s, z)
      m = QLinearMatMul (q, s, z, w, ws, wz, v, u)
      a = com.microsoft.QLinearAdd (q, s, z, m, v, u, v, z)
      y = DequantizeLinear (a, v, z)
    }}""")
    model = fold(from_proto(proto))
    solution = solve(model.graph)
    (layer,) = layers(solution)
    small = cut(model, solution, Plan({}, {}, (layer.name,)))
    assert [node.op for node in small.model.graph.nodes] == [
        "QuantizeLinear",
        "QLinearAdd",
        "DequantizeLinear",
    ]
    assert verify(model, small, solution.shapes).passed
    demand_alike(model, small)
