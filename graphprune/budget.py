"""A budget of cost, and the plan that meets it: one ratio for all groups, or each as far as it bears it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphprune.allocate import Curve, Price, allocate, levels
from graphprune.choice import Choice, most, open_layers, plan_of, rounded
from graphprune.cost import cost
from graphprune.errors import Negative, Refused
from graphprune.groups import Group
from graphprune.plan import Plan
from graphprune.ranking import kept, prices
from graphprune.solution import Solution
from graphprune.target import read_target

if TYPE_CHECKING:
    from graphprune.sensitivity import Sensitivity

Numbers = NDArray[np.float64]
_TRIES = 4


def reach(solution: Solution, groups: Sequence[Group], scores: Mapping[str, Numbers], choice: Choice) -> Plan:
    """Find the smallest ratio whose plan meets the target, by bisection."""
    before = cost(solution)
    measure, limit, _ = read_target(choice.target, before)

    def at(ratio: float) -> tuple[Plan, int]:
        plan = plan_of(groups, scores, replace(choice, ratio=ratio, target=""))
        return plan, measure(cost(solution, plan))

    plan, reached = at(choice.max_ratio)
    if reached > limit:
        raise _unreachable(choice, reached, measure(before), limit)
    low, high = 0.0, choice.max_ratio
    generous, _ = at(low)
    for _ in range(24):
        middle = (low + high) / 2
        candidate, price = at(middle)
        if price <= limit:
            high, plan = middle, candidate
        else:
            low, generous = middle, candidate
    return _give_back(plan, generous, groups, lambda plan: measure(cost(solution, plan)) <= limit)


def _give_back(
    plan: Plan, generous: Plan, groups: Sequence[Group], fits: Callable[[Plan], bool], most: int = 100
) -> Plan:
    """Let groups keep what the next smaller ratio leaves them, one after another, as long as the plan fits.

    Whole units make the cost a staircase in the ratio; this climbs the last step group by group, those that
    lost the largest share first. At most `most` groups are tried.
    """

    def kept(group: Group, source: Plan) -> int:
        return source.keep[group.name].shape[-1] if group.name in source.keep else group.size

    open_groups = [group for group in groups if kept(group, generous) > kept(group, plan)]
    for group in sorted(open_groups, key=lambda group: kept(group, plan) / group.size)[:most]:
        keep = {**plan.keep}
        if group.name in generous.keep:
            keep[group.name] = generous.keep[group.name]
        else:
            keep.pop(group.name, None)
        candidate = Plan(keep, {name: plan.sizes[name] for name in keep})
        if fits(candidate):
            plan = candidate
    return plan


def spread(
    solution: Solution,
    groups: Sequence[Group],
    scores: Mapping[str, Numbers],
    choice: Choice,
    sensitivities: Mapping[str, Sensitivity],
) -> Plan:
    """Meet the target where it adds least to the error of the outputs, as it was measured.

    Groups that were not measured keep all their units.

    Raises:
        Negative: the target cannot be reached.
        Refused: nothing can be pruned.
    """
    before = cost(solution)
    measure, limit, what = read_target(choice.target, before)
    curves = [
        _curve(group, scores[group.name], sensitivities[group.name].errors, choice)
        for group in groups
        if group.name in sensitivities and sensitivities[group.name].errors
    ]
    names = [curve.name for curve in curves]
    whole = [layer for layer in open_layers(solution, choice) if layer.name in sensitivities]
    curves += [Curve(each.name, (1, 0), (0.0, sensitivities[each.name].errors[1.0])) for each in whole]
    if not curves:
        raise Refused("nothing can be pruned: no group was measured", "see `graphprune inspect MODEL`")
    aim, reached = limit, 0
    for _ in range(_TRIES):
        price = Price(solution, what, names, whole)
        plan = _planned(allocate(price, curves, aim * price.total / measure(before)), scores, solution)
        reached = measure(cost(solution, plan))
        if reached <= limit:
            return plan
        # What is shared between operators is priced once; where that misleads, aim lower.
        aim *= 0.999 * limit / reached
    raise _unreachable(choice, reached, measure(before), limit)


def _unreachable(choice: Choice, reached: int, before: int, limit: float) -> Negative:
    return Negative(
        f"target {choice.target} cannot be reached: with every group cut as far as it may be, "
        f"{reached:,} remain of {before:,}; the limit is {limit:,.0f}",
        "allow more with --max-ratio, --only or --min-units",
    )


def _curve(group: Group, scores: Numbers, measured: Mapping[float, float], choice: Choice) -> Curve:
    errors = levels(np.cumsum(prices(scores)), measured, group.size)
    least = rounded(group, group.size - most(group, choice), choice)
    keeps = [stay for stay in range(group.size, least - 1, -1) if rounded(group, stay, choice) == stay]
    keeps = keeps if keeps[:1] == [group.size] else [group.size, *keeps]
    return Curve(group.name, tuple(keeps), tuple(float(errors[group.size - stay]) for stay in keeps))


def _planned(stays: Mapping[str, int], scores: Mapping[str, Numbers], solution: Solution) -> Plan:
    keep: dict[str, NDArray[np.int64]] = {}
    gone: list[str] = []
    for name, stay in stays.items():
        if name not in scores:
            gone.append(name)
        else:
            keep[name] = kept(scores[name], stay)
    return Plan(keep, {name: solution.group(name).size for name in keep}, tuple(gone))
