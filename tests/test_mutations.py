"""The faults of `benchmarks.mutations`: those meant to change a model do, and the harmless do not."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from benchmarks.child import ROOT
from benchmarks.faults import FAULTS
from benchmarks.mutations import HARMLESS, KINDS
from benchmarks.reference import gap, run
from tests.networks.fill import fill

NETWORK = """
g (int64[n, 6] ids, float[n, 3, 8, 8] x, float[n, 3, 8, 8] z) => (float[n, 4] y)
<float[9, 12] table, float[12] scale0, float[12] shift, float[12, 24] w0, float[24] b0, float[24, 12] w1,
 float[12, 24] w4, float[12, 4] w2, float[4] b2, float[8, 3, 3, 3] k0, float[8] c0, float[8, 8, 3, 3] k1,
 float[8] c1, float[8, 4] w3, float half = {0.5}, int64[3] target = {0, 2, 32}, int64[3] back = {0, 4, 16},
 int64[1] one = {1}, int64[2] last = {2, 3}>
{
  e = Gather (table, ids)
  normed = LayerNormalization <axis = -1, epsilon = 0.001> (e, scale0, shift)
  a = MatMul (normed, w0)
  b = Add (a, b0)
  r = LeakyRelu <alpha = 0.1> (b)
  other = MatMul (normed, w4)
  apart = Sub (r, other)
  down = MatMul (apart, w1)
  sum = Add (e, down)
  scaled = Mul (sum, half)
  mean = ReduceMean <keepdims = 0> (scaled, one)
  first = Gemm (mean, w2, b2)
  difference = Sub (x, z)
  c = Conv <pads = [1, 1, 1, 1]> (difference, k0, c0)
  d = Relu (c)
  f = Conv <pads = [1, 1, 1, 1]> (d, k1, c1)
  pooled = ReduceMean <keepdims = 0> (f, last)
  shaped = Reshape (pooled, pair)
  turned = Transpose <perm = [0, 2, 1]> (shaped)
  flat = Flatten (turned)
  second = MatMul (flat, w3)
  y = Sub (first, second)
}"""


@pytest.fixture(name="network")
def _network() -> onnx.ModelProto:
    text = NETWORK.replace(
        "int64[3] target = {0, 2, 32}, int64[3] back = {0, 4, 16}", "int64[3] pair = {0, 2, 4}"
    )
    return fill(text)


def _feeds(seed: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(seed)
    images = {name: draw.standard_normal((2, 3, 8, 8)).astype(np.float32) for name in "xz"}
    return {"ids": draw.integers(0, 9, (2, 6)), **images}


def _change(before: onnx.ModelProto, after: onnx.ModelProto) -> float:
    feeds = [_feeds(seed) for seed in range(6)]
    return max(gap(a, b) for each in feeds for a, b in zip(run(before, each), run(after, each), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_changes_what_the_network_computes(kind: str, network: onnx.ModelProto) -> None:
    mutant = onnx.ModelProto.FromString(network.SerializeToString())
    assert KINDS[kind](mutant, np.random.default_rng(1)) is not None
    assert mutant.SerializeToString() != network.SerializeToString()
    assert _change(network, mutant) > 1e-6


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_harmless_changes_the_file_and_no_output(kind: str, network: onnx.ModelProto) -> None:
    mutant = onnx.ModelProto.FromString(network.SerializeToString())
    if kind == "deduplicated":
        for model in (network, mutant):
            again = model.graph.initializer.add()
            again.CopyFrom(next(t for t in model.graph.initializer if t.name == "half"))
            again.name = "again"
            next(node for node in model.graph.node if node.op_type == "LeakyRelu").output[0] = "r_"
            model.graph.node.insert(5, onnx.helper.make_node("Mul", ["r_", "again"], ["r"]))
    assert HARMLESS[kind](mutant, np.random.default_rng(1)) is not None
    assert mutant.SerializeToString() != network.SerializeToString()
    assert _change(network, mutant) == 0


@pytest.mark.parametrize("name", FAULTS)
def test_the_text_that_a_fault_of_the_surgery_changes_stands_there_once(name: str) -> None:
    fault = FAULTS[name]
    assert (ROOT / fault.file).read_text(encoding="utf-8").count(fault.old) == 1
