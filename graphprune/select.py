"""Choose which units of which groups, and which layers, stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import floor

from graphprune.budget import Budget, budget_of, reach, spread
from graphprune.choice import (
    LAYERS,
    Choice,
    Numbers,
    candidates,
    open_layers,
    plan_of,
    what_to_do,
    why_nothing,
)
from graphprune.errors import Refused, Usage
from graphprune.plan import Plan
from graphprune.sensitivity import Sensitivity
from graphprune.solution import Solution

__all__ = ["Choice", "candidates", "select"]


def select(
    solution: Solution,
    scores: Mapping[str, Numbers],
    choice: Choice,
    sensitivities: Mapping[str, Sensitivity] | None = None,
    budget: Budget | None = None,
) -> Plan:
    """Choose the units that stay.

    Args:
        solution: the groups.
        scores: importance by group name, one number per unit; the lowest go first. Scores of different
            groups are compared where the scope is not local.
        choice: how to choose.
        sensitivities: what was measured of groups and layers, by name.
        budget: what the plan may cost, in place of what the target of `choice` says.

    Raises:
        Negative: the target cannot be reached.
        Refused: nothing can be pruned.
        Usage: options that do not go together.
    """
    groups = candidates(solution, choice)
    spreads = choice.scope == "sensitivity" or (choice.scope == "auto" and bool(choice.target))
    if spreads and sensitivities is not None:
        return spread(
            solution, groups, scores, choice, sensitivities, budget or budget_of(solution, choice.target)
        )
    if choice.scope == "sensitivity":
        raise Usage("scope sensitivity needs measurements", "give calibration data with --data")
    gone = _layers(solution, scores, choice) if LAYERS in choice.only else ()
    if not groups and not gone:
        raise Refused("nothing can be pruned: " + why_nothing(solution, choice), what_to_do(solution))
    if choice.target:
        return reach(groups, scores, choice, budget or budget_of(solution, choice.target))
    return replace(plan_of(groups, scores, choice), layers=gone)


def _layers(solution: Solution, scores: Mapping[str, Numbers], choice: Choice) -> tuple[str, ...]:
    """Return the layers that go at the ratio: those that change least what passes them."""
    open_ = open_layers(solution, choice)
    names = [layer.name for layer in open_ if layer.name in scores]
    if choice.target:
        raise Usage("a target with layers needs measurements", "give calibration data with --data")
    if not names and open_:
        raise Usage("layers are judged by what they do on data", "give calibration data with --data")
    most = floor(len(names) * min(choice.ratio, choice.max_ratio) + 1e-9)
    falling = sorted(names, key=lambda name: float(scores[name][0]))
    out = set(falling[:most])
    return tuple(name for name in names if name in out)
