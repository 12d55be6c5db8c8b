"""Sequences whose places are known become their tensors, and the model computes what it did."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.model import from_proto, to_proto
from graphprune.runtime import run, session
from graphprune.solve import solve
from graphprune.verify import verify
from tests.networks.fill import fill
from tests.networks.solved import halved

# id -> network, with a width of 12 between two matrices
TEXTS = {
    "split-and-taken": """
        s = SplitToSequence <axis = 1> (h, half)
        a = SequenceAt (s, zero)
        b = SequenceAt (s, last)
        m = Mul (a, b)
        t = Concat <axis = 1> (m, m)
        y = MatMul (t, w1)""",
    "split-by-sizes": """
        s = SplitToSequence <axis = 1> (h, sizes)
        a = SequenceAt (s, one)
        b = SequenceAt (s, zero)
        t = Concat <axis = 1> (a, b)
        y = MatMul (t, w1)""",
    "split-and-joined": """
        s = SplitToSequence <axis = -1> (h, half)
        t = ConcatFromSequence <axis = 1> (s)
        y = MatMul (t, w1)""",
    "one-by-one": """
        c = Reshape (h, three)
        s = SplitToSequence <axis = 1, keepdims = 0> (c)
        a = SequenceAt (s, two)
        b = SequenceAt (s, zero)
        d = SequenceAt (s, one)
        t = Concat <axis = 1> (a, b, d)
        y = MatMul (t, w1)""",
    "stacked": """
        g = Relu (h)
        s = SequenceConstruct (h, g)
        c = ConcatFromSequence <axis = 1, new_axis = 1> (s)
        t = ReduceSum <keepdims = 0> (c, axis)
        y = MatMul (t, w1)""",
    "put-in-and-taken-out": """
        g = Relu (h)
        e = SequenceEmpty ()
        s1 = SequenceInsert (e, h)
        s2 = SequenceInsert (s1, g, zero)
        s3 = SequenceInsert (s2, h, last)
        s4 = SequenceErase (s3, one)
        s5 = Identity (s4)
        a = SequenceAt (s5, zero)
        b = SequenceAt (s5, one)
        t = Add (a, b)
        y = MatMul (t, w1)""",
    "length": """
        s = SequenceConstruct (h, h, h)
        n = SequenceLength (s)
        f = Cast <to = 1> (n)
        t = Div (h, f)
        y = MatMul (t, w1)""",
    "loop": """
        e = SequenceEmpty ()
        s = Loop (two, , e) <body = step (int64 i, bool go, seq(float[N, M]) before)
            => (bool on, seq(float[N, M]) after) {
          on = Identity (go)
          k = Mul (i, half)
          first = Unsqueeze (k, zeros)
          past = Add (first, half1)
          piece = Slice (h, first, past, ones)
          after = SequenceInsert (before, piece)
        }>
        a = SequenceAt (s, one)
        b = SequenceAt (s, zero)
        t = Concat <axis = 1> (a, b)
        y = MatMul (t, w1)""",
}
CONSTANTS = (
    "float[5, 12] w0, float[12, 3] w1, int64 half = {6}, int64 zero = {0}, int64 one = {1}, int64 two = {2}, "
    "int64 last = {-1}, int64[2] sizes = {8, 4}, int64[3] three = {0, 3, 4}, int64[1] axis = {1}, "
    "int64[1] zeros = {0}, int64[1] ones = {1}, int64[1] half1 = {6}"
)


def network(name: str, opset: int = 18) -> onnx.ModelProto:
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    nodes = f"h = MatMul (x, w0) {TEXTS[name]}"
    return fill(f"{header} g (float[N, 5] x) => (float[N, 3] y) <{CONSTANTS}> {{ {nodes} }}")


@pytest.mark.parametrize("name", TEXTS)
def test_a_sequence_whose_places_are_known_is_its_tensors(name: str) -> None:
    model = from_proto(network(name))
    folded = fold(model)
    assert not [node.op for node in folded.graph.nodes if "Sequence" in node.op or node.op == "Loop"]
    x = {"x": np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)}
    with session(model) as before, session(folded) as after:
        np.testing.assert_array_equal(run(before, x)[0], run(after, x)[0])
    onnx.checker.check_model(to_proto(folded), full_check=True)


@pytest.mark.parametrize("name", TEXTS)
def test_what_went_through_a_sequence_is_cut(name: str) -> None:
    model = fold(from_proto(network(name)))
    solution = solve(model.graph)
    assert any(group.prunable for group in solution.groups)
    small = cut(model, solution, halved(solution))
    assert verify(model, small, solution.shapes).passed
    assert len(small.model.graph.nodes) <= len(model.graph.nodes)


@pytest.mark.parametrize("name", ["split-and-taken", "one-by-one", "stacked"])
def test_old_operator_sets_hold_sizes_and_axes_as_attributes(name: str) -> None:
    text = TEXTS[name].replace(
        "ReduceSum <keepdims = 0> (c, axis)", "ReduceSum <axes = [1], keepdims = 0> (c)"
    )
    header = '<ir_version: 7, opset_import: ["" : 12]>'
    nodes = f"h = MatMul (x, w0) {text}"
    folded = fold(
        from_proto(fill(f"{header} g (float[4, 5] x) => (float[4, 3] y) <{CONSTANTS}> {{ {nodes} }}"))
    )
    assert not [node.op for node in folded.graph.nodes if "Sequence" in node.op]
    onnx.checker.check_model(to_proto(folded), full_check=True)


def test_an_element_whose_place_is_not_known_keeps_its_sequence() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]>
    g (float[N, 5] x, int64 which) => (float[N, 3] y) <float[5, 12] w0, float[12, 3] w1> {
      h = MatMul (x, w0)
      r = Relu (h)
      s = SequenceConstruct (h, r)
      t = SequenceAt (s, which)
      y = MatMul (t, w1)
    }"""
    folded = fold(from_proto(fill(text)))
    assert "SequenceAt" in [node.op for node in folded.graph.nodes]
    groups = solve(folded.graph).groups
    assert any("SequenceConstruct" in group.reason for group in groups)


def test_a_sequence_that_a_body_reads_is_its_tensors_there() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]>
    g (float[N, 5] x, bool which) => (float[N, 3] y)
    <float[5, 12] w0, float[12, 3] w1, int64 zero = {0}, int64 one = {1}> {
      h = MatMul (x, w0)
      r = Relu (h)
      s = SequenceConstruct (h, r)
      t = If (which) <
        then_branch = yes () => (float[N, 12] a) { a = SequenceAt (s, zero) },
        else_branch = no () => (float[N, 12] b) { b = SequenceAt (s, one) }
      >
      y = MatMul (t, w1)
    }"""
    model = from_proto(fill(text))
    folded = fold(model)
    assert "SequenceConstruct" not in [node.op for node in folded.graph.nodes]
    x = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    for which in (True, False):
        feeds = {"x": x, "which": np.array(which)}
        with session(model) as before, session(folded) as after:
            np.testing.assert_array_equal(run(before, feeds)[0], run(after, feeds)[0])
