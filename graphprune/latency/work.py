"""What a step of a runtime has to do, by how many units the groups keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from graphprune.axes import Axis, counted, find, leaves
from graphprune.cost import Count, macs_of
from graphprune.solution import Applied, Solution

Numbers = NDArray[np.float64]
PARTS = 6


class Work:
    """Counts the work of operators at other widths than the model has.

    Args:
        solution: the model's axes.
        names: the groups that may lose units.
        tile: channels that the device works on at a time; a dimension that is cut counts as so many full
            tiles in the padded counts.
    """

    def __init__(self, solution: Solution, names: Sequence[str], tile: int) -> None:
        self._leaf = {id(find(solution.group(name).axis)): name for name in names}
        self._tile = tile
        self._cut: dict[int, bool] = {}

    def of(self, nodes: Sequence[Applied], kept: Mapping[str, int]) -> Numbers:
        """Return the parts that the time of a step may grow with: [PARTS].

        They are one, MACs, MACs where the channels that are made come in full tiles, MACs where all do,
        elements made, in full tiles, and elements read.
        """

        def plain(axis: Axis) -> int:
            return self._count(axis, kept)

        def padded(axis: Axis) -> int:
            count = self._count(axis, kept)
            return ceil(count / self._tile) * self._tile if self._is_cut(axis) else count

        macs = wide = tiles = made = given = 0
        for applied in nodes:
            macs += macs_of(applied, plain)
            wide += macs_of(applied, _where(_results(applied), padded, plain))
            tiles += macs_of(applied, padded)
            made += sum(prod(padded(axis) for axis in axes) for axes in applied.outputs if axes)
            given += sum(prod(plain(axis) for axis in axes) for axes in applied.inputs if axes)
        return np.array([1.0, macs, wide, tiles, made, given])

    def _is_cut(self, axis: Axis) -> bool:
        if id(axis) not in self._cut:
            self._cut[id(axis)] = any(id(leaf) in self._leaf for leaf in leaves(axis))
        return self._cut[id(axis)]

    def _count(self, axis: Axis, kept: Mapping[str, int]) -> int:
        def count(leaf: Axis) -> int:
            name = self._leaf.get(id(leaf))
            return kept[name] if name is not None else leaf.size

        return counted(axis, count)


def _results(applied: Applied) -> set[int]:
    return {id(find(axis)) for axes in applied.outputs for axis in axes or ()}


def _where(chosen: Collection[int], then: Count, otherwise: Count) -> Count:
    return lambda axis: (then if id(find(axis)) in chosen else otherwise)(axis)
