"""Linear operators are the equations X W + b = Y."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from onnx import TensorProto

from graphprune import elements
from graphprune.errors import Refused
from graphprune.fitting.linear import Linear, fixed_names, inputs, laid_out, linear, linears, matrix, results
from graphprune.ir import read
from graphprune.model import from_proto
from tests.networks.fill import fill
from tests.operators import APART, BODY, EVERY, OPERATORS, fit, model_of, only, values


@EVERY
def test_an_operator_is_its_equations(name: str) -> None:
    model = model_of(OPERATORS[name])
    it = only(model)
    assert (it.bias is not None) == ("b" in OPERATORS[name][1].split())
    fit(model, it)


@EVERY
def test_a_matrix_laid_out_is_the_weight(name: str) -> None:
    it = only(model_of(OPERATORS[name]))
    assert np.array_equal(laid_out(it, matrix(it)[0]), read(it.weight))


@pytest.mark.parametrize("name", APART)
def test_an_addition_that_is_no_bias_stays_apart(name: str) -> None:
    model = model_of(APART[name])
    it = only(model)
    assert it.bias is None
    assert it.target == "m"
    fit(model, it)


def test_a_product_that_is_an_output_has_no_bias() -> None:
    model = model_of(OPERATORS["MatMul-batch-Add"], ", float[2,7,5] m")
    assert only(model).target == "m"
    alone = linear(model.graph.nodes[0])
    assert isinstance(alone, Linear)
    assert alone.target == "y", "a node does not know the graph's outputs"


@pytest.mark.parametrize(
    ("main", "inner"),
    [
        ("x5 = Add (m, b)\n  y = Relu (x5)", "Neg (m)"),
        ("x5 = Neg (x)\n  y = Identity (x5)", "Add (m, b)"),
    ],
    ids=["read-by-a-body", "added-in-a-body"],
)
def test_a_product_that_a_body_reads_has_no_bias(main: str, inner: str) -> None:
    graph = from_proto(fill(BODY.format(main=main, inner=inner))).graph
    assert {"m", "x5"} <= fixed_names(graph)
    ((_, it),) = linears(graph)
    assert it.target == "m"


def test_a_sum_that_others_read_is_the_result() -> None:
    nodes = "m = MatMul (x, w) s = Add (m, b) y = Relu (s)"
    assert only(model_of(("7,4", "float[4,5] w, float[5] b", nodes), ", float[7,5] s")).target == "s"


REASONS: dict[str, tuple[tuple[str, str, str], str]] = {
    "shared": (
        ("4,4", "float[4,4] w", "a = MatMul (x, w) y = MatMul (a, w)"),
        "its weight is shared with another operator",
    ),
    "conv-bias": (
        ("2,3,5", "float[4,3,2] w, float[4] b", "c = Neg (b) y = Conv (x, w, c)"),
        "its bias is computed",
    ),
    "gemm-bias": (
        ("7,4", "float[4,5] w, float[5] b", "c = Neg (b) y = Gemm (x, w, c)"),
        "its bias is not one number an output",
    ),
    "gemm-bias-of-one": (
        ("7,4", "float[4,5] w, float[1] b", "y = Gemm (x, w, b)"),
        "its bias is not one number an output",
    ),
    "gemm-bias-of-many": (
        ("7,4", "float[4,5] w, float[7,5] b", "y = Gemm (x, w, b)"),
        "its bias is not one number an output",
    ),
    "gemm-bias-a-row": (
        ("5,4", "float[4,5] w, float[5,1] b", "y = Gemm (x, w, b)"),
        "its bias is not one number an output",
    ),
    "gemm-times-0": (("7,4", "float[4,5] w", "y = Gemm <alpha = 0.0> (x, w)"), "it multiplies by 0"),
    "gemm-bias-times-0": (
        ("7,4", "float[4,5] w, float[5] b", "y = Gemm <beta = 0.0> (x, w, b)"),
        "it multiplies by 0",
    ),
    "gemm-left": (("4,7", "float[5,4] w", "y = Gemm (w, x)"), "its weight is the first operand"),
    "conv-left": (("4,3,2", "float[2,3,9] w", "y = Conv (w, x)"), "its weight is the first operand"),
    "batched": (("2,7,4", "float[2,4,5] w", "y = MatMul (x, w)"), "its weight has 3 dimensions"),
    "vector": (("4", "float[5,4] w", "y = MatMul (w, x)"), "it multiplies a vector from the left"),
    "two-inputs": (("4,4", "", "y = MatMul (x, x)"), ""),
    "another": (("4,4", "float[4,4] w", "y = Mul (x, w)"), ""),
}


@pytest.mark.parametrize("name", REASONS)
def test_what_is_no_linear_operator_says_why(name: str) -> None:
    case, reason = REASONS[name]
    graph = model_of(case).graph
    node = next(node for node in graph.nodes if node.op in ("MatMul", "Gemm", "Conv", "Mul"))
    assert linear(node, fixed_names(graph)) == reason


@pytest.mark.parametrize("kind", ["int8", "int32", "float8e4m3fn"])
def test_weights_that_are_no_floats_say_so(kind: str) -> None:
    dtype = elements.DTYPES[TensorProto.DataType.Value(kind.upper())]
    weight = gs.Constant("w", np.ones((4, 5), np.float32).astype(dtype))
    node = gs.Node("MatMul", inputs=[gs.Variable("x"), weight], outputs=[gs.Variable("y")])
    assert linear(node) == f"its weight is {dtype.name}"


def test_an_unknown_padding_says_so() -> None:
    graph = model_of(("2,3,9", "float[4,3,3] w", 'y = Conv <auto_pad = "SAME"> (x, w)')).graph
    assert linear(graph.nodes[0]) == "its auto_pad is 'SAME'"


def test_a_weight_that_is_an_output_is_shared() -> None:
    graph = from_proto(
        fill("g (float[7, 4] x) => (float[7, 5] y, float[4, 5] w) <float[4, 5] w> { y = MatMul (x, w) }")
    ).graph
    assert list(linears(graph)) == []


def test_a_vector_from_the_left_is_refused_once_it_is_seen() -> None:
    it = only(model_of(("4,7", "float[5,4] w", "a = Neg (x) y = MatMul (w, a)")))
    with pytest.raises(Refused, match="multiplies a vector from the left"):
        inputs(it, np.zeros(4, np.float32), (), np.zeros(1, np.int64))


def test_the_dimensions_are_those_of_the_tensors() -> None:
    for name, case in OPERATORS.items():
        it = only(model_of(case))
        if name == "MatMul-vector":
            continue
        x, y = values(model_of(case), it.target)
        assert x.shape[it.feed_dim] == it.blocks * it.channels, name
        assert y.shape[it.target_dim] == it.blocks * it.outputs, name


def test_results_of_a_cut_operator_keep_its_blocks() -> None:
    it = only(model_of(OPERATORS["Conv-2d-groups"]))
    y = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3, 1)
    found = results(it, y, np.array([0, 4]))
    assert found.tolist() == [[[0, 3], [13, 16]], [[6, 9], [19, 22]]]
