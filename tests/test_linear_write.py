"""New weights of linear operators are what the graph computes from then on, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.fitting.linear import Linear, constant, linears, matrix
from graphprune.fitting.linear_write import put
from graphprune.ir import read, shape_of
from graphprune.model import from_proto, to_proto
from graphprune.runtime import run, session
from tests.networks.fill import fill
from tests.operators import BODY, EVERY, OPERATORS, fit, model_of, only, values


def changed(it: Linear) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(3)
    w, b = matrix(it)
    return w + 0.1 * rng.standard_normal(w.shape), b + rng.standard_normal(b.shape)


@EVERY
def test_new_weights_are_what_the_graph_computes(name: str) -> None:
    model = model_of(OPERATORS[name])
    it = only(model)
    nodes, target, before = len(model.graph.nodes), it.target, it.bias
    w, b = changed(it)
    found = put(model.graph, it, w, b)
    assert found.target == target == "y"
    assert len(model.graph.nodes) - nodes == (it.node.op == "MatMul" and before is None)
    again = only(model)
    assert (again.node, again.bias, again.slot) == (found.node, found.bias, found.slot)
    for old, new in zip((w, b), matrix(found), strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-6)
    fit(model, found)
    put(model.graph, found, *changed(found))
    assert len(model.graph.nodes) - nodes == (it.node.op == "MatMul" and before is None), "only once"
    fit(model, only(model))


@EVERY
def test_what_is_written_as_it_was_changes_nothing(name: str) -> None:
    model = model_of(OPERATORS[name])
    before = to_proto(model).graph
    put(model.graph, only(model), *matrix(only(model)))
    after = to_proto(model).graph
    assert list(after.node) == list(before.node)
    assert [tensor.name for tensor in after.initializer] == [tensor.name for tensor in before.initializer]
    for old, new in zip(before.initializer, after.initializer, strict=True):
        assert list(old.dims) == list(new.dims)


def test_a_bias_that_others_read_is_not_changed() -> None:
    nodes = "m = MatMul (x, w) s = Add (m, b) y = Mul (s, b)"
    model = model_of(("7,4", "float[4,5] w, float[5] b", nodes))
    old = read(constant(model.graph.nodes[2], 1)).copy()
    it = only(model)
    assert it.bias is not None, "the constant may be shared, as long as it is not written into"
    put(model.graph, it, *changed(it))
    assert np.array_equal(read(constant(model.graph.nodes[2], 1)), old)
    assert model.graph.nodes[2].inputs[1].name == "b" != model.graph.nodes[1].inputs[1].name
    fit(model, only(model))


def test_a_bias_that_a_body_reads_is_not_changed() -> None:
    text = BODY.format(main="x5 = Add (m, b)\n  y = Relu (x5)", inner="Sub (x5, b)")
    model = from_proto(fill(text))
    ((_, it),) = linears(model.graph)
    assert it.bias is not None
    put(model.graph, it, *changed(it))
    feeds = {"x": np.ones((7, 4), np.float32), "choice": np.array(True)}
    w, b = matrix(it)
    old = next(tensor for tensor in model.source.graph.initializer if tensor.name == "b")
    with session(model) as opened:
        y, z = run(opened, feeds)
    product = feeds["x"] @ w[0] + b
    np.testing.assert_allclose(y, np.maximum(product, 0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z, product - np.frombuffer(old.raw_data, np.float32), rtol=1e-4, atol=1e-5)


def test_two_operators_with_one_bias_get_one_each() -> None:
    nodes = "a = Gemm (x, w, b) r = Relu (a) y = Gemm (r, v, b)"
    model = model_of(("7,5", "float[5,5] w, float[5,5] v, float[5] b", nodes))
    first, second = (it for _, it in linears(model.graph))
    put(model.graph, first, *changed(first))
    w, b = matrix(second)
    put(model.graph, second, w, b * 2)
    biases = [read(constant(node, 2)) for node in (first.node, second.node)]
    assert not np.allclose(biases[0], biases[1])
    np.testing.assert_allclose(biases[1], 2 * b[0], rtol=1e-6)
    x, r, y = values(model, "r", "y")
    np.testing.assert_allclose(r @ w[0] + 2 * b, y, rtol=1e-4, atol=1e-5)
    assert x.shape == r.shape


def test_a_bias_goes_behind_a_product_that_is_an_output_and_is_read_by_a_body() -> None:
    text = BODY.format(main="x5 = Neg (x)", inner="Neg (m)")
    model = from_proto(fill(text.replace("float[7, 5] y", "float[7, 5] m")))
    ((_, it),) = linears(model.graph)
    w, b = changed(it)
    put(model.graph, it, w, b)
    with session(model) as opened:
        m, z = run(opened, {"x": np.ones((7, 4), np.float32), "choice": np.array(True)})
    np.testing.assert_allclose(m, np.ones((7, 4)) @ w[0] + b, rtol=1e-4, atol=1e-5)
    assert np.array_equal(z, -m)
    assert [node.op for node in model.graph.nodes] == ["MatMul", "Add", "Neg", "If"]


def test_new_names_are_nobody_elses() -> None:
    model = model_of(("7,4", "float[4,5] w", "a = Neg (x) b = Neg (a) y = MatMul (b, w)"))
    for node, name in zip(model.graph.nodes, ("y.product", "y.bias")):
        node.outputs[0].name = name
    it = only(model)
    put(model.graph, it, *changed(it))
    assert len({tensor.name for node in model.graph.nodes for tensor in node.outputs}) == 4
    x, y = values(model, "y")
    w, b = matrix(only(model))
    np.testing.assert_allclose(x @ w[0] + b, y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["float16", "bfloat16", "double"])
def test_weights_keep_their_type(kind: str) -> None:
    text = f"g ({kind}[7, 4] x) => ({kind}[7, 5] y) <{kind}[4, 5] w> {{ y = MatMul (x, w) }}"
    model = from_proto(fill(text))
    it = only(model)
    dtype = read(it.weight).dtype
    found = put(model.graph, it, *changed(it))
    assert found.bias is not None
    constants = [found.weight, constant(*found.bias)]
    assert [read(tensor).dtype for tensor in constants] == [dtype, dtype]
    assert [shape_of(tensor) for tensor in constants] == [(4, 5), (5,)]
    if kind != "bfloat16":  # which ONNX Runtime does not multiply on the CPU
        x, y = values(model, "y", dtype=dtype)
        w, b = matrix(found)
        np.testing.assert_allclose(x.astype(float) @ w[0] + b, y.astype(float), rtol=0.01, atol=0.01)


def test_values_beyond_the_type_are_refused_and_leave_the_graph_alone() -> None:
    model = from_proto(
        fill("g (float16[7, 4] x) => (float16[7, 5] y) <float16[4, 5] w> { y = MatMul (x, w) }")
    )
    it = only(model)
    w, b = matrix(it)
    weight = it.weight
    for changes in ((w, b + 1e6), (w * 1e6, b)):
        with pytest.raises(Refused, match="not finite as float16"):
            put(model.graph, it, *changes)
    assert it.weight is weight
    assert len(model.graph.nodes) == 1
