"""cut: the smaller model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State, made


@dataclass(frozen=True)
class Cut:
    """Removes the units that the plan does not keep; weights are copied when the model is written."""

    name: ClassVar[str] = "cut"
    needs: ClassVar[tuple[str, ...]] = ("model", "solution", "plan")
    gives: ClassVar[tuple[str, ...]] = ("cut",)

    def run(self, state: State) -> State:
        """The state with `cut`."""
        from graphprune.cut import cut

        model, solution = made(state.model, "model"), made(state.solution, "solution")
        return replace(state, cut=cut(model, solution, made(state.plan, "plan")))
