"""select: which units stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from graphprune.errors import Refused
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.choice import Choice
    from graphprune.plan import Plan

Kind = Literal["channels", "neurons", "heads", "head-dims", "width", "layers"]


@dataclass(frozen=True)
class Select:
    """Chooses the units that go: the least important ones, as many as the ratio or the target asks for."""

    name: ClassVar[str] = "select"
    needs: ClassVar[tuple[str, ...]] = ("solution", "scores")
    gives: ClassVar[tuple[str, ...]] = ("plan",)

    ratio: float = field(default=0.5, metadata={"help": "share of the units that goes"})
    target: str = field(
        default="",
        metadata={"help": "what to reach in place of a ratio: macs=0.5x, params=0.5x or size=20MB"},
    )
    scope: Literal["auto", "local", "global", "isomorphic", "sensitivity"] = field(
        default="auto",
        metadata={
            "help": "rank units within their group, in the whole model, among groups of one structure, or by "
            "what their loss does to the outputs (auto: sensitivity with data and a target, else local)"
        },
    )
    only: tuple[Kind, ...] = field(
        default=("channels", "neurons", "heads", "head-dims", "width"),
        metadata={"help": "kinds of units that may go (default: all but layers)"},
    )
    ignore: tuple[str, ...] = field(
        default=(), metadata={"help": "leave groups, operators or constants alone that match a glob"}
    )
    ratio_for: Mapping[str, float] = field(
        default_factory=dict[str, float], metadata={"help": "ratios of their own for what matches a glob"}
    )
    max_ratio: float = field(default=1.0, metadata={"help": "no group loses a larger share"})
    min_units: int = field(default=1, metadata={"help": "no group keeps fewer units"})
    round_to: int = field(default=1, metadata={"help": "keep a multiple of this many positions in a group"})
    allow_noop: bool = field(default=False, metadata={"help": "removing nothing is no error"})

    def __post_init__(self) -> None:
        self.choice()

    def choice(self) -> Choice:
        """The options as `graphprune.select` takes them; raises `Usage` for one that is out of range."""
        from graphprune.choice import Choice

        return Choice(**{option.name: getattr(self, option.name) for option in fields(Choice)})

    def run(self, state: State) -> State:
        """The state with `plan`; raises `Refused` where nothing is removed and this is not allowed."""
        return replace(state, plan=self._plan(state))

    def _plan(self, state: State) -> Plan:
        from graphprune.plan import Plan
        from graphprune.select import select

        try:
            plan = select(
                made(state.solution, "solution"),
                made(state.scores, "scores").values,
                self.choice(),
                state.sensitivities,
            )
        except Refused:
            if self.allow_noop:
                return Plan({}, {})
            raise
        if not (plan.keep or plan.layers) and not self.allow_noop:
            raise Refused(
                "nothing was pruned: no group may lose a unit under these options",
                "ask for more, or accept an unchanged model with --allow-noop",
            )
        return plan
