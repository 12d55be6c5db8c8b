"""The record of a run: what was done to a model, in the figures that are shown and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from graphprune.compression import Stage, held
from graphprune.compression import stages as compression
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
        comparisons: how many tensors were compared, outputs and such inside, at all shapes.
        shapes: these shapes.
        not_run: the nodes that ONNX Runtime cannot run; what is in front of them and behind was compared.
        outputs: for each output whether it, or what stands in front of it, was seen to vary.
        inside: how many of the tensors that were compared lie inside.
        not_exercised: what the comparison was not seen to exercise, a phrase each.
    """

    passed: bool
    distance: float
    largest: float
    limit: float
    output: str
    comparisons: int
    shapes: tuple[str, ...]
    not_run: tuple[str, ...] = ()
    outputs: Mapping[str, bool] = field(default_factory=dict[str, bool])
    inside: int = 0
    not_exercised: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibrated:
    """The data that was calibrated on: its name, how many samples (None: not known), and of how many
    operators the inputs were looked at.
    """

    data: str
    samples: int | None
    operators: int


@dataclass(frozen=True)
class Agreement:
    """How far the outputs on calibration data are from the original's.

    An error is the squared difference over the variance of an output: 0 is the original, 1 is as bad as the
    output's mean.

    Attributes:
        by: how the weights that stay were to make up for what went.
        cut: the error of the model as it was cut.
        made_up: its error with the new weights.
        kept: whether the model with the new weights is the one that came out; else it is as it was cut.
    """

    by: str
    cut: float
    made_up: float
    kept: bool


@dataclass(frozen=True)
class Latency:
    """How long the result takes beside the original.

    Attributes:
        backend: what both ran on, as `ort:cpu`.
        device: the name of the device.
        threads: of an inference, on a CPU; 0 for all cores.
        seconds: medians of the original and of the result.
        ratio: the result's share of the original's time.
        low: the lower end of its 95 % interval.
        high: the upper end.
        limit: the share that was asked for, if one was.
    """

    backend: str
    device: str
    threads: int
    seconds: tuple[float, float]
    ratio: float
    low: float
    high: float
    limit: float | None


@dataclass(frozen=True)
class Record:
    """What a pipeline did. A part is None where no pass has made it."""

    pipeline: str
    before: Figures | None = None
    after: Figures | None = None
    groups_found: int = 0
    groups_pinned: int = 0
    layers_found: int = 0
    layers_removed: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    verification: Proof | None = None
    notes: Mapping[str, str] = field(default_factory=dict[str, str])
    facts: Mapping[str, object] = field(default_factory=dict[str, object])
    stages: tuple[Stage, ...] = ()
    counted_at: tuple[str, ...] = ()
    """Inputs whose sizes the model leaves open, with the sizes that MACs are counted at, as `x:1x3x67x71`."""

    @property
    def calibrated(self) -> Calibrated | None:
        """The data that was calibrated on."""
        facts = cast("Mapping[str, object] | None", self.facts.get("calibrate"))
        if facts is None:
            return None
        return Calibrated(
            str(facts["data"]), cast("int | None", facts["samples"]), cast("int", facts["operators"])
        )

    @property
    def latency(self) -> Latency | None:
        """How long the result takes beside the original."""
        facts = cast("Mapping[str, Any] | None", self.facts.get("profile"))
        if facts is None:
            return None
        first, second = facts["seconds"]
        return Latency(
            facts["device"]["backend"],
            facts["device"]["name"],
            facts["threads"],
            (first, second),
            limit=facts["limit"],
            **facts["ratio"],
        )

    @property
    def agreement(self) -> Agreement | None:
        """How far the outputs on the calibration data are from the original's."""
        facts = cast("Mapping[str, object] | None", self.facts.get("compensate"))
        if facts is None:
            return None
        cut, made_up = (cast("float", facts[f"output_error_{when}"]) for when in ("before", "after"))
        return Agreement(str(facts["by"]), cut, made_up, bool(facts["kept"]))

    def to_dict(self) -> dict[str, object]:
        """The record as JSON values."""
        return {"version": VERSION, **asdict(self)}


def record(passes: Sequence[Pass], state: State) -> Record:
    """The record of `passes`, which have led to `state`."""
    from graphprune.cost import counted_at
    from graphprune.layers import layers

    solution = state.solution
    if solution is None:
        return Record(show(passes), facts=state.facts, stages=compression(state, None, None))
    before = _figures(solution, None)
    cut = _with_biases(_figures(solution, state.plan), state) if state.plan else None
    counted = (before.params, before.macs, before.bytes)
    stages = compression(state, counted, cut.macs if cut else None)
    return Record(
        show(passes),
        before,
        replace(cut, bytes=stages[-1].bytes) if cut and stages else cut,
        sum(group.prunable for group in solution.groups),
        sum(not group.prunable for group in solution.groups),
        len(layers(solution)),
        state.plan.layers if state.plan else (),
        _changes(solution, state.plan),
        prove(state.verification) if state.verification else None,
        state.scores.notes if state.scores else {},
        state.facts,
        stages,
        counted_at(solution),
    )


def prove(verification: Verification) -> Proof:
    """The figures of a comparison."""
    worst, checks = verification.worst, verification.checks
    ends = [check for check in checks if not check.inside]
    return Proof(
        verification.passed,
        worst.error,
        worst.largest,
        worst.limit,
        worst.output,
        verification.compared,
        tuple(dict.fromkeys(check.shape for check in checks)),
        verification.not_run,
        {check.output: check.output not in verification.unmoved for check in ends},
        verification.compared - len(ends),
        verification.not_exercised,
    )


def _figures(solution: Solution, plan: Plan | None) -> Figures:
    from graphprune.cost import cost

    price = cost(solution, plan)
    kept = {name: index.shape[-1] for name, index in plan.keep.items()} if plan else {}
    units = sum(kept.get(group.name, group.size) for group in solution.groups if group.prunable)
    return Figures(price.params, price.macs, price.bytes, units)


def _with_biases(figures: Figures, state: State) -> Figures:
    """`figures` of a cut model with the biases that it got when its weights were made up."""
    if state.compensated is None or state.cut is None or state.compensated is state.cut.model:
        return figures
    (params, size), (old_params, old_size) = held(state.compensated), held(state.cut.model)
    more = {"params": figures.params + params - old_params, "bytes": figures.bytes + size - old_size}
    return replace(figures, **more)


def _changes(solution: Solution, plan: Plan | None) -> tuple[Change, ...]:
    if plan is None:
        return ()
    return tuple(
        Change(group.name, group.kind, group.size, plan.keep[group.name].shape[-1], group.mixed)
        for group in solution.groups
        if group.name in plan.keep
    )
