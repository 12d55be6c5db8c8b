"""Weights that stay make up for inputs that went, as far as the statistics of the original tell."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.cut import Cut, cut
from graphprune.fitting.linear import matrix
from graphprune.fitting.makeup import make_up, pairs
from graphprune.fitting.statistics import collect
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.solution import Solution
from tests.calibrated import (
    Array,
    checked,
    normal,
    operator,
    outputs,
    pieces,
    prepared,
    relative,
    weights,
    without,
)
from tests.networks.solved import solved

MLP = """g (float[n, 6] x) => (float[n, 3] y) <float[6, 5] w0, float[5] b0, float[5, 3] w1>
    { [first] a = Gemm (x, w0, b0) r = Relu (a) [last] y = MatMul (r, w1) }"""


def mended(model: Model, solution: Solution, small: Cut, by: str, **data: Array) -> Cut:
    """The cut with its weights made up; it is changed in place."""
    make_up(solution, small, collect(model, pieces(50, **data)), by)  # type: ignore[arg-type]
    return small


def test_bias_adds_what_went_on_average() -> None:
    model, solution = prepared(MLP)
    x = normal(200, 6)
    small = mended(model, solution, without(model, solution, first=[1, 3]), "bias", x=x)
    (_, first), (_, last) = (operator(model, name) for name in ("first", "last"))
    (w0, b0), (w1, _) = matrix(first), matrix(last)
    seen = np.maximum(x @ w0[0] + b0[0], 0)
    (_, after) = operator(small.model, "last")
    found, bias = matrix(after)
    np.testing.assert_allclose(found[0], w1[0][[0, 2, 4]], rtol=1e-6)
    np.testing.assert_allclose(bias[0], seen.mean(axis=0)[[1, 3]] @ w1[0][[1, 3]], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        outputs(small.model, x=x)[0].mean(axis=0), outputs(model, x=x)[0].mean(axis=0), rtol=1e-3, atol=1e-5
    )


def test_obs_is_least_squares_on_the_rows_of_the_original() -> None:
    model, solution = prepared(MLP)
    x = normal(4000, 6)
    small = mended(model, solution, without(model, solution, first=[1, 3]), "obs", x=x)
    (_, first) = operator(model, "first")
    w0, b0 = matrix(first)
    seen = np.maximum(x @ w0[0] + b0[0], 0)[:, [0, 2, 4]]
    ones = np.concatenate([seen, np.ones((len(x), 1))], axis=1)
    best = np.linalg.lstsq(ones, outputs(model, x=x)[0], rcond=None)[0]
    w, b = matrix(operator(small.model, "last")[1])
    np.testing.assert_allclose(np.concatenate([w[0], b]), best, atol=0.02)


def test_a_product_without_a_bias_gets_one_and_the_graph_stays_valid() -> None:
    model, solution = prepared(MLP)
    small = mended(model, solution, without(model, solution, first=[0]), "bias", x=normal(50, 6))
    assert operator(small.model, "last")[1].bias is not None
    proto = checked(small.model)
    assert [node.op_type for node in proto.graph.node] == ["Gemm", "Relu", "MatMul", "Add"]
    assert [output.name for output in proto.graph.output] == ["y"]


# Networks in which what goes is a copy: (text, weights that hold units and along which dimension, group,
# units that go, units that they are copies of).
COPIES: dict[str, tuple[str, tuple[tuple[str, int], ...], str, list[int], list[int]]] = {
    "mlp": (MLP, (("w0", 1), ("b0", 0)), "first", [3, 4], [1, 2]),
    "conv": (
        """g (float[n, 3, 5, 5] x) => (float[n, 2, 3, 3] y)
        <float[4, 3, 1, 1] w0, float[4] b0, float[2, 4, 3, 3] w1, float[2] b1>
        { [first] a = Conv (x, w0, b0) r = Tanh (a) [last] y = Conv (r, w1, b1) }""",
        (("w0", 0), ("b0", 0)),
        "first",
        [3],
        [0],
    ),
    "transposed": (
        """g (float[n, 3, 4, 4] x) => (float[n, 2, 9, 9] y)
        <float[4, 3, 1, 1] w0, float[4] b0, float[4, 2, 3, 3] w1>
        { [first] a = Conv (x, w0, b0) r = Relu (a) [last] y = ConvTranspose <strides = [2, 2]> (r, w1) }""",
        (("w0", 0), ("b0", 0)),
        "first",
        [2],
        [1],
    ),
    "flattened": (
        """g (float[n, 3, 3, 3] x) => (float[n, 2] y)
        <float[4, 3, 2, 2] w0, float[4] b0, float[2, 16] w1>
        { [first] a = Conv (x, w0, b0) r = Relu (a) f = Flatten (r) [last] y = Gemm <transB = 1> (f, w1) }""",
        (("w0", 0), ("b0", 0)),
        "first",
        [2],
        [1],
    ),
    "left": (
        """g (float[n, 6, 5] x) => (float[n, 3, 5] y) <float[4, 6] w0, float[3, 4] w1>
        { [first] a = MatMul (w0, x) r = Relu (a) [last] y = MatMul (w1, r) }""",
        (("w0", 0),),
        "first",
        [2],
        [1],
    ),
}


@pytest.fixture
def sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Covariances are taken as they are, as if there were any number of rows."""
    monkeypatch.setattr(
        "graphprune.fitting.makeup.shrunk", lambda covariance, _: covariance + 1e-7 * np.eye(len(covariance))
    )


