"""replay: a plan that was saved before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.errors import Refused
from graphprune.state import State, made


@dataclass(frozen=True)
class Replay:
    """Takes the plan from a file in place of choosing units."""

    name: ClassVar[str] = "replay"
    needs: ClassVar[tuple[str, ...]] = ("solution",)
    gives: ClassVar[tuple[str, ...]] = ("plan",)

    plan: str = field(metadata={"help": "a plan, as --plan-only writes it"})
    allow_noop: bool = field(default=False, metadata={"help": "removing nothing is no error"})

    def run(self, state: State) -> State:
        """The state with `plan`; raises `Usage` where it cannot be read or does not fit the model."""
        from graphprune.plan_file import read_plan

        plan = read_plan(self.plan)
        plan.check(made(state.solution, "solution"))
        if not plan.keep and not plan.layers and not self.allow_noop:
            raise Refused(
                f"the plan {self.plan} removes nothing", "accept an unchanged model with --allow-noop"
            )
        return replace(state, plan=plan)
