"""Importance is what the papers say, place by place, and groups compare."""

from __future__ import annotations

from math import sqrt
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper, parser

from graphprune.errors import Refused, Usage
from graphprune.importance import lamp, score
from graphprune.importance.reductions import Slices, absolute_sums, distances, squared_sums
from graphprune.model import from_proto
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.weights import Weight

Array = NDArray[Any]

PERCEPTRON = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 2] x) => (float[1, 1] y) { [first] h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) }"""
W = np.array([[1, -2, 3], [0, 0, 4]], dtype=np.float32)
V = np.array([[1], [-1], [2]], dtype=np.float32)

CONVOLUTIONS = """<ir_version: 8, opset_import: ["" : 17]>
g (float[1, 2, 6, 6] x) => (float[1, 3, 2, 2] y) {
  [first] h = Conv(x, w1, b1)
  n = BatchNormalization(h, scale, shift, mean, var)
  r = Relu(n)
  [last] y = Conv(r, w2, b2)
}"""


def solved(text: str, **weights: Array) -> Solution:
    model = parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    return solve(from_proto(model).graph)


def convolutions(seed: int = 0) -> tuple[Solution, dict[str, Array]]:
    draw = np.random.default_rng(seed)
    shapes = {"w1": (5, 2, 3, 3), "w2": (3, 5, 3, 3)} | dict.fromkeys(
        ("b1", "scale", "shift", "mean", "var"), (5,)
    )
    weights = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    weights["var"] = np.abs(weights["var"])
    weights["b2"] = np.zeros(3, dtype=np.float32)
    return solved(CONVOLUTIONS, **weights), weights


def of_units(solution: Solution, by: str, seed: int = 0) -> Array:
    """The scores of the one group that may be pruned."""
    (numbers,) = score(solution, by, seed).values.values()
    return numbers


@pytest.mark.parametrize(
    ("by", "at_w", "at_v"),
    [
        ("l2", [1, 4, 25], [1, 1, 4]),
        ("l1", [1, 2, 7], [1, 1, 2]),
        # the columns of W are (1, 0), (-2, 0) and (3, 4)
        ("fpgm", [3 + sqrt(20), 3 + sqrt(41), sqrt(20) + sqrt(41)], [2 + 1, 2 + 3, 1 + 3]),
    ],
)
def test_a_unit_is_judged_by_every_weight_that_it_stands_in(
    by: str, at_w: list[float], at_v: list[float]
) -> None:
    places = [np.array(numbers) / np.mean(numbers) for numbers in (at_w, at_v)]
    assert of_units(solved(PERCEPTRON, w=W, v=V), by) == pytest.approx(np.mean(places, axis=0))


def test_lamp_puts_each_number_over_the_sum_of_those_not_smaller() -> None:
    # l2 gives (0.1, 0.4, 2.5) at W and (0.5, 0.5, 2) at V, so 0.3, 0.45 and 2.25 on average
    assert of_units(solved(PERCEPTRON, w=W, v=V), "lamp") == pytest.approx([0.3 / 3, 0.45 / 2.7, 1])


@pytest.mark.parametrize(("by", "power"), [("l1", np.abs), ("l2", np.square)])
def test_filters_and_scales_count_and_biases_and_statistics_do_not(by: str, power: Any) -> None:
    solution, weights = convolutions()
    places = [
        power(weights["w1"].astype(float)).sum(axis=(1, 2, 3)),
        power(weights["scale"].astype(float)),
        power(weights["w2"].astype(float)).sum(axis=(0, 2, 3)),
    ]
    expected = np.mean([numbers / numbers.mean() for numbers in places], axis=0)
    assert of_units(solution, by) == pytest.approx(expected, rel=1e-5)


def test_bn_is_the_absolute_scale_of_the_batch_norm() -> None:
    solution, weights = convolutions()
    scale = np.abs(weights["scale"])
    assert of_units(solution, "bn") == pytest.approx(scale / scale.mean())
    assert not score(solution, "bn").notes


def test_a_group_without_batch_norm_falls_back_to_l2_and_says_so() -> None:
    solution = solved(PERCEPTRON, w=W, v=V)
    assert of_units(solution, "bn") == pytest.approx(of_units(solution, "l2"))
    (note,) = score(solution, "bn").notes.values()
    assert note.endswith("so l2 is used")


@pytest.mark.parametrize("by", ["l1", "l2", "fpgm", "bn"])
def test_every_group_has_mean_one_so_that_groups_compare(by: str) -> None:
    solution, _ = convolutions()
    for numbers in score(solution, by).values.values():
        assert numbers.mean() == pytest.approx(1)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), by=st.sampled_from(["l1", "l2", "fpgm", "lamp"]))
def test_units_in_another_order_have_the_same_scores(seed: int, by: str) -> None:
    order = np.random.default_rng(seed).permutation(3)
    straight = of_units(solved(PERCEPTRON, w=W, v=V), by)
    assert of_units(solved(PERCEPTRON, w=W[:, order], v=V[order]), by) == pytest.approx(straight[order])


@pytest.mark.parametrize("by", ["l1", "l2", "fpgm", "lamp"])
def test_a_weight_of_another_magnitude_does_not_drown_the_others(by: str) -> None:
    scaled = solved(PERCEPTRON, w=W * 1000, v=V)
    assert of_units(scaled, by) == pytest.approx(of_units(solved(PERCEPTRON, w=W, v=V), by))


def test_the_unit_at_the_geometric_median_matters_least_to_fpgm() -> None:
    w = np.array([[0, 2, 1, 0, 2], [0, 0, 1, 2, 2]], dtype=np.float32)
    numbers = of_units(solved(PERCEPTRON, w=w, v=np.ones((5, 1), dtype=np.float32)), "fpgm")
    assert np.argmin(numbers) == 2


def test_random_depends_on_the_seed_and_on_nothing_else() -> None:
    solution, _ = convolutions()
    first = of_units(solution, "random", seed=1)
    assert np.array_equal(first, of_units(convolutions(seed=9)[0], "random", seed=1))
    assert not np.array_equal(first, of_units(solution, "random", seed=2))


def test_units_in_blocks_are_summed_over_their_positions() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 2, 4, 4] x) => (float[1, 3] y) { [first] h = Conv(x, w) f = Flatten(h) y = MatMul(f, v) }"""
    draw = np.random.default_rng(0)
    w = draw.normal(size=(3, 2, 3, 3)).astype(np.float32)
    v = draw.normal(size=(12, 3)).astype(np.float32)
    places = [np.square(w).sum(axis=(1, 2, 3)), np.square(v).reshape(3, 4, 3).sum(axis=(1, 2))]
    expected = np.mean([numbers / numbers.mean() for numbers in places], axis=0)
    assert of_units(solved(text, w=w, v=v), "l2") == pytest.approx(expected, rel=1e-5)


