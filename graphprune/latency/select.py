"""Units chosen so that the model is as fast as a target asks."""

from __future__ import annotations

from collections.abc import Mapping

from graphprune.backends import backend
from graphprune.choice import Choice, Numbers, candidates, open_layers
from graphprune.latency.latencies import Latencies
from graphprune.latency.meet import Met, Search, meet
from graphprune.latency.steps import steps_of
from graphprune.model import Model
from graphprune.progress import Tell
from graphprune.select import select
from graphprune.sensitivity import Sensitivity
from graphprune.solution import Solution
from graphprune.target import LatencyTarget


def select_for(
    target: LatencyTarget,
    model: Model,
    solution: Solution,
    scores: Mapping[str, Numbers],
    choice: Choice,
    sensitivities: Mapping[str, Sensitivity] | None,
    known: Latencies,
    tell: Tell | None = None,
) -> Met:
    """Choose the units that stay, so that the measured latency meets the target.

    With sensitivities, where this adds least to the error of the outputs; else at the smallest ratio.

    Args:
        target: what is to be met.
        model: the model.
        solution: its groups.
        scores: importance by group name.
        choice: how to choose.
        sensitivities: what was measured of groups and layers, by name.
        known: what the model takes at several widths.
        tell: is told of the progress.

    Raises:
        Negative: the target cannot be reached.
        Refused: nothing can be pruned.
    """
    names = [group.name for group in candidates(solution, choice)]
    steps = steps_of(solution, known.times, names, open_layers(solution, choice))
    runner = backend(known.backend)
    search = Search(
        model, solution, names, runner, known.setup, known.feeds, steps, known.samples, target, choice.target
    )
    return meet(search, lambda budget: select(solution, scores, choice, sensitivities, budget), tell)
