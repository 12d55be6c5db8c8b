"""How much every unit of every group matters, judged from the weights alone.

A unit owns a slice of every constant its group lies in: output filters, the next layer's input slices,
norm scales. Per place the entries of a slice are reduced to one number; a place's numbers are divided by
their mean, so that a place with many entries does not drown one with few, and the places are averaged. So
every group has mean 1, which lets groups be ranked against each other.

| by | a unit's number at one place | source |
|---|---|---|
| l1 | sum of absolute values | Li et al. 2017, *Pruning Filters for Efficient ConvNets*, section 3.1 |
| l2 | sum of squares | Fang et al. 2023, *DepGraph*, section 3.3 |
| fpgm | sum of distances to the other units' slices | He et al. 2019, *Geometric Median*, eq. 4 |
| bn | absolute batch-norm scale | Liu et al. 2017, *Network Slimming*, section 3 |
| lamp | the group's l2 number over the sum of those not smaller | Lee et al. 2021, *LAMP*, eq. 4 |
| random | uniform, seeded, by group name | |
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from graphprune.errors import Refused, Usage
from graphprune.importance.reductions import Entries, Numbers, Slices, absolute_sums, distances, squared_sums
from graphprune.ir import label
from graphprune.nearest import did_you_mean
from graphprune.quantised import weight_values

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

    from graphprune.groups import Group, Place
    from graphprune.solution import Solution

Reduce = Callable[[Entries, Sequence[Slices]], list[Numbers]]
Result = tuple[dict[str, Numbers], dict[str, str]]
"""Scores by group name, and notes by group name."""

SCALES = {
    "BatchNormalization": 1,
    "GroupNormalization": 1,
    "InstanceNormalization": 1,
    "LayerNormalization": 1,
    "RMSNormalization": 1,
    "SimplifiedLayerNormalization": 1,
    "SkipLayerNormalization": 2,
    "SkipSimplifiedLayerNormalization": 2,
}
"""The operand of each norm that multiplies a unit."""


@dataclass(frozen=True)
class Scores:
    """One number per unit of every group, by group name; a unit with a higher number matters more.

    `notes` says, by group name, where the criterion did not apply and what was used instead.
    """

    by: str
    values: Mapping[str, Numbers]
    notes: Mapping[str, str] = field(default_factory=dict[str, str])


def score(solution: Solution, by: str = "l2", seed: int = 0) -> Scores:
    """The importance of every unit of every group that may be pruned.

    Raises `Usage` for an unknown criterion, `Refused` where a weight is not a finite number.
    """
    criterion = CRITERIA.get(by)
    if criterion is None:
        raise Usage(f"there is no importance {by}", did_you_mean(by, CRITERIA))
    values, notes = criterion([group for group in solution.groups if group.prunable], seed)
    return Scores(by, values, notes)


def lamp(numbers: Numbers) -> Numbers:
    """Each number over the sum of those not smaller (Lee et al. 2021, eq. 4).

    >>> lamp(np.array([3.0, 1.0, 4.0])).round(3).tolist()
    [0.429, 0.125, 1.0]
    """
    order = np.argsort(numbers, kind="stable")
    above = np.empty_like(numbers)
    above[order] = np.cumsum(numbers[order][::-1])[::-1]
    return np.divide(numbers, above, out=np.zeros_like(numbers), where=above > 0)


def _by_slices(groups: Sequence[Group], reduce: Reduce) -> Result:
    return _averages(groups, reduce, lambda group: _measured(group.places)), {}


def _by_lamp(groups: Sequence[Group], _: int) -> Result:
    values, notes = _by_slices(groups, squared_sums)
    return {name: lamp(numbers) for name, numbers in values.items()}, notes


def _by_batch_norm(groups: Sequence[Group], _: int) -> Result:
    scaled = [group for group in groups if _batch_norm_scales(group)]
    others = [group for group in groups if not _batch_norm_scales(group)]
    values = _averages(scaled, absolute_sums, _batch_norm_scales)
    values |= _by_slices(others, squared_sums)[0]
    return values, {group.name: "it has no batch-norm scale, so l2 is used" for group in others}


def _at_random(groups: Sequence[Group], seed: int) -> Result:
    """Numbers that depend on the seed and the group's name alone, not on which other groups there are."""
    return {
        group.name: np.random.default_rng([seed, zlib.crc32(group.name.encode())]).random(group.size)
        for group in groups
    }, {}


Criterion = Callable[[Sequence["Group"], int], Result]
CRITERIA: Mapping[str, Criterion] = {
    "l2": lambda groups, _: _by_slices(groups, squared_sums),
    "l1": lambda groups, _: _by_slices(groups, absolute_sums),
    "fpgm": lambda groups, _: _by_slices(groups, distances),
    "lamp": _by_lamp,
    "bn": _by_batch_norm,
    "random": _at_random,
}


def _averages(
    groups: Sequence[Group], reduce: Reduce, measured: Callable[[Group], Iterable[Place]]
) -> dict[str, Numbers]:
    """Per group, the numbers of its measured places, each place's divided by their mean, averaged.

    Every constant is read once, for all groups that lie in it.
    """
    lies: dict[int, tuple[gs.Constant, list[tuple[Group, Place]]]] = {}
    for group in groups:
        places = {(id(place.tensor), place.dim): place for place in measured(group)}
        for place in places.values():
            lies.setdefault(id(place.tensor), (place.tensor, []))[1].append((group, place))
    sums = {group.name: np.zeros(group.size) for group in groups}
    for tensor, here in lies.values():
        slices = [Slices(place.dim, place.units, group.size) for group, place in here]
        values = weight_values(tensor, here[0][1])
        for (group, place), numbers in zip(here, reduce(values, slices), strict=True):
            mean = float(numbers.mean())
            if not np.isfinite(mean):
                if not _is_summed(place):
                    continue  # a mask that is added to scores says nothing about units
                raise Refused(
                    f"weight {tensor.name} of {label(place.node)} holds values that are not finite numbers",
                    "repair the weight, or choose units with --importance random",
                )
            if mean > 0:
                sums[group.name] += numbers / mean
    for name, numbers in sums.items():
        mean = float(numbers.mean())
        sums[name] = numbers / mean if mean > 0 else numbers
    return sums


def _measured(places: Iterable[Place]) -> list[Place]:
    """The places whose entries tell how much a unit matters: filters and scales.

    Biases, statistics and tables of integers are asked only where a group has nothing else.
    """
    places = list(places)
    told = [place for place in places if place.role in {"out", "in"} and _is_weight(place)]
    return [*told, *(place for place in places if _is_scale(place))] or places


def _is_weight(place: Place) -> bool:
    """Whether the entries are numbers to calculate with; integers are where they are of one byte."""
    kind, size = place.tensor.dtype.kind, place.tensor.dtype.itemsize
    return kind != "b" and (kind not in "iu" or size == 1)


def _is_summed(place: Place) -> bool:
    """Whether the operator multiplies and sums: the place is a filter or a matrix."""
    return place.node.op.endswith(("Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum"))


def _is_scale(place: Place) -> bool:
    return SCALES.get(place.node.op) == place.slot


def _batch_norm_scales(group: Group) -> list[Place]:
    return [place for place in group.places if place.node.op == "BatchNormalization" and _is_scale(place)]
