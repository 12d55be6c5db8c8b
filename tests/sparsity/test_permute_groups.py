"""Groups are put in an order in which a pattern keeps more, and the model computes what it computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from graphprune import run
from graphprune.cut import cut
from graphprune.errors import Usage
from graphprune.fold import fold
from graphprune.ir import read
from graphprune.model import Model, from_proto, to_proto
from graphprune.passes.permute import Permute
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.sparsity.eligibility import layer
from graphprune.sparsity.patterns import Pattern, best_of, magnitude
from graphprune.sparsity.permute_groups import Permutation, permutation
from graphprune.sparsity.places import places
from graphprune.verify import compare, verify
from tests.networks import TEXTS, network
from tests.networks.fill import fill

ONE_OF_TWO, TWO_OF_FOUR = Pattern(1, 2), Pattern(2, 4)

RESIDUAL = """
g (float[1, 8, 6, 6] x) => (float[1, 3, 6, 6] y)
<float[16, 8, 1, 1] w0, float[12, 16, 3, 3] w1, float[12] scale1, float[12] shift1, float[12] mean1,
 float[12] var1, float[16, 12, 1, 1] w2, float[3, 16, 1, 1] w3>
{
  [stem] a = Conv (x, w0)
  [first] b = Conv <pads = [1, 1, 1, 1]> (a, w1)
  n = BatchNormalization (b, scale1, shift1, mean1, var1)
  r = Relu (n)
  [second] c = Conv (r, w2)
  s = Add (a, c)
  [head] y = Conv (s, w3)
}"""
DEPTHWISE = """
g (float[1, 4, 6, 6] x) => (float[1, 3] y)
<float[16, 4, 1, 1] w0, float[16, 1, 3, 3] w1, float[16] b1, float[8, 16, 1, 1] w2, float[8, 3] w3>
{
  [expand] a = Conv (x, w0)
  [depthwise] b = Conv <group = 16> (a, w1, b1)
  [project] c = Conv (b, w2)
  p = GlobalAveragePool (c)
  f = Flatten (p)
  [classify] y = Gemm (f, w3)
}"""
BOTH_SIDES = """
g (float[1, 5, 4] x) => (float[1, 5, 3] y)
<float[4, 12] w0, float[12] b0, float[12, 8] w1, float[5, 8] w2, float[8, 5] w3, float[8, 3] w4>
{
  [right] a = MatMul (x, w0)
  s = Add (a, b0)
  t = Tanh (s)
  [second] b = MatMul (t, w1)
  [left] c = MatMul (w3, b)
  u = Tanh (c)
  [left2] d = MatMul (w2, u)
  [last] y = MatMul (d, w4)
}"""
DENSE = """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[12, 8, 1, 1] w1, float[2, 20, 3, 3] w2>
{
  [one] a = Conv (x, w0)
  [two] b = Conv (a, w1)
  c = Concat <axis = 1> (a, b)
  [both] y = Conv <pads = [1, 1, 1, 1]> (c, w2)
}"""
UNEVEN = """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[10, 6, 1, 1] w1, float[2, 16, 3, 3] w2>
{
  [one] a = Conv (x, w0)
  [two] b = Conv (a, w1)
  c = Concat <axis = 1> (a, b)
  [both] y = Conv <pads = [1, 1, 1, 1]> (c, w2)
}"""
FLATTENED = """
g (float[1, 3, 2, 2] x) => (float[1, 5] y)
<float[8, 3, 1, 1] w0, float[32, 5] w1>
{
  [conv] a = Conv (x, w0)
  f = Flatten (a)
  [gemm] y = Gemm (f, w1)
}"""
PAIRED = FLATTENED.replace("[1, 3, 2, 2]", "[1, 3, 2, 1]").replace("[32, 5]", "[16, 5]")


def model_of(text: str) -> tuple[Model, Solution]:
    model = fold(from_proto(fill(text)))
    return model, solve(model.graph)


def keeps(solution: Solution, pattern: Pattern) -> float:
    """What `pattern` keeps of all weights that may have it, by the masks that pruning uses."""
    total = 0.0
    for place in places(solution):
        if layer(place, pattern).eligible:
            sizes = magnitude(read(place.tensor))
            total += float(sizes[best_of(sizes, place.axis, pattern)].sum(dtype=np.float64))
    return total


def carried_out(model: Model, solution: Solution, found: Permutation, pattern: Pattern) -> None:
    """Check that the plan is exact, and that the model keeps what the search says."""
    done = cut(model, solution, found.plan)
    proof = verify(model, done, solution.shapes)
    assert proof.passed, proof.worst
    assert keeps(solution, pattern) == pytest.approx(found.before, rel=1e-5)
    assert keeps(solve(done.model.graph), pattern) == pytest.approx(found.after, rel=1e-5)
    assert found.after >= found.before


@pytest.mark.parametrize(
    ("text", "permuted"),
    [
        (RESIDUAL, {"stem": ("w1", "w3"), "first": ("w2",)}),
        (DEPTHWISE, {"expand": ("w2",), "project": ("w3",)}),
        (BOTH_SIDES, {"right": ("w1",), "second": ("w4",), "left": ("w2",)}),
        (DENSE, {"one": ("w1", "w2"), "two": ("w2",)}),
    ],
    ids=["residual", "depthwise", "both-sides", "dense"],
)
def test_a_group_is_ordered_for_all_weights_that_sum_over_it(
    text: str, permuted: dict[str, tuple[str, ...]]
) -> None:
    model, solution = model_of(text)
    found = permutation(solution, TWO_OF_FOUR, sweeps=50)
    assert {name: item.weights for name, item in found.groups.items()} == permuted
    assert set(found.plan.keep) == set(permuted)
    for name, item in found.groups.items():
        assert item.before < item.after < item.total, name
    carried_out(model, solution, found, TWO_OF_FOUR)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (UNEVEN, {"one": "its 6 units are no multiple of 4", "two": "its 10 units are no multiple of 4"}),
        (FLATTENED, {"conv": "in its weights 4 consecutive entries are one unit's, in any order"}),
        (PAIRED, {"conv": "in 'w1' 4 consecutive entries are not 4 whole units"}),
    ],
    ids=["no-multiple", "flattened", "flattened-in-pairs"],
)
def test_a_group_that_is_left_alone_has_a_reason(text: str, left: dict[str, str]) -> None:
    _, solution = model_of(text)
    found = permutation(solution, TWO_OF_FOUR, sweeps=5)
    assert not found.groups
    assert not found.plan.keep
    assert {name: found.left[name] for name in left} == left
    assert found.after == found.before


@pytest.mark.parametrize("name", TEXTS)
def test_every_network_computes_the_same_in_the_order_that_was_found(name: str) -> None:
    model = fold(from_proto(network(name)))
    solution = solve(model.graph)
    found = permutation(solution, ONE_OF_TWO, sweeps=3)
    free = {group.name for group in solution.groups if group.prunable}
    assert set(found.groups) <= free
    assert set(found.groups) | set(found.left) >= free
    if found.plan.keep:
        carried_out(model, solution, found, ONE_OF_TWO)


def test_the_pass_makes_sparsify_keep_more() -> None:
    model = from_proto(fill(RESIDUAL))
    with_order, without = (
        run(model, f"fold,group,{first}sparsify{{method=magnitude}}") for first in ("permute{sweeps=50},", "")
    )
    orders = cast("dict[str, Any]", with_order.facts["permute"])
    assert set(orders["groups"]) == {"stem", "first"}
    assert orders["kept_before"] < orders["kept_after"] < orders["magnitude"]
    left, right = (
        sum(float(magnitude(read(place.tensor)).sum()) for place in places(solve(state.result.graph)))
        for state in (without, with_order)
    )
    assert right > left
    assert [name for name, _ in with_order.stages or ()] == ["sparsify"]


def test_the_pass_follows_the_surgery_and_the_result_equals_the_smaller_model() -> None:
    state = run(
        from_proto(fill(RESIDUAL)), "fold,group,score,select{ratio=0.5 round-to=4},cut,verify,permute"
    )
    assert state.cut is not None
    assert state.refined is not None
    assert state.refined is not state.cut.model
    assert compare(state.cut.model, state.refined).passed


def test_where_no_order_keeps_more_the_result_stays() -> None:
    state = run(from_proto(fill(FLATTENED)), "fold,group,permute")
    assert state.refined is None
    assert state.result is state.model


def test_the_same_model_gives_the_same_bytes() -> None:
    first, again = (
        to_proto(run(from_proto(fill(RESIDUAL)), "fold,group,permute{sweeps=20}").result) for _ in range(2)
    )
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)


def test_a_plan_in_a_file_holds_orders_and_replays_to_the_same_model(tmp_path: Path) -> None:
    model, solution = model_of(RESIDUAL)
    plan = permutation(solution, TWO_OF_FOUR, sweeps=20).plan
    assert any(np.any(np.diff(index) < 0) for index in plan.keep.values())
    file = tmp_path / "plan.json"
    file.write_text(plan.to_json())
    assert Plan.from_json(file.read_text()).to_json() == plan.to_json()
    replayed = run(from_proto(fill(RESIDUAL)), f"fold,group,replay{{plan={file}}},cut,verify").result
    expected = cut(model, solution, plan).model
    assert to_proto(replayed).SerializeToString(deterministic=True) == to_proto(expected).SerializeToString(
        deterministic=True
    )


@pytest.mark.parametrize(
    ("options", "what"),
    [({"pattern": "4:2"}, "the pattern is '4:2'"), ({"sweeps": 0}, "sweeps is 0")],
    ids=["pattern", "sweeps"],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], what: str) -> None:
    with pytest.raises(Usage) as refusal:
        Permute(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert refusal.value.what == what
