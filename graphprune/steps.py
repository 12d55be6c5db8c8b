"""Pruning in steps: the smaller model becomes the model, and in the end all plans become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphprune.fitting.statistics import Statistics
from graphprune.layers import layers
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.positions import Index
from graphprune.solution import Solution


@dataclass(frozen=True)
class Step:
    """One step that was taken.

    Attributes:
        model: the model that it began with.
        solution: its axes and groups.
        statistics: what its operators' inputs look like.
        plan: what was kept of it.
    """

    model: Model
    solution: Solution
    statistics: Statistics
    plan: Plan


def composed(solution: Solution, plans: Sequence[Plan]) -> Plan:
    """Return the plan for the first model that does what these plans do one after another.

    Args:
        solution: the first model's groups.
        plans: the plan for it, that for what came of it, and so on. Groups keep their names in a smaller
            model; one that is not found in the first with as many units as it should have is left as it was.
    """
    keep: dict[str, Index] = {}
    gone: dict[str, None] = {}
    known = {layer.name for layer in layers(solution)}
    for plan in plans:
        for name, index in plan.keep.items():
            group = solution.by_name.get(name)
            if group is None or not group.prunable:
                continue
            after = _after(keep.get(name, np.arange(group.size)), index, plan.sizes[name])
            if after is not None:
                keep[name] = after
        gone.update(dict.fromkeys(name for name in plan.layers if name in known))
    return Plan(keep, _sizes(solution, keep), tuple(gone))


def _after(before: Index, index: Index, size: int) -> Index | None:
    """Return the units of `before` that `index` keeps, or None where they are not `size`.

    Either may be [blocks, units]; blocks that went on the way cannot be followed.
    """
    if before.shape[-1] != size:
        return None
    if index.ndim == 1:
        return before[..., index]
    if before.ndim == 1:
        return before[index]
    return np.take_along_axis(before, index, axis=1) if len(before) == len(index) else None


def _sizes(solution: Solution, names: Mapping[str, object]) -> dict[str, int]:
    return {name: solution.group(name).size for name in names}
