"""The branches of an If that an input decides are planned one by one."""

from __future__ import annotations

import numpy as np

from graphprune.feeds import at, draw, plan, redraw
from graphprune.runtime import run, session
from graphprune.symbols.facts import facts
from tests.feeds.known import model_of

_RATES = """
<ir_version: 8, opset_import: ["": 17]>
net (float[b, n] x, int64 rate) => (float[b, 4] y)
<int64 high = {16000}, float[6, 4] w1, float[3, 4] w2>
{
  c = Equal (rate, high)
  y = If (c) <
    then_branch = one () => (float[b, 4] a) { a = MatMul (x, w1) },
    else_branch = two () => (float[b, 4] d) { d = MatMul (x, w2) }>
}
"""


def test_sizes_and_values_of_a_branch_belong_together() -> None:
    model = model_of(_RATES)
    found = plan(model.graph, facts(model.graph))
    assert {(each.sizes["x"][1], int(each.values["rate"]) == 16000) for each in found.runs} == {
        (6, True),
        (3, False),
    }
    with session(model) as opened:
        for each in found.runs:
            assert run(opened, draw(each))[0].shape == (each.sizes["x"][0], 4)


_MERGED = """
<ir_version: 8, opset_import: ["": 17]>
net (float[b, 8] x, bool[1] use_cache) => (float[b, 4] y)
<float[8, 4] w, float half = {0.5}>
{
  y = If (use_cache) <
    then_branch = one () => (float[b, 4] a) { a = MatMul (x, w) },
    else_branch = two () => (float[b, 4] d) { e = MatMul (x, w) d = Mul (e, half) }>
}
"""


def test_a_flag_is_run_both_ways_and_drawn_anew_as_the_other() -> None:
    model = model_of(_MERGED)
    found = plan(model.graph, facts(model.graph))
    assert {bool(each.values["use_cache"][0]) for each in found.runs} == {True, False}
    feeds = draw(found.runs[0])
    other = redraw(feeds, ["use_cache"], found.runs[0], 0)
    assert feeds["use_cache"] != other["use_cache"]
    with session(model) as opened:
        assert not np.array_equal(run(opened, feeds)[0], run(opened, other)[0])


def test_values_that_follow_from_sizes_are_known_at_sizes_of_the_users_choice() -> None:
    from tests.feeds.decoders import GROUPED_LENGTHS

    model = model_of(GROUPED_LENGTHS)
    sizes = {
        "ids": (1, 2),
        "past_k": (1, 1, 9, 16),
        "past_v": (1, 1, 9, 16),
        "seqlens_k": (1,),
        "total_sequence_length": (1,),
    }
    feeds = draw(at(model.graph, facts(model.graph), sizes))
    assert feeds["total_sequence_length"].tolist() == [11]
    assert feeds["seqlens_k"].tolist() == [10]
    with session(model) as opened:
        assert run(opened, feeds)[0].shape == (1, 2, 50)
