"""compose: one plan for the first model out of the plans of several steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State, made


@dataclass(frozen=True)
class Compose:
    """Leads back from the last step to the first model, with one plan that does what all plans did."""

    name: ClassVar[str] = "compose"
    needs: ClassVar[tuple[str, ...]] = ("steps", "plan")
    gives: ClassVar[tuple[str, ...]] = ()

    def run(self, state: State) -> State:
        """The state with the first model, and `plan` for it."""
        from graphprune.steps import composed

        steps = made(state.steps, "steps")
        first = steps[0]
        plan = composed(first.solution, [*(step.plan for step in steps), made(state.plan, "plan")])
        return replace(
            state,
            model=first.model,
            solution=first.solution,
            statistics=first.statistics,
            plan=plan,
            steps=None,
        )
