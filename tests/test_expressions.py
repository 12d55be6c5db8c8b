"""What follows from constants alone is computed once, and is a constant like others from then on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from graphprune import expressions, prune
from graphprune.cost import cost
from graphprune.errors import Refused
from graphprune.fold import fold
from graphprune.model import Model, from_proto, load, save, to_proto
from graphprune.proof.content import unlike
from graphprune.proof.weights import differences
from graphprune.solve import solve
from graphprune.sparsity.patterns import pattern
from graphprune.sparsity.sequential import Aim
from graphprune.sparsity.sparsify import sparsify
from graphprune.state import made
from graphprune.verify import compare
from graphprune.weights import Computed
from tests.networks.fill import fill

STANDARDISED = """g (float[1, 3, 8, 8] x) => (float[1, 8, 8, 8] y)
<float[32, 3, 3, 3] w0, float[32, 32, 3, 3] w1, float[32, 1, 1, 1] gain, float[8, 32, 1, 1] w2,
 float eps = {0.00001}, int64[3] axes = {1, 2, 3}>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  r = Relu (a)
  mean = ReduceMean <keepdims = 1> (w1, axes)
  d = Sub (w1, mean)
  dd = Mul (d, d)
  variance = ReduceMean <keepdims = 1> (dd, axes)
  v = Add (variance, eps)
  s = Sqrt (v)
  n = Div (d, s)
  w = Mul (n, gain)
  [middle] b = Conv <pads = [1, 1, 1, 1]> (r, w)
  q = Relu (b)
  y = Conv (q, w2)
}"""
FLAT = """g (float[n, 6] x) => (float[n, 4] y)
<float[6, 16] w0, float[256] flat, int64[2] shape = {16, 16}, float[16, 4] w2>
{ a = MatMul (x, w0) r = Relu (a) w = Reshape (flat, shape) b = MatMul (r, w) s = Relu (b)
  y = MatMul (s, w2) }"""
SPLIT = """g (float[n, 6] x) => (float[n, 4] y)
<float[6, 64] both, float[32, 4] w2>
{ u, v = Split <axis = 1, num_outputs = 2> (both)
  a = MatMul (x, u) b = MatMul (x, v) r = Relu (a) c = Mul (r, b)
  y = MatMul (c, w2) }"""
BODY = """g (float[n, 6] x, bool which) => (float[n, 4] y)
<float[6, 16] w0, float[16, 4] w2>
{
  a = MatMul (x, w0)
  r = If (which) <
    then_branch = t () => (float[n, 16] p)
      <float[256] flat, int64[2] shape = {16, 16}> {
        w = Reshape (flat, shape) h = MatMul (a, w) p = Relu (h) },
    else_branch = e () => (float[n, 16] q) { q = Neg (a) }
  >
  y = MatMul (r, w2)
}"""
TIED = """g (int64[n] ids) => (float[n, 300] y)
<float[300, 32] table>
{ e = Gather (table, ids) r = Relu (e) w = Transpose <perm = [1, 0]> (table)
  y = MatMul (r, w) }"""
SPREAD = """g (float[n, 600] x) => (float[n, 600] y)
<float[1] one, int64[1] shape = {600}> { ones = Expand (one, shape) y = Mul (x, ones) }"""
ENDLESS = """g (int64[n] i) => (int64[n] y)
<int64 start = {0}, int64 end = {8589934592}, int64 step = {1}>
{ r = Range (start, end, step) y = Gather (r, i) }"""
HALVES = """g (float[n, 40] x) => (float[n, 40] y)
<float16[40, 40] half> { w = Cast <to = 1> (half) y = MatMul (x, w) }"""
BYTES = """g (float[n, 40] x) => (float[n, 40] y)
<int8[40, 40] bytes, float[40] scales> { f = Cast <to = 1> (bytes) w = Mul (f, scales) y = MatMul (x, w) }"""
QUANTISED = """g (float[n, 40] x) => (float[n, 40] y)
<float[40, 40] full, float scale = {0.01}, int8 zero = {0}>
{ q = QuantizeLinear (full, scale, zero) w = DequantizeLinear (q, scale, zero) y = MatMul (x, w) }"""
RANDOM = """g (float[40, 40] x) => (float[40, 40] y) <float[40, 40] like>
{ w = RandomNormalLike (like) y = MatMul (x, w) }"""
DEAD = """g (float[n, 6] x) => (float[n, 8] y)
<float[6, 12] w0, float[12, 4] w1, float[6, 8] w2>
{ a = MatMul (x, w0) r = Relu (a) dead = MatMul (r, w1) y = MatMul (x, w2) }"""


def folded(text: str) -> tuple[Model, Model]:
    """A model and what `fold` makes of it."""
    model = from_proto(fill(text))
    return model, fold(model)


def operators(model: Model) -> list[str]:
    return [node.op for node in model.graph.nodes]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (STANDARDISED, ["Conv", "Relu", "Conv", "Relu", "Conv"]),
        (FLAT, ["MatMul", "Relu", "MatMul", "Relu", "MatMul"]),
        (SPLIT, ["MatMul", "MatMul", "Relu", "Mul", "MatMul"]),
        (BODY, ["MatMul", "If", "MatMul"]),
    ],
    ids=["standardised", "flat", "split", "in a body"],
)
def test_a_weight_that_is_computed_becomes_a_weight_and_the_model_computes_the_same(
    text: str, left: list[str]
) -> None:
    model, known = folded(text)
    assert operators(known) == left
    assert not any(node.op == "Reshape" for body in known.graph.subgraphs() for node in body.nodes)
    assert compare(model, known).worst.error == 0


@pytest.mark.parametrize("element", ["float16", "bfloat16"])
def test_a_weight_that_is_computed_keeps_its_type(element: str) -> None:
    text = f"""g ({element}[2, 6] x) => ({element}[2, 16] y) <{element}[6, 16] w, {element}[16] gain>
    {{ u = Tanh (w) s = Mul (u, gain) y = MatMul (x, s) }}"""
    known = folded(text)[1]
    assert operators(known) == ["MatMul"]
    kinds = {tensor.name: tensor.data_type for tensor in to_proto(known).graph.initializer}
    assert kinds == {"s": TensorProto.DataType.Value(element.upper())}


@pytest.mark.parametrize(
    ("text", "op"),
    [
        (TIED, "Transpose"),
        (SPREAD, "Expand"),
        (ENDLESS, "Range"),
        (HALVES, "Cast"),
        (BYTES, "Mul"),
        (QUANTISED, "QuantizeLinear"),
        (RANDOM, "RandomNormalLike"),
    ],
    ids=["shared", "spread out", "without end", "stored in halves", "stored in bytes", "quantised", "random"],
)
def test_what_would_take_more_room_or_is_meant_to_be_computed_stays(text: str, op: str) -> None:
    assert op in operators(folded(text)[1])


def test_a_weight_that_a_caller_may_give_decides_nothing() -> None:
    model = fill(FLAT)
    model.graph.input.append(helper.make_tensor_value_info("flat", TensorProto.FLOAT, [256]))
    assert "Reshape" in operators(fold(from_proto(model)))


def test_more_than_there_is_room_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "MOST", 100)
    known = folded(FLAT)[1]
    assert "Reshape" in operators(known)
    assert any("too large" in note for note in known.notes)


def test_the_norm_of_a_weight_costs_nothing_and_stays_what_it_was() -> None:
    """The rows that stay are those of the standardised weight, not standardised anew over fewer inputs."""
    state = prune(from_proto(fill(STANDARDISED)))
    model, small = made(state.model, "model"), made(state.cut, "cut").model
    assert not any(group.mixed for group in made(state.solution, "solution").groups)
    whole, part = (weight(each, "w") for each in (model, small))
    assert part.shape == (16, 16, 3, 3)
    assert np.isin(part, whole).all()
    assert made(state.verification, "verification").passed


def weight(model: Model, name: str) -> NDArray[np.float32]:
    """The values of the initializer called `name`."""
    found = {tensor.name: tensor for tensor in to_proto(model).graph.initializer}
    return numpy_helper.to_array(found[name]).astype(np.float32)


def test_a_file_whose_weights_were_computed_is_what_the_plan_makes_of_the_original(tmp_path: Path) -> None:
    state = prune(from_proto(fill(STANDARDISED)))
    save(state.result, tmp_path / "small.onnx")
    again = prune(from_proto(fill(STANDARDISED)), verify=False)
    model, cut = made(again.model, "model"), made(again.cut, "cut")
    assert differences(model, cut, load(tmp_path / "small.onnx")) == ()


def test_a_weight_that_was_computed_may_differ_in_its_last_digit_alone() -> None:
    values = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    near, far = (gs.Constant("w", each) for each in (np.nextafter(values, np.float32(2)), values + 1e-4))
    computed = gs.Constant("w", values.view(Computed))
    assert unlike(computed, {}, near) is None
    assert unlike(computed, {}, far) is not None
    assert unlike(gs.Constant("w", values), {}, near) is not None


def test_a_weight_that_is_computed_is_made_sparse() -> None:
    known = folded(FLAT)[1]
    solution = solve(known.graph)
    result = sparsify(known, solution, Aim("magnitude", pattern("2:4")))
    assert np.mean(weight(result.model, "w") == 0) == 0.5


def test_what_no_output_needs_is_no_part_of_the_model() -> None:
    known = folded(DEAD)[1]
    assert cost(solve(known.graph)).params == 6 * 8
    assert any("no output needs" in note for note in known.notes)


def test_where_only_dead_weights_could_go_nothing_is_pruned() -> None:
    with pytest.raises(Refused, match="nothing can be pruned"):
        prune(from_proto(fill(DEAD)))
