"""What flows through the pipeline, and what a pass is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from graphprune.errors import Usage

if TYPE_CHECKING:
    from graphprune.checks import Verification
    from graphprune.cut import Cut
    from graphprune.fitting.calibration import Calibration
    from graphprune.fitting.statistics import Statistics
    from graphprune.importance import Scores
    from graphprune.latency.latencies import Latencies
    from graphprune.model import Model
    from graphprune.plan import Plan
    from graphprune.sensitivity import Sensitivity
    from graphprune.solution import Solution
    from graphprune.steps import Step


@dataclass(frozen=True)
class State:
    """All that is known of a model on its way through the pipeline; a pass returns a changed copy.

    A field that is None has not been made yet.

    Attributes:
        original: the model as it was loaded.
        model: the model that `solution` speaks of.
        solution: its axes and groups.
        calibration: samples of real inputs.
        statistics: what the inputs of operators look like on them.
        scores: the importance of every unit.
        sensitivities: what was measured of groups and layers, by name.
        latencies: what the model takes on a device, at several widths.
        plan: which units stay.
        cut: the smaller model, and what was cut at each node.
        verification: how the smaller model compares with the masked one.
        compensated: the smaller model with weights that make up for what went.
        refined: the model after what follows the surgery: sparsity, precision.
        stages: the model after each of the passes that changed its weights or types after the surgery, by the
            name of the pass, in order.
        steps: the steps of pruning that were taken before the present one.
        facts: what passes want to tell the reader of the record of a run, by pass name; JSON values.
    """

    original: Model
    model: Model | None = None
    solution: Solution | None = None
    calibration: Calibration | None = None
    statistics: Statistics | None = None
    scores: Scores | None = None
    sensitivities: Mapping[str, Sensitivity] | None = None
    latencies: Latencies | None = None
    plan: Plan | None = None
    cut: Cut | None = None
    verification: Verification | None = None
    compensated: Model | None = None
    refined: Model | None = None
    stages: tuple[tuple[str, Model], ...] | None = None
    steps: tuple[Step, ...] | None = None
    facts: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def result(self) -> Model:
        """The model that is written: the newest there is."""
        if self.refined is not None:
            return self.refined
        if self.compensated is not None:
            return self.compensated
        if self.cut is not None:
            return self.cut.model
        return self.model or self.original

    def refine(self, by: str, model: Model, facts: Mapping[str, object]) -> State:
        """The state after the pass `by`, which follows the surgery, has made `model` of the result."""
        stages = (*(self.stages or ()), (by, model))
        return replace(self, refined=model, stages=stages, facts={**self.facts, by: facts})

    def has(self, name: str) -> bool:
        """Whether the field `name` has been made."""
        return getattr(self, name) is not None


class Pass(Protocol):
    """A step of the pipeline: a frozen dataclass whose fields are its options everywhere.

    `needs` and `gives` name fields of `State`. A field's metadata key `help` documents the option.

    >>> from dataclasses import dataclass, field, replace
    >>> @dataclass(frozen=True)
    ... class Note:
    ...     \"\"\"Leaves a note in the run record.\"\"\"
    ...     name: ClassVar[str] = "note"
    ...     needs: ClassVar[tuple[str, ...]] = ()
    ...     gives: ClassVar[tuple[str, ...]] = ()
    ...     text: str = field(default="", metadata={"help": "what to note"})
    ...     def run(self, state: State) -> State:
    ...         return replace(state, facts={**state.facts, self.name: self.text})
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    gives: ClassVar[tuple[str, ...]]

    def run(self, state: State) -> State:
        """The state after this step; never changes `state` itself."""
        ...


T = TypeVar("T")


def made(value: T | None, name: str) -> T:
    """`value`, the field `name` of a state, which must have been made by now.

    The pipeline checks this before it starts; here it is for passes that are run by hand.
    """
    if value is None:
        raise Usage(f"the state has no {name}", "run the pass that gives it first")
    return value
