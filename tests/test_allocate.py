"""A budget goes where the outputs bear it, priced as the smaller model will be."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from graphprune.allocate import Curve, Price, allocate, levels
from graphprune.cost import cost
from graphprune.layers import layers
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.target import What, read_target
from tests.calibrated import prepared
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import prunable, solved

WHATS: list[What] = ["macs", "params", "size"]


def total(solution: Solution, what: What, plan: Plan | None = None) -> int:
    measure, _, _ = read_target(f"{what}=1x", cost(solution))
    return measure(cost(solution, plan))


def first(solution: Solution, counts: dict[str, int], gone: tuple[str, ...] = ()) -> Plan:
    """The plan that keeps the first so many units of each group."""
    keep = {name: np.arange(count) for name, count in counts.items()}
    return Plan(keep, {name: solution.group(name).size for name in keep}, gone)


@pytest.mark.parametrize("what", WHATS)
@pytest.mark.parametrize(
    "name",
    [
        "conv-chain",
        "residual",
        "depthwise",
        "transposed",
        "flatten-gemm",
        "dense-concat",
        "mlp",
        "tied-embeddings",
        "attention-separate",
        "grouped-query",
        "glu-split",
    ],
)
def test_what_is_saved_step_by_step_is_what_the_plan_costs(name: str, what: What) -> None:
    _, solution = solved(name)
    groups = [group for group in prunable(solution) if group.kind != "head-dims" and group.size > 2]
    price = Price(solution, what, [group.name for group in groups])
    scale = total(solution, what) / price.total
    kept = {group.name: group.size for group in groups}
    rng = np.random.default_rng(0)
    for _ in range(12):
        group = groups[int(rng.integers(len(groups)))]
        keep = int(rng.integers(1, kept[group.name] + 1))
        before, saved = price.total, price.saved(group.name, keep)
        assert price.total == before, "asking changes nothing"
        price.take(group.name, keep)
        kept[group.name] = keep
        assert price.total == pytest.approx(before - saved)
        expected = total(solution, what, first(solution, kept))
        assert price.total * scale == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("what", WHATS)
def test_a_layer_is_priced_with_all_that_goes_with_it(what: What) -> None:
    _, solution = prepared(RESIDUALS["basic blocks of a ResNet"].text)
    found = layers(solution)
    groups = [group.name for group in prunable(solution)]
    price = Price(solution, what, groups, found)
    scale = total(solution, what) / price.total
    half = {name: solution.group(name).size // 2 for name in groups}
    for name, keep in half.items():
        price.take(name, keep)
    gone: tuple[str, ...] = ()
    for layer in found:
        assert price.saved(layer.name, 0) > 0
        price.take(layer.name, 0)
        gone = (*gone, layer.name)
        expected = total(solution, what, first(solution, half, gone))
        assert price.total * scale == pytest.approx(expected, rel=1e-9)
        assert price.saved(layer.name, 0) == 0


def test_what_lies_in_bodies_is_part_of_the_price() -> None:
    _, solution = prepared(
        """g (float[2, 6] x, bool which) => (float[2, 6] z) <float[6, 8] w0, float[8, 6] w1, float[6, 6] w2>
        { a = MatMul (x, w0) r = Relu (a) b = MatMul (r, w1)
          y = If (which) <then_branch = yes () => (float[2, 6] p) { p = MatMul (b, w2) },
                          else_branch = no () => (float[2, 6] q) { q = Neg (b) }>
          z = Tanh (y) }"""
    )
    (group,) = prunable(solution)
    for what in ("params", "size"):
        price = Price(solution, what, [group.name])
        assert price.total == total(solution, what)
        price.take(group.name, 3)
        assert price.total == total(solution, what, first(solution, {group.name: 3}))


# Three branches side by side, so that what a group costs does not depend on the others.
BRANCHES = """g (float[1, 4] x) => (float[1, 3] y)
    <float[4, 5] u0, float[5, 3] v0, float[4, 6] u1, float[6, 3] v1, float[4, 4] u2, float[4, 3] v2>
    { [a] a0 = MatMul (x, u0) a1 = Relu (a0) a2 = MatMul (a1, v0)
      [b] b0 = MatMul (x, u1) b1 = Relu (b0) b2 = MatMul (b1, v1)
      [c] c0 = MatMul (x, u2) c1 = Relu (c0) c2 = MatMul (c1, v2)
      s = Add (a2, b2) y = Add (s, c2) }"""


@pytest.fixture(scope="module")
def branches() -> Solution:
    return prepared(BRANCHES)[1]


def drawn(solution: Solution, seed: int, *, convex: bool) -> list[Curve]:
    rng = np.random.default_rng(seed)
    curves: list[Curve] = []
    for group in prunable(solution):
        steps = rng.uniform(0, 1, group.size - 1)
        rising = np.cumsum(np.sort(steps) if convex else steps)
        curves.append(Curve(group.name, range(group.size, 0, -1), (0.0, *rising)))
    return curves


def every(solution: Solution, curves: list[Curve]) -> list[tuple[float, float]]:
    """Cost and error of every choice there is."""
    sizes = {curve.name: len(curve.keeps) for curve in curves}
    found: list[tuple[float, float]] = []
    for at in product(*(range(size) for size in sizes.values())):
        counts = {curve.name: curve.keeps[i] for curve, i in zip(curves, at, strict=True)}
        error = sum(curve.errors[i] for curve, i in zip(curves, at, strict=True))
        found.append((total(solution, "params", first(solution, counts)), float(error)))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("convex", [True, False])
def test_the_budget_is_spread_as_well_as_can_be_up_to_one_step(
    convex: bool, seed: int, branches: Solution
) -> None:
    curves = drawn(branches, seed, convex=convex)
    choices = every(branches, curves)
    whole = total(branches, "params")
    step = 7.0 if convex else 7.0 * 5  # a unit costs 7 parameters; a step may go along a whole curve
    for share in (0.9, 0.7, 0.5, 0.35):
        limit = share * whole
        price = Price(branches, "params", [curve.name for curve in curves])
        found = allocate(price, curves, limit)
        assert price.total <= limit
        assert price.total == total(branches, "params", first(branches, found))
        assert price.total > limit - 7, "no more than it must"
        error = sum(curve.errors[list(curve.keeps).index(found.get(curve.name, curve.keeps[0]))]
                    for curve in curves)  # fmt: skip
        assert error >= min(each for price_, each in choices if price_ <= limit) - 1e-9
        assert (
            error <= min((each for price_, each in choices if price_ <= limit - step), default=np.inf) + 1e-9
        )


def test_nothing_goes_where_the_budget_is_met() -> None:
    _, solution = prepared(BRANCHES)
    price = Price(solution, "macs", ["a"])
    assert allocate(price, [Curve("a", (5, 4, 3), (0.0, 0.1, 0.2))], price.total) == {}


def test_where_nothing_is_left_to_go_it_ends() -> None:
    _, solution = prepared(BRANCHES)
    price = Price(solution, "macs", ["a", "b"])
    curves = [Curve("a", (5, 3), (0.0, 0.1)), Curve("b", (6, 4, 2), (0.0, 0.3, 0.4))]
    assert allocate(price, curves, 0) == {"a": 3, "b": 2}
    assert price.total > 0


def test_a_step_over_a_bump_is_taken_whole_or_as_far_as_it_must() -> None:
    """The second unit costs much, and the third and fourth next to nothing: it is all or nothing."""
    _, solution = prepared(BRANCHES)
    curves = [Curve("a", (5, 4, 3, 2, 1), (0.0, 1.0, 1.0, 1.0, 1.0)), Curve("b", (6, 5, 4), (0.0, 0.3, 0.6))]
    price = Price(solution, "params", ["a", "b"])
    assert allocate(price, curves, price.total - 28) == {"a": 1}
    price = Price(solution, "params", ["a", "b"])
    assert allocate(price, curves, price.total - 14) == {"a": 3}


def test_an_error_that_is_infinite_is_the_last_that_is_taken() -> None:
    _, solution = prepared(BRANCHES)
    curves = [
        Curve("a", (5, 4, 3, 2), (0.0, 0.1, 0.2, np.inf)),
        Curve("b", (6, 5, 4, 3), (0.0, np.inf, np.inf, np.inf)),
    ]
    price = Price(solution, "params", ["a", "b"])
    assert allocate(price, curves, price.total - 14) == {"a": 3}


@pytest.mark.parametrize("seed", range(5))
def test_levels_rise_from_zero_and_pass_through_what_was_measured(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors = np.cumsum(rng.uniform(0, 1, 20))
    measured = {0.25: 0.1, 0.5: 0.4, 0.75: 0.9}
    found = levels(errors, measured, 20)
    assert found.shape == (21,)
    assert found[0] == 0
    assert np.all(np.diff(found) >= 0)
    np.testing.assert_allclose(found[[5, 10, 15]], [0.1, 0.4, 0.9])
    assert found[20] > 0.9
    between = np.interp(errors[:15], [0, *errors[[4, 9, 14]]], [0, 0.1, 0.4, 0.9])
    np.testing.assert_allclose(found[1:16], between)


@pytest.mark.parametrize(
    ("errors", "measured"),
    [
        (np.zeros(8), {0.5: 0.0}),
        (np.zeros(8), {0.5: 0.3}),
        (np.arange(1.0, 9), {0.25: 0.5, 0.5: 0.1, 0.75: 0.6}),
        (np.arange(1.0, 9), {0.5: 0.0}),
        (np.arange(1.0, 9), {}),
        (np.arange(1.0, 9), {0.5: 0.2, 0.75: np.inf}),
    ],
    ids=["nothing", "no-prices", "falls", "free", "not-measured", "infinite"],
)
def test_levels_of_odd_measurements_are_monotone_numbers(
    errors: np.ndarray, measured: dict[float, float]
) -> None:
    found = levels(errors, measured, 8)
    assert found.shape == (9,)
    assert found[0] == 0
    assert not np.isnan(found).any()
    assert np.all(found[1:] >= found[:-1])
    if measured.get(0.75) == np.inf:
        assert found[4] == pytest.approx(0.2)
