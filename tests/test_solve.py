"""Solving finds the groups of every coupling: how many units, of which kind, where, and what pins others."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.groups import Group
from graphprune.model import from_proto
from graphprune.solution import Solution
from graphprune.solve import solve
from tests.networks import TEXTS
from tests.networks.fill import fill
from tests.networks.solved import prunable, solved

GROUPS = {
    "conv-chain": "channels 8, channels 12",
    "residual": "channels 8, channels 12, channels 16",
    "depthwise": "channels 8, channels 16, channels 2",
    "grouped": "channels 4, channels 4, channels 6",
    "transposed": "channels 8, channels 2, channels 6, channels 3",
    "squeeze-excite": "channels 12, channels 4",
    "channel-shuffle": "channels 3, channels 4",
    "pixel-shuffle": "channels 4, channels 6",
    "space-to-depth": "channels 6",
    "flatten-gemm": "channels 8, neurons 10",
    "option-a-shortcut": "channels 8, channels 4, channels 4",
    "spatial-gate": "channels 8",
    "unet": "channels 6, channels 10, channels 8",
    "one-and-three-dimensions": "channels 4, channels 6",
    "dense-concat": "channels 8, channels 4, channels 6",
    # 6 + 10 channels in four groups of 4: the boundary cuts the channels of a group in two halves, and the
    # last two groups remain two of a kind.
    "concat-into-grouped": "channels 2, channels 2, channels 2, channels 2",
    "concat-whole-groups": "channels 2, channels 4, channels 2, channels 2",
    "concat-into-depthwise": "channels 6, channels 10",
    "cascaded-concat-split": ", ".join(f"channels {size}" for size in (2, 3, 4, 4, 5, 7, 8)),
    "concat-itself": "channels 6, channels 5",
    "negated-twin": "channels 6",
    "slice-from-the-end": "channels 8, channels 4, channels 5",
    "inception": "channels 8, channels 4, channels 6, channels 5, channels 3",
    "shared-stem-of-two-heads": "channels 6",
    "mlp": "neurons 16, neurons 10",
    "glu-split": "neurons 8",
    "glu-two-linears": "neurons 10",
    "mixture-of-experts": "experts 5 mixed, neurons 8",
    "tied-embeddings": "neurons 12, neurons 16",
    "layers-that-share-weights": "neurons 8, neurons 16",
    "three-that-share-a-bias": "channels 8, channels 8, channels 8",
    "three-that-share-a-bias-by-identity": "channels 8, channels 8, channels 8",
    "weights-in-constant-nodes": "neurons 6",
    "attention-separate": "heads 4, head-dims 8, head-dims 8",
    "attention-fused": "heads 4, head-dims 8, head-dims 8",
    "attention-packed": "heads 4, head-dims 8",
    "attention-packed-by-head": "heads 4, head-dims 8, head-dims 8",
    "grouped-query": "heads 2, heads 3, head-dims 8, head-dims 8",
    "multi-query": "heads 4, head-dims 8, head-dims 8",
    # Rotated dims go in pairs.
    "rotary-halves": "heads 4, head-dims 4, head-dims 8",
    "rotary-interleaved": "heads 4, head-dims 4, head-dims 8",
    "relative-position-bias": "heads 4, head-dims 8, head-dims 8",
    "key-value-cache": "neurons 16",
    "attention-by-einsum": "heads 4, head-dims 8, head-dims 8",
    "attention-operator": "heads 2, heads 2, head-dims 8, head-dims 8",
    "multi-head-attention-operator": "heads 4, head-dims 8 mixed, head-dims 8",
    "packed-attention-operator": "heads 4, head-dims 8 mixed",
    "grouped-query-operator": "heads 2, heads 2",
    "attention-scaled-at-run-time": "heads 4, head-dims 8, head-dims 8",
    "layer-norm-width": "width 12 mixed, neurons 16",
    "rms-norm-width": "width 12 mixed, neurons 16",
    "group-norm": "channels 3, width 4 mixed",
    "group-norm-by-instance-norm": "channels 3, width 4 mixed",
    "instance-norm": "channels 8",
    "channels-that-compete": "width 8 mixed, width 8 mixed, width 8 mixed",
    "spatial-norms": "channels 8, channels 8",
    "lstm-bidirectional": "neurons 8",
    "gru-bidirectional": "neurons 8, neurons 8",
    "lstm-with-peepholes": "neurons 10, neurons 8",
    "rnn-with-states-of-the-interface": "neurons 10",
    "qdq-per-tensor": "channels 8",
    "qdq-per-channel": "channels 8",
    "integer-convolutions": "channels 8",
    "integer-matrix-products": "width 10 mixed",
    "dynamic-batch": "channels 8",
    "dynamic-sequence": "width 12 mixed, heads 4, head-dims 8, head-dims 8",
    "dynamic-image": "channels 6, channels 10",
    "channel-count-read-at-run-time": "channels 3, channels 4",
    "halves-found-at-run-time": "neurons 8",
    "batch-found-by-the-number-of-heads": "heads 4, head-dims 8, head-dims 8",
    "batch-found-by-a-rounded-quotient": "neurons 2, neurons 4",
    "if-that-captures": "neurons 10",
    "loop-that-captures": "neurons 10",
    "local-functions": "neurons 10, neurons 12",
    "several-outputs": "channels 4, channels 8, channels 5, channels 6",
    "weights-in-fp16": "channels 8",
    "weights-in-bf16": "neurons 16",
    "weights-in-double": "neurons 16",
    "split-sizes-at-run-time": "neurons 5, neurons 10",
    "mean-by-a-count-read-at-run-time": "neurons 8",
    "filled-like-a-tensor": "neurons 8, neurons 8",
    "expanded-like-a-tensor": "neurons 8",
    "if-that-captures-weights": "neurons 8",
    "if-with-weights": "neurons 5, neurons 5, neurons 8",
    "if-in-a-loop-in-an-if": "neurons 7, neurons 8",
    "scan-backwards": "neurons 8, neurons 9",
    "scan-along-the-last-axis": "channels 8, channels 8",
    "loop-that-grows": "neurons 8",
    "if-whose-branches-differ-in-size": "neurons 10",
    "names-that-both-branches-have": "neurons 8, neurons 9",
    "sizes-computed-in-bodies": "channels 6",
    "weight-that-is-an-output": "neurons 7",
    "square-weight-used-twice": "neurons 8",
    "weight-and-its-transpose": "neurons 8",
    "weight-reshaped-in-the-graph": "neurons 8",
    "weights-normalised": "channels 8",
    "weights-standardised": "channels 8, channels 8",
    "filters-mixed-by-a-router": "neurons 4, channels 8",
    "pixels-to-channels-by-slices": "channels 6, channels 5",
    "pixels-to-channels-by-reshape": "channels 6",
    "maxout": "neurons 8, width 2 mixed",
    "outer-product": "neurons 4, neurons 5",
    "outer-product-with-itself": "neurons 4",
    "gram-matrix": "head-dims 4",
    "batch-norm-after-flatten": "channels 6",
    "layer-norm-over-images": "width 6 mixed",
    "channels-in-a-fixed-order": "channels 5, channels 6",
    "order-across-groups": "channels 5",
    # The first and the last unit go together.
    "order-turned-around": "channels 4, channels 5",
    "halves-that-change-places": "channels 4, channels 5",
    "shuffle-by-indices-between-groups": "channels 2, channels 2, channels 2, channels 4, channels 4",
    "heads-picked-by-gathernd": "heads 4, head-dims 4",
    "channel-attention-along-channels": "width 12 mixed, channels 5",
    "detection-head": "channels 6",
    "linear-attention": "heads 4, head-dims 8, head-dims 8",
    # What mixes the heads of the scores parts them from those of the values.
    "talking-heads": "heads 4, head-dims 8, heads 4, head-dims 8",
    "qk-norm": "heads 4, head-dims 8 mixed, head-dims 8",
    "batch-and-heads-merged": "heads 4, head-dims 8, head-dims 8",
    "window-attention": "heads 4, head-dims 8",
    "lstm-last-state": "neurons 8",
    "opset-7": "channels 8, neurons 20",
    "opset-9": "channels 4, channels 8, channels 4, channels 4, channels 2, channels 2",
    "opset-11": "heads 4, head-dims 8, head-dims 8, width 12 mixed",
    # Before opset 13 a softmax runs over all axes from its own on.
    "opset-12": "width 8 mixed, channels 8, channels 8",
}

COUPLED = {
    "residual": "w0.0 b0.0 w2.0 b2.0 w1.1 w3.1 w4.1",
    "depthwise": "w1.0 dw.0 dw_b.0 w2.1",
    "squeeze-excite": "w0.0 b0.0 up.0 up_b.0 down.1 w2.1",
    "spatial-gate": "w0.0 b0.0 gate_w.1 gamma.1 slope.0 w1.1",
    "glu-two-linears": "gate_w.1 up_w.1 down_w.0",
    "glu-split": "w0.1 b0.0 w1.0",
    "tied-embeddings": "table.1 up_w.0 down_w.1",
    "layers-that-share-weights": "in_w.1 up_w.0 down_w.1 down_b.0 out_w.0",
    "relative-position-bias": "wq.1 wk.1 wv.1 wo.0 table.1",
    "layer-norm-width": "table.1 positions.1 scale1.0 shift1.0 up_w.0 down_w.1 scale2.0 head.0",
    "rms-norm-width": "table.1 scale1.0 gate_w.0 up_w.0 down_w.1 scale2.0 head.0",
    "lstm-bidirectional": "w.1 r.1 r.2 b.1 head.0",
    "lstm-with-peepholes": "w.1 r.1 r.2 b.1 h0.2 c0.2 peep.1 head.0",
    "qdq-per-channel": "w0.0 scale0.0 z0.0 scale_b.0 w1.1",
    "integer-convolutions": "w0.0 scale0.0 z0.0 w1.1",
    "dense-concat": "w0.0 w1.1 scale1.0 w2.1 scale2.0 var2.0 head.1",
    "mixture-of-experts": "up_w.0 down_w.0 router.1",
    "packed-attention-operator": "w.1 bias.0 wo.0",
    "weights-in-bf16": "w0.1 b0.0 w1.0",
    "weights-normalised": "w.0 w1.1",
    "weights-standardised": "v0.0 w.1",
    "filters-mixed-by-a-router": "experts.1 w1.1",
    "square-weight-used-twice": "w0.1 w.0 w.1 w1.0",
    "batch-norm-after-flatten": "w0.0 scale.0 var.0 w1.0",
    "lstm-last-state": "w.1 r.2 head.0",
    "channels-in-a-fixed-order": "w0.0 w1.1",
    "order-turned-around": "w0.0 w1.1",
    "channel-attention-along-channels": "w0.0 w1.1",
    "if-that-captures-weights": "w0.1 bias.0 w1.0",
    "if-with-weights": "w0.1 yes_w.0 no_w.0 no_v.0 w1.0",
    "if-in-a-loop-in-an-if": "w0.1 step_w.0 step_w.1 up.0 down.1 w1.0",
    "scan-backwards": "w0.1 r.0 r.1 o.0 start.1 w2.0",
    "loop-that-grows": "w0.1 r.0 r.1 w1.0",
}
"""Places (constant and dimension) that hold units of one prunable group."""

PINNED = {
    "conv-chain w1.1": "graph input 'x'",
    "conv-chain w3.0": "graph output 'y'",
    "shared-stem-of-two-heads w0.0": "graph output 'features'",
    "space-to-depth w1.1": "SpaceToDepth 'a_d'",
    "flatten-gemm w1.1": "MaxPool 'a_p'",
    "tied-embeddings table.0": "Gather 'embed'",
    "key-value-cache wk.1": "graph input 'past_k'",
    "key-value-cache wv.1": "graph input 'past_v'",
    "rnn-with-states-of-the-interface r.2": "graph input 'before'",
    "lstm-bidirectional w.0": "LSTM 'recur'",
    "if-that-captures w0.1": "graph output 'y'",
    "loop-that-captures w0.1": "graph output 'y'",
    "if-whose-branches-differ-in-size w0.1": "graph output 'z'",
    "weight-that-is-an-output w0.1": "graph output 'w0'",
    "order-across-groups w0.0": "picked in an order that does not go with its factors",
    "several-outputs w5.0": "TopK 'best'",
    "several-outputs w3.0": "graph output 'z'",
    "rotary-interleaved wq.1": "Slice 'q_1'",
    "channels-that-compete w3.0": "graph output 'y'",
}
"""Places where a group stands that is pinned, and a part of the reason."""


def at(solution: Solution, place: str) -> list[Group]:
    """The groups that stand at a place, as 'constant.dimension'."""
    name, _, dim = place.rpartition(".")
    found = [
        group
        for group in solution.groups
        if any(item.tensor.name == name and item.dim == int(dim) for item in group.places)
    ]
    assert found, f"there is no group at {place}"
    return found


def test_the_table_names_every_network() -> None:
    assert set(GROUPS) == set(TEXTS)


@pytest.mark.parametrize("name", TEXTS)
def test_the_groups_of_each_coupling(name: str) -> None:
    _, solution = solved(name)
    found = [f"{group.kind} {group.size}{' mixed' * bool(group.mixed)}" for group in prunable(solution)]
    assert sorted(found) == sorted(GROUPS[name].split(", "))


@pytest.mark.parametrize(("name", "places"), COUPLED.items(), ids=COUPLED)
def test_units_that_live_and_die_together_are_one_group(name: str, places: str) -> None:
    _, solution = solved(name)
    first, *others = ({group.name for group in at(solution, place)} for place in places.split())
    shared = first.intersection(*others)
    assert any(solution.group(group).prunable for group in shared), shared


@pytest.mark.parametrize(("where", "why"), PINNED.items(), ids=PINNED)
def test_what_is_pinned_has_a_reason_that_names_the_cause(where: str, why: str) -> None:
    name, place = where.split()
    reasons = [group.reason for group in at(solved(name)[1], place)]
    assert any(why in reason for reason in reasons), reasons


@pytest.mark.parametrize("name", ["conv-chain", "grouped", "transposed"])
def test_height_and_width_of_a_filter_are_no_units(name: str) -> None:
    _, solution = solved(name)
    assert {place.dim for group in solution.groups for place in group.places if "Conv" in place.node.op} <= {
        0,
        1,
    }


@pytest.mark.parametrize("name", TEXTS)
def test_every_group_is_prunable_or_says_why_not(name: str) -> None:
    _, solution = solved(name)
    assert len({group.name for group in solution.groups}) == len(solution.groups)
    assert all(group.places and group.size > 1 for group in solution.groups)
    assert all(len(group.reason) > 10 for group in solution.groups if not group.prunable)


@pytest.mark.parametrize(
    ("name", "place", "expected"),
    [
        ("conv-chain", "w2.1", list(range(8))),
        ("flatten-gemm", "w1.1", np.repeat(range(8), 4).tolist()),
        ("concat-itself", "w1.1", [*range(6), *range(6)]),
        ("pixel-shuffle", "w1.0", np.tile(range(6), 4).tolist()),
        ("unet", "w2.1", [*range(10), *[-1] * 6]),
        ("grouped", "w1.0", np.tile(range(6), 4).tolist()),
        ("glu-split", "w0.1", [*range(8), *range(8)]),
        ("attention-packed-by-head", "wo.0", np.repeat(range(4), 8).tolist()),
        ("lstm-with-peepholes", "r.1", np.tile(range(8), 4).tolist()),
    ],
)
def test_a_place_says_which_unit_lies_where(name: str, place: str, expected: list[int]) -> None:
    _, solution = solved(name)
    constant, _, dim = place.rpartition(".")
    found = [
        item.units.tolist()
        for group in prunable(solution)
        for item in group.places
        if item.tensor.name == constant and item.dim == int(dim)
    ]
    assert expected in found


@pytest.mark.parametrize(
    ("name", "place", "kinds"),
    [
        ("attention-separate", "wq.1", "heads 4, head-dims 8"),
        ("grouped-query", "wq.1", "heads 2, heads 3, head-dims 8"),
        ("grouped-query", "wk.1", "heads 2, head-dims 8"),
        ("multi-query", "wk.1", "head-dims 8"),
        ("channel-shuffle", "w0.0", "channels 3, channels 4"),
        ("grouped", "w1.0", "channels 4, channels 6"),
    ],
)
def test_groups_that_multiply_each_other_are_siblings(name: str, place: str, kinds: str) -> None:
    _, solution = solved(name)
    groups = at(solution, place)
    assert sorted(f"{group.kind} {group.size}" for group in groups) == sorted(kinds.split(", "))
    for group in groups:
        assert {other.name for other in groups} - {group.name} <= set(group.siblings)


@pytest.mark.parametrize("name", ["conv-chain", "dense-concat", "cascaded-concat-split", "mlp", "unet"])
def test_groups_that_lie_side_by_side_are_no_siblings(name: str) -> None:
    assert not any(group.siblings for group in prunable(solved(name)[1]))


def test_a_bias_that_three_convolutions_share_stands_in_three_groups() -> None:
    _, solution = solved("three-that-share-a-bias")
    assert len(at(solution, "bias.0")) == 3


def test_a_mask_over_pixels_couples_no_channels() -> None:
    _, solution = solved("spatial-gate")
    (stem,) = at(solution, "w0.0")
    assert all((item.tensor.name, item.dim) != ("gate_w", 0) for item in stem.places)


def test_sizes_that_are_equal_by_chance_couple_nothing() -> None:
    model = fill("""
        g (float[4, 4] x) => (float[4, 4] y) <float[4, 4] w0, float[4, 4] w1, float[4, 4] w2>
        { [a] h = MatMul (x, w0) r = Relu (h) [b] i = MatMul (r, w1) s = Relu (i) [c] y = MatMul (s, w2) }""")
    solution = solve(from_proto(model).graph)
    assert [group.size for group in prunable(solution)] == [4, 4]


def test_an_operator_nobody_knows_pins_what_it_touches_and_nothing_else() -> None:
    model = fill("""<ir_version: 10, opset_import: ["" : 18, "elsewhere" : 1]>
        g (float[2, 4] x) => (float[2, 3] y) <float[4, 6] w0, float[6, 8] w1, float[8, 3] w2>
        { [a] h = MatMul (x, w0) [odd] o = elsewhere.Odd (h) [b] i = MatMul (h, w1) [c] j = MatMul (i, w2)
          y = Identity (j) }""")
    solution = solve(from_proto(model).graph)
    (pinned,) = at(solution, "w0.1")
    lack = "ONNX Runtime has no elsewhere.Odd; what it reads and writes keeps its sizes"
    assert pinned.reason == f"Odd 'odd' pins it: {lack}"
    assert [group.size for group in prunable(solution)] == [8]


def test_a_matrix_that_a_body_reads_is_cut_as_at_its_other_uses() -> None:
    model = fill("""
        g (float[2, 6] x, bool choice) => (float[2, 3] y, float[2, 3] z)
        <float[6, 8] w0, float[8, 3] w1, float[8, 3] w2>
        {
          a = MatMul (x, w0) r = Relu (a) y = MatMul (r, w1)
          h = If (choice) <
            then_branch = yes () => (float[2, 8] yes_z) { yes_z = MatMul (x, w0) },
            else_branch = no () => (float[2, 8] no_z) { no_m = MatMul (x, w0) no_z = Neg (no_m) }
          >
          z = MatMul (h, w2)
        }""")
    solution = solve(from_proto(model).graph)
    assert [group.size for group in prunable(solution)] == [8]
    assert {place.tensor.name for place in prunable(solution)[0].places} == {"w0", "w1", "w2"}


def test_what_a_body_that_cannot_be_solved_reads_is_pinned() -> None:
    model = fill("""
        g (float[2, 6] x, bool choice) => (float[2, 3] y, float[2, 8] z) <float[6, 8] w0, float[8, 3] w1>
        {
          a = MatMul (x, w0) r = Relu (a) y = MatMul (r, w1)
          z = If (choice) <
            then_branch = yes () => (float[2, 8] m) { m = MatMul (x, w0) },
            else_branch = no () => (float[2, 8] n) { m = MatMul (x, w0) n = Neg (m) }
          >
        }""")
    (pinned,) = at(solve(from_proto(model).graph), "w0.1")  # not folded, so that m is two values
    assert pinned.reason == "the body of an If, Loop or Scan reads 'w0'"


def test_names_of_groups_are_unique_where_operators_have_the_names_that_groups_would_get() -> None:
    model = fill("""
        g (float[1, 4] x) => (float[1, 2] y)
        <float[4, 6] w0, float[6, 5] w1, float[5, 3] w2, float[3, 2] w3>
        {
          [a] h = MatMul (x, w0) r = Relu (h)
          ["a:2"] i = MatMul (r, w1) s = Relu (i)
          ["a:3"] j = MatMul (s, w2) t = Relu (j)
          [b] y = MatMul (t, w3)
        }""")
    solution = solve(from_proto(model).graph)
    names = [group.name for group in solution.groups]
    assert len(set(names)) == len(names) == 5
    assert {group.name for group in prunable(solution)} == {"a", "a:2", "a:3"}


def test_solving_twice_gives_the_same_names() -> None:
    model, solution = solved("cascaded-concat-split")
    assert [group.name for group in solve(model.graph).groups] == [group.name for group in solution.groups]


def test_given_sizes_take_the_place_of_symbols() -> None:
    model, _ = solved("dynamic-image")
    solution = solve(model.graph, {"x": (1, 3, 8, 12)})
    assert solution.shapes.sizes["y"] == (1, 2, 8, 12)
    assert [group.size for group in prunable(solution)] == [6, 10]
