"""The reference of `benchmarks.reference`: equal to what was cut rightly, and to nothing else."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.reference import Unlike, gap, kept, reference, run
from graphprune.cut import cut
from graphprune.importance import score
from graphprune.model import from_proto, to_proto
from graphprune.select import Choice, select
from graphprune.solve import solve
from tests.networks.fill import fill

NETWORKS = {
    "convolutions in groups": """
g (float[n, 3, 8, 8] x) => (float[n, 4, 8, 8] y)
<float[16, 3, 3, 3] k0, float[16] b0, float[16, 4, 3, 3] k1, float[16] b1, float[4, 16, 1, 1] k2>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, k0, b0)
  r = Sigmoid (a)
  b = Conv <pads = [1, 1, 1, 1], group = 4> (r, k1, b1)
  s = Relu (b)
  y = Conv (s, k2)
}""",
    "a norm over what is cut": """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 12] w0, float[12] scale, float[12] shift, float[12, 4] w1>
{
  a = MatMul (x, w0)
  b = LayerNormalization (a, scale, shift)
  y = MatMul (b, w1)
}""",
    "a mean that is subtracted": """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 12] w0, float[12] scale, float[12, 4] w1, float tiny = {0.00001}>
{
  a = MatMul (x, w0)
  centre = ReduceMean <axes = [-1]> (a)
  apart = Sub (a, centre)
  square = Mul (apart, apart)
  mean = ReduceMean <axes = [-1]> (square)
  above = Add (mean, tiny)
  root = Sqrt (above)
  b = Div (apart, root)
  c = Mul (b, scale)
  y = MatMul (c, w1)
}""",
    "a mean over what is cut": """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 12] w0, float[12] scale, float[12, 4] w1, float tiny = {0.00001}>
{
  a = MatMul (x, w0)
  square = Mul (a, a)
  mean = ReduceMean <axes = [-1]> (square)
  above = Add (mean, tiny)
  root = Sqrt (above)
  b = Div (a, root)
  c = Mul (b, scale)
  y = MatMul (c, w1)
}""",
}


def _pair(name: str) -> tuple[onnx.ModelProto, onnx.ModelProto, dict[str, np.ndarray]]:
    text = NETWORKS[name]
    header = '<ir_version: 10, opset_import: ["" : 17]>\n'
    model = fill(header + text.strip())
    solved = from_proto(model)
    solution = solve(solved.graph)
    plan = select(solution, score(solution).values, Choice(ratio=0.5))
    small = to_proto(cut(solved, solution, plan).model)
    sizes = (2, 3, 8, 8) if "convolutions" in name else (2, 6)
    return model, small, {"x": np.random.default_rng(0).standard_normal(sizes).astype(np.float32)}


def _gap(model: onnx.ModelProto, small: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> float:
    masked = reference(model, small, feeds)
    return gap(run(masked, feeds)[0], run(small, feeds)[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_right_cut_equals_the_reference(name: str) -> None:
    model, small, feeds = _pair(name)
    assert sum(map(_size, small.graph.initializer)) < sum(map(_size, model.graph.initializer))
    assert _gap(model, small, feeds) < 1e-5


def _size(tensor: onnx.TensorProto) -> int:
    return int(np.prod(tensor.dims))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_weight_that_is_not_the_originals_is_told(name: str) -> None:
    model, small, feeds = _pair(name)
    largest = max(small.graph.initializer, key=_size)
    values = numpy_helper.to_array(largest).copy()
    values.flat[0] *= 1.5
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    with pytest.raises(Unlike):
        _gap(model, small, feeds)


def test_two_positions_that_changed_places_are_told() -> None:
    full = np.arange(12.0).reshape(4, 3)
    assert {axis: list(index) for axis, index in kept(full, full[[0, 2]]).items()} == {0: [0, 2]}
    with pytest.raises(Unlike):
        kept(full, full[[2, 0]])


def test_a_cut_that_keeps_another_unit_at_one_side_differs() -> None:
    model, small, feeds = _pair("convolutions in groups")
    stays = {tensor.name: tensor for tensor in small.graph.initializer}
    full = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    index = kept(full["k2"], numpy_helper.to_array(stays["k2"]))[1]
    other = np.setdiff1d(np.arange(16), index)[: len(index)]
    stays["k2"].CopyFrom(numpy_helper.from_array(full["k2"][:, other], "k2"))
    assert _gap(model, small, feeds) > 1e-2
