"""The latency table: what is measured at some widths is known at the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from graphprune.backends import LayerTime, Setup
from graphprune.choice import rounded
from graphprune.cut import cut
from graphprune.feeds import Feeds
from graphprune.groups import Group
from graphprune.latency.price import Price
from graphprune.latency.samples import Sample, plan_for, sample, sampled, widths
from graphprune.latency.steps import steps_of
from graphprune.latency.table import Table, fit
from graphprune.layers import layers
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.solution import Solution
from tests.calibrated import prepared
from tests.latency.device import EACH, OVERHEAD, Tiled
from tests.latency.networks import CHOICE, network
from tests.networks.residuals import RESIDUALS

FEEDS: Feeds = {"x": np.zeros((1, 3, 8, 8), np.float32)}


def choices(groups: Sequence[Group]) -> dict[str, list[int]]:
    return {g.name: [k for k in range(1, g.size + 1) if rounded(g, k, CHOICE) == k] for g in groups}


def tabulated(device: Tiled) -> tuple[Model, Solution, list[Group], list[Sample], Table]:
    model, solution, groups = network()
    found = sampled(model, solution, groups, widths(groups, choices(groups)), device, FEEDS, Setup())
    with device.open(model, FEEDS, Setup()) as running:
        times = running.layers(1)
    names = [group.name for group in groups]
    return model, solution, groups, found, fit(solution, names, steps_of(solution, times, names), found)


def on(device: Tiled, model: Model, solution: Solution, plan: Plan) -> float:
    with device.open(cut(model, solution, plan).model, FEEDS, Setup()) as running:
        return float(running.time(1)[0])


def test_a_step_is_touched_by_the_groups_of_all_that_it_does() -> None:
    _, solution, groups = network()
    by_out = {
        place.tensor.name: group.name for group in groups for place in group.places if place.role == "out"
    }
    times = [LayerTime("fused", "FusedConv", (name,), 1.0) for name in ("a_r", "b_r", "sum", "d_r")]
    found = steps_of(solution, times, [group.name for group in groups])
    assert [
        [solution.graph.nodes[n].name or solution.graph.nodes[n].op for n in step.nodes] for step in found
    ] == [
        ["one", "Relu"],
        ["two", "Relu"],
        ["three", "Add"],
        ["four", "Relu"],
    ]
    width, inner, last = by_out["w1"], by_out["w2"], by_out["w4"]
    assert [set(step.groups) for step in found] == [{width}, {width, inner}, {width, inner}, {width, last}]


def test_a_step_knows_the_residual_branch_that_it_is_part_of() -> None:
    _, solution, groups = network()
    (branch,) = layers(solution)
    times = [LayerTime(name, "Conv", (name,), 1.0) for name in ("a_r", "b_r", "c", "d_r")]
    found = steps_of(solution, times, [group.name for group in groups], [branch])
    assert [step.layers for step in found] == [(), (branch.name,), (branch.name,), ()]


def test_what_makes_no_tensor_of_the_model_is_no_step() -> None:
    _, solution, groups = network()
    times = [LayerTime("reorder", "Reorder", (), 1.0), LayerTime("gone", "Conv", ("not there",), 1.0)]
    assert steps_of(solution, times, [group.name for group in groups]) == ()


def test_widths_are_those_that_may_be_kept_and_the_first_is_the_whole() -> None:
    _, _, groups = network()
    plans = widths(groups, choices(groups))
    assert plans[0] == {group.name: group.size for group in groups}
    assert all(kept[name] in choices(groups)[name] for kept in plans[2:] for name in kept)
    first, second = (group.name for group in groups[:2])
    pairs = {(round(8 * kept[first] / 64), kept[second]) for kept in plans[9:]}
    assert len(pairs) > 8  # two widths that meet are seen in many combinations


@pytest.mark.parametrize("tile", [1, 16, 32])
def test_the_table_finds_the_tile_of_the_device(tile: int) -> None:
    *_, table = tabulated(Tiled(tile))
    assert table.tile == (tile if tile > 8 else 1)  # widths that are multiples of 8 do not tell smaller ones


@pytest.mark.parametrize("tile", [1, 16])
@pytest.mark.parametrize("says", [True, False], ids=["steps", "totals"])
def test_the_table_says_what_widths_take_that_were_not_measured(tile: int, says: bool) -> None:
    device = Tiled(tile, says)
    model, solution, groups, _, table = tabulated(device)
    generator = np.random.default_rng(3)
    for _ in range(10):
        kept = {group.name: int(generator.choice(choices(groups)[group.name])) for group in groups}
        plan = plan_for(groups, kept)
        # Where the device says nothing of its steps, tiles are not known.
        rel = 0.01 if says else 0.15
        assert table.seconds(kept) == pytest.approx(on(device, model, solution, plan), rel=rel)
        assert table.seconds_under(plan) == table.seconds(kept)


def test_what_is_no_step_is_in_the_total() -> None:
    *_, samples, table = tabulated(Tiled(16))
    assert samples[0].rest == pytest.approx(OVERHEAD)
    assert table.rest == pytest.approx((OVERHEAD, 0.0), abs=1e-9)
    assert table.full == samples[0].total


def test_noise_does_not_lead_the_table_astray() -> None:
    device = Tiled(16, noise=0.03)
    model, solution, groups, _, table = tabulated(device)
    whole = {group.name: group.size for group in groups}
    kept = {name: size // 2 for name, size in whole.items()}
    quiet = Tiled(16)
    share = on(quiet, model, solution, plan_for(groups, kept)) / on(quiet, model, solution, Plan({}, {}))
    assert table.seconds(kept) / table.seconds(whole) == pytest.approx(share, rel=0.02)


def test_a_branch_that_is_out_takes_no_time() -> None:
    device = Tiled(16)
    model, solution, groups, samples, _ = tabulated(device)
    branches = layers(solution)
    names = [group.name for group in groups]
    with device.open(model, FEEDS, Setup()) as running:
        table = fit(solution, names, steps_of(solution, running.layers(1), names, branches), samples)
    plan = Plan({}, {}, (branches[0].name,))
    assert table.seconds_under(plan) == pytest.approx(on(device, model, solution, plan), rel=0.01)


def test_prices_add_up_to_what_the_table_says() -> None:
    _, _, groups, _, table = tabulated(Tiled(16))
    price = Price(table, table.names)
    kept = {group.name: group.size for group in groups}
    assert price.total == pytest.approx(table.seconds(kept))
    for group, share in product(groups, (0.75, 0.5, 0.25)):
        wanted = int(group.size * share)
        saved = price.saved(group.name, wanted)
        before = price.total
        near = price.take(group.name, wanted)
        kept[group.name] = wanted
        assert group.name in near
        assert before - price.total == pytest.approx(saved, abs=1e-12)
        assert price.total == pytest.approx(table.seconds(kept))


def test_a_price_knows_branches_that_go_and_come_back() -> None:
    model, solution = prepared(RESIDUALS["cnn"].text) if "cnn" in RESIDUALS else network()[:2]
    branches = layers(solution)
    device = Tiled(1)
    with device.open(model, FEEDS, Setup()) as running:
        times = running.layers(1)
        one = sample(running, {})
    table = fit(solution, [], steps_of(solution, times, [], branches), [one])
    price = Price(table, [], branches)
    whole = price.total
    saved = price.saved(branches[0].name, 0)
    assert saved > EACH
    price.take(branches[0].name, 0)
    assert price.total == pytest.approx(whole - saved)
    price.take(branches[0].name, 1)
    assert price.total == pytest.approx(whole)
