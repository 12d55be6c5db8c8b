"""Heads, convolution groups and experts may keep other units each, exactly, or there is a reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from graphprune.blocks import Blocks, choose
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.errors import Usage
from graphprune.fold import fold
from graphprune.ir import constants, read
from graphprune.model import Model, from_proto
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.verify import compare, verify
from tests.networks import TEXTS
from tests.networks.drawn import drawn
from tests.networks.fill import fill
from tests.networks.in_blocks import BLOCKS
from tests.networks.solved import by_blocks, free, parameters, prunable
from tests.networks.solved import solved as known

Sizes = tuple[int, int]
"""Units of a block, and how many blocks."""

ALLOWED: Mapping[str, Mapping[str, Sizes]] = {
    "attention-separate": {"query:2": (8, 4), "value": (8, 4)},
    "attention-fused": {"qkv:2": (8, 4), "qkv:3": (8, 4)},
    "attention-packed": {"qkv:2": (8, 4)},
    "attention-packed-by-head": {"qkv:2": (8, 4), "qkv:3": (8, 4)},
    "attention-by-einsum": {"query:2": (8, 4), "value": (8, 4)},
    "attention-scaled-at-run-time": {"query:2": (8, 4), "value": (8, 4)},
    "grouped-query": {"query:2": (3, 2), "query:3": (8, 2), "value": (8, 2)},
    "rotary-halves": {"value": (8, 4)},
    "qk-norm": {"c": (8, 4)},
    "talking-heads": {"a:2": (8, 4), "c:2": (8, 4)},
    "linear-attention": {"a:2": (8, 4), "c": (8, 4)},
    "window-attention": {"m:2": (8, 4)},
    "multi-head-attention-operator": {"query:2": (8, 4), "value": (8, 4)},
    "packed-attention-operator": {"attend:2": (8, 4)},
    "dynamic-sequence": {"query:2": (8, 4), "value": (8, 4)},
    "grouped": {"reduce:2": (4, 4), "grouped": (6, 4)},
    "depthwise": {"multiplier": (2, 8)},
    "channel-shuffle": {"first": (3, 4), "first:2": (4, 3)},
    "group-norm": {"first:2": (4, 3)},
    "maxout": {"a:2": (2, 8)},
    "mixture-of-experts": {"up": (8, 5)},
    "grouped-chain": {"stem:2": (3, 4), "grouped": (5, 4), "again": (6, 4)},
    "grouped-residual": {"stem:2": (4, 3)},
    "grouped-transposed": {"first:2": (4, 2), "up": (5, 2), "up_again": (3, 2)},
    "shuffled-groups": {"first:2": (4, 3), "before:2": (2, 3), "behind": (4, 3)},
    "experts": {"up:2": (8, 5)},
    "plain-norm-of-a-head": {"value:2": (8, 4)},
    "heads-that-mix": {"value": (4, 8)},
    "heads-that-add": {"value": (4, 8)},
    "conv-chain": {},
    "mlp": {},
    "flatten-gemm": {},
    "multi-query": {},
    "batch-and-heads-merged": {},
    "norm-of-a-head": {},
    "groups-that-differ": {},
}
every = pytest.mark.parametrize("name", [name for name, found in ALLOWED.items() if found])


@cache
def solved(name: str) -> tuple[Model, Solution]:
    if name in TEXTS:
        return known(name)
    model = fold(from_proto(fill(BLOCKS[name])))
    return model, solve(model.graph)


@pytest.mark.parametrize("name", ALLOWED)
def test_the_groups_whose_blocks_may_choose_are_found(name: str) -> None:
    _, solution = solved(name)
    found = {key: it for key, it in solution.blocks.items() if isinstance(it, Blocks)}
    assert {key: (solution.group(key).size, it.count) for key, it in found.items()} == ALLOWED[name]


@pytest.mark.parametrize(
    ("name", "group", "why"),
    [
        ("mlp", "first", "'a' has its units, but not in blocks"),
        ("rotary-halves", "query:2", "'cos' has"),
        ("qk-norm", "a:2", "'sq' has"),
        ("norm-of-a-head", "value:2", "'scale' has"),
        ("multi-query", "query:2", "'wk' has"),
        ("multi-query", "value", "'v_m' has"),
        ("batch-and-heads-merged", "a:2", "'q' has"),
        ("heads-that-mix", "value:2", "Softmax 'v_s' does not take its blocks one by one"),
        ("heads-that-add", "value:2", "'v_s' has"),
        ("attention-separate", "query", "'wv' has"),
    ],
)
def test_where_blocks_may_not_choose_there_is_a_reason(name: str, group: str, why: str) -> None:
    found = solved(name)[1].blocks[group]
    assert isinstance(found, str)
    assert found.startswith(why)


def prove(model: Model, solution: Solution, plan: Plan) -> None:
    small = cut(model, solution, plan)
    proof = verify(model, small, solution.shapes)
    assert proof.passed, proof.worst
    assert proof.worst.error < 1e-5
    assert 0 <= parameters(small.model) - cost(solution, plan).params <= 4


@every
def test_every_group_can_be_cut_with_other_units_in_every_block(name: str) -> None:
    model, solution = solved(name)
    for seed, group in enumerate(free(solution)):
        plan = by_blocks(solution, [group], 0.5, seed)
        assert plan.keep[group.name].ndim == 2
        prove(model, solution, plan)


@every
def test_blocks_can_be_cut_together_with_their_units_and_all_other_groups(name: str) -> None:
    model, solution = solved(name)
    plan = by_blocks(solution, prunable(solution), 0.6)
    assert any(index.ndim == 2 for index in plan.keep.values())
    prove(model, solution, plan)


@every
def test_another_order_of_units_in_every_block_changes_nothing(name: str) -> None:
    model, solution = solved(name)
    proof = compare(model, cut(model, solution, by_blocks(solution, prunable(solution), 1.0)).model)
    assert proof.passed, proof.worst
    assert proof.worst.error < 1e-5


@every
def test_rows_that_are_all_alike_are_the_plan_that_keeps_the_same_everywhere(name: str) -> None:
    model, solution = solved(name)
    for group in free(solution):
        plan = by_blocks(solution, [group], 0.5)
        first = plan.keep[group.name][0]
        one = cut(model, solution, replace(plan, keep={group.name: first}))
        alike = np.tile(first, (len(plan.keep[group.name]), 1))
        each = cut(model, solution, replace(plan, keep={group.name: alike}))
        pairs = zip(constants(one.model.graph), constants(each.model.graph), strict=True)
        assert all(np.array_equal(read(a), read(b)) for a, b in pairs)


ROWS = np.array([[1, 6, 2], [0, 7, 4], [5, 3, 2], [6, 0, 1], [2, 3, 4]])
FEW = np.array([[1, 4], [0, 3], [4, 2], [1, 3]])


def gone(rows: NDArray[np.int64], size: int) -> list[int]:
    """The positions along `(h d)` that a plan removes."""
    return [b * size + d for b, row in enumerate(rows) for d in range(size) if d not in row]


def zeroed(values: NDArray[np.float32], dim: int, at: list[int]) -> NDArray[np.float32]:
    np.moveaxis(values, dim, 0)[at] = 0
    return values


@pytest.mark.parametrize(
    ("name", "group", "weight", "zeros"),
    [
        ("attention-separate", "value", "wo", lambda w: zeroed(w, 0, gone(ROWS[:4], 8))),
        ("attention-separate", "query:2", "wk", lambda w: zeroed(w, 1, gone(ROWS[:4], 8))),
        ("grouped-query", "value", "wo", lambda w: zeroed(w, 0, gone(ROWS[[0, 0, 0, 1, 1, 1]], 8))),
        (
            "experts",
            "up:2",
            "down_w",
            lambda w: zeroed(w.reshape(40, 3), 0, gone(ROWS, 8)).reshape(5, 8, 3),
        ),
        (
            "grouped-chain",
            "grouped",
            "w2",
            lambda w: (
                zeroed(w.reshape(4, 6, 5).transpose(0, 2, 1).reshape(20, 6), 0, gone(FEW, 5))
                .reshape(4, 5, 6)
                .transpose(0, 2, 1)
                .reshape(24, 5, 1, 1)
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_cut_is_the_original_with_zeros_where_a_block_lost_its_units(
    name: str, group: str, weight: str, zeros: object
) -> None:
    """No twin here: the zeros are put by hand."""
    model, solution = solved(name)
    found = solution.blocks[group]
    assert isinstance(found, Blocks)
    assert callable(zeros)
    size = solution.group(group).size
    rows = ROWS[: found.count] if size == 8 else FEW
    graph = model.graph.copy()
    changed = [tensor for tensor in constants(graph) if tensor.name == weight]
    for tensor in changed:
        tensor._values = np.ascontiguousarray(zeros(read(tensor).copy()))
    assert changed
    small = cut(model, solution, Plan({group: rows}, {group: size}))
    proof = compare(replace(model, graph=graph), small.model)
    assert proof.passed, proof.worst
    assert not compare(model, small.model).passed


@every
def test_units_of_the_wrong_blocks_are_no_proof(name: str) -> None:
    model, solution = solved(name)
    for group in free(solution):
        if group.size == 2:
            continue
        plan = by_blocks(solution, [group], 0.5)
        small = cut(model, solution, plan)
        assert verify(model, small, solution.shapes).passed
        rolled = replace(plan, keep={group.name: np.roll(plan.keep[group.name], 1, axis=0)})
        wrong = cut(model, solution, rolled)
        assert not verify(model, replace(wrong, traces=small.traces), solution.shapes).passed, group.name


@pytest.mark.parametrize(
    ("keep", "why"),
    [
        ({"value": ROWS[:3]}, "has 4 blocks, the plan 3"),
        ({"value": ROWS[:4] + 8}, "units of group 'value' that it does not have"),
        ({"value": np.zeros((4, 2), np.int64)}, "keeps no units, or one twice"),
        ({"value": np.zeros((4, 0), np.int64)}, "keeps no units, or one twice"),
        ({"query": np.array([[0, 1]] * 8)}, "cannot choose for themselves: 'wv' has its units"),
    ],
    ids=["blocks", "beyond", "twice", "none", "refused"],
)
def test_a_plan_that_does_not_fit_the_blocks_is_refused(keep: dict[str, NDArray[np.int64]], why: str) -> None:
    model, solution = solved("attention-separate")
    with pytest.raises(Usage, match=why):
        cut(model, solution, Plan(keep, {name: solution.group(name).size for name in keep}))


def test_blocks_that_choose_cannot_be_units_of_a_group_that_chooses() -> None:
    model, solution = solved("channel-shuffle")
    rows = {"first": np.array([[0, 1]] * 4), "first:2": np.array([[0, 1]] * 3)}
    with pytest.raises(Usage, match="are units of 'first:2', that chooses by blocks too"):
        cut(model, solution, Plan(rows, {"first": 3, "first:2": 4}))


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 3), st.integers(0, 99))
def test_the_best_units_of_every_block_are_chosen(count: int, size: int, extra: int, seed: int) -> None:
    scores = np.random.default_rng(seed).integers(0, 4, (count, size + extra)).astype(float)
    rows = choose(scores, size)
    assert rows.shape == (count, size)
    for row, given_scores in zip(rows.tolist(), scores, strict=True):
        assert row == sorted(set(row))
        rest = [unit for unit in range(size + extra) if unit not in row]
        assert all(
            given_scores[a] > given_scores[b] or (given_scores[a] == given_scores[b] and a < b)
            for a in row
            for b in rest
        )


NEARLY_CONSTANT = (327,)
"""Networks with a norm that divides by next to nothing, so that no cut of them is exact to 1e-5."""


def check(seed: int, steps: int) -> None:
    """Cut every group by blocks, all together, and shuffle all."""
    model = fold(from_proto(drawn(seed, steps)))
    solution = solve(model.graph)
    for chosen in [*([group] for group in free(solution)), prunable(solution)]:
        small = cut(model, solution, by_blocks(solution, chosen, 0.6, seed))
        proof = verify(model, small, solution.shapes)
        assert all(each.error < 1e-5 for each in proof.checks), f"{[g.name for g in chosen]}: {proof.worst}"
    shuffled = cut(model, solution, by_blocks(solution, prunable(solution), 1.0, seed))
    assert all(each.error < 1e-5 for each in compare(model, shuffled.model).checks)


@pytest.mark.parametrize("seed", [2, 3, 4, 5, 8, 9, 10, 11])
def test_a_random_network_is_cut_exactly_by_blocks(seed: int) -> None:
    check(seed, steps=10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [seed for seed in range(300, 420) if seed not in NEARLY_CONSTANT])
def test_a_larger_random_network_is_cut_exactly_by_blocks(seed: int) -> None:
    check(seed, steps=14)
