"""Verification compares numbers by type, at several shapes, and lets no change of the interface pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from numpy.typing import DTypeLike, NDArray

from graphprune.checks import Check, Verification, difference, limit_of
from graphprune.cut import cut
from graphprune.errors import Negative, Refused
from graphprune.feeds import fitted_sizes
from graphprune.model import from_proto
from graphprune.shape_text import parse_shapes
from graphprune.solve import solve
from graphprune.verify import check_interface, check_valid, compare, verify
from tests.networks import network
from tests.networks.fill import fill
from tests.networks.solved import halved, solved
from tests.proof.changes import changed

NAN, INF = float("nan"), float("inf")


def floats(*values: float, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    return np.array(values, dtype=dtype)


@pytest.mark.parametrize(
    ("a", "b", "error", "largest"),
    [
        (floats(3, 4), floats(3, 4), 0, 0),
        (floats(3, 4), floats(3, 4.5), 0.1, 0.5),
        (floats(0, 0), floats(0, 0), 0, 0),
        (floats(0, 0), floats(0, 1), INF, 1),
        (floats(NAN, 5), floats(NAN, 5), 0, 0),
        (floats(NAN, 5), floats(5, NAN), INF, INF),
        (floats(1, 5), floats(NAN, 5), INF, INF),
        (floats(NAN, 5), floats(1, 5), INF, INF),
        (floats(INF, 4), floats(INF, 4), 0, 0),
        (floats(INF, 4), floats(-INF, 4), INF, INF),
        (floats(INF, 4), floats(3e38, 4), INF, INF),
        (floats(-INF, 4), floats(-INF, 5), 0.25, 1),
        (floats(3, 4, dtype=np.float16), floats(3, 4.5, dtype=np.float16), 0.1, 0.5),
        (floats(3, 4, dtype=ml_dtypes.bfloat16), floats(3, 4.5, dtype=ml_dtypes.bfloat16), 0.1, 0.5),
        (floats(60000, 60000, dtype=np.float16), floats(60000, -60000, dtype=np.float16), 2**0.5, 120000),
        (np.array([1, 2]), np.array([1, 2]), 0, 0),
        (np.array([1, 2]), np.array([1, 7]), 1, 5),
        (np.array([True]), np.array([False]), 1, 1),
        (np.array(["a"]), np.array(["b"]), 1, 1),
        (np.array(["a"]), np.array(["a"]), 0, 0),
        (floats(), floats(), 0, 0),
    ],
    ids=lambda value: str(value) if isinstance(value, np.ndarray) else "",
)
def test_the_difference_of_two_arrays(a: NDArray[Any], b: NDArray[Any], error: float, largest: float) -> None:
    assert difference(a, b) == pytest.approx((error, largest))


@pytest.mark.parametrize(
    ("dtype", "limit"),
    [
        (np.float64, 1e-9),
        (np.float32, 1e-4),
        (np.float16, 2e-2),
        (ml_dtypes.bfloat16, 1e-1),
        (np.int64, 1e-12),
        (np.bool_, 1e-12),
    ],
)
def test_how_far_apart_numbers_may_be_depends_on_their_type(dtype: DTypeLike, limit: float) -> None:
    assert limit_of(np.dtype(dtype), None) == limit
    assert limit_of(np.dtype(dtype), 0.5) == 0.5
    assert 0 < limit_of(np.dtype(dtype), 0.0) <= 1e-12


def test_a_proof_fails_with_any_check_and_names_the_worst_by_its_own_limit() -> None:
    close = Check("x:1", "y", 1e-3, 1, 2e-2)
    far = Check("x:1", "z", 5e-4, 1, 1e-4)
    assert Verification((close,)).passed
    assert not Verification((close, far)).passed
    assert Verification((close, far)).worst is far
    assert not Verification(()).passed


@pytest.mark.parametrize("dtype", ["float", "double", "float16"])
def test_a_difference_within_the_tolerance_of_the_type_passes_and_beyond_it_fails(dtype: str) -> None:
    text = """
        g ({0}[1, 2] x) => ({0}[1, 2] y) <double factor = {{{1}}}>
        {{ f = CastLike (factor, x) y = Mul (x, f) }}"""

    def scaled(factor: float) -> Any:
        return from_proto(fill(text.format(dtype, factor)))

    limit = {"float": 1e-4, "double": 1e-9, "float16": 2e-2}[dtype]
    assert compare(scaled(1.0), scaled(1 + limit / 2)).passed
    assert not compare(scaled(1.0), scaled(1 + limit * 2)).passed
    assert compare(scaled(1.0), scaled(1 + limit * 2), rtol=limit * 3).passed
    assert compare(scaled(1.0), scaled(1 + limit * 2), atol=limit * 4).passed


def test_dynamic_shapes_are_compared_at_two_shapes_and_static_ones_at_one() -> None:
    for name, count in (
        ("dynamic-batch", 2),
        ("dynamic-sequence", 2),
        ("dynamic-image", 2),
        ("conv-chain", 1),
    ):
        model, solution = solved(name)
        proof = verify(model, cut(model, solution, halved(solution)), solution.shapes)
        assert len({check.shape for check in proof.checks}) == count, name


def test_sizes_and_inputs_can_be_given() -> None:
    model, solution = solved("dynamic-sequence")
    small = cut(model, solution, halved(solution))
    proof = verify(model, small, solution.shapes, sizes={"ids": (4, 3)})
    assert {check.shape for check in proof.checks} == {"ids:4x3"}
    feeds = [{"ids": np.full((1, length), 7)} for length in (2, 5, 9)]
    proof = verify(model, small, solution.shapes, feeds=feeds)
    assert [c.shape for c in proof.checks if not c.inside] == ["ids:1x2", "ids:1x5", "ids:1x9"]
    assert proof.passed


def test_shapes_that_the_original_refuses_are_passed_over() -> None:
    only_three = from_proto(
        fill("g (float[batch, 4] x) => (float[3, 4] y) <int64[2] s = {3, 4}> { y = Reshape (x, s) }")
    )
    assert {check.shape for check in compare(only_three, only_three).checks} == {"x:3x4"}


def test_an_original_that_runs_at_no_shape_is_refused() -> None:
    model = from_proto(
        fill("g (float[batch, 4] x) => (float[7, 3] y) <int64[2] s = {7, 3}> { y = Reshape (x, s) }")
    )
    with pytest.raises(Refused, match="size") as refused:
        compare(model, model)
    assert "--shape" in refused.value.hint


def test_an_original_that_runs_at_one_batch_alone_is_run_at_it() -> None:
    model = from_proto(
        fill("g (float[batch, 4] x) => (float[7, 4] y) <int64[2] s = {7, 4}> { y = Reshape (x, s) }")
    )
    assert {check.shape for check in compare(model, model).checks} == {"x:7x4"}


BASE = "g (float[1, 4] x, float[1, 4] z) => (float[1, 4] y, float[1, 4] w) { y = Add (x, z) w = Sub (x, z) }"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            lambda text: text.replace("float[1, 4] z)", "float[1, 5] z)"),
            "input 'z' has another type or shape",
        ),
        (
            lambda text: text.replace("float[1, 4] z)", "float[n, 4] z)"),
            "input 'z' has another type or shape",
        ),
        (
            lambda text: text.replace("float[1, 4] z)", "double[1, 4] z)"),
            "input 'z' has another type or shape",
        ),
        (lambda text: text.replace("z)", "q)"), "the inputs are not the same"),
        (lambda text: text.replace("x, float[1, 4] z", "z, float[1, 4] x", 1), "the inputs are not the same"),
        (lambda text: text.replace(", float[1, 4] w)", ")"), "the outputs are not the same"),
        (lambda text: text.replace("y, float[1, 4] w", "w, float[1, 4] y"), "the outputs are not the same"),
        (lambda text: text.replace("=> (float[1, 4] y", "=> (float[1, 2] y"), "output 'y' has another type"),
        (
            lambda text: text.replace("=> (float[1, 4] y", "=> (float y"),
            "output 'y' has another type or shape",
        ),
    ],
    ids=["size", "symbol", "type", "name", "order", "missing", "output order", "output size", "output rank"],
)
def test_a_change_of_the_interface_is_caught(change: Callable[[str], str], why: str) -> None:
    with pytest.raises(Negative, match=why) as caught:
        check_interface(from_proto(fill(BASE)), from_proto(fill(change(BASE))))
    assert caught.value.code == 1
    check_interface(from_proto(fill(BASE)), from_proto(fill(BASE)))


def test_weights_that_are_listed_as_inputs_are_no_interface() -> None:
    def old(rows: int) -> onnx.ModelProto:
        model = fill(
            f"g (float[1, 4] x) => (float[1, {rows}] y) <float[4, {rows}] w> {{ y = MatMul (x, w) }}"
        )
        del model.graph.output[0].type.tensor_type.shape.dim[1]
        model.graph.output[0].type.tensor_type.shape.dim.add()
        listed = model.graph.input.add(name="w")
        listed.type.CopyFrom(onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [4, rows]))
        return model

    check_interface(from_proto(old(6)), from_proto(old(3)))


def test_an_output_of_another_size_is_caught_where_the_interface_does_not_say() -> None:
    text = "g (float[1, 4] x) => (float[1, n] y) <float[4, {}] w> {{ y = MatMul (x, w) }}"
    with pytest.raises(Negative, match="output 'y' is"):
        compare(from_proto(fill(text.format(3))), from_proto(fill(text.format(2))))


def test_a_second_model_that_does_not_run_is_a_no() -> None:
    good = "g (float[1, 4] x) => (float[1, 4] y) <int64[2] s = {1, 4}> { y = Reshape (x, s) }"
    bad = good.replace("{1, 4}>", "{1, 3}>")
    with pytest.raises(Negative, match="does not"):
        compare(from_proto(fill(good)), from_proto(fill(bad)))


def test_outputs_that_are_all_the_same_number_prove_nothing() -> None:
    constant = "g (float[1, 4] x) => (float[1, 4] y) <float zero = {0.0}> { y = Mul (x, zero) }"
    proof = compare(from_proto(fill(constant)), from_proto(fill(constant)))
    assert all(check.passed for check in proof.checks)
    assert proof.vacuous
    assert not proof.passed


def test_outputs_that_are_no_numbers_prove_nothing() -> None:
    nothing = "g (float[1, 4] x) => (float[1, 4] y) { n = Abs (x) m = Neg (n) y = Log (m) }"
    proof = compare(from_proto(fill(nothing)), from_proto(fill(nothing)))
    assert all(check.passed for check in proof.checks)
    assert not proof.passed


def test_a_difference_that_a_saturated_output_hides_is_seen_behind_it() -> None:
    text = """
        g (float[1, 4] x) => (float[1, 2] y) <float[4, 6] w0, float[6, 2] w1, float big = {{{}}}>
        {{ h = MatMul (x, w0) r = Softplus (h) i = MatMul (r, w1) j = Add (i, big) y = HardSigmoid (j) }}"""
    model = from_proto(fill(text.format(1000.0)))
    solution = solve(model.graph)
    small = cut(model, solution, halved(solution))
    assert verify(model, small, solution.shapes).passed
    wrong = replace(small, model=changed(small.model, "w1", lambda values: values * 1.01))
    proof = verify(model, wrong, solution.shapes)
    assert all(check.passed for check in proof.checks if check.output == "y")
    assert {check.output for check in proof.checks if not check.passed} == {"i"}


def test_a_model_that_is_not_valid_is_caught() -> None:
    model = from_proto(fill(BASE))
    graph = model.graph.copy()
    graph.nodes[0].attrs["unheard"] = 1
    with pytest.raises(Negative, match="not valid"):
        check_valid(replace(model, graph=graph))
    check_valid(model)


def test_another_seed_draws_other_inputs_and_proves_the_same() -> None:
    model, solution = solved("conv-chain")
    small = cut(model, solution, halved(solution))
    assert all(verify(model, small, solution.shapes, seed=seed).passed for seed in (1, 2))
    text = "g (float[1, 4] x) => (float[1, 4] y) <float factor = {{{}}}> {{ y = Mul (x, factor) }}"
    one, two = (from_proto(fill(text.format(factor))) for factor in (1.0, 2.0))
    first, second = (compare(one, two, seed=seed).worst.largest for seed in (1, 2))
    assert first != second


def test_the_same_seed_gives_the_same_numbers() -> None:
    model, solution = solved("dynamic-sequence")
    small = cut(model, solution, halved(solution))
    assert verify(model, small, solution.shapes) == verify(model, small, solution.shapes)


def test_a_network_is_not_changed_by_proving_it() -> None:
    before = network("conv-chain").SerializeToString(deterministic=True)
    model, solution = solved("conv-chain")
    verify(model, cut(model, solution, halved(solution)), solution.shapes)
    assert network("conv-chain").SerializeToString(deterministic=True) == before


def test_the_size_of_a_symbol_that_a_user_gives_is_the_size_in_every_run() -> None:
    model = from_proto(
        fill("""g (float[b, s, 8] x) => (float[b, s, 4] y) <float[8, 16] w, float[16, 4] v>
        { a = MatMul (x, w) r = Relu (a) y = MatMul (r, v) }""")
    )
    solution = solve(model.graph)
    small = cut(model, solution, halved(solution))
    sizes = fitted_sizes(model.graph, parse_shapes(["s=9"]))
    proof = verify(model, small, solution.shapes, sizes=sizes)
    assert proof.passed
    assert len({check.shape for check in proof.checks}) > 1, "the batch is still open"
    assert all(check.shape.split("x")[-2] == "9" for check in proof.checks)
