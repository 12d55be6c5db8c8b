"""A plan is a file: it reads back, replays to the same bytes, and says where it does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune.cut import cut
from graphprune.errors import Usage
from graphprune.model import from_proto, save
from graphprune.plan import Plan
from graphprune.pruning import run
from graphprune.solve import solve
from tests.networks import network
from tests.networks.fill import fill
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import halved, prunable, shuffled, solved

MODEL, SOLUTION = solved("mlp")
FIRST, SECOND = (group.name for group in prunable(SOLUTION))
PINNED = next(group for group in SOLUTION.groups if not group.prunable)


def same(a: Plan, b: Plan) -> bool:
    return (
        list(a.keep) == list(b.keep)
        and all(np.array_equal(a.keep[name], b.keep[name]) for name in a.keep)
        and dict(a.sizes) == dict(b.sizes)
        and a.layers == b.layers
    )


@given(
    st.dictionaries(
        st.text(), st.permutations(range(7)).flatmap(lambda p: st.just(p[: max(1, len(p) // 2)]))
    ),
    st.lists(st.text()),
)
def test_a_plan_reads_back_as_it_was_written(groups: dict[str, list[int]], layers: list[str]) -> None:
    keep = {name: np.array(index, dtype=np.int64) for name, index in groups.items()}
    plan = Plan(keep, dict.fromkeys(groups, 7), tuple(layers))
    again = Plan.from_json(plan.to_json())
    assert same(plan, again)
    assert again.to_json() == plan.to_json()


def test_a_plan_says_what_it_is_to_somebody_who_reads_the_file() -> None:
    plan = Plan({"up": np.array([3, 0])}, {"up": 4})
    assert json.loads(plan.to_json()) == {
        "version": 1,
        "groups": {"up": {"units": 4, "keep": [3, 0]}},
        "layers": [],
    }


def test_units_of_every_block_stand_in_rows_and_are_replayed(tmp_path: Path) -> None:
    model, solution = solved("attention-separate")
    rows = np.array([[1, 6, 2], [0, 7, 4], [5, 3, 2], [6, 0, 1]])
    plan = Plan({"value": rows}, {"value": 8})
    assert json.loads(plan.to_json())["groups"] == {"value": {"units": 8, "keep": rows.tolist()}}
    assert same(plan, Plan.from_json(plan.to_json()))
    save(model, tmp_path / "model.onnx")
    (tmp_path / "plan.json").write_text(plan.to_json())
    pipeline = f"fold,group,replay{{plan={tmp_path / 'plan.json'}}},cut,verify"
    state = run(tmp_path / "model.onnx", pipeline)
    assert state.verification is not None
    assert state.verification.passed
    save(state.result, tmp_path / "replayed.onnx")
    save(cut(model, solution, plan).model, tmp_path / "cut.onnx")
    assert (tmp_path / "replayed.onnx").read_bytes() == (tmp_path / "cut.onnx").read_bytes()


def test_a_plan_that_removes_layers_alone_is_replayed(tmp_path: Path) -> None:
    save(from_proto(fill(RESIDUALS["basic blocks of a ResNet"].text)), tmp_path / "blocks.onnx")
    (tmp_path / "plan.json").write_text(Plan({}, {}, ("second",)).to_json())
    pipeline = f"fold,group,replay{{plan={tmp_path / 'plan.json'}}},cut,verify"
    state = run(tmp_path / "blocks.onnx", pipeline)
    assert state.verification is not None
    assert state.verification.passed
    assert "second" not in {node.name for node in state.result.graph.nodes}


@pytest.mark.parametrize(
    "name", ["conv-chain", "attention-fused", "dense-concat", "attention-scaled-at-run-time"]
)
def test_the_same_plan_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    model, solution = solved(name)
    plan = halved(solution)
    save(cut(model, solution, plan).model, tmp_path / "once.onnx")
    again = from_proto(network(name))
    replayed = cut(again, solve(again.graph), Plan.from_json(plan.to_json()))
    save(replayed.model, tmp_path / "twice.onnx")
    assert (tmp_path / "once.onnx").read_bytes() == (tmp_path / "twice.onnx").read_bytes()


def test_a_plan_that_keeps_all_units_in_order_changes_no_weight(tmp_path: Path) -> None:
    plan = Plan({FIRST: np.arange(16), SECOND: np.arange(10)}, {FIRST: 16, SECOND: 10})
    save(MODEL, tmp_path / "before.onnx")
    save(cut(MODEL, SOLUTION, plan).model, tmp_path / "after.onnx")
    assert (tmp_path / "before.onnx").read_bytes() == (tmp_path / "after.onnx").read_bytes()


def plan_of(**groups: tuple[list[int], int]) -> Plan:
    """A plan from kept units and sizes."""
    return Plan(
        {name: np.array(keep, dtype=np.int64) for name, (keep, _) in groups.items()},
        {name: size for name, (_, size) in groups.items()},
    )


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (plan_of(nowhere=([0], 4)), "there is no group 'nowhere'"),
        (plan_of(**{PINNED.name: ([0], PINNED.size)}), "is pinned: it is a dimension of graph input"),
        (plan_of(**{FIRST: ([0], 15)}), "has 16 units, the plan says 15"),
        (plan_of(**{FIRST: ([], 16)}), "keeps no units"),
        (plan_of(**{FIRST: ([1, 1], 16)}), "one twice"),
        (plan_of(**{FIRST: ([0, 16], 16)}), "that it does not have"),
        (plan_of(**{FIRST: ([-1, 0], 16)}), "that it does not have"),
        (Plan({FIRST: np.zeros((1, 1), np.int64)}, {FIRST: 16}), "blocks of group .* cannot choose"),
        (Plan({FIRST: np.zeros((1, 1, 1), np.int64)}, {FIRST: 16}), "keeps no units, or one twice"),
        (Plan({FIRST: np.arange(8)}, {}), "does not say how many units"),
        (Plan({}, {}, ("block3",)), "there is no layer 'block3'"),
    ],
    ids=[
        *["unknown", "pinned", "size", "empty", "twice", "beyond", "negative"],
        *["blocks", "shape", "no size", "layers"],
    ],
)
def test_a_plan_that_does_not_fit_is_refused_before_anything_is_cut(plan: Plan, why: str) -> None:
    with pytest.raises(Usage, match=why) as caught:
        cut(MODEL, SOLUTION, plan)
    assert caught.value.code == 2


GOOD = json.loads(shuffled(prunable(SOLUTION), 0.5).to_json())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"groups": []},
        {"groups": {FIRST: [0, 1]}},
        {"groups": {FIRST: {"keep": [0, 1]}}},
        {"groups": {FIRST: {"units": 16}}},
        {"groups": {FIRST: {"units": "16", "keep": [0]}}},
        {"groups": {FIRST: {"units": 16.5, "keep": [0]}}},
        {"groups": {FIRST: {"units": 16, "keep": "01"}}},
        {"groups": {FIRST: {"units": 16, "keep": [0.5, 1.9]}}},
        {"groups": {FIRST: {"units": 16, "keep": [True]}}},
        {"groups": {FIRST: {"units": 16, "keep": [[[0]]]}}},
        {"groups": {FIRST: {"units": 16, "keep": [[0], 1]}}},
        {"groups": {FIRST: {"units": 16, "keep": [[0], [0, 1]]}}},
        {"groups": {FIRST: {"units": 16, "keep": [10**30]}}},
        {"groups": {FIRST: {"units": 16, "keep": [None]}}},
        {"layers": "block3"},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_text_that_is_no_plan_is_refused(change: dict[str, Any]) -> None:
    assert Plan.from_json(json.dumps(GOOD)).keep
    with pytest.raises(Usage, match=r"plan|version") as caught:
        Plan.from_json(json.dumps(GOOD | change))
    assert "--plan-only" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "3", '"plan"', "[" * 100_000, "{}"], ids=lambda t: t[:8]
)
def test_a_text_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="plan"):
        Plan.from_json(text)


def test_a_key_that_stands_twice_is_refused_with_its_line() -> None:
    group = '{"units": 4, "keep": [0]}'
    text = f'{{"version": 1, "groups": {{\n"a": {group},\n"b": {group},\n"a": {group}}}, "layers": []}}'
    with pytest.raises(Usage, match="line 4: a stands here twice"):
        Plan.from_json(text)
