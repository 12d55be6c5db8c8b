"""Sizes that belong together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from graphprune.errors import Refused
from graphprune.feeds import Feeding, Run, carry_out, plan
from graphprune.symbols.facts import facts
from tests.feeds.known import graph_of, known

_DECODER = """
<ir_version: 8, opset_import: ["": 17]>
net (int64[b, s] ids, int64[b, t] attention_mask, float[b, 2, p, 4] past)
  => (float[b, s, 8] y, float[b, 2, t, 4] present)
<float[50, 8] table, int64[4] split>
{
  h = Gather (table, ids)
  r = Reshape (h, split)
  k = Transpose <perm=[0, 2, 1, 3]> (r)
  present = Concat <axis=2> (past, k)
  m = Cast <to=1> (attention_mask)
  seen = ReduceSum (m)
  y = Add (h, seen)
}
"""
_SHAPES = {
    "ids": "b,s",
    "attention_mask": "b,p+s",
    "past": "b,2,p,4",
    "table": "50,8",
    "h": "b,s,8",
    "k": "b,2,s,4",
    "present": "b,2,p+s,4",
    "y": "b,s,8",
}


def _decoder(**more: object) -> Feeding:
    graph = graph_of(_DECODER)
    return plan(graph, known(graph, _SHAPES, **more))  # type: ignore[arg-type]


def _named(feeding: Feeding, name: str) -> Run:
    return next(run for run in feeding.runs if run.name == name)


def test_a_model_with_a_cache_runs_on_a_past_at_a_step_and_from_nothing() -> None:
    found = _decoder()
    assert [run.name for run in found.runs] == ["prefill on a past", "decode", "prefill"]
    assert _named(found, "decode").sizes == {
        "ids": (2, 1),
        "attention_mask": (2, 8),
        "past": (2, 2, 7, 4),
    }
    assert _named(found, "prefill").sizes["past"][2] == 0
    assert all(run.sizes["ids"][1] >= 2 for run in found.runs if run.name != "decode")


def test_of_alternatives_one_holds_in_every_run() -> None:
    for run in _decoder(oneof=("b - 1, s - 1, p",)).runs:
        (batch, steps), past = run.sizes["ids"], run.sizes["past"][2]
        assert batch == 1 or steps == 1 or past == 0


def test_a_table_is_read_to_its_end_by_one_step_on_a_long_past() -> None:
    found = _decoder(atmost=(("p + s", "256", "cos"), ("p + s", "64", "pos")))
    assert len(found.runs) == 4
    last = found.runs[-1]
    assert last.name == "to the end of pos"
    assert last.sizes["past"][2] + last.sizes["ids"][1] == 64
    assert last.sizes["ids"] == (1, 1)
    assert all(run.sizes["attention_mask"][1] <= 64 for run in found.runs)


def test_a_boundary_that_costs_too_much_is_left_out_and_said() -> None:
    graph = graph_of(_DECODER)
    found = plan(graph, known(graph, _SHAPES, atmost=(("p + s", "100000", "pos"),)), budget=1_000_000)
    assert [run.name for run in found.runs] == ["prefill on a past", "decode", "prefill"]
    (left,) = found.left_out
    assert left.name == "to the end of pos"
    assert left.cheapest["p"] + left.cheapest["s"] == 100000
    assert "compared as weights" in left.reason


@pytest.mark.parametrize("sign", [1, -1], ids=["left", "right"])
def test_a_window_is_filled_and_slid(sign: int) -> None:
    graph = graph_of(_DECODER)
    turned = "Max(0, p - 15)" if sign == 1 else "Min(p, 15)"
    found = plan(graph, known(graph, {**_SHAPES, "h": f"b,s,{turned} + 1"}))
    pasts = [run.sizes["past"][2] for run in found.runs]
    assert 15 in pasts
    assert any(past > 15 for past in pasts)
    assert any(0 < past < 15 for past in pasts)


_BATCHED = """
<ir_version: 8, opset_import: ["": 17]>
net (float[n, 16, SIDE, SIDE] x) => (float[n, 16, SIDE, SIDE] y) { y = Relu (x) }
"""


def test_a_batch_that_the_budget_has_no_room_for_is_one_sample() -> None:
    graph = graph_of(_BATCHED.replace("SIDE", "64"))
    found = plan(graph, facts(graph), budget=100_000)
    assert [run.sizes["x"] for run in found.runs] == [(1, 16, 64, 64)]
    (left,) = found.left_out
    assert "would take 1 MB at n=1" in left.reason


def test_sizes_that_cost_too_much_are_refused_with_the_cheapest_that_run() -> None:
    graph = graph_of(_BATCHED.replace("SIDE", "side"))
    with pytest.raises(Refused) as caught:
        plan(graph, facts(graph), budget=100)
    assert caught.value.hint.endswith("--shape n=1,side=3")


_STRIDED = """
<ir_version: 8, opset_import: ["": 17]>
net (float[b, 3, h, w] x) => (float[b, 8, oh, ow] y)
<float[8, 3, 3, 3] k1, float[8, 8, 3, 3] k2, float[8, 8, 3, 3] k3>
{
  a = Conv <kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]> (x, k1)
  c = Conv <kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]> (a, k2)
  y = Conv <kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]> (c, k3)
}
"""


def _strided(pending: tuple[str, ...] = ()) -> Feeding:
    graph = graph_of(_STRIDED)
    half = {size: f"floor(({size} - 1)/2) + 1" for size in "hw"}
    quarter = {size: f"floor(({half[size]} - 1)/2) + 1" for size in "hw"}
    last = {size: f"floor(({quarter[size]} - 1)/2) + 1" for size in "hw"}
    shapes = {"x": "b,3,h,w", "k1": "8,3,3,3", "k2": "8,8,3,3", "k3": "8,8,3,3"}
    shapes |= {
        name: f"b,8,{each['h']},{each['w']}" for name, each in (("a", half), ("c", quarter), ("y", last))
    }
    return plan(graph, known(graph, shapes, pending=pending))


def test_the_cheapest_sizes_are_those_at_which_every_tap_sees_data() -> None:
    found = _strided()
    assert not found.runs[0].violations
    assert max(found.runs[0].sizes["x"][2:]) <= 12
    assert found.runs[0].sizes["x"][2] != found.runs[0].sizes["x"][3]
    first, other = found.runs
    assert all(a != b for a, b in zip(first.sizes["x"][2:], other.sizes["x"][2:], strict=True))
    assert other.peak_bytes < 1_000_000


def test_a_deep_net_gets_sizes_as_large_as_its_last_taps_need() -> None:
    names = "xabcdef"
    convolutions = "".join(
        f"{made} = Conv <kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]> ({read}, k) "
        for read, made in pairwise(names)
    )
    graph = graph_of(f"""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[1, 3, h, 70] x) => (float[1, 3, oh, ow] f) <float[3, 3, 3, 3] k> {{ {convolutions} }}
    """)
    size, shapes = "h", {"x": "1,3,h,70", "k": "3,3,3,3"}
    for made in names[1:]:
        size = f"floor(({size} - 1)/2) + 1"
        shapes[made] = f"1,3,{size},{70 // 2 ** names.index(made) + 1}"
    first = plan(graph, known(graph, shapes)).runs[0]
    assert not first.violations
    assert 33 < first.sizes["x"][2] <= 65


def test_sizes_that_must_be_equal_or_multiples_are_found() -> None:
    for run in _strided(("h - w", "8*floor(h/8) - h")).runs:
        height, width = run.sizes["x"][2:]
        assert height == width
        assert height % 8 == 0


def test_sizes_that_cannot_be_are_refused_with_what_could_be_fixed() -> None:
    with pytest.raises(Refused, match="no sizes were found") as refused:
        _strided(("2*floor(h/2) - 1",))
    assert "--shape" in refused.value.hint


def test_a_model_that_takes_too_much_at_any_size_is_refused_before_it_runs() -> None:
    graph = graph_of("""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[b, n, 8] x) => (float[b, m, m] y) { t = Transpose <perm=[0, 2, 1]> (x) y = MatMul (x, t) }
    """)
    with pytest.raises(Refused, match="MB") as refused:
        plan(graph, known(graph, {"x": "b,n,8", "y": "b,n*n*90000,n"}), budget=1_000_000)
    assert "--shape" in refused.value.hint


def test_a_model_without_open_sizes_has_one_run_whatever_it_costs() -> None:
    graph = graph_of("""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[1, 1000000] x) => (float[1, 1000000] y) { y = Relu (x) }
    """)
    (run,) = plan(graph, known(graph, {"x": "1,1000000", "y": "1,1000000"}), budget=1000).runs
    assert run.sizes == {"x": (1, 1000000)}
    assert run.peak_bytes == 8_000_000


def test_where_a_run_is_refused_the_next_sizes_are_tried_and_that_is_said() -> None:
    found = _strided()

    def attempt(run: Run) -> int:
        height = run.sizes["x"][2]
        if height < 20:
            raise Refused("too small", "")
        return height

    done, left = carry_out(found, attempt)
    assert len(done) == 2
    assert all(height >= 20 for _, height in done)
    assert "too small" in left[0].reason


def test_what_the_user_gives_is_run_first_as_it_is() -> None:
    graph = graph_of(_DECODER)
    sample = {"ids": np.ones((1, 2), np.int64)}
    found = plan(graph, known(graph, _SHAPES), data=[sample])
    assert found.runs[0].name == "data"
    assert found.runs[0].given == sample
    assert len(found.runs) == 4
