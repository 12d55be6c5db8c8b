"""A model timed at several widths of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphprune.backends import Backend, Numbers, Running, Setup, undisturbed
from graphprune.cut import cut
from graphprune.feeds import Feeds
from graphprune.groups import Group
from graphprune.latency.steps import Key
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.progress import Tell
from graphprune.solution import Solution

_RUNS, _MOST_RUNS = 15, 300
_WHOLE = 2
"""Samples of the whole model: all shares are of what it takes."""
_EIGHTHS = (7, 6, 5, 4, 3, 2, 1)
_DRAWN = 14
_SECONDS = 0.15
"""That each sample is timed for, with a few runs at the least."""


@dataclass(frozen=True)
class Sample:
    """A model with some of its units gone, timed.

    Attributes:
        kept: how many units each group keeps.
        total: the seconds of an inference that nothing disturbs.
        steps: seconds of each step that makes tensors of the model.
    """

    kept: Mapping[str, int]
    total: float
    steps: Mapping[Key, float]

    @property
    def rest(self) -> float:
        """Seconds of all other steps (`reorder`, copies), together."""
        return self.total - sum(self.steps.values())


def widths(
    groups: Sequence[Group], choices: Mapping[str, Sequence[int]], seed: int = 0
) -> list[dict[str, int]]:
    """Return what each group keeps in each sample: everything, the same share of all, and shares drawn apart.

    The shares of one group fall into all eighths alike (Latin hypercube sampling, McKay, Beckman and Conover
    1979), so that the widths of two groups that meet at an operator are seen in many combinations; within an
    eighth they are drawn, so that tiles of channels are seen that whole eighths would fill.

    Args:
        groups: the groups that may lose units.
        choices: for each, how many units it may keep.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    shares: dict[str, Numbers] = {}
    plans: list[dict[str, int]] = [{group.name: group.size for group in groups}] * _WHOLE
    plans += [{g.name: nearest(choices[g.name], g.size * eighth / 8) for g in groups} for eighth in _EIGHTHS]
    for group in groups:
        eighths = generator.permutation(np.resize(np.arange(8), _DRAWN))
        shares[group.name] = (eighths + generator.random(_DRAWN)) / 8
    for draw in range(_DRAWN):
        plans.append({g.name: nearest(choices[g.name], g.size * shares[g.name][draw]) for g in groups})
    return plans


def nearest(choices: Sequence[int], wanted: float) -> int:
    """Return the choice that comes closest."""
    return min(choices, key=lambda choice: abs(choice - wanted))


def plan_for(groups: Sequence[Group], kept: Mapping[str, int]) -> Plan:
    """Return a plan that keeps these numbers of units: the first ones, since time does not ask which."""
    keep = {
        group.name: np.arange(kept[group.name], dtype=np.int64)
        for group in groups
        if kept[group.name] < group.size
    }
    return Plan(keep, {group.name: group.size for group in groups if group.name in keep})


def sample(running: Running, kept: Mapping[str, int]) -> Sample:
    """Time a model that is loaded: as a whole, and its steps, which are scaled to the whole."""
    once = float(np.median(running.time(3)))
    runs = max(_RUNS, min(_MOST_RUNS, round(_SECONDS / once)))
    total = undisturbed(running.time(runs))
    layers = running.layers(runs)
    inside = sum(each.seconds for each in layers)
    scale = min(1.0, total / inside) if inside else 0.0
    steps: dict[Key, float] = {}
    for each in layers:
        if each.outputs:
            steps[each.outputs] = steps.get(each.outputs, 0.0) + each.seconds * scale
    return Sample(dict(kept), total, steps)


def sampled(
    model: Model,
    solution: Solution,
    groups: Sequence[Group],
    plans: Sequence[Mapping[str, int]],
    runner: Backend,
    feeds: Feeds,
    setup: Setup,
    tell: Tell | None = None,
) -> list[Sample]:
    """Time `model` at each of these widths, one after another, in an order that time does not follow."""
    found: dict[int, Sample] = {}
    order: list[int] = np.random.default_rng(0).permutation(len(plans)).tolist()
    for done, number in enumerate(order):
        smaller = cut(model, solution, plan_for(groups, plans[number])).model
        with runner.open(smaller, feeds, setup) as running:
            found[number] = sample(running, plans[number])
        if tell is not None:
            tell(done + 1, len(plans))
    return [found[number] for number in range(len(plans))]
