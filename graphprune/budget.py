"""A budget of cost, and the plan that meets it: one ratio for all groups, or each as far as it bears it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from graphprune.allocate import Curve, Price, Pricing, allocate, levels, worthwhile
from graphprune.choice import Choice, most, open_layers, plan_of, rounded
from graphprune.cost import cost
from graphprune.errors import Negative, Refused
from graphprune.groups import Group
from graphprune.layers import Layer
from graphprune.plan import Plan
from graphprune.ranking import kept, prices
from graphprune.solution import Solution
from graphprune.target import read_target

if TYPE_CHECKING:
    from graphprune.sensitivity import Sensitivity

Numbers = NDArray[np.float64]
_TRIES = 4


@dataclass(frozen=True)
class Budget:
    """What a plan may cost.

    Attributes:
        name: the target, as the user wrote it.
        before: what the model costs as it is.
        limit: what it may cost.
        measure: tells what it costs under a plan.
        price: makes what prices groups, by name, and layers.
        stairs: whether more units may cost no more.
        strict: whether a plan that costs more is refused; else the cheapest will do.
    """

    name: str
    before: float
    limit: float
    measure: Callable[[Plan], float]
    price: Callable[[Sequence[str], Sequence[Layer]], Pricing]
    stairs: bool = False
    strict: bool = True


def budget_of(solution: Solution, target: str) -> Budget:
    """Return the budget that a target of MACs, parameters or bytes sets."""
    before = cost(solution)
    measure, limit, what = read_target(target, before)
    return Budget(
        target,
        measure(before),
        limit,
        lambda plan: measure(cost(solution, plan)),
        lambda names, layers: Price(solution, what, names, layers),
    )


def reach(groups: Sequence[Group], scores: Mapping[str, Numbers], choice: Choice, budget: Budget) -> Plan:
    """Find the smallest ratio whose plan meets the budget, by bisection.

    Raises:
        Negative: there is none.
    """

    def at(ratio: float) -> tuple[Plan, float]:
        plan = plan_of(groups, scores, replace(choice, ratio=ratio, target=""))
        return plan, budget.measure(plan)

    plan, reached = at(choice.max_ratio)
    if reached > budget.limit:
        if not budget.strict:
            return plan
        raise _unreachable(budget, reached)
    low, high = 0.0, choice.max_ratio
    generous, _ = at(low)
    for _ in range(24):
        middle = (low + high) / 2
        candidate, price = at(middle)
        if price <= budget.limit:
            high, plan = middle, candidate
        else:
            low, generous = middle, candidate
    return _give_back(plan, generous, groups, lambda plan: budget.measure(plan) <= budget.limit)


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
    budget: Budget,
) -> Plan:
    """Meet the budget where it adds least to the error of the outputs, as it was measured.

    Groups that were not measured keep all their units.

    Raises:
        Negative: the target cannot be reached.
        Refused: nothing can be pruned.
    """
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
    if budget.stairs:
        price = budget.price(names, whole)
        curves = [worthwhile(price, curve) for curve in curves]
    aim, reached = budget.limit, 0.0
    for _ in range(_TRIES):
        price = budget.price(names, whole)
        plan = _planned(allocate(price, curves, aim * price.total / budget.before), scores, solution)
        reached = budget.measure(plan)
        if reached <= budget.limit or not budget.strict:
            return plan
        # What is shared between operators is priced once; where that misleads, aim lower.
        aim *= 0.999 * budget.limit / reached
    raise _unreachable(budget, reached)


def _unreachable(budget: Budget, reached: float) -> Negative:
    return Negative(
        f"target {budget.name} cannot be reached: with every group cut as far as it may be, "
        f"{_shown(reached)} remain of {_shown(budget.before)}; the limit is {_shown(budget.limit)}",
        "allow more with --max-ratio, --only or --min-units",
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


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