def copied(name: str) -> tuple[Model, Solution, Cut]:
    """A network, and it without the units that are copies of others."""
    text, held, group, gone, sources = COPIES[name]
    known, values = weights(prepared(text)[0]), dict[str, Array]()
    for tensor, dim in held:
        moved = np.moveaxis(known[tensor].copy(), dim, 0)
        moved[gone] = moved[sources]
        values[tensor] = np.moveaxis(moved, 0, dim)
    model, solution = prepared(text, **values)
    return model, solution, without(model, solution, **{group: gone})


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.usefixtures("sure")
def test_a_copy_of_what_stays_is_made_up_for(name: str) -> None:
    model, solution, small = copied(name)
    sizes = [size if isinstance(size, int) else 60 for size in model.graph.inputs[0].shape]
    other = normal(*sizes, seed=1)
    as_cut = relative(model, small.model, x=other)
    mended(model, solution, small, "obs", x=normal(*sizes))
    assert as_cut > 0.05
    assert relative(model, small.model, x=other) < 1e-6
    checked(small.model)


@pytest.mark.parametrize("name", COPIES)
def test_few_rows_make_up_for_most_of_a_copy(name: str) -> None:
    model, solution, small = copied(name)
    sizes = [size if isinstance(size, int) else 60 for size in model.graph.inputs[0].shape]
    other = normal(*sizes, seed=1)
    as_cut = relative(model, small.model, x=other)
    mended(model, solution, small, "obs", x=normal(*sizes))
    assert relative(model, small.model, x=other) < 0.2 * as_cut


@pytest.mark.usefixtures("sure")
def test_each_block_of_a_grouped_convolution_makes_up_for_its_own() -> None:
    """16 channels in 4 blocks; the third channel of each block is a copy of the first."""
    text = """g (float[n, 3, 5, 5] x) => (float[n, 8, 3, 3] y)
        <float[16, 3, 1, 1] w0, float[16] b0, float[8, 4, 3, 3] w1>
        { [first] a = Conv (x, w0, b0) r = Relu (a) [last] y = Conv <group = 4> (r, w1) }"""
    w0, b0 = normal(16, 3, 1, 1), normal(16)
    w0[2::4], b0[2::4] = w0[0::4], b0[0::4]
    model, solution = prepared(text, w0=w0, b0=b0)
    (inner,) = [group for group in solution.groups if group.prunable and len(group.places) == 3]
    small = cut(model, solution, Plan({inner.name: np.array([0, 1, 3])}, {inner.name: 4}))
    as_cut = relative(model, small.model, x=normal(9, 3, 5, 5, seed=1))
    mended(model, solution, small, "obs", x=normal(60, 3, 5, 5))
    assert relative(model, small.model, x=normal(9, 3, 5, 5, seed=1)) < 1e-6 < as_cut


