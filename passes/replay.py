"""replay: a plan that was saved before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.state import State, made


@dataclass(frozen=True)
class Replay:
    """Takes the plan from a file in place of choosing units."""

    name: ClassVar[str] = "replay"
    needs: ClassVar[tuple[str, ...]] = ("solution",)
    gives: ClassVar[tuple[str, ...]] = ("plan",)

    plan: str = field(metadata={"help": "the plan, as --plan-only writes it"})

    def run(self, state: State) -> State:
        """The state with `plan`; raises `Refused` where the plan does not fit the model."""
        from graphprune.plan_file import read_plan

        return replace(state, plan=read_plan(self.plan, made(state.solution, "solution")))
