"""Where a graph is cut into stages plays no part in the numbers, and a wrong place is found anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray

from graphprune.checks import Verification
from graphprune.cut import Cut, cut
from graphprune.duplicate import duplicate
from graphprune.errors import Negative, Usage
from graphprune.model import Model, from_proto
from graphprune.proof import points, prove
from graphprune.proof.places import fitted
from graphprune.rewire import set_input
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.verify import compare, verify
from tests.networks.fill import fill
from tests.networks.solved import halved, solved
from tests.proof.changes import changed, rewired

Array = NDArray[Any]


def pair(name: str) -> tuple[Model, Solution, Cut]:
    model, solution = solved(name)
    return model, solution, cut(model, solution, halved(solution))


def written(text: str) -> tuple[Model, Solution, Cut]:
    model = from_proto(fill(text))
    solution = solve(model.graph)
    return model, solution, cut(model, solution, halved(solution))


def failed(proof: Verification) -> bool:
    return any(not check.passed for check in proof.checks)


@pytest.mark.parametrize("name", ["conv-chain", "residual", "attention-separate", "dynamic-sequence", "unet"])
def test_a_stage_for_every_node_gives_what_one_stage_gives(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, solution, small = pair(name)
    whole = verify(model, small, solution.shapes)
    real = points.stages
    monkeypatch.setattr(prove, "stages", lambda *args: real(*args, budget=1))
    monkeypatch.setattr(points, "_MOST_STAGES", 1000)
    apart = prove.cut_and_twin(model, small, solution.shapes, rtol=None, atol=0, wide=False)
    assert len(apart.stages) > 3
    fine = verify(model, small, solution.shapes)
    ends = [{(c.shape, c.output): c.error for c in proof.checks if not c.inside} for proof in (whole, fine)]
    assert ends[0] == ends[1]
    assert whole.passed and fine.passed
    assert (whole.unmoved, whole.silent) == (fine.unmoved, fine.silent) == ((), ())
    weight = next(t.name for n in small.model.graph.nodes for t in n.inputs if isinstance(t, gs.Constant))
    assert weight
    assert not verify(model, negated(small), solution.shapes).passed


def negated(small: Cut) -> Cut:
    """The cut with the sign of one entry of its first large weight turned around."""
    tensors = [t for n in small.model.graph.nodes for t in n.inputs if isinstance(t, gs.Constant)]
    name = next(t.name for t in tensors if len(t.shape) > 1)

    def change(values: Array) -> Array:
        values.reshape(-1)[int(np.argmax(np.abs(values)))] *= -1
        return values

    return replace(small, model=changed(small.model, name, change))


def first(values: Array, factor: float = -1) -> Array:
    values.reshape(-1)[0] *= factor
    return values


def swap(values: Array) -> Array:
    return values[[1, 0, *range(2, len(values))]]


NET = """
    g (float[1, 4, 6, 6] x) => (float[1, 5] y)
    <float[8, 4, 3, 3] w1, float[8] b1, float[8] scale, float[8] shift, float[8] mean, float[8] var,
     float[8, 8, 3, 3] w2, float[8, 5] w3, float[5] b3, int64[2] flat = {1, 8}, float half = {0.5}>
    {
        [first] c1 = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
        [norm] n1 = BatchNormalization <epsilon = 0.1> (c1, scale, shift, mean, var)
        r1 = Relu (n1)
        c2 = Conv <pads = [1, 1, 1, 1]> (r1, w2)
        [join] s = Add (c2, n1)
        [gate] g1 = Sigmoid (s)
        m = Mul (s, g1)
        t = Mul (m, half)
        p = GlobalAveragePool (t)
        f = Reshape (p, flat)
        [last] y = Gemm (f, w3, b3)
    }"""


def to_first(node: str, slot: int, name: str) -> Callable[[gs.Graph], None]:
    def change(graph: gs.Graph) -> None:
        (found,) = [each for each in graph.nodes if each.name == node]
        set_input(found, slot, graph.tensors()[name])

    return change


def attribute(node: str, name: str, value: Any) -> Callable[[gs.Graph], None]:
    def change(graph: gs.Graph) -> None:
        (found,) = [each for each in graph.nodes if each.name == node]
        found.attrs[name] = value

    return change


MORE = (1 + np.eye(1, 4, 1) / 10).astype(np.float32).reshape(4, 1, 1)
"""One channel of an operand by a tenth more."""
WRONG: Mapping[str, Callable[[Model], Model]] = {
    "a sign": lambda m: changed(m, "w1", first),
    "channels swapped": lambda m: changed(m, "w2", swap),
    "a channel of zeros": lambda m: changed(m, "w2", lambda v: np.concatenate([v[:1] * 0, v[1:]])),
    "one weight by a tenth": lambda m: changed(m, "w2", lambda v: v * MORE),
    "one entry of a bias": lambda m: changed(m, "b3", lambda v: first(v, 1.1)),
    "a scale": lambda m: changed(m, "scale", lambda v: first(v, 1.01)),
    "a scalar": lambda m: changed(m, "half", lambda v: v * np.float32(1.01)),
    "classes swapped": lambda m: changed(m, "w3", lambda v: v[:, [1, 0, 2, 3, 4]]),
    "an epsilon": lambda m: rewired(m, attribute("norm", "epsilon", 0.11)),
    "an operator's padding": lambda m: rewired(m, attribute("first", "pads", [0, 2, 2, 0])),
    "another tensor wired in": lambda m: rewired(m, to_first("join", 1, "r1")),
    "a gate on another tensor": lambda m: rewired(m, to_first("gate", 0, "c2")),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_place_is_found_by_numbers_alone(wrong: str) -> None:
    model, solution, small = written(NET)
    assert verify(model, small, solution.shapes).passed
    found = verify(model, replace(small, model=WRONG[wrong](small.model)), solution.shapes)
    assert failed(found), wrong


def test_names_order_and_copies_of_constants_play_no_part() -> None:
    model, solution, small = written(NET)

    def renamed(graph: gs.Graph) -> None:
        for number, tensor in enumerate(graph.tensors().values()):
            if tensor.name not in ("x", "y") and not isinstance(tensor, gs.Constant):
                tensor.name = f"other{number}"
        for node in graph.nodes:
            node.name = ""

    other = replace(small, model=rewired(small.model, renamed))
    assert verify(model, other, solution.shapes).passed
    assert failed(verify(model, replace(other, model=changed(other.model, "w1", first)), solution.shapes))


DETECTOR = """
    g (float[1, 3, 8, 8] x) => (float[1, 12, 64] y)
    <float[8, 3, 3, 3] w1, float[4, 8, 1, 1] boxes, float[8, 8, 1, 1] classes, float stride = {600.0},
     int64[3] flat = {1, 12, 64}>
    {
        c = Conv <pads = [1, 1, 1, 1]> (x, w1)
        r = Relu (c)
        b = Conv (r, boxes)
        p = Mul (b, stride)
        k = Conv (r, classes)
        s = Sigmoid (k)
        o = Concat <axis = 1> (p, s)
        y = Reshape (o, flat)
    }"""


@pytest.mark.parametrize("with_plan", [True, False])
def test_class_scores_beside_boxes_in_pixels_are_not_hidden(with_plan: bool) -> None:
    model, solution, small = written(DETECTOR)
    order = np.random.default_rng(0).permutation(8)
    if with_plan:
        wrong = replace(small, model=changed(small.model, "classes", lambda v: v[order]))
        assert verify(model, small, solution.shapes).passed
        assert failed(verify(model, wrong, solution.shapes))
    else:
        assert compare(model, model).passed
        assert failed(compare(model, changed(model, "classes", lambda v: v[order])))


DEAD = """
    g (float[1, 3, 8, 8] x) => (float[1, 4] y)
    <float[8, 3, 3, 3] w1, float[8] b1, float[8, 4] w2, float low = {-60.0}, int64[2] flat = {1, 8}>
    {
        c = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
        d = Add (c, low)
        r = Relu (d)
        p = GlobalAveragePool (r)
        f = Reshape (p, flat)
        y = Gemm (f, w2)
    }"""


def test_a_network_that_is_dead_on_noise_is_woken_and_its_wrong_twin_refused() -> None:
    model, solution, small = written(DEAD)
    proof = verify(model, small, solution.shapes)
    assert proof.passed
    assert proof.unmoved == proof.silent == ()
    wrong = replace(small, model=changed(small.model, "w2", lambda v: -v[::-1]))
    assert failed(verify(model, wrong, solution.shapes))


def test_units_that_never_vary_are_counted() -> None:
    model, solution, small = written(
        """g (float[4, 6] x) => (float[4, 3] y) <float[6, 8] w1, float[8] b1, float[8, 3] w2>
        { h = MatMul (x, w1) d = Add (h, b1) r = Relu (d) y = MatMul (r, w2) }"""
    )
    assert verify(model, small, solution.shapes).still == 0
    off = changed(model, "b1", lambda v: np.where(np.arange(8) % 2 == 0, np.float32(-1e6), v))
    kept = cut(off, solve(off.graph), halved(solution))
    proof = verify(off, kept, solution.shapes)
    (group,) = halved(solution).keep.values()
    assert (proof.still, proof.units) == (int(np.count_nonzero(group % 2 == 0)), 4)
    assert proof.still == 0 or any("never alive" in text for text in proof.not_exercised)


def test_a_saturated_output_near_zero_is_judged_in_front() -> None:
    text = """
        g (float[1, 3, 16, 16] x) => (float[1, 1, 16, 16] y)
        <float[32, 3, 3, 3] w1, float[1, 32, 3, 3] w2, float[1] b = {-14.0}>
        {
            c = Conv <pads = [1, 1, 1, 1]> (x, w1)
            r = Relu (c)
            z = Conv <pads = [1, 1, 1, 1]> (r, w2, b)
            y = Sigmoid (z)
        }"""
    model, solution, small = written(text)
    assert verify(model, small, solution.shapes).passed
    wrong = replace(small, model=changed(small.model, "w2", lambda v: first(v, 1.01)))
    assert failed(verify(model, wrong, solution.shapes))


def test_an_output_that_a_quantiser_keeps_still_is_proved_in_front() -> None:
    text = """
        g (float[4, 16] x) => (float[4, 1] y)
        <float[16, 32] w1, float[32, 1] w2, float scale = {1000.0}, uint8 zero = {128}>
        {
            h = MatMul (x, w1)
            r = Relu (h)
            z = MatMul (r, w2)
            q = QuantizeLinear (z, scale, zero)
            d = DequantizeLinear (q, scale, zero)
            y = Sigmoid (d)
        }"""
    model, solution, small = written(text)
    proof = verify(model, small, solution.shapes)
    assert proof.passed
    assert proof.unmoved == ()
    wrong = replace(small, model=changed(small.model, "w2", first))
    assert failed(verify(model, wrong, solution.shapes))


def test_random_numbers_of_the_twin_are_given_to_the_cut() -> None:
    text = """
        g (float[4, 6] x) => (float[4, 3] y) <float[6, 8] w1, float[8, 5] w2, float[5, 3] w3>
        {
            h = MatMul (x, w1)
            a = MatMul (h, w2)
            n = RandomNormalLike (a)
            s = Add (a, n)
            y = MatMul (s, w3)
        }"""
    model, solution, small = written(text)
    proof = verify(model, small, solution.shapes)
    assert proof.passed
    wrong = replace(small, model=changed(small.model, "w2", first))
    assert failed(verify(model, wrong, solution.shapes))


def test_an_input_that_changes_nothing_is_named_and_one_that_is_read_by_nobody_is_called_dead() -> None:
    text = """
        g (float[2, 4] x, float[2, 4] muted, float[2, 4] idle, float[2, 4] sized) => (float[2, 3] y)
        <float[4, 8] w1, float[8, 3] w2, float zero = {0.0}>
        {
            m = Mul (muted, zero)
            a = Add (x, m)
            i = Relu (idle)
            n = Shape (sized)
            b = Reshape (a, n)
            h = MatMul (b, w1)
            y = MatMul (h, w2)
        }"""
    model, solution, small = written(text)
    proof = verify(model, small, solution.shapes)
    assert proof.passed
    assert proof.silent == ("muted",)
    assert proof.dead == ("idle",)
    said = " ".join(proof.not_exercised)
    assert "muted" in said and "idle" in said and "sized" not in said


def test_a_cache_that_is_handed_out_again_has_to_be_read_to_count() -> None:
    text = """
        g (float[1, 2, 4] x, float[1, 3, 4] past) => (float[1, 2, 4] y, float[1, 5, 4] present)
        <float[4, 8] w1, float[8, 4] w2>
        {
            present = Concat <axis = 1> (past, x)
            h = MatMul (x, w1)
            r = Relu (h)
            y = MatMul (r, w2)
        }"""
    model, solution, small = written(text)
    assert verify(model, small, solution.shapes).silent == ("past",)


@pytest.mark.parametrize("rtol", [float("inf"), float("nan"), -1.0, 1.0])
def test_tolerances_that_prove_nothing_are_refused(rtol: float) -> None:
    model, solution, small = written(NET)
    with pytest.raises(Usage, match=r"rtol|difference"):
        verify(model, small, solution.shapes, rtol=rtol)
    with pytest.raises(Usage, match=r"atol|difference"):
        verify(model, small, solution.shapes, atol=-1.0 if rtol > 0 else rtol)


def test_a_tolerance_that_swallows_all_that_varies_proves_nothing() -> None:
    model, solution, small = written(NET)
    assert verify(model, small, solution.shapes, atol=1e3).vacuous


def test_half_precision_is_compared_to_the_digits_of_float32() -> None:
    text = """
        g (float16[2, 16] x) => (float16[2, 8] y) <float16[16, 32] w1, float16[32, 8] w2>
        { h = MatMul (x, w1) r = Relu (h) y = MatMul (r, w2) }"""
    model, solution, small = written(text)
    proof = verify(model, small, solution.shapes)
    assert proof.passed
    assert proof.worst.error < 1e-5
    wrong = replace(small, model=changed(small.model, "w2", lambda v: first(v, 1.05)))
    assert failed(verify(model, wrong, solution.shapes))


def test_a_model_that_does_not_run_is_a_no() -> None:
    model, solution, small = written(NET)
    wrong = replace(small, model=changed(small.model, "flat", lambda v: v + 1))
    with pytest.raises(Negative, match="does not"):
        verify(model, wrong, solution.shapes)


@pytest.mark.parametrize("inner", [1, 2])
def test_positions_along_a_product_with_the_batch_follow_the_batch(inner: int) -> None:
    kept = np.array([0, 2]) * inner
    solved_, now = 61, 2
    rows = (np.arange(61)[:, None, None] * 3 * inner + kept[:, None] + np.arange(inner)).reshape(-1)
    found = fitted({0: rows}, (61 * 3 * inner, 5), (now * 3 * inner, 5), {solved_: now})
    assert found is not None
    wanted = (np.arange(now)[:, None, None] * 3 * inner + kept[:, None] + np.arange(inner)).reshape(-1)
    assert np.array_equal(found[0], wanted)


def test_positions_that_differ_from_one_sample_to_the_next_do_not_fit_another_batch() -> None:
    rows = np.array([0, 1, 2, 4])
    assert fitted({0: rows}, (6,), (4,), {3: 2}) is None


def test_the_graphs_are_not_changed_by_a_proof() -> None:
    model, solution, small = written(NET)
    before = [[len(t.outputs) for n in g.nodes for t in n.inputs] for g in (model.graph, small.model.graph)]
    verify(model, small, solution.shapes)
    after = [[len(t.outputs) for n in g.nodes for t in n.inputs] for g in (model.graph, small.model.graph)]
    assert before == after
    assert duplicate(model.graph) is not model.graph
