"""What becomes of an operator's results is followed as far as nothing else sees them."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.fitting.downstream import Downstream, downstream
from tests.calibrated import normal, operator, prepared

CONV = "g (float[1, 3, 4, 4] x) => (float[1, 4, 4, 4] y{more}) <float[4, 3, 1, 1] w{weights}> {{ {nodes} }}"
INF = np.inf


def way(nodes: str, weights: str = "", more: str = "", name: str = "conv", **given: np.ndarray) -> Downstream:
    """What becomes of the operator; `nodes` lead from it to y."""
    text = CONV.format(
        nodes=f"[conv] c = Conv (x, w) {nodes}",
        weights=f", {weights}" if weights else "",
        more=f", {more}" if more else "",
    )
    model, _ = prepared(text, **given)
    return downstream(model.graph, operator(model, name)[1])


# id -> (nodes from c to y, weights, the last tensor that is followed, low, high)
ENDS: dict[str, tuple[str, str, str, float, float]] = {
    "relu": ("y = Relu (c)", "", "c", 0, INF),
    "relu-behind-dropout": ("i = Identity (c) d = Dropout (i) y = Relu (d)", "", "d", 0, INF),
    "clip": (
        "y = Clip (c, low, high)",
        "float low = {-1.5}, float high = {6.0}",
        "c",
        -1.5,
        6,
    ),
    "clip-above-only": ("y = Clip (c, , high)", "float high = {6.0}", "c", -INF, 6),
    "clip-below-only": ("y = Clip (c, low)", "float low = {-2.0}", "c", -2, INF),
    "clip-of-nothing": ("y = Clip (c)", "", "c", -INF, INF),
    "sigmoid": ("y = Sigmoid (c)", "", "c", -INF, INF),
    "leaky": ("y = LeakyRelu (c)", "", "c", -INF, INF),
    "what-follows-an-activation": ("r = Sigmoid (c) y = Relu (r)", "", "c", -INF, INF),
    "constant-that-is-added": ("s = Add (c, b) y = Relu (s)", "float[1, 4, 1, 1] b", "c", -INF, INF),
    "scaled": ("s = Mul (c, b) y = Relu (s)", "float[1, 4, 1, 1] b", "c", -INF, INF),
    "two-readers": ("r = Relu (c) y = Mul (r, c)", "", "c", -INF, INF),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_activation_that_clips_ends_the_way(name: str) -> None:
    nodes, weights, last, low, high = ENDS[name]
    found = way(nodes, weights)
    assert (found.other, found.sum, found.low, found.high) == ("", last, low, high)
    assert found.clips == bool(np.isfinite(low) or np.isfinite(high))


def test_a_clip_whose_bounds_are_computed_is_no_bound() -> None:
    found = way("top = ReduceMax <keepdims = 0> (x) y = Clip (c, low, top)", "float low = {0.0}")
    assert (found.sum, found.clips) == ("c", False)


def test_bounds_that_stand_in_attributes_are_read() -> None:
    model, _ = prepared(
        """<ir_version: 4, opset_import: ["" : 6]>
        g (float[1, 3, 4, 4] x) => (float[1, 4, 4, 4] y) <float[4, 3, 1, 1] w>
        { [conv] c = Conv (x, w) y = Clip <min = 0.0, max = 6.0> (c) }"""
    )
    found = downstream(model.graph, operator(model, "conv")[1])
    assert (found.low, found.high) == (0, 6)


def test_results_that_leave_the_graph_are_followed_no_further() -> None:
    found = way("y = Relu (c)", more="float[1, 4, 4, 4] c")
    assert (found.sum, found.clips) == ("c", False)


NORM = "n = BatchNormalization <epsilon = 0.01> (c, scale, shift, mean, var)"
NORM_WEIGHTS = "float[4] scale, float[4] shift, float[4] mean, float[4] var"


def test_a_batch_norm_is_scale_and_shift() -> None:
    scale, shift, mean, var = np.array([1, -2, 3, 0.5]), normal(4), normal(4, seed=1), np.arange(1.0, 5)
    found = way(f"{NORM} y = Relu (n)", NORM_WEIGHTS, scale=scale, shift=shift, mean=mean, var=var)
    assert (found.sum, found.low) == ("n", 0)
    value = normal(1, 5, 4)
    expected = (value - shift) / scale * np.sqrt(var + 0.01) + mean
    np.testing.assert_allclose(found.results(value, 0.0, 4), expected, rtol=1e-4, atol=1e-5)


def test_the_bounds_of_a_negative_scale_are_turned_round() -> None:
    scale = np.array([1.0, -2, 3, 0.5])
    zeros, ones = np.zeros(4), np.full(4, 0.99)
    found = way(f"{NORM} y = Relu (n)", NORM_WEIGHTS, scale=scale, shift=zeros + 1, mean=zeros, var=ones)
    low, high = found.bounds(0.0, 4)
    assert low.shape == (1, 1, 4)
    np.testing.assert_allclose(low[0, 0], [-1, -INF, -1 / 3, -2])
    np.testing.assert_allclose(high[0, 0], [INF, 0.5, INF, INF])


def test_a_channel_without_scale_is_as_if_it_had_scale_one() -> None:
    scale = np.array([1.0, 0, 1, 1])
    found = way(f"{NORM} y = Relu (n)", NORM_WEIGHTS, scale=scale, shift=np.zeros(4), mean=np.zeros(4))
    assert np.isfinite(found.results(normal(1, 5, 4), 0.0, 4)).all()


def test_a_norm_whose_statistics_are_computed_stops_the_way() -> None:
    found = way(
        "a = GlobalAveragePool (c) s = Squeeze (a) "
        "n = BatchNormalization (c, scale, shift, s, var) y = Relu (n)",
        NORM_WEIGHTS,
    )
    assert (found.sum, found.clips) == ("c", False)


ADD = "s = Add (c, p) y = Relu (s)"


def test_a_shortcut_is_what_is_added() -> None:
    found = way(f"p = Conv (x, v) {ADD}", "float[4, 3, 1, 1] v")
    assert (found.other, found.sum, found.low) == ("p", "s", 0)
    low, high = found.bounds(normal(1, 5, 4), 4)
    np.testing.assert_allclose(low, -normal(1, 5, 4))
    assert np.all(high == INF)


def test_a_norm_behind_the_sum_is_not_followed() -> None:
    found = way(
        "p = Conv (x, v) s = Add (p, c) n = BatchNormalization (s, scale, shift, mean, var) y = Relu (n)",
        "float[4, 3, 1, 1] v, " + NORM_WEIGHTS,
    )
    assert (found.other, found.sum, found.clips) == ("p", "s", False)


def test_only_one_shortcut_is_followed() -> None:
    found = way(
        "p = Conv (x, v) s = Add (c, p) q = Conv (x, u) t = Add (s, q) y = Relu (t)",
        "float[4, 3, 1, 1] v, float[4, 3, 1, 1] u",
    )
    assert (found.other, found.sum, found.clips) == ("p", "s", False)


@pytest.mark.parametrize(
    "nodes",
    [
        "p = Sigmoid (c) s = Add (c, p) y = Relu (s)",
        "s = Add (c, c) y = Relu (s)",
    ],
    ids=["gate", "itself"],
)
def test_a_sum_with_what_depends_on_the_operator_is_not_followed(nodes: str) -> None:
    assert way(nodes).sum == "c"


def test_a_shortcut_that_is_not_to_be_relied_on_yet_is_not_followed() -> None:
    model, _ = prepared(
        CONV.format(
            nodes=f"[conv] c = Conv (x, w) [late] p = Conv (x, v) q = Tanh (p) {ADD.replace('p)', 'q)')}",
            weights=", float[4, 3, 1, 1] v",
            more="",
        )
    )
    (_, conv), (_, late) = (operator(model, name) for name in ("conv", "late"))
    assert downstream(model.graph, conv).other == "q"
    assert downstream(model.graph, conv, [id(late.node)]).sum == "c"
    assert downstream(model.graph, late, [id(conv.node)]).sum == "p", "Tanh reads it"


def test_the_bias_behind_a_product_belongs_to_the_operator() -> None:
    model, _ = prepared(
        """g (float[2, 3] x, float[2, 4] z) => (float[2, 4] y) <float[3, 4] w, float[4] b>
        { [product] m = MatMul (x, w) a = Add (m, b) s = Add (a, z) y = Relu (s) }"""
    )
    found = downstream(model.graph, operator(model, "product")[1])
    assert (found.other, found.sum, found.low) == ("z", "s", 0)
