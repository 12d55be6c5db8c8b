"""Sensitivity is the error of the outputs once units of one group, or one layer, are gone."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.errors import Refused
from graphprune.fitting.statistics import Statistics, collect
from graphprune.importance.data import score_on_data
from graphprune.layers import layers
from graphprune.model import Model
from graphprune.sensitivity import SHARES, measure, output_error
from graphprune.solution import Solution
from tests.calibrated import Array, normal, outputs, pieces, prepared, relative, without
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import prunable

MLP = """g (float[n, 8] x) => (float[n, 4] y{more})
    <float[8, 16] w0, float[16, 12] w1, float[12, 4] w2, float[4] b>
    {{ [first] a = MatMul (x, w0) r = Relu (a) [second] c = MatMul (r, w1) s = Relu (c)
      [last] l = MatMul (s, w2) {end} }}"""


def mlp(end: str = "y = Identity (l)", more: str = "") -> tuple[Model, Solution]:
    return prepared(MLP.format(end=end, more=more))


def scored(model: Model, solution: Solution, x: Array) -> tuple[dict[str, Array], Statistics]:
    statistics = collect(model, pieces(50, x=x))
    return dict(score_on_data(solution, statistics, "obs").values), statistics


@pytest.mark.parametrize("made_up", [True, False])
def test_the_error_rises_with_the_share_of_units_that_go(made_up: bool) -> None:
    model, solution = mlp()
    x = normal(200, 8)
    scores, statistics = scored(model, solution, x)
    groups = prunable(solution)
    told: list[tuple[int, int]] = []
    found = measure(
        model,
        solution,
        scores,
        groups,
        (),
        output_error(model, pieces(50, x=normal(100, 8, seed=1))),
        statistics=statistics if made_up else None,
        tell=lambda *each: told.append(each),
    )
    assert told == [(1, 2), (2, 2)]
    assert [(each.name, each.kind, each.size) for each in found] == [
        (group.name, group.kind, group.size) for group in groups
    ]
    medians = [float(np.median([each.errors[share] for each in found])) for share in SHARES]
    assert medians == sorted(medians)
    assert 0 < medians[0] < medians[-1]


def test_weights_that_make_up_lower_the_error() -> None:
    model, solution = mlp()
    scores, statistics = scored(model, solution, normal(400, 8))
    judge = output_error(model, pieces(50, x=normal(100, 8, seed=1)))
    plain, mended = (
        measure(model, solution, scores, prunable(solution), (), judge, statistics=each)
        for each in (None, statistics)
    )
    for before, after in zip(plain, mended, strict=True):
        for share in (0.25, 0.5):
            assert after.errors[share] < before.errors[share]


def test_the_units_with_the_lowest_scores_go() -> None:
    model, solution = mlp()
    x = normal(100, 8)
    scores = {"first": np.arange(16.0), "second": -np.arange(12.0)}
    first, second = measure(
        model, solution, scores, prunable(solution), (), output_error(model, pieces(100, x=x)), shares=[0.5]
    )
    for found, gone in ((first, list(range(8))), (second, list(range(6, 12)))):
        small = without(model, solution, **{found.name: gone})
        assert found.errors == {0.5: pytest.approx(relative(model, small.model, x=x), rel=1e-4)}


def test_shares_that_remove_no_unit_or_all_are_left_out() -> None:
    model, solution = mlp()
    scores, _ = scored(model, solution, normal(50, 8))
    found = measure(
        model,
        solution,
        scores,
        prunable(solution),
        (),
        output_error(model, pieces(50, x=normal(50, 8))),
        shares=[0.01, 0.5, 0.99],
    )
    assert [list(each.errors) for each in found] == [[0.5], [0.5]]


def test_a_layer_is_measured_as_a_whole() -> None:
    text = RESIDUALS["basic blocks of a ResNet"].text.replace("float[1, 3, 8, 8]", "float[n, 3, 8, 8]")
    model, solution = prepared(text.replace("float[1, 4, 4, 4]", "float[n, 4, 4, 4]"))
    judge = output_error(model, pieces(10, x=normal(20, 3, 8, 8)))
    found = measure(model, solution, {}, (), layers(solution), judge)
    assert [(each.name, each.kind, each.size, set(each.errors)) for each in found] == [
        ("first", "layers", 1, {1.0}),
        ("second", "layers", 1, {1.0}),
    ]
    assert all(each.errors[1.0] > 0 for each in found)


def test_the_original_has_no_error_and_its_mean_has_error_one() -> None:
    model, _ = mlp()
    x = normal(200, 8)
    judge = output_error(model, pieces(50, x=x))
    assert judge(model) == pytest.approx(0, abs=1e-10)
    mean = outputs(model, x=x)[0].mean()
    flat, _ = prepared(
        MLP.format(end="z = Mul (l, zero) y = Add (z, b)", more="").replace(
            "float[4] b", "float[4] b, float zero = {0.0}"
        ),
        b=np.full(4, mean),
    )
    assert judge(flat) == pytest.approx(1, rel=1e-4)


@pytest.mark.parametrize(
    "end",
    [
        "scaled = Mul (l, b) y = Softmax (scaled)",
        "scaled = Mul (l, b) p = LogSoftmax (scaled) y = Identity (p)",
        "scaled = Mul (l, b) y = Sigmoid (scaled)",
        "scaled = Mul (l, b) f = Flatten (scaled) y = Softmax (f)",
        "scaled = Mul (l, b) biased = Add (b, scaled) y = Softmax (biased)",
    ],
    ids=["softmax", "log-softmax-and-more", "sigmoid", "reshaped", "biased"],
)
def test_outputs_are_judged_in_front_of_a_last_softmax_or_sigmoid(end: str) -> None:
    """What saturates hides how far a model is off."""
    b, x = np.full(4, 50.0), normal(100, 8)
    model, solution = prepared(MLP.format(end=end, more=""), b=b)
    plain, other = prepared(MLP.format(end="y = Mul (l, b)", more=""), b=b)
    small = without(model, solution, first=[0, 1, 2]).model
    twin = without(plain, other, first=[0, 1, 2]).model
    found = output_error(model, pieces(50, x=x))(small)
    assert found == pytest.approx(relative(plain, twin, x=x), rel=1e-3)
    assert found != pytest.approx(relative(model, small, x=x), rel=1e-2)


def test_a_softmax_in_the_middle_is_no_last_one() -> None:
    model, solution = mlp("p = Softmax (l) y = Mul (p, b)")
    x = normal(100, 8)
    small = without(model, solution, first=[0, 1, 2]).model
    assert output_error(model, pieces(50, x=x))(small) == pytest.approx(relative(model, small, x=x), rel=1e-3)


def test_a_softmax_of_a_sum_of_layers_is_judged_itself() -> None:
    """The sum is no longer there where the layer is gone."""
    model, solution = prepared(
        """g (float[n, 6] x) => (float[n, 6] y) <float[6, 6] w1, float[6, 6] w2>
        { a = MatMul (x, w1) b = MatMul (a, w2) [sum] s = Add (a, b) y = Softmax (s) }"""
    )
    judge = output_error(model, pieces(10, x=normal(40, 6)))
    (found,) = measure(model, solution, {}, (), layers(solution), judge)
    assert found.errors[1.0] > 0


def test_several_outputs_count_alike_and_integers_not_at_all() -> None:
    end = "y = Identity (l) z = Mul (l, b) top = ArgMax <axis = 1> (l)"
    more = ", float[n, 4] z, int64[n, 1] top"
    model, solution = prepared(MLP.format(end=end, more=more))
    x = normal(100, 8)
    small = without(model, solution, first=[0, 1, 2]).model
    expected = []
    for at in (0, 1):
        a, b = (outputs(each, x=x)[at].astype(np.float64) for each in (model, small))
        expected.append(np.square(a - b).sum() / np.square(a - a.mean()).sum())
    assert output_error(model, pieces(50, x=x))(small) == pytest.approx(np.mean(expected), rel=1e-3)


def test_a_model_with_integers_alone_is_refused() -> None:
    model, _ = prepared(
        """g (float[n, 4] x) => (int64[n, 1] y) <float[4, 3] w>
        { a = MatMul (x, w) y = ArgMax <axis = 1> (a) }"""
    )
    with pytest.raises(Refused, match="no output of floating-point numbers"):
        output_error(model, pieces(5, x=normal(5, 4)))


def test_outputs_that_are_no_numbers_are_infinitely_bad() -> None:
    model, _ = mlp()
    broken, _ = mlp("n = Sub (l, l) y = Div (l, n)")
    assert output_error(model, pieces(50, x=normal(50, 8)))(broken) == float("inf")
