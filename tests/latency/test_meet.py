"""A target of latency is met on the device, not in the table."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from graphprune.backends import Setup
from graphprune.budget import Budget, reach
from graphprune.choice import candidates, plan_of
from graphprune.cut import cut
from graphprune.errors import Negative
from graphprune.latency import pair
from graphprune.latency.meet import ATTEMPTS, Met, Search, budget, meet, predicted, same
from graphprune.latency.samples import sampled, widths
from graphprune.latency.steps import steps_of
from graphprune.latency.table import fit
from graphprune.plan import Plan
from graphprune.profiling.paired import Rounds
from graphprune.target import LatencyTarget
from tests.latency.device import Tiled
from tests.latency.networks import CHOICE, network
from tests.latency.test_table import FEEDS, choices


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device's clock is its own: nothing is gained by waiting."""
    monkeypatch.setattr(pair, "_ROUNDS", Rounds(warmup=0.0, duration=0.0, rounds=8, longest=0.0))


def search(device: Tiled, share: float, *, off: float = 1.0, seconds: float | None = None) -> Search:
    """A search whose table is off by a factor, as far as the widths go."""
    model, solution, groups = network()
    names = [group.name for group in groups]
    samples = sampled(model, solution, groups, widths(groups, choices(groups)), device, FEEDS, Setup())
    with device.open(model, FEEDS, Setup()) as running:
        steps = steps_of(solution, running.layers(1), names)
    known = [samples[0]] + [
        replace(each, total=each.total * off, steps={key: took * off for key, took in each.steps.items()})
        for each in samples[1:]
    ]
    target = LatencyTarget(None if seconds else share, seconds, "ort:cpu")
    return Search(model, solution, names, device, Setup(), FEEDS, steps, known, target, f"latency={share}x")


def met(search: Search, max_ratio: float = 1.0) -> Met:
    groups = candidates(search.solution, CHOICE)
    scores = {group.name: np.arange(group.size, dtype=np.float64) for group in groups}
    choice = replace(CHOICE, max_ratio=max_ratio, min_units=8)
    return meet(search, lambda limit: reach(groups, scores, choice, limit))


def share(search: Search, plan: Plan) -> float:
    with (
        search.runner.open(search.model, FEEDS, Setup()) as first,
        search.runner.open(cut(search.model, search.solution, plan).model, FEEDS, Setup()) as second,
    ):
        return float(second.time(1)[0] / first.time(1)[0])


@pytest.mark.parametrize("tile", [1, 8])
@pytest.mark.parametrize("wanted", [0.8, 0.7, 0.5])
@pytest.mark.parametrize("off", [1.0, 0.7, 1.3], ids=["right", "hopeful", "gloomy"])
def test_the_target_is_met_and_hardly_more_whatever_the_table_said(
    tile: int, wanted: float, off: float
) -> None:
    job = search(Tiled(tile), wanted, off=off)
    found = met(job)
    assert 0.93 * wanted <= share(job, found.found.plan) <= wanted
    assert found.found.measured.ratio == pytest.approx(share(job, found.found.plan))


def test_what_is_measured_with_noise_is_met_as_well() -> None:
    job = search(Tiled(8, noise=0.05), 0.7)
    assert 0.66 <= share(search(Tiled(8), 0.7), met(job).found.plan) <= 0.7


def test_seconds_are_a_target_too() -> None:
    device = Tiled(8)
    job = search(device, 1.0)
    with device.open(job.model, FEEDS, Setup()) as running:
        whole = float(running.time(1)[0])
    job = search(device, 1.0, seconds=0.6 * whole)
    assert 0.56 <= share(job, met(job).found.plan) <= 0.6


def test_a_target_that_cannot_be_reached_is_refused_with_what_was_measured() -> None:
    with pytest.raises(
        Negative, match=r"latency=0.2x cannot be reached: the fastest of \d+ models"
    ) as refused:
        met(search(Tiled(8), 0.2), max_ratio=0.25)
    assert "--max-ratio" in refused.value.hint


def test_steps_that_are_coarse_end_at_the_slowest_that_is_fast_enough() -> None:
    """With tiles of 64 there is nothing between half of a wide group and all of it."""
    job = search(Tiled(64), 0.8)
    found = met(job)
    assert len(found.attempts) <= ATTEMPTS
    assert found.found.measured.ratio == max(
        each.measured.ratio for each in found.attempts if each.measured.ratio <= 0.8
    )


def test_every_attempt_is_told() -> None:
    found = met(search(Tiled(8), 0.7, off=0.6))
    told = cast("list[dict[str, object]]", found.to_dict()["attempts"])
    assert len(told) == len(found.attempts)
    assert [each["chosen"] for each in told].count(True) == 1
    assert all(set(cast("dict[str, float]", each["measured"])) == {"ratio", "low", "high"} for each in told)


def test_a_width_that_is_no_faster_is_not_taken() -> None:
    """Tiles of 32: 40 channels take what 64 take."""
    job = search(Tiled(32), 0.7)
    from graphprune.allocate import Curve, worthwhile

    table = fit(job.solution, job.names, job.steps, job.samples)
    limit: Budget = budget(table, "latency=0.7x", 0.7)
    price = limit.price(job.names, ())
    for name in job.names:
        size = job.solution.group(name).size
        keeps = list(range(size, 7, -8))
        left = worthwhile(price, Curve(name, keeps, [float(size - keep) for keep in keeps])).keeps
        made = [place for place in job.solution.group(name).places if place.role == "out"]
        assert left[0] == size
        assert made
        assert len(left) < len(keeps) or any(place.role == "in" for place in job.solution.group(name).places)


def test_two_plans_of_the_same_sizes_are_one() -> None:
    groups = network()[2]
    size = groups[0].size
    first = {groups[0].name: np.arange(8, dtype=np.int64)}
    second = {groups[0].name: np.arange(8, 16, dtype=np.int64)}
    sizes = {groups[0].name: size}
    assert same(Plan(first, sizes), Plan(second, sizes))
    assert not same(Plan(first, sizes), Plan({groups[0].name: np.arange(9, dtype=np.int64)}, sizes))
    assert not same(Plan(first, sizes), Plan(first, sizes, ("a layer",)))


def test_what_is_predicted_is_a_share_of_the_whole() -> None:
    job = search(Tiled(8), 0.7)
    table = fit(job.solution, job.names, job.steps, job.samples)
    groups = candidates(job.solution, CHOICE)
    scores = {group.name: np.zeros(group.size) for group in groups}
    assert predicted(table, Plan({}, {})) == 1
    half = plan_of(groups, scores, replace(CHOICE, target="", ratio=0.5))
    assert predicted(table, half) == pytest.approx(share(job, half), rel=0.01)
