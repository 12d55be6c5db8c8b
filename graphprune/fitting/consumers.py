"""Which linear operators sum over which groups: where the loss of a unit is felt and made up for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphprune.axes import Axis, find, leaves
from graphprune.fitting.linear import Linear, linears
from graphprune.positions import Index, units

if TYPE_CHECKING:
    from graphprune.bind import Axes
    from graphprune.solution import Solution


@dataclass(frozen=True, eq=False)
class Use:
    """One linear operator that sums over the units of a group.

    Attributes:
        number: the position of the operator in the graph.
        it: the operator.
        units: for each column of X the unit that it belongs to, or -1; int64, [blocks, columns].
        outer: where the group's units are chosen block by block, the block that each column belongs to; None
            where they are not, or where the columns do not tell.
    """

    number: int
    it: Linear
    units: Index
    outer: Index | None = None


def uses(solution: Solution) -> dict[str, tuple[Use, ...]]:
    """Return, for each group that may be pruned, the linear operators that sum over its units.

    An operator that carries the units through to its results, as a depthwise convolution does, sums over
    none of them; a group that only such operators read is not in the result.
    """
    group_of = {id(find(group.axis)): group.name for group in solution.groups if group.prunable}
    found: dict[str, list[Use]] = {}
    for number, it in linears(solution.graph):
        applied = solution.nodes[number]
        fed, made = applied.inputs[it.feed], applied.outputs[0]
        if fed is None or made is None:
            continue
        axis = along(fed, it.feed_dim)
        carried = {id(find(leaf)) for leaf in leaves(along(made, it.target_dim))}
        inside = {id(find(leaf)): leaf for leaf in leaves(axis)}
        for key, leaf in inside.items():
            name = group_of.get(key)
            if name is not None and key not in carried:
                lie = units(axis, leaf).reshape(it.blocks, it.channels)
                outer = block_of(solution, name, axis)
                if outer is not None:
                    outer = np.repeat(outer.reshape(it.blocks, it.channels), it.taps, axis=1)
                found.setdefault(name, []).append(Use(number, it, np.repeat(lie, it.taps, axis=1), outer))
    return {name: tuple(items) for name, items in found.items()}


def block_of(solution: Solution, name: str, axis: Axis) -> Index | None:
    """Return for each position of a dimension the block of the group that it belongs to, if it tells."""
    held = solution.blocks[name]
    if isinstance(held, str):
        return None
    outer = {id(find(leaf)): leaf for leaf in leaves(axis)}.get(id(find(held.outer)))
    return None if outer is None else units(axis, outer)


def along(axes: Axes, dim: int) -> Axis:
    """Return the axis of a dimension that may be counted from the end."""
    return list(axes)[dim]
