"""select: which units stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from graphprune.errors import Refused
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.choice import Choice

Kind = Literal["channels", "neurons", "heads", "head-dims", "width", "experts", "tokens", "layers"]


@dataclass(frozen=True)
class Select:
    """Chooses the units that go: the least important ones, as many as the ratio or the target asks for."""

    name: ClassVar[str] = "select"
    needs: ClassVar[tuple[str, ...]] = ("solution", "scores")
    gives: ClassVar[tuple[str, ...]] = ("plan",)
    excludes: ClassVar[Mapping[str, str]] = {"target": "ratio"}

    ratio: float = field(default=0.5, metadata={"help": "share of the units that goes"})
    target: str = field(
        default="",
        metadata={
            "help": "what to reach in place of a ratio: macs=0.5x, params=0.5x, size=20MB, "
            "latency=0.7x@ort:cpu"
        },
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
        metadata={"help": "kinds of units that may go (default: all but experts, tokens, layers)"},
    )
    ignore: tuple[str, ...] = field(
        default=(), metadata={"help": "leave groups, operators or constants alone that match a glob"}
    )
    ratio_for: Mapping[str, float] = field(
        default_factory=dict[str, float], metadata={"help": "ratios of their own for what matches a glob"}
    )
    max_ratio: float = field(default=1.0, metadata={"help": "no group loses a larger share"})
    min_units: int = field(default=1, metadata={"help": "no group keeps fewer units"})
    round_to: int | Literal["auto"] | None = field(
        default=None,
        metadata={
            "help": "keep a multiple of this many positions in a group (auto: what devices work on at a "
            "time, 16, or 8 for float16, 32 for int8; default: what the latency table says for a target of "
            "latency, else 1)"
        },
    )
    allow_noop: bool = field(default=False, metadata={"help": "removing nothing is no error"})

    def __post_init__(self) -> None:
        self.choice()

    def choice(self) -> Choice:
        """The options as `graphprune.select` takes them; raises `Usage` for one that is out of range."""
        from graphprune.choice import Choice
        from graphprune.target import read_latency

        given = {option.name: getattr(self, option.name) for option in fields(Choice)}
        if read_latency(self.target) is not None and self.round_to in (None, "auto"):
            given["round_to"] = "fine"
        elif self.round_to is None:
            given["round_to"] = 1
        return Choice(**given)

    def run(self, state: State) -> State:
        """The state with `plan`.

        Raises:
            Refused: nothing is removed, and this is not allowed.
            Negative: the target cannot be reached.
        """
        from graphprune.plan import Plan

        try:
            after = self._select(state)
        except Refused:
            if self.allow_noop:
                return replace(state, plan=Plan({}, {}))
            raise
        plan = made(after.plan, "plan")
        if not (plan.keep or plan.layers) and not self.allow_noop:
            raise Refused(
                "nothing was pruned: no group may lose a unit under these options",
                "ask for more, or accept an unchanged model with --allow-noop",
            )
        return after

    def _select(self, state: State) -> State:
        from graphprune.select import select
        from graphprune.target import read_latency

        solution, scores = made(state.solution, "solution"), made(state.scores, "scores").values
        latency = read_latency(self.target)
        if latency is None:
            return replace(state, plan=select(solution, scores, self.choice(), state.sensitivities))
        from graphprune.latency.select import select_for
        from graphprune.progress import counted

        with counted(self.name) as tell:
            met = select_for(
                latency,
                made(state.model, "model"),
                solution,
                scores,
                self.choice(),
                state.sensitivities,
                made(state.latencies, "latencies"),
                tell,
            )
        return replace(state, plan=met.found.plan, facts={**state.facts, self.name: met.to_dict()})
