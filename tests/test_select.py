"""Selection takes the least important units, as many as the ratio, the target and the limits allow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray

from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.errors import Negative, Refused, Usage
from graphprune.importance import score
from graphprune.model import from_proto
from graphprune.plan import Plan
from graphprune.select import Choice, candidates, select
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.verify import verify
from tests.networks.fill import fill
from tests.networks.solved import prunable, solved

Scores = Mapping[str, NDArray[np.float64]]

# Two hidden layers of 16 and 10 neurons.
MLP = solved("mlp")[1]
FIRST, SECOND = (group.name for group in prunable(MLP))


def rising(solution: Solution, **factors: float) -> dict[str, NDArray[np.float64]]:
    """Scores in which the last unit of each group matters most; groups may be made more important."""
    return {
        group.name: np.arange(1.0, group.size + 1) * factors.get(group.name, 1.0)
        for group in prunable(solution)
    }


def left(plan: Plan) -> dict[str, int]:
    """How many units of each group stay, for the groups that are cut."""
    return {name: index.size for name, index in plan.keep.items()}


def by_size(solution: Solution, plan: Plan) -> dict[int, int]:
    """The same by the size that the group had."""
    return {solution.group(name).size: count for name, count in left(plan).items()}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(ratio=0.5), {16: 8, 10: 5}),
        (Choice(ratio=0.25), {16: 12, 10: 8}),
        (Choice(ratio=0.3), {16: 12, 10: 7}),
        (Choice(ratio=0.05), {}),
        (Choice(ratio=0.0), {}),
        (Choice(ratio=1.0), {16: 1, 10: 1}),
        (Choice(ratio=0.9, max_ratio=0.5), {16: 8, 10: 5}),
        (Choice(ratio=0.9, min_units=4), {16: 4, 10: 4}),
        (Choice(ratio=0.9, min_units=12), {16: 12}),
        (Choice(ratio=0.5, round_to=4), {16: 8, 10: 8}),
        (Choice(ratio=0.4, round_to=8), {10: 8}),
        (Choice(ratio=0.5, round_to=64), {}),
        (Choice(ratio=0.5, ignore=("w0",)), {10: 5}),
        (Choice(ratio=0.5, ignore=("last",)), {16: 8, 10: 5}),  # it reads units and makes none that may go
        (Choice(ratio=0.5, ignore=("second",)), {16: 8}),  # it reads 16 units, which others make
        (Choice(ratio=0.5, ratio_for={"w0": 0.25}), {16: 12, 10: 5}),
        (Choice(ratio=0.5, ratio_for={"w0": 0.0}), {10: 5}),
        (Choice(ratio=0.5, ratio_for={"*": 0.25, "w2": 0.8}), {16: 12, 10: 2}),
        (Choice(ratio=0.5, ratio_for={"w2": 0.8}, max_ratio=0.6), {16: 8, 10: 4}),
    ],
    ids=lambda value: "" if isinstance(value, dict) else str(value)[7:60],
)
def test_a_ratio_says_how_many_units_of_each_group_go(choice: Choice, expected: dict[int, int]) -> None:
    plan = select(MLP, rising(MLP), choice)
    assert by_size(MLP, plan) == {size: count for size, count in expected.items() if count < size}


def test_the_least_important_units_go_and_the_others_keep_their_order() -> None:
    scores = rising(MLP)
    scores[SECOND] = np.array([5.0, 1, 9, 2, 8, 3, 7, 4, 6, 0])
    plan = select(MLP, scores, Choice(ratio=0.5))
    assert plan.keep[FIRST].tolist() == list(range(8, 16))
    assert plan.keep[SECOND].tolist() == [0, 2, 4, 6, 8]
    assert plan.keep[SECOND].dtype == np.int64
    assert plan.sizes == {FIRST: 16, SECOND: 10}


def test_of_equal_scores_the_later_unit_goes() -> None:
    plan = select(MLP, {name: np.ones(size) for name, size in ((FIRST, 16), (SECOND, 10))}, Choice(ratio=0.5))
    assert plan.keep[FIRST].tolist() == list(range(8))


@pytest.mark.parametrize(
    ("factors", "ratio", "expected"),
    [
        ({FIRST: 100.0}, 0.25, {10: 4}),  # 6 of 26 units, all of them in the group that matters less
        ({SECOND: 100.0}, 0.25, {16: 10}),
        ({}, 0.5, {16: 9, 10: 4}),
    ],
)
def test_global_scope_ranks_the_units_of_all_groups(
    factors: dict[str, float], ratio: float, expected: dict[int, int]
) -> None:
    plan = select(MLP, rising(MLP, **factors), Choice(ratio=ratio, scope="global"))
    assert by_size(MLP, plan) == expected


@pytest.mark.parametrize("scope", ["global", "isomorphic"])
def test_no_group_loses_more_than_its_limits_in_any_scope(scope: str) -> None:
    choice = Choice(ratio=0.5, scope=scope, max_ratio=0.6, min_units=5)  # type: ignore[arg-type]
    plan = select(MLP, rising(MLP, **{FIRST: 1000.0}), choice)
    assert left(plan)[SECOND] == 5
    assert left(plan).get(FIRST, 16) >= 7


def test_isomorphic_scope_ranks_only_groups_of_one_structure() -> None:
    text = """
        g (float[1, 4] x) => (float[1, 2] y)
        <float[4, 10] w0, float[10, 8] w1, float[8, 6] w2, float[6, 9] w3, float[9] b3, float[9, 2] w4>
        { [a] h0 = MatMul (x, w0) r0 = Relu (h0) [b] h1 = MatMul (r0, w1) r1 = Relu (h1)
          [c] h2 = MatMul (r1, w2) r2 = Relu (h2) [d] h3 = MatMul (r2, w3) s3 = Add (h3, b3) r3 = Relu (s3)
          [e] y = MatMul (r3, w4) }"""
    solution = solve(from_proto(fill(text)).graph)
    ten, eight, six, biased = prunable(solution)
    assert ten.structure == eight.structure == six.structure != biased.structure
    scores = rising(solution, **{biased.name: 1000.0, six.name: 100.0})
    plan = select(solution, scores, Choice(ratio=0.5, scope="isomorphic"))
    # 12 of the 24 units of one structure go, the cheapest first; the biased group stands by itself
    assert by_size(solution, plan) == {10: 4, 8: 2, 9: 5}
    everywhere = select(solution, scores, Choice(ratio=0.5, scope="global"))
    assert by_size(solution, everywhere) == {10: 1, 8: 1}


@pytest.mark.parametrize(
    ("name", "only", "expected"),
    [
        ("dynamic-sequence", ("heads",), {4: 2}),
        ("dynamic-sequence", ("width",), {12: 6}),
        ("dynamic-sequence", ("head-dims",), {8: 4}),
        ("flatten-gemm", ("channels",), {8: 4}),
        ("flatten-gemm", ("neurons",), {10: 5}),
        ("layer-norm-width", ("neurons", "heads"), {16: 8}),
        ("qdq-per-channel", ("channels",), {8: 4}),
    ],
)
def test_only_the_kinds_that_are_asked_for_go(
    name: str, only: tuple[str, ...], expected: dict[int, int]
) -> None:
    _, solution = solved(name)
    assert by_size(solution, select(solution, score(solution).values, Choice(only=only))) == expected


@pytest.mark.parametrize(
    "name",
    [
        "attention-separate",
        "grouped-query",
        "attention-packed",
        "grouped",
        "channel-shuffle",
        "concat-whole-groups",
    ],
)
def test_groups_that_multiply_each_other_are_not_both_cut(name: str) -> None:
    _, solution = solved(name)
    chosen = candidates(solution, Choice())
    for group in chosen:
        assert {other.name for other in chosen}.isdisjoint(group.siblings)
    assert {group.name for group in prunable(solution)} - {group.name for group in chosen}


def test_heads_go_before_head_dims_unless_they_cannot_come_as_close_to_the_ratio() -> None:
    _, solution = solved("attention-separate")
    assert [group.kind for group in candidates(solution, Choice(ratio=0.5))] == ["heads"]
    # 4 heads cannot lose an eighth of them, 8 head dims can
    assert {group.kind for group in candidates(solution, Choice(ratio=0.125))} == {"head-dims"}


def test_a_ratio_of_its_own_takes_a_sibling_in() -> None:
    _, solution = solved("attention-separate")
    dims = next(group for group in prunable(solution) if group.kind == "head-dims")
    choice = Choice(ratio=0.5, ratio_for={dims.name: 0.25})
    assert by_size(solution, select(solution, score(solution).values, choice)) == {4: 2, 8: 6}


@pytest.mark.parametrize(
    ("name", "round_to"),
    [
        ("attention-separate", 8),
        ("grouped", 8),
        ("glu-split", 4),
        ("lstm-bidirectional", 4),
        ("grouped-query", 8),
    ],
)
def test_rounding_counts_positions_in_every_product_that_a_group_enters(name: str, round_to: int) -> None:
    model, solution = solved(name)
    before = {tensor.name: tensor.shape for node in model.graph.nodes for tensor in node.inputs}
    plan = select(solution, score(solution).values, Choice(ratio=0.5, round_to=round_to))
    assert plan.keep
    for node in cut(model, solution, plan).model.graph.nodes:
        if node.op in ("MatMul", "Conv", "Gemm", "LSTM") and isinstance(node.inputs[1], gs.Constant):
            sizes = list(node.inputs[1].shape)
            # A kernel reads the channels of all groups, and the weight has those of one.
            groups = node.attrs.get("group", 1)
            changed = [
                new * (groups if dim == 1 else 1)
                for dim, (old, new) in enumerate(zip(before[node.inputs[1].name], sizes, strict=True))
                if old != new
            ]
            assert all(size % round_to == 0 for size in changed), (node.name, sizes)


@pytest.mark.parametrize("scope", ["local", "global", "isomorphic"])
@pytest.mark.parametrize("target", ["macs=0.5x", "params=0.5x", "size=50%", "macs=0.9x", "params=0.3x"])
@pytest.mark.parametrize(
    "name", ["conv-chain", "mlp", "attention-separate", "dense-concat", "dynamic-sequence"]
)
def test_a_target_is_met_and_never_overshot_by_much(name: str, target: str, scope: str) -> None:
    _, solution = solved(name)
    choice = Choice(target=target, scope=scope)  # type: ignore[arg-type]
    plan = select(solution, score(solution).values, choice)
    before, after = cost(solution), cost(solution, plan)
    what, _, text = target.partition("=")
    limit = float(text.rstrip("x%")) / (100 if text.endswith("%") else 1)
    attribute = {"macs": "macs", "params": "params", "size": "bytes"}[what]
    reached = getattr(after, attribute) / getattr(before, attribute)
    assert limit - 0.3 < reached <= limit


@pytest.mark.parametrize("choice", [Choice(ignore=("frist",)), Choice(ratio_for={"*nothing*": 0.1})], ids=str)
def test_a_glob_that_matches_nothing_is_refused(choice: Choice) -> None:
    with pytest.raises(Usage, match="matches no group, operator or constant"):
        select(MLP, rising(MLP), choice)


def test_a_target_is_approached_group_by_group() -> None:
    """Ten equal layers lose units together as the ratio grows; some of them take the last step."""
    layers = [f"h{n} = MatMul(r{n - 1 if n else 'x'}, w{n}) r{n} = Relu(h{n})" for n in range(10)]
    text = (
        "<ir_version: 8, opset_import: ['' : 17]> deep (float[1, 8] rx) => (float[1, 8] y) <"
        + ", ".join(f"float[8, 8] w{n}" for n in range(11))
        + "> { "
        + " ".join(layers)
        + " y = MatMul(r9, w10) }"
    )
    solution = solve(from_proto(fill(text.replace("'", '"'))).graph)
    plan = select(solution, score(solution).values, Choice(target="params=0.5x"))
    share = cost(solution, plan).params / cost(solution).params
    assert 0.45 < share <= 0.5
    assert len({index.size for index in plan.keep.values()}) == 2


def test_a_target_in_bytes_is_met() -> None:
    model, solution = solved("conv-chain")
    plan = select(solution, score(solution).values, Choice(target="size=2.5kB"))
    assert 2000 < cost(solution, plan).bytes <= 2500
    assert verify(model, cut(model, solution, plan), solution.shapes).passed


@pytest.mark.parametrize(
    "choice",
    [
        Choice(target="params=0.001x"),
        Choice(target="macs=0.5x", max_ratio=0.1),
        Choice(target="macs=0.5x", min_units=16),
        Choice(target="size=1B"),
        Choice(target="params=0.5x", ratio_for={"w0": 0.0, "w2": 0.0}),
    ],
    ids=lambda choice: choice.target,
)
def test_a_target_out_of_reach_is_a_no_that_says_how_far_it_goes(choice: Choice) -> None:
    with pytest.raises(Negative, match="cannot be reached") as caught:
        select(MLP, rising(MLP), choice)
    assert "limit" in str(caught.value)
    assert caught.value.code == 1


@pytest.mark.parametrize(
    "target",
    [
        "macs",
        "macs=",
        "macs=x",
        "flops=0.5x",
        "macs=-1x",
        "macs=0x",
        "macs=1.2.3x",
        "params=0.5 y",
        "size=5ZB",
    ],
)
def test_a_target_that_cannot_be_read_is_refused(target: str) -> None:
    with pytest.raises(Usage, match="target"):
        select(MLP, rising(MLP), Choice(target=target))


@pytest.mark.parametrize(
    "options",
    [
        {"ratio": 1.5},
        {"ratio": -0.1},
        {"ratio": float("nan")},
        {"max_ratio": 2.0},
        {"ratio_for": {"a": 3.0}},
        {"min_units": 0},
        {"round_to": 0},
        {"only": ("filters",)},
    ],
    ids=str,
)
def test_a_choice_out_of_range_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(Usage):
        Choice(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "choice", "why"),
    [
        ("g (float[1, 4] x) => (float[1, 4] y) { y = Relu (x) }", Choice(), "no group of units"),
        (
            "g (float[1, 4] x) => (float[1, 2] y) <float[4, 2] w> { y = MatMul (x, w) }",
            Choice(),
            "all 2 groups are pinned, the first because it is a dimension of graph input 'x'",
        ),
    ],
    ids=["no weights", "all pinned"],
)
def test_nothing_to_prune_is_refused_with_the_reason(text: str, choice: Choice, why: str) -> None:
    solution = solve(from_proto(fill(text)).graph)
    with pytest.raises(Refused, match="nothing can be pruned") as caught:
        select(solution, score(solution).values, choice)
    assert why in str(caught.value)
    assert caught.value.code == 3


@pytest.mark.parametrize(
    "choice", [Choice(only=("heads",)), Choice(ignore=("*",)), Choice(ignore=("first", "second"))]
)
def test_options_that_leave_nothing_are_refused(choice: Choice) -> None:
    with pytest.raises(Refused, match="no group is left"):
        select(MLP, rising(MLP), choice)