def test_quantised_weights_are_judged_as_the_numbers_they_stand_for() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 2] x) => (float[1, 1] y) {
      w = DequantizeLinear<axis=1>(q, s, z) [first] h = MatMul(x, w) r = Relu(h) y = MatMul(r, v)
    }"""
    scale = np.array([0.5, 2, 1], dtype=np.float32)
    zero = np.array([10, 0, 128], dtype=np.uint8)
    quantised = (W / scale + zero).astype(np.uint8)
    real = (quantised.astype(np.float32) - zero) * scale
    solution = solved(text, q=quantised, s=scale, z=zero, v=V)
    assert of_units(solution, "l2") == pytest.approx(of_units(solved(PERCEPTRON, w=real, v=V), "l2"))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_weights_of_every_float_type_are_judged_alike(dtype: Any) -> None:
    text = PERCEPTRON.replace("float[", {2: "float16[", 8: "double["}[np.dtype(dtype).itemsize])
    text = text.replace("float16", "bfloat16") if dtype is ml_dtypes.bfloat16 else text
    numbers = of_units(solved(text, w=W.astype(dtype), v=V.astype(dtype)), "l2")
    assert numbers == pytest.approx(of_units(solved(PERCEPTRON, w=W, v=V), "l2"))


@pytest.mark.parametrize("by", ["l1", "l2", "fpgm"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_not_finite_is_refused_by_name(value: float, by: str) -> None:
    broken = W.copy()
    broken[0, 0] = value
    with pytest.raises(Refused, match="weight w of MatMul 'first'"):
        score(solved(PERCEPTRON, w=broken, v=V), by)


def test_a_weight_whose_square_is_no_float_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="weight w of MatMul 'first'"):
        score(solved(PERCEPTRON, w=W * np.float32(1e25), v=V))


def test_weights_of_zeros_give_zeros() -> None:
    for by in ("l2", "lamp", "fpgm"):
        assert of_units(solved(PERCEPTRON, w=W * 0, v=V * 0), by).tolist() == [0, 0, 0]


def test_an_unknown_criterion_is_refused() -> None:
    with pytest.raises(Usage, match="did you mean l2"):
        score(solved(PERCEPTRON, w=W, v=V), "l3")


def test_groups_that_cannot_be_pruned_are_not_judged() -> None:
    solution, _ = convolutions()
    assert len(solution.groups) > 1
    assert set(score(solution).values) == {group.name for group in solution.groups if group.prunable}


@settings(max_examples=60)
@given(st.data())
def test_a_reduction_is_the_sum_over_the_slice_of_each_unit(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    dim = data.draw(st.integers(0, len(shape) - 1))
    size = data.draw(st.integers(1, 4))
    units = np.array(data.draw(st.lists(st.integers(-1, size - 1), min_size=shape[dim], max_size=shape[dim])))
    values = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=shape).astype(np.float32)

    slices = [np.take(values, np.flatnonzero(units == unit), dim).astype(float) for unit in range(size)]
    place = Slices(dim, units, size)
    assert absolute_sums(values, [place])[0] == pytest.approx([np.abs(one).sum() for one in slices], rel=1e-5)
    assert squared_sums(values, [place])[0] == pytest.approx(
        [np.square(one).sum() for one in slices], rel=1e-5
    )
    if len({one.shape for one in slices}) == 1:
        apart = [sum(float(np.linalg.norm(one - other)) for other in slices) for one in slices]
        assert distances(values, [place])[0] == pytest.approx(apart, rel=1e-3, abs=1e-2)


def test_a_constant_larger_than_a_chunk_is_reduced_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(70, 6, 3)).astype(np.float32)
    places = [Slices(dim, np.arange(size), size) for dim, size in enumerate(values.shape)]
    whole = squared_sums(values, places)
    monkeypatch.setattr("graphprune.importance.reductions.CHUNK", 40)
    for one, other in zip(whole, squared_sums(values, places), strict=True):
        assert one == pytest.approx(other, rel=1e-5)
    assert whole[1] == pytest.approx(np.square(values.astype(float)).sum(axis=(0, 2)), rel=1e-5)


@pytest.mark.parametrize("shape", [(70, 6, 3), (1, 70, 3), (70,)], ids=str)
def test_a_weight_that_is_read_in_rows_has_the_sums_of_the_array(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphprune.importance.reductions.CHUNK", 40)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    places = [Slices(dim, np.arange(size), size) for dim, size in enumerate(shape)]
    weight = Weight(numpy_helper.from_array(values))
    for reduce in (squared_sums, absolute_sums, distances):
        for one, other in zip(reduce(values, places), reduce(weight, places), strict=True):
            assert one.tobytes() == other.tobytes()


def test_lamp_of_equal_numbers_counts_down() -> None:
    assert lamp(np.ones(4)).tolist() == pytest.approx([1 / 4, 1 / 3, 1 / 2, 1])
