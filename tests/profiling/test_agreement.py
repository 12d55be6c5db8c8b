"""The outputs of what is timed are held against the model's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx import numpy_helper

from graphprune.backends import Setup, backend
from graphprune.feeds import random_feeds
from graphprune.model import Model, from_proto
from graphprune.profiling.agreement import Outputs, deviation, limit, reference
from tests.profiling.texts import CNN, CNN_WEIGHTS, MLP, MLP_WEIGHTS, proto

HALF = MLP.replace("float[", "float16[")
MIXED = """
m (float[n, 8] x) => (float[n, 3] y) { h = Cast <to = 10> (x) g = MatMul (h, w) y = Cast <to = 1> (g) }"""
QUANTISED = """
m (float[n, 8] x) => (float[n, 3] y) <float s = {0.1}, int8 z = {0}> {
  q = QuantizeLinear (x, s, z)
  d = DequantizeLinear (q, s, z)
  y = MatMul (d, w)
}"""


def engine_and_reference(model: Model) -> tuple[float | None, float]:
    feeds = random_feeds(model.graph, {"x": (2, 3, 16, 16)})
    with backend("ort:cpu").open(model, feeds, Setup()) as running:
        found = running.outputs()
    return deviation(reference(model, feeds), found), limit(model, "ort:cpu")


def test_an_optimised_engine_agrees_with_its_model() -> None:
    error, most = engine_and_reference(from_proto(proto(CNN, CNN_WEIGHTS)))
    assert error is not None
    assert error <= most == 1e-4


def test_an_engine_of_another_model_does_not() -> None:
    one, other = proto(CNN, CNN_WEIGHTS), proto(CNN, CNN_WEIGHTS)
    (head,) = (weight for weight in other.graph.initializer if weight.name == "h")
    head.CopyFrom(numpy_helper.from_array(-np.ones((4, 16), np.float32), "h"))
    feeds = random_feeds(from_proto(one).graph, {"x": (2, 3, 16, 16)})
    with backend("ort:cpu").open(from_proto(other), feeds, Setup()) as running:
        error = deviation(reference(from_proto(one), feeds), running.outputs())
    assert error is not None
    assert error > 0.1


ONE = np.array([1.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("expected", "found", "error"),
    [
        ({"y": ONE}, {"y": ONE}, 0.0),
        ({"y": ONE}, {"y": ONE * 1.1}, 0.1),
        ({"y": ONE, "z": ONE}, {"y": ONE, "z": ONE * 2}, 1.0),
        ({"y": ONE}, {"y": ONE[:2]}, math.inf),
        ({"y": ONE}, {"y": np.array([1.0, np.nan, 2.0])}, math.inf),
        ({"y": ONE}, {"y": np.array([1.0, np.inf, 2.0])}, math.inf),
        ({"y": ONE * np.nan}, {"y": ONE * np.nan}, math.nan),
        ({"y": ONE.astype(np.float16)}, {"y": ONE.astype(np.float16)}, 0.0),
        ({"y": np.array([1, 2, 2])}, {"y": np.array([1, 2, 5])}, 1.0),
        ({"y": np.array([True, True])}, {"y": np.array([True, False])}, 0.5**0.5),
        ({"y": np.array(["a"])}, {"y": np.array(["b"])}, None),
        ({"y": ONE}, {"z": ONE}, None),
        ({}, {"y": ONE}, None),
    ],
)
def test_the_worst_output_counts(
    expected: Outputs,
    found: Outputs,
    error: float | None,
) -> None:
    measured = deviation(expected, found)
    assert measured == (error if error is None else pytest.approx(error, nan_ok=True))


@pytest.mark.parametrize(
    ("text", "dtype", "where", "most"),
    [
        pytest.param(MLP, "float32", "ort:cpu", 1e-4, id="floats"),
        pytest.param(MLP, "float32", "ort:cuda", 2e-2, id="floats on a GPU, which multiplies TensorFloat-32"),
        pytest.param(HALF, "float16", "ort:cpu", 2e-2, id="halves"),
        pytest.param(MIXED, "float16", "ort:cpu", 2e-2, id="halves between floats"),
        pytest.param(QUANTISED, "float32", "ort:cpu", 1e-1, id="bytes"),
    ],
)
def test_the_limit_is_that_of_the_coarsest_type(text: str, dtype: str, where: str, most: float) -> None:
    weights = MLP_WEIGHTS if text in (MLP, HALF) else {"w": (8, 3)}
    assert limit(from_proto(proto(text, weights, dtype)), where) == most
