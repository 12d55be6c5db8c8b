"""Around operators that ONNX Runtime does not have: pinned, said, and proved in front of them and behind."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper, parser

from graphprune.errors import Negative
from graphprune.kernels import foreign, lacking
from graphprune.model import from_proto
from graphprune.pruning import prune
from graphprune.solve import solve
from graphprune.state import State, made
from graphprune.verify import compare
from tests.networks.fill import fill

HEAD = '<ir_version: 8, opset_import: ["": 17, "acme": 1, "TRT": 1, "com.microsoft": 1]> g '
WEIGHTS = {
    "w1": (32, 3, 3, 3),
    "w2": (32, 32, 3, 3),
    "w3": (64, 32, 3, 3),
    "w4": (16, 64, 3, 3),
    "k": (32, 32, 3, 3),
    "wo": (96, 64),
    "q": (32, 64, 3, 3),
    "r": (32, 64, 1, 1),
    "w5": (64, 32, 3, 3),
    "m": (32, 64),
    "n": (64, 8),
    "wp": (48, 64),
}


def build(text: str) -> onnx.ModelProto:
    """The model with random weights for the names in `WEIGHTS` that it reads."""
    model = parser.parse_model(HEAD + text)
    draw = np.random.default_rng(0)
    read = {name for node in model.graph.node for name in node.input}
    for node in model.graph.node:
        for attribute in node.attribute:
            read |= {name for inner in attribute.g.node for name in inner.input}
    for name, sizes in WEIGHTS.items():
        if name in read:
            values = (draw.standard_normal(sizes) / np.sqrt(np.prod(sizes[1:]))).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, name))
    for value in model.graph.output:
        if not value.type.tensor_type.shape.dim:
            value.type.tensor_type.ClearField("shape")
    return model


FRONT = "a = Conv <pads = [1, 1, 1, 1]> (x, w1) b = Relu (a) c = Conv <pads = [1, 1, 1, 1]> (b, w2) "
BEHIND = "e = Conv (d, w3) f = Relu (e) h = Conv (f, w4) y = GlobalAveragePool (h) "
TARGET = "s = Constant <value = int64[4] {1, 32, 16, 16}> ()"
X = "(float[1, 3, 16, 16] x) => (float[1, 16, 1, 1] y) "
CASES = {
    "in the middle": (X + f"{{ {FRONT} d = acme.Attention (c) {BEHIND} }}", {32, 64}),
    "of the default domain": (X + f"{{ {FRONT} d = DCNv2_TRT (c) {BEHIND} }}", {32, 64}),
    "misspelt": (X + f"{{ {FRONT} d = Rellu (c) {BEHIND} }}", {32, 64}),
    "first": ("(float[1, 3, 16, 16] x) => (float y) { d = acme.Decode (x) " + BEHIND + "}", {64}),
    "last": ("(float[1, 3, 16, 16] x) => (float y) {" + FRONT + " y = acme.Nms (c) }", {32}),
    "two in a row": (X + f"{{ {FRONT} p = acme.One (c) d = acme.Two (p) {BEHIND} }}", {32, 64}),
    "of several results": (
        X + f"{{ {FRONT} d, s = acme.Split (c) {BEHIND.replace('y =', 'z =')} y = Mul (z, s) }}",
        {32, 64},
    ),
    "of unknown sizes into a Reshape": (
        f"{X}{{ {FRONT} j = acme.Attention (c) {TARGET} d = Reshape (j, s) {BEHIND} }}",
        {32, 64},
    ),
    "whose sizes follow from each other": (
        X + f"{{ {FRONT} p = acme.One (c) i = Add (c, p) j = acme.Two (i) l = acme.Three (j) "
        f"o = Concat <axis = 1> (j, l) d = Conv (o, r) {BEHIND} }}",
        {32, 64},
    ),
    "added to a shortcut": (X + f"{{ {FRONT} p = acme.Attention (c) d = Add (p, c) {BEHIND} }}", {32, 64}),
    "of a runtime on GPUs": (X + f"{{ {FRONT} d = com.microsoft.NhwcConv (c, k) {BEHIND} }}", {32, 64}),
    "of dynamic sizes": (
        "(float[N, 3, H, W] x) => (float[N, 16, 1, 1] y) {" + FRONT + "d = acme.Attention (c)" + BEHIND + "}",
        {32, 64},
    ),
}


def sizes(state: State) -> set[int]:
    return {group.size for group in made(state.solution, "solution").groups if group.prunable}


@pytest.mark.parametrize(("text", "found"), CASES.values(), ids=CASES)
def test_what_is_in_front_and_behind_is_cut_and_proved(text: str, found: set[int]) -> None:
    state = prune(from_proto(build(text)))
    verification = made(state.verification, "verification")
    assert sizes(state) == found
    assert verification.passed
    assert len(verification.not_run) == len(foreign(made(state.model, "model").graph)) > 0


@pytest.mark.parametrize(
    ("text", "weight"),
    [(text, name) for text, _ in CASES.values() for name in ("w1", "w2", "w3", "w4") if f"{name})" in text],
)
def test_a_weight_that_is_wrong_in_front_or_behind_is_seen(text: str, weight: str) -> None:
    model = build(text)
    other = onnx.ModelProto()
    other.CopyFrom(model)
    (found,) = (tensor for tensor in other.graph.initializer if tensor.name == weight)
    values = numpy_helper.to_array(found).copy()
    values[0] *= -1
    found.CopyFrom(numpy_helper.from_array(values, weight))
    assert compare(from_proto(model), from_proto(model)).passed
    assert not compare(from_proto(model), from_proto(other)).passed


IN_A_BODY = X + (
    f"{{ {FRONT} t = Constant <value = float {{0.5}}> () j = ReduceMax <keepdims = 0> (c) g = Greater (j, t) "
    "d = If (g) <then_branch = yes () => (float[1, 32, 16, 16] u) { u = acme.Attention (c) }, "
    "else_branch = no () => (float[1, 32, 16, 16] v) "
    "{ o1 = Conv <pads = [1, 1, 1, 1]> (c, w5) l = Relu (o1) v = Conv <pads = [1, 1, 1, 1]> (l, q) }> "
    f"{BEHIND} }}"
)


def test_an_operator_in_a_body_makes_its_if_one_that_is_not_run() -> None:
    model = from_proto(build(IN_A_BODY))
    assert lacking(model.graph) == ("acme.Attention",)
    state = prune(model)
    assert sizes(state) == {32, 64}
    assert made(state.verification, "verification").not_run == ("If 'd'",)
    free = [group for group in made(state.solution, "solution").groups if group.prunable]
    assert not {"w5", "q"} & {place.tensor.name for group in free for place in group.places}


CAPTURED = X + (
    f"{{ {FRONT.replace('(x, w1)', '(x, w1, b1)')} t = Constant <value = float {{0.5}}> () "
    "j = ReduceMax <keepdims = 0> (c) g = Greater (j, t) "
    "d = If (g) <then_branch = yes () => (float[1, 32, 16, 16] u) { u = acme.Attention (c, b1) }, "
    "else_branch = no () => (float[1, 32, 16, 16] v) "
    "{ l = Conv <pads = [1, 1, 1, 1]> (c, k, b1) v = Sub (l, k2) }> "
    f"{BEHIND} }}"
)


def captured(by: float = 1) -> onnx.ModelProto:
    """An If that is not run, whose bodies read a weight that the graph cuts and some that they alone read."""
    model = build(CAPTURED)
    model.graph.initializer.append(numpy_helper.from_array(np.full((32, 1, 1), by, np.float32), "k2"))
    model.graph.initializer.append(numpy_helper.from_array(np.linspace(-1, 1, 32, dtype=np.float32), "b1"))
    return model


def test_a_weight_that_is_cut_stays_whole_where_a_body_that_is_not_run_reads_it() -> None:
    state = prune(from_proto(captured()))
    assert sizes(state) == {32, 64}
    assert made(state.verification, "verification").passed


def test_a_weight_that_only_a_body_that_is_not_run_reads_is_compared() -> None:
    assert compare(from_proto(captured()), from_proto(captured())).passed
    assert not compare(from_proto(captured()), from_proto(captured(2))).passed


def pinned(text: str) -> set[str]:
    return {group.reason for group in solve(from_proto(build(text)).graph).groups if not group.prunable}


def test_the_reason_says_which_operator_is_not_there() -> None:
    reasons = pinned(CASES["of the default domain"][0])
    lack = "ONNX Runtime has no DCNv2_TRT; what it reads and writes keeps its sizes"
    assert any(lack in reason for reason in reasons)


def test_an_operator_that_onnx_runtime_has_is_not_called_missing() -> None:
    text = "(float[4, 4] x) => (float[4, 4] y) { a = MatMul (x, x) y = com.microsoft.Inverse (a) }"
    assert foreign(from_proto(build(text)).graph) == ()
    functions = "(float[4, 4] x) => (float[4, 4] y) { a = HardSwish (x) y = Mish (a) }"
    model = build(functions)
    model.opset_import[0].version = 18
    assert foreign(from_proto(model).graph) == ()


@pytest.mark.parametrize(
    ("declared", "found"),
    [("float[1, 32, 16, 16]", {32, 64}), ("float[1, 7, 9]", {32, 64}), ("float[1, 16, 16, 16]", {32, 64})],
    ids=["right", "another rank", "other channels"],
)
def test_declared_sizes_that_lie_give_way_to_weights(declared: str, found: set[int]) -> None:
    text = X + f"<{declared} d> {{ {FRONT} d = acme.Attention (c) {BEHIND} }}"
    state = prune(from_proto(build(text)))
    assert sizes(state) == found
    assert made(state.verification, "verification").passed


def test_a_rank_is_handed_on_from_the_outputs() -> None:
    text = (
        "(float[2, 5, 48] x) => (float[2, 5, 8] y) { a = MatMul (x, wp) b = acme.Mixer (a) c = Relu (b) "
        "d = MatMul (c, wo) e = Relu (d) y = MatMul (e, n) }"
    )
    state = prune(from_proto(build(text)))
    assert sizes(state) == {64}


def test_another_attribute_of_an_operator_that_is_not_run_is_a_no() -> None:
    text = X + f"{{ {FRONT} d = acme.Attention <heads = 4> (c) {BEHIND} }}"
    one, other = from_proto(build(text)), from_proto(build(text.replace("heads = 4", "heads = 2")))
    with pytest.raises(Negative, match="other attributes"):
        compare(one, other)


def test_what_is_wired_into_an_operator_that_is_not_run_is_compared() -> None:
    text = X + f"{{ {FRONT} d = acme.Attention (b, c) {BEHIND} }}"
    one, other = from_proto(build(text)), from_proto(build(text.replace("(b, c)", "(c, b)")))
    assert not compare(one, other).passed


@pytest.mark.parametrize(
    ("operator", "gates", "layout"), [("LSTM", 4, 0), ("GRU", 3, 0), ("RNN", 1, 0), ("RNN", 1, 1)]
)
def test_a_recurrent_operator_says_what_it_reads(operator: str, gates: int, layout: int) -> None:
    """What an unknown operator writes has three dimensions there, and as many features as the weight."""
    size = gates * 8
    text = f"""<ir_version: 8, opset_import: ["": 17, "acme": 1]>
    g (float[t, n, 6] x) => (float[n, 4] y)
    <float[1, {size}, 6] w, float[1, {size}, 8] r, float[8, 4] v, int64[1] ways = {{{layout}}}>
    {{ p = acme.Odd (x) a, last = {operator} <hidden_size = 8, layout = {layout}> (p, w, r)
      f = Squeeze (last, ways) y = MatMul (f, v) }}"""
    found = solve(from_proto(fill(text)).graph)
    assert [group.size for group in found.groups if group.prunable] == [8]
