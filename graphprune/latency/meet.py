"""A plan whose measured latency meets a target: build, measure, correct the table, and again.

The table says what a plan should take; only a measurement says what it takes. Each candidate is cut, loaded
and timed in pairs against the original. The first one that is measured joins the samples that the table is
fitted to; from then on the aim moves by how far the measurement was off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from graphprune.backends import Backend, Setup
from graphprune.budget import Budget
from graphprune.cut import cut
from graphprune.errors import Negative
from graphprune.feeds import Feeds
from graphprune.latency.pair import Pair, timed
from graphprune.latency.price import Price
from graphprune.latency.samples import Sample, sample
from graphprune.latency.steps import Step
from graphprune.latency.table import Table, fit, kept_by
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.profiling.paired import Interval
from graphprune.progress import Tell
from graphprune.solution import Solution
from graphprune.target import LatencyTarget

Choose = Callable[[Budget], Plan]
"""Returns the plan that meets a budget, or the cheapest where none does."""

ATTEMPTS = 8
_AIM = 0.982
"""What is aimed at, in terms of the limit: a second measurement should find the target met, too."""
_CLOSE = 0.968
"""A plan that takes less than this share of the limit has lost more than it must."""
_SAFE = 0.9925
_NARROW = 0.004
_AGAIN = 3
"""How often the sample of a plan that was tried counts: it lies where the answer is."""


@dataclass(frozen=True)
class Search:
    """What is looked for, and what is known of the device.

    Attributes:
        model: the model.
        solution: its groups.
        names: the groups that may lose units.
        runner: the backend that models are timed with.
        setup: how they run.
        feeds: their inputs.
        steps: the steps that the runtime takes with the whole model.
        samples: what it takes at other widths, the first the whole model.
        target: what is to be met.
        text: as the user wrote it.
    """

    model: Model
    solution: Solution
    names: Sequence[str]
    runner: Backend
    setup: Setup
    feeds: Feeds
    steps: Sequence[Step]
    samples: Sequence[Sample]
    target: LatencyTarget
    text: str


@dataclass(frozen=True, eq=False)
class Attempt:
    """A plan that was tried.

    Attributes:
        plan: the plan.
        predicted: its share of the original's latency, as the table said.
        pair: how it was measured beside the original.
    """

    plan: Plan
    predicted: float
    pair: Pair

    @property
    def measured(self) -> Interval:
        """Its share of the original's latency, as it was measured."""
        return self.pair.interval


@dataclass(frozen=True)
class Met:
    """The plan that was found, and all that were tried.

    Attributes:
        found: the attempt that is the answer.
        attempts: all of them, in order.
        tile: channels that the device works on at a time, as the table has it.
    """

    found: Attempt
    attempts: tuple[Attempt, ...]
    tile: int

    def to_dict(self) -> dict[str, object]:
        """What is kept in the record of a run: JSON values."""
        return {
            "tile": self.tile,
            "attempts": [
                {"predicted": each.predicted, "measured": asdict(each.measured), "chosen": each is self.found}
                for each in self.attempts
            ],
        }


def meet(search: Search, choose: Choose, tell: Tell | None = None) -> Met:
    """Find a plan that is as fast as the target asks, and hardly faster.

    Args:
        search: the model and the target.
        choose: finds a plan for a budget of predicted seconds.
        tell: is told of the progress.

    Raises:
        Negative: the target cannot be reached.
    """
    table = fit(search.solution, search.names, search.steps, search.samples)
    aim, low, high = _AIM, 0.0, np.inf
    tried: list[Attempt] = []
    for number in range(ATTEMPTS):
        plan = choose(budget(table, search.text, aim * search.target.limit(table.full)))
        known = next((each for each in tried if same(each.plan, plan)), None)
        if known is None:
            known = attempt(search, table, plan)
            tried.append(known)
        if tell is not None:
            tell(number + 1, ATTEMPTS)
        share = _share(search, known)
        if _CLOSE <= share <= _SAFE:
            # Among several attempts one may look better than it is.
            again = _twice(known, attempt(search, table, plan))
            tried[tried.index(known)] = again
            if _CLOSE <= _share(search, again) <= (1 + _SAFE) / 2:
                return Met(again, tuple(tried), table.tile)
            share = _share(search, again)
        if number == 0:
            more = [sample_of(search, plan)] * _AGAIN if not plan.layers else []
            table = fit(search.solution, search.names, search.steps, [*search.samples, *more])
        here = predicted(table, plan) / search.target.limit(table.full)
        low, high = (max(low, here), high) if share <= 1 else (low, min(high, here))
        aim = here * _AIM / share
        if not low < aim < high:
            aim = (low + high) / 2
        if not np.isfinite(aim) or high - low < _NARROW:
            break
    return Met(_best(search, tried), tuple(tried), table.tile)


def budget(table: Table, name: str, share: float) -> Budget:
    """Return the budget of predicted seconds that a share of the original's latency is."""
    return Budget(
        name,
        table.whole,
        share * table.whole,
        table.seconds_under,
        lambda names, layers: Price(table, names, layers),
        stairs=True,
        strict=False,
    )


def predicted(table: Table, plan: Plan) -> float:
    """Return the share of the original's latency that a plan should take."""
    return table.seconds_under(plan) / table.whole


def attempt(search: Search, table: Table, plan: Plan) -> Attempt:
    """Carry out a plan and time the smaller model beside the original."""
    smaller = cut(search.model, search.solution, plan).model
    pair = timed(search.runner, search.setup, search.feeds, search.model, smaller)
    return Attempt(plan, predicted(table, plan), pair)


def sample_of(search: Search, plan: Plan) -> Sample:
    """Carry out a plan and time the steps of the smaller model."""
    smaller = cut(search.model, search.solution, plan).model
    with search.runner.open(smaller, search.feeds, search.setup) as running:
        return sample(running, kept_by(search.solution, search.names, plan))


def same(first: Plan, second: Plan) -> bool:
    """Whether two plans leave models of the same sizes."""
    return set(first.layers) == set(second.layers) and (
        {name: index.shape for name, index in first.keep.items()}
        == {name: index.shape for name, index in second.keep.items()}
    )


def _share(search: Search, tried: Attempt) -> float:
    """Return what an attempt takes in terms of what it may take."""
    return tried.measured.ratio / search.target.limit(tried.pair.seconds[0])


def _twice(first: Attempt, second: Attempt) -> Attempt:
    ratios = np.concatenate([first.pair.ratios, second.pair.ratios])
    return replace(first, pair=Pair(first.pair.seconds, ratios))


def _best(search: Search, tried: Sequence[Attempt]) -> Attempt:
    """Return the slowest attempt that meets the target.

    Raises:
        Negative: none does.
    """
    met = [each for each in tried if _share(search, each) <= 1]
    if met:
        return max(met, key=lambda each: _share(search, each))
    closest = min(tried, key=lambda each: _share(search, each))
    reached = closest.measured
    raise Negative(
        f"target {search.text} cannot be reached: the fastest of {len(tried)} models that were built takes "
        f"{reached.ratio:.3f} of the original's time ({reached.low:.3f} to {reached.high:.3f})",
        "allow more with --max-ratio, --only or --min-units",
    )
