"""How units are chosen: the options, the groups that may lose units, and how many each loses at a ratio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from math import floor
from typing import Literal

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.errors import Usage
from graphprune.groups import KINDS, USUAL, Group, Place
from graphprune.kernels import name_of, runnable
from graphprune.layers import Layer, layers
from graphprune.plan import Plan
from graphprune.ranking import kept, prices
from graphprune.solution import Solution
from graphprune.tiles import FINE, FULL

Numbers = NDArray[np.float64]
Scope = Literal["auto", "local", "global", "isomorphic", "sensitivity"]
LAYERS = "layers"
"""The kind of unit that is no group: a residual branch (`graphprune.layers`)."""
_SLACK = 1e-9


@dataclass(frozen=True)
class Choice:
    """How to choose.

    Attributes:
        ratio: share of the units of each group (local), or of all units (global, isomorphic), that goes.
        target: instead of a ratio, what to reach: 'macs=0.5x', 'params=0.5x', 'size=20MB'.
        scope: where units are ranked against each other: within their group, in the whole model, among
            groups of the same structure (isomorphic pruning, Fang et al. 2024), or by what their loss does
            to the outputs (sensitivity; needs a target and measurements). auto is sensitivity where there
            are both, local elsewhere.
        only: the kinds of units that may go; experts, tokens and layers go only where they are named.
        ignore: globs of groups, constants, or operators whose units are left alone.
        ratio_for: ratios of their own for groups that match a glob; the last match counts.
        max_ratio: no group loses a larger share.
        min_units: no group keeps fewer units.
        round_to: the positions that a group keeps along a dimension are a multiple of this. auto is what
            devices work on at a time: 16, or 8 for weights of two bytes, 32 for those of one. fine is for
            where times are measured, and tell which widths are good.
    """

    ratio: float = 0.5
    target: str = ""
    scope: Scope = "auto"
    only: tuple[str, ...] = USUAL
    ignore: tuple[str, ...] = ()
    ratio_for: Mapping[str, float] = field(default_factory=dict[str, float])
    max_ratio: float = 1.0
    min_units: int = 1
    round_to: int | Literal["auto", "fine"] = 1

    def __post_init__(self) -> None:
        for name, value in (("ratio", self.ratio), ("max-ratio", self.max_ratio), *self.ratio_for.items()):
            if not 0 <= value <= 1:
                raise Usage(
                    f"{name} is {value:g}, which is not between 0 and 1", "0.5 removes half of the units"
                )
        if self.min_units < 1 or (isinstance(self.round_to, int) and self.round_to < 1):
            raise Usage("min-units and round-to are whole numbers from 1 on", "leave them out for 1")
        unknown = [kind for kind in self.only if kind not in (*KINDS, LAYERS)]
        if unknown:
            raise Usage(
                f"there is no kind of unit '{unknown[0]}'", f"the kinds are {', '.join((*KINDS, LAYERS))}"
            )
        if self.scope == "sensitivity" and not self.target:
            raise Usage("scope sensitivity spreads a budget, and none is given", "give one with --target")


def candidates(solution: Solution, choice: Choice) -> list[Group]:
    """Return the groups that may lose units.

    Of groups that multiply each other along one dimension (heads and head dims, the factors of a channel
    shuffle) one is chosen, so that no dimension loses more than the ratio: the one that comes closest to
    the ratio, heads before others, then the one with fewer such partners (the inputs and outputs within
    the groups of a grouped convolution before the groups themselves), then the one with more places.

    Raises:
        Usage: where a glob matches nothing in the model.
    """
    _check_globs(solution, choice)
    allowed = [
        group
        for group in solution.groups
        if group.prunable and group.kind in choice.only and not _matches(group, choice.ignore)
    ]

    def preference(group: Group) -> tuple[float, ...]:
        ratio = _ratio(group, choice) if not choice.target else 0.5
        reached = floor(group.size * ratio + _SLACK) / group.size
        return (
            -round(reached, 1),
            group.kind != "heads",
            len(group.siblings),
            -len(group.places),
            -group.size,
        )

    taken: set[str] = set()
    chosen: list[Group] = []
    for group in sorted(allowed, key=preference):
        if not taken.isdisjoint(group.siblings) and not _matches(group, tuple(choice.ratio_for)):
            continue
        taken.add(group.name)
        chosen.append(group)
    names = {group.name for group in chosen}
    return [group for group in allowed if group.name in names]


def open_layers(solution: Solution, choice: Choice) -> list[Layer]:
    """Return the layers that may go, where layers are among the kinds: those that no glob leaves alone."""
    if LAYERS not in choice.only:
        return []
    return [
        layer
        for layer in layers(solution)
        if not any(fnmatchcase(layer.name, glob) for glob in choice.ignore)
    ]


def _matches(group: Group, globs: Sequence[str]) -> bool:
    """Whether a glob names the group, a constant in which it stands, or an operator that makes its units."""
    if not globs:
        return False
    makers = (place.node.name for place in group.places if place.role != "in")
    texts = {group.name, *makers, *(place.tensor.name for place in group.places)}
    return any(fnmatchcase(text, glob) for glob in globs for text in texts)


def _check_globs(solution: Solution, choice: Choice) -> None:
    """Refuse a glob that names nothing in the model: a typing error would go unnoticed."""
    names = [group.name for group in solution.groups]
    names += [layer.name for layer in layers(solution)] if LAYERS in choice.only else []
    for node in (applied.site.node for applied in solution.everywhere):
        names += [node.name, *(tensor.name for tensor in node.inputs if isinstance(tensor, gs.Constant))]
    for option, globs in (("ignore", choice.ignore), ("ratio-for", tuple(choice.ratio_for))):
        for glob in globs:
            if not any(fnmatchcase(name, glob) for name in names):
                raise Usage(
                    f"--{option} '{glob}' matches no group, operator or constant",
                    "`graphprune inspect MODEL` lists the groups",
                )


def _ratio(group: Group, choice: Choice) -> float:
    ratio = choice.ratio
    for glob, value in choice.ratio_for.items():
        if _matches(group, (glob,)):
            ratio = value
    return min(ratio, choice.max_ratio)


def why_nothing(solution: Solution, choice: Choice) -> str:
    if not solution.groups:
        return "the model has no group of units"
    pinned = [group for group in solution.groups if not group.prunable]
    if len(pinned) == len(solution.groups):
        return f"all {len(pinned)} groups are pinned, the first because {pinned[0].reason}"
    return f"no group is left by --only {','.join(choice.only)} and --ignore"


def what_to_do(solution: Solution) -> str:
    """Return the hint where nothing can be pruned: which rules are missing, where that is it."""
    nodes = [applied.site.node for applied in solution.nodes if applied.row is None]
    names = dict.fromkeys(name_of(node) for node in nodes if not runnable(node, solution.graph))
    see = "see `graphprune inspect MODEL`"
    return (
        f"a rule for {', '.join(names)} would let a cut through, see docs/rules.md; {see}" if names else see
    )


def plan_of(groups: Sequence[Group], scores: Mapping[str, Numbers], choice: Choice) -> Plan:
    keep: dict[str, NDArray[np.int64]] = {}
    for group, remove in zip(groups, _amounts(groups, scores, choice), strict=True):
        stay = rounded(group, group.size - remove, choice)
        if stay >= group.size:
            continue
        keep[group.name] = kept(scores[group.name], stay)
    return Plan(keep, {group.name: group.size for group in groups if group.name in keep})


def most(group: Group, choice: Choice) -> int:
    """Return how many units a group may lose at most."""
    return min(
        floor(group.size * max(choice.max_ratio, 0) + _SLACK), group.size - min(choice.min_units, group.size)
    )


def _amounts(groups: Sequence[Group], scores: Mapping[str, Numbers], choice: Choice) -> list[int]:
    """Return how many units of each group go."""
    tops = [most(group, choice) for group in groups]
    own = [_matches(group, tuple(choice.ratio_for)) for group in groups]
    amounts = [
        min(floor(group.size * _ratio(group, choice) + _SLACK), top)
        for group, top in zip(groups, tops, strict=True)
    ]
    if choice.scope in ("auto", "local"):
        return amounts
    classes: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        if not own[index]:
            classes.setdefault(group.structure if choice.scope == "isomorphic" else None, []).append(index)
    for members in classes.values():
        for index, amount in _ranked(members, groups, scores, tops, choice).items():
            amounts[index] = amount
    return amounts


def _ranked(
    members: list[int],
    groups: Sequence[Group],
    scores: Mapping[str, Numbers],
    tops: list[int],
    choice: Choice,
) -> dict[int, int]:
    """Rank all units of these groups together; the lowest go, up to what each group may lose."""
    owner = np.concatenate([np.full(groups[i].size, i) for i in members])
    value = np.concatenate([prices(scores[groups[i].name]) for i in members])
    budget = floor(owner.size * min(choice.ratio, choice.max_ratio) + _SLACK)
    amounts = dict.fromkeys(members, 0)
    for index in owner[np.argsort(value, kind="stable")]:
        if not budget:
            break
        if amounts[int(index)] < tops[int(index)]:
            amounts[int(index)] += 1
            budget -= 1
    return amounts


def rounded(group: Group, stay: int, choice: Choice) -> int:
    """Return the number of units, not below `stay`, whose positions are a multiple of `round_to`.

    That holds for every weight that is multiplied; a table that is looked up may have any size. Positions are
    those that a kernel sees: the weight of a grouped convolution stores the channels of one group, and the
    kernel reads or writes those of all.
    """
    if choice.round_to == 1:
        return stay
    multiplied = [p for p in group.places if p.role in ("in", "out") and p.node.op != "Gather"]
    wide = {int(np.sum(place.units == 0)) * _groups(place) for place in multiplied} or {1}
    multiple = choice.round_to
    if isinstance(multiple, str):
        multiple = _full(multiplied) if multiple == "auto" else _fine(group.size * max(wide))
    while stay < group.size and any((stay * positions) % multiple for positions in wide):
        stay += 1
    return stay


def _groups(place: Place) -> int:
    """Return how many groups share the positions along a dimension of a weight."""
    return int(place.node.attrs.get("group", 1)) if "Conv" in place.node.op and place.dim == 1 else 1


def _full(multiplied: Sequence[Place]) -> int:
    """Return the number of channels that devices work on at a time."""
    return max((FULL.get(np.dtype(place.tensor.dtype).itemsize, 1) for place in multiplied), default=1)


def _fine(positions: int) -> int:
    """Return the distance of widths that are worth timing: at least four in a narrow group."""
    return min(FINE, 1 << (max(1, positions // 4).bit_length() - 1))
