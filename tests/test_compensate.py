"""Operators of a cut model are fitted to what the original computes, behind all that was fitted before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphprune.cost import cost
from graphprune.cut import Cut, cut
from graphprune.fitting.compensate import Fit, compensate, summary
from graphprune.model import Model, to_proto
from graphprune.solution import Solution
from graphprune.solve import solve
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
from tests.networks.solved import halved, solved

EPS = 1e-6


def fitted(model: Model, solution: Solution, small: Cut, by: Any = "lstsq", **data: Array) -> list[Fit]:
    """Fit the cut model in place."""
    return compensate(model, solution, small, lambda: iter(pieces(25, **data)), by=by)


def never_worse(fits: list[Fit]) -> None:
    assert fits
    for fit in fits:
        assert fit.after <= fit.before * (1 + 1e-4) + EPS, fit


# Three layers; the second half of the first layer's units are combinations of the first half.
CHAIN = """g (float[n, 3, 5, 5] x) => (float[n, 4] y)
    <float[6, 3, 1, 1] w0, float[6] b0, float[5, 6, 3, 3] w1, float[5] b1, float[4, 45] w2, float[4] b2>
    { [first] a = Conv (x, w0, b0) [middle] b = Conv (a, w1, b1) r = Relu (b) f = Flatten (r)
      [last] y = Gemm <transB = 1> (f, w2, b2) }"""


def test_channels_that_are_combinations_of_others_are_restored() -> None:
    mix = normal(3, 3, seed=5)
    w0, b0 = normal(6, 3, 1, 1), normal(6)
    w0[3:] = np.einsum("ij,jkuv->ikuv", mix, w0[:3])
    model, solution = prepared(CHAIN, w0=w0, b0=b0)
    small = without(model, solution, first=[3, 4, 5])
    other = normal(40, 3, 5, 5, seed=1)
    as_cut = relative(model, small.model, x=other)
    fits = fitted(model, solution, small, x=normal(200, 3, 5, 5))
    assert as_cut > 0.1
    assert relative(model, small.model, x=other) < 1e-3
    assert [fit.name for fit in fits] == ["first", "middle", "last"]
    never_worse(fits)
    checked(small.model)


@pytest.mark.parametrize(
    "name",
    [
        "conv-chain",
        "residual",
        "depthwise",
        "grouped",
        "transposed",
        "squeeze-excite",
        "flatten-gemm",
        "unet",
        "dense-concat",
        "concat-whole-groups",
        "attention-separate",
        "grouped-query",
        "mlp",
        "glu-two-linears",
        "layers-that-share-weights",
        "one-and-three-dimensions",
    ],
)
@pytest.mark.parametrize("by", ["lstsq", "bn"])
def test_networks_of_every_kind_are_fitted_and_stay_as_small_as_they_were_cut(name: str, by: str) -> None:
    model, solution = solved(name)
    plan = halved(solution)
    small = cut(model, solution, plan)
    before = {each.name: each.data_type for each in to_proto(small.model).graph.initializer}
    kept = {each: array.shape for each, array in weights(small.model).items()}
    feeds = [
        {each.name: normal(*each.shape, seed=10 * number + at) for at, each in enumerate(model.graph.inputs)}
        for number in range(20)
    ]
    fits = compensate(model, solution, small, lambda: iter(feeds), by=by)  # type: ignore[arg-type]
    if by == "lstsq":
        never_worse(fits)
    proto = checked(small.model)
    after = {each.name: each for each in proto.graph.initializer}
    for each, kind in before.items():
        assert (after[each].data_type, tuple(after[each].dims)) == (kind, kept[each])
    matrices = sum(len(each.dims) > 1 for each in after.values())
    assert matrices == sum(len(shape) > 1 for shape in kept.values()), "biases are all that was added"
    assert [node.op_type for node in proto.graph.node if node.op_type != "Add"] == [
        node.op for node in cut(model, solution, plan).model.graph.nodes if node.op != "Add"
    ]
    assert cost(solve(small.model.graph)).macs == cost(solution, plan).macs


SKIP = """g (float[n, 3, 5, 5] x) => (float[n, 2, 5, 5] y)
    <float[6, 3, 1, 1] w0, float[4, 3, 1, 1] w1, float[4, 4, 1, 1] w2, float[4, 6, 1, 1] w3,
     float[2, 4, 1, 1] w4>
    { [trunk] t = Conv (x, w0) r = Relu (t) [shortcut] k = Conv (r, w3)
      [inner] a = Conv (x, w1) b = Relu (a) [outer] c = Conv (b, w2) s = Add (c, k)
      [last] y = Conv (s, w4) }"""


def test_a_block_mends_what_its_shortcut_has_lost() -> None:
    """The shortcut loses half of its inputs; the block itself loses nothing, and sees the same input x."""
    model, solution = prepared(SKIP)
    small = without(model, solution, trunk=[0, 1, 2])
    fits = {fit.name: fit for fit in fitted(model, solution, small, x=normal(100, 3, 5, 5))}
    assert set(fits) == {"trunk", "shortcut", "inner", "outer", "last"}
    assert fits["outer"].before > 10 * EPS, "as it was cut, the sum is off, though the operator is not"
    assert fits["outer"].after < 0.95 * fits["outer"].before
    never_worse(list(fits.values()))


@pytest.mark.parametrize("first", ["main", "side"])
def test_two_operators_that_feed_one_sum_are_fitted_one_after_the_other(first: str) -> None:
    """The one that runs later is fitted to the sum, the other to its own results."""
    convs = {"main": "[main] c = Conv (r, w1)", "side": "[side] p = Conv (r, w2)"}
    second = "side" if first == "main" else "main"
    model, solution = prepared(
        f"""g (float[n, 3, 5, 5] x) => (float[n, 2, 5, 5] y)
        <float[8, 3, 3, 3] w0, float[4, 8, 1, 1] w1, float[4, 8, 1, 1] w2, float[2, 4, 1, 1] w3>
        {{ [stem] s = Conv <pads = [1, 1, 1, 1]> (x, w0) r = Relu (s) {convs[first]} {convs[second]}
          t = Add (c, p) u = Relu (t) [last] y = Conv (u, w3) }}"""
    )
    small = without(model, solution, stem=[1, 4, 5])
    other = normal(20, 3, 5, 5, seed=1)
    as_cut = relative(model, small.model, x=other)
    fits = fitted(model, solution, small, x=normal(100, 3, 5, 5))
    assert [fit.name for fit in fits] == ["stem", first, second, "last"]
    never_worse(fits)
    assert relative(model, small.model, x=other) < 0.95 * as_cut


def test_a_projected_shortcut_of_a_real_block_is_fitted() -> None:
    model, solution = solved("residual")
    small = cut(model, solution, halved(solution))
    feeds = [{"x": normal(1, 3, 8, 8, seed=seed)} for seed in range(30)]
    fits = compensate(model, solution, small, lambda: iter(feeds))
    assert {"main", "project"} <= {fit.name for fit in fits}
    never_worse(fits)


RELU = """g (float[n, 8] x) => (float[n, 3] y) <float[8, 12] w0, float[12, 6] w1, float[6] b1, float[6, 3] w2>
    { [first] a = MatMul (x, w0) t = Tanh (a) [middle] b = Gemm (t, w1, b1) r = Relu (b)
      [last] y = MatMul (r, w2) }"""


def test_what_an_activation_hides_is_not_fitted() -> None:
    """Most results of the middle operator are below 0, and how far below does not matter."""
    error: dict[str, float] = {}
    b1, w1 = np.full(6, -1.0), normal(12, 6)
    for op in ("Relu", "LeakyRelu"):
        model, solution = prepared(RELU.replace("Relu", op), b1=b1, w1=w1)
        small = without(model, solution, first=list(range(10)))
        fitted(model, solution, small, x=normal(400, 8))
        other = normal(200, 8, seed=1)
        # Both are judged by what a Relu leaves of the results.
        plain, _ = prepared(RELU, b1=b1, w1=w1)
        expected, found = (inner(each, other) for each in (plain, small.model))
        error[op] = float(np.square(np.maximum(expected, 0) - np.maximum(found, 0)).sum())
    assert error["Relu"] < 0.9 * error["LeakyRelu"]


def inner(model: Model, x: Array) -> Array:
    """The results of the middle operator."""
    from graphprune.probes import expose

    return outputs(expose(model, [operator(model, "middle")[1].target]), x=x)[-1]


def test_bn_sets_the_mean_and_the_variance_of_each_output() -> None:
    model, solution = prepared(RELU.replace("Relu", "Tanh"))
    small = without(model, solution, first=[0, 1, 2, 3, 4])
    x = normal(300, 8)
    as_cut = inner(small.model, x)
    fitted(model, solution, small, "bn", x=x)
    expected, found = inner(model, x), inner(small.model, x)
    assert np.abs(as_cut.std(axis=0) / expected.std(axis=0) - 1).max() > 0.1
    np.testing.assert_allclose(found.mean(axis=0), expected.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.std(axis=0), expected.std(axis=0), rtol=1e-3)
    turned = (found - found.mean(axis=0)) / found.std(axis=0)
    np.testing.assert_allclose(turned, (as_cut - as_cut.mean(axis=0)) / as_cut.std(axis=0), atol=1e-2)


@pytest.mark.parametrize("by", ["lstsq", "bn"])
def test_half_precision_stays_half_precision(by: str) -> None:
    text = """g (float16[n, 6] x) => (float16[n, 3] y) <float16[6, 8] w0, float16[8, 5] w1, float16[5, 3] w2>
        { [first] a = MatMul (x, w0) r = Relu (a) [middle] b = MatMul (r, w1) [last] y = MatMul (b, w2) }"""
    model, solution = prepared(text)
    small = without(model, solution, first=[0, 1, 2])
    x = normal(100, 6).astype(np.float16)
    as_cut = relative(model, small.model, x=x)
    before = weights(small.model)["w1"]
    fitted(model, solution, small, by, x=x)
    proto = checked(small.model)
    assert {each.data_type for each in proto.graph.initializer} == {10}
    assert not np.array_equal(weights(small.model)["w1"], before)
    if by == "lstsq":
        assert relative(model, small.model, x=x) < as_cut


def test_padding_is_not_fitted() -> None:
    text = """g (float[n, s, 6] x, int64[n, s] attention_mask) => (float[n, s, 3] y, int64[n, s] m)
        <float[6, 8] w0, float[8, 3] w1>
        { [first] a = MatMul (x, w0) r = Relu (a) [last] y = MatMul (r, w1) m = Identity (attention_mask) }"""
    model, solution = prepared(text)
    x, mask = normal(100, 4, 6), np.ones((100, 4), np.int64)
    mask[:, 2:] = 0
    found = []
    for scale in (1, 50):
        small = without(model, solution, first=[0, 1, 2])
        x[:, 2:] *= scale
        fitted(model, solution, small, x=x, attention_mask=mask)
        found.append(weights(small.model)["w1"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_batch_that_is_all_padding_is_passed_by() -> None:
    text = """g (float[n, s, 6] x, int64[n, s] attention_mask) => (float[n, s, 3] y, int64[n, s] m)
        <float[6, 8] w0, float[8, 3] w1>
        { [first] a = MatMul (x, w0) r = Relu (a) [last] y = MatMul (r, w1) m = Identity (attention_mask) }"""
    model, solution = prepared(text)
    mask = np.ones((100, 4), np.int64)
    mask[:25] = 0
    small = without(model, solution, first=[0, 1, 2])
    never_worse(fitted(model, solution, small, x=normal(100, 4, 6), attention_mask=mask))


def test_results_without_variance_are_left_as_they_are() -> None:
    model, solution = prepared(RELU, b1=np.full(6, -1e4))
    small = without(model, solution, first=[0, 1])
    before = weights(small.model)["w1"]
    fits = fitted(model, solution, small, x=normal(50, 8))
    assert [fit.name for fit in fits] == ["first"]
    assert np.array_equal(weights(small.model)["w1"], before)


def test_progress_is_told_and_the_summary_names_the_worst() -> None:
    model, solution = prepared(RELU)
    small = without(model, solution, first=[0, 1, 2, 3])
    told: list[tuple[int, int]] = []
    fits = compensate(
        model,
        solution,
        small,
        lambda: iter(pieces(50, x=normal(50, 8))),
        tell=lambda *each: told.append(each),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]
    found = summary(fits)
    worst = max(fits, key=lambda fit: fit.after)
    assert (found["operators"], found["worst"]) == (3, worst.name)
    assert summary([]) == {"operators": 0}
