"""The record of a run: what was done to a model, in the figures that are shown and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from graphprune.pipeline_text import show
from graphprune.state import Pass, State

if TYPE_CHECKING:
    from graphprune.checks import Verification
    from graphprune.plan import Plan
    from graphprune.solution import Solution

VERSION = 1


@dataclass(frozen=True)
class Figures:
    """One model in numbers.

    Attributes:
        params: elements of weights.
        macs: multiply-accumulates of one sample.
        bytes: bytes of weights.
        units: units of all groups that may be pruned.
    """

    params: int
    macs: int
    bytes: int
    units: int


@dataclass(frozen=True)
class Change:
    """A group that lost units; `mixed` says why this changes the values of its other units, if it does."""

    name: str
    kind: str
    before: int
    after: int
    mixed: str


@dataclass(frozen=True)
class Proof:
    """How the smaller model compares with the masked original.

    Attributes:
        passed: whether every output is within its limit.
        distance: the largest relative L2 distance in relation to its limit.
        largest: the largest absolute difference there.
        limit: the limit there.
        output: the output where it is.
        comparisons: how many outputs at how many shapes were compared.
        shapes: these shapes.
    """

    passed: bool
    distance: float
    largest: float
    limit: float
    output: str
    comparisons: int
    shapes: tuple[str, ...]


@dataclass(frozen=True)
class Record:
    """What a pipeline did. A part is None where no pass has made it."""

    pipeline: str
    before: Figures | None = None
    after: Figures | None = None
    groups_found: int = 0
    groups_pinned: int = 0
    changes: tuple[Change, ...] = ()
    verification: Proof | None = None
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    def to_dict(self) -> dict[str, object]:
        """The record as JSON values."""
        return {"version": VERSION, **asdict(self)}


def record(passes: Sequence[Pass], state: State) -> Record:
    """The record of `passes`, which have led to `state`."""
    solution = state.solution
    if solution is None:
        return Record(show(passes), facts=state.facts)
    return Record(
        show(passes),
        _figures(solution, None),
        _figures(solution, state.plan) if state.plan else None,
        sum(group.prunable for group in solution.groups),
        sum(not group.prunable for group in solution.groups),
        _changes(solution, state.plan),
        prove(state.verification) if state.verification else None,
        state.scores.notes if state.scores else {},
        state.facts,
    )


def prove(verification: Verification) -> Proof:
    """The figures of a comparison."""
    worst, checks = verification.worst, verification.checks
    return Proof(
        verification.passed,
        worst.error,
        worst.largest,
        worst.limit,
        worst.output,
        len(checks),
        tuple(dict.fromkeys(check.shape for check in checks)),
    )


def _figures(solution: Solution, plan: Plan | None) -> Figures:
    from graphprune.cost import cost

    price = cost(solution, plan)
    kept = {name: len(index) for name, index in plan.keep.items()} if plan else {}
    units = sum(kept.get(group.name, group.size) for group in solution.groups if group.prunable)
    return Figures(price.params, price.macs, price.bytes, units)


def _changes(solution: Solution, plan: Plan | None) -> tuple[Change, ...]:
    if plan is None:
        return ()
    return tuple(
        Change(group.name, group.kind, group.size, len(plan.keep[group.name]), group.mixed)
        for group in solution.groups
        if group.name in plan.keep
    )