@pytest.mark.usefixtures("sure")
def test_outputs_that_went_are_left_out() -> None:
    """The middle layer loses a copied input and two outputs at once."""
    text = """g (float[n, 6] x) => (float[n, 3] y) <float[6, 5] w0, float[5, 4] w1, float[4, 3] w2>
        { [first] a = MatMul (x, w0) r = Relu (a) [middle] b = MatMul (r, w1) s = Tanh (b)
          [last] y = MatMul (s, w2) }"""
    w0 = normal(6, 5)
    w0[:, 4] = w0[:, 0]
    model, solution = prepared(text, w0=w0)
    small, twin = without(model, solution, first=[4], middle=[0, 2]), without(model, solution, middle=[0, 2])
    for each in (small, twin):
        mended(model, solution, each, "obs", x=normal(200, 6))
    assert matrix(operator(small.model, "middle")[1])[0].shape == (1, 4, 2)
    assert relative(twin.model, small.model, x=normal(50, 6, seed=1)) < 1e-6
    assert relative(model, twin.model, x=normal(50, 6, seed=1)) > 1e-2


def test_a_pair_says_what_stays_of_an_operator() -> None:
    model, solution = prepared(
        """g (float[n, 3, 4, 4] x) => (float[n, 2, 3, 3] y)
        <float[4, 3, 1, 1] w0, float[5, 4, 2, 2] w1, float[2, 5, 1, 1] w2>
        { [first] a = Conv (x, w0) [middle] b = Conv (a, w1) [last] y = Conv (b, w2) }"""
    )
    small = without(model, solution, first=[1], middle=[0, 4])
    first, middle, last = pairs(solution, small)
    assert [pair.lost for pair in (first, middle, last)] == [False, True, True]
    assert middle.columns.tolist() == [[0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15]]
    assert first.outputs.tolist() == [[0, 2, 3]]
    assert middle.outputs.tolist() == last.columns.tolist() == [[1, 2, 3]]
    assert [pair.number for pair in (first, middle, last)] == [0, 1, 2]
    assert not any(pair.lost for pair in pairs(solution, without(model, solution)))


@pytest.mark.parametrize("by", ["bias", "obs"])
def test_units_in_another_order_are_told_apart(by: str) -> None:
    """A plan may put units, and blocks of a grouped convolution, in any order."""
    model, solution = solved("grouped")
    x = normal(40, *model.graph.inputs[0].shape[1:])
    held = collect(model, pieces(1, x=x))
    sizes = {group.name: group.size for group in solution.groups if group.prunable}
    kept = {
        name: np.sort(np.random.default_rng(0).permutation(size)[: size - 1]) for name, size in sizes.items()
    }
    found = []
    for turned in (False, True):
        keep = {name: each[::-1].copy() if turned else each for name, each in kept.items()}
        small = cut(model, solution, Plan(keep, sizes))
        make_up(solution, small, held, by)  # type: ignore[arg-type]
        found.append(outputs(small.model, x=x[:1])[0])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5)
    plain = outputs(cut(model, solution, Plan(kept, sizes)).model, x=x[:1])[0]
    assert np.abs(found[0] - plain).max() > 1e-2, "something was made up for"


def test_a_product_that_is_an_output_itself_is_made_up_for_where_it_is_seen() -> None:
    """The addition behind it is no bias, since the product is seen without it."""
    model, solution = prepared(
        """g (float[n, 6] x) => (float[n, 3] m, float[n, 3] y) <float[6, 5] w0, float[5, 3] w1, float[3] b>
        { [first] a = MatMul (x, w0) r = Relu (a) [last] m = MatMul (r, w1) y = Add (m, b) }"""
    )
    x = normal(300, 6)
    small = mended(model, solution, without(model, solution, first=[1, 3]), "bias", x=x)
    for found, expected in zip(outputs(small.model, x=x), outputs(model, x=x), strict=True):
        np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), rtol=1e-3, atol=1e-4)


def test_operators_that_lost_nothing_are_left_alone() -> None:
    model, solution = prepared(MLP)
    small = without(model, solution, first=[0])
    before = small.model.graph.nodes[0].inputs[1]
    held = collect(model, pieces(50, x=normal(50, 6)))
    assert make_up(solution, small, held, "obs") == 1
    assert small.model.graph.nodes[0].inputs[1] is before
