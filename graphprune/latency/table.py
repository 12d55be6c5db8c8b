"""The latency table of a model: what each step takes on a device, by how many units the groups keep.

A step's time is a sum of parts that grow with what it has to do: its MACs, its MACs in full tiles of
channels, the elements it makes and reads, and a part that is always there. The parts' weights are fitted to
the times that were measured, and are never negative. Tiles make it the staircase that devices show, whose
steps HALP (Shen et al. 2022, *Structural Pruning via Latency-Saliency Knapsack*) groups channels by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from graphprune.latency.samples import Sample
from graphprune.latency.steps import Step
from graphprune.latency.work import PARTS, Numbers, Work
from graphprune.plan import Plan
from graphprune.solution import Solution

TILES = (1, 4, 8, 16, 32, 64)
"""Channels that a device may work on at a time."""
_NOTHING = 1e-9
_FLOOR = 0.1
"""Times below this share of a step's longest weigh no more than that: they are mostly noise."""


@dataclass(frozen=True)
class Table:
    """What a model takes at other widths.

    Attributes:
        solution: the model's groups.
        names: the groups that may lose units.
        steps: the steps that a runtime takes, each of which some groups touch or none.
        weights: seconds for each part of each step's work, whose unit is that of the whole model: [steps,
            PARTS].
        rest: seconds that are always there, and the share of the steps' time, for all that is no step.
        tile: channels that the device works on at a time.
        full: seconds of the whole model, as measured.
    """

    solution: Solution
    names: tuple[str, ...]
    steps: tuple[Step, ...]
    weights: Numbers
    rest: tuple[float, float]
    tile: int
    full: float

    @cached_property
    def work(self) -> Work:
        """What counts the work of the steps."""
        return Work(self.solution, self.names, self.tile)

    @cached_property
    def _whole_work(self) -> Numbers:
        kept = {name: self.solution.group(name).size for name in self.names}
        work: Numbers = np.array([_work(self.work, self.solution, step, kept) for step in self.steps])
        return np.maximum(work, 1.0)

    @cached_property
    def whole(self) -> float:
        """Seconds of the whole model, as the table has it: shares that it predicts are of these."""
        return self.seconds({name: self.solution.group(name).size for name in self.names})

    def seconds_of(self, number: int, kept: Mapping[str, int], gone: Collection[str] = ()) -> float:
        """Return what step `number` takes, with its share of the rest."""
        step = self.steps[number]
        if any(name in gone for name in step.layers):
            return 0.0
        parts = _work(self.work, self.solution, step, kept) / self._whole_work[number]
        return float(parts @ self.weights[number]) * (1 + self.rest[1])

    def seconds(self, kept: Mapping[str, int], gone: Collection[str] = ()) -> float:
        """Return what an inference takes.

        Args:
            kept: how many units each of `names` keeps.
            gone: the residual branches that are out.
        """
        return self.rest[0] + sum(self.seconds_of(number, kept, gone) for number in range(len(self.steps)))

    def seconds_under(self, plan: Plan) -> float:
        """Return what an inference takes under a plan."""
        return self.seconds(kept_by(self.solution, self.names, plan), plan.layers)


def kept_by(solution: Solution, names: Sequence[str], plan: Plan) -> dict[str, int]:
    """Return how many units each group keeps under a plan."""
    sizes = {name: solution.group(name).size for name in names}
    return {name: plan.keep[name].shape[-1] if name in plan.keep else size for name, size in sizes.items()}


def fit(solution: Solution, names: Sequence[str], steps: Sequence[Step], samples: Sequence[Sample]) -> Table:
    """Return the table that explains the samples best.

    Where the runtime tells nothing of its steps, every operator counts as one, and all have the same weights.

    Args:
        solution: the model's groups.
        names: the groups that may lose units.
        steps: the steps of the whole model.
        samples: the first of the whole model; later ones of the same widths count as well.
    """
    whole = samples[0].total
    if not steps:
        return _of_totals(solution, tuple(names), samples)
    times = np.array([[each.steps.get(step.key, np.nan) for step in steps] for each in samples])
    found: tuple[float, int, Numbers] | None = None
    for tile in TILES:
        work = Work(solution, names, tile)
        weights = np.zeros((len(steps), PARTS))
        error = 0.0
        for number, step in enumerate(steps):
            parts = np.array([_work(work, solution, step, each.kept) for each in samples])
            weights[number], apart = _weights(parts / np.maximum(parts[0], 1.0), times[:, number])
            error += apart
        # Larger tiles must explain more than chance does.
        if found is None or error < 0.98 * found[0] - _NOTHING * float(np.nansum(np.square(times))):
            found = error, tile, weights
    assert found is not None
    inside = np.nansum(times, axis=1)
    others = np.array([each.total for each in samples]) - inside
    (fixed, share, *_), _ = _weights(np.column_stack([np.ones_like(inside), inside / inside[0]]), others)
    rest = float(fixed), float(share / inside[0])
    return Table(solution, tuple(names), tuple(steps), found[2], rest, found[1], whole)


def _of_totals(solution: Solution, names: tuple[str, ...], samples: Sequence[Sample]) -> Table:
    steps = tuple(Step((str(n),), (n,), names, ()) for n in range(len(solution.nodes)))
    work = Work(solution, names, 1)
    parts = np.array([[_work(work, solution, step, each.kept) for step in steps] for each in samples])
    parts[:, :, 0] = 1 / len(steps)
    total = np.array([each.total for each in samples])
    whole = parts[0].sum(axis=0)
    weights, _ = _weights(parts.sum(axis=1) / np.maximum(whole, 1.0), total)
    shares = np.maximum(parts[0], 0) / np.maximum(whole, 1.0)
    return Table(solution, names, steps, shares * weights, (0.0, 0.0), 1, samples[0].total)


def _work(work: Work, solution: Solution, step: Step, kept: Mapping[str, int]) -> Numbers:
    return work.of([solution.nodes[number] for number in step.nodes], kept)


def _weights(parts: Numbers, seconds: Numbers) -> tuple[Numbers, float]:
    """Return weights of the parts, none negative, that come closest to the times, and the squared error.

    Least squares in relative terms, over every choice of parts: there are few (Lawson and Hanson 1974,
    chapter 23, find the same without trying all).
    """
    known = np.isfinite(seconds)
    best = np.zeros(parts.shape[1])
    if not known.any() or seconds[known].max() <= 0:
        return best, 0.0
    scale = 1 / np.maximum(seconds[known], _FLOOR * seconds[known].max())
    left, right = parts[known] * scale[:, None], seconds[known] * scale
    least = np.inf
    for count in range(1, parts.shape[1] + 1):
        for chosen in combinations(range(parts.shape[1]), count):
            solved = np.linalg.lstsq(left[:, chosen], right, rcond=None)[0]
            error = float(np.square(left[:, chosen] @ solved - right).sum())
            if (solved >= 0).all() and error < least * (1 - 1e-9):
                least = error
                best = np.zeros(parts.shape[1])
                best[list(chosen)] = solved
    found = parts[known] @ best
    return best, float(np.square(found - seconds[known]).sum())
