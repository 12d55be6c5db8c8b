"""group: which slices of which weights live and die together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State, made


@dataclass(frozen=True)
class Group:
    """Solves for the groups of the model."""

    name: ClassVar[str] = "group"
    needs: ClassVar[tuple[str, ...]] = ("model",)
    gives: ClassVar[tuple[str, ...]] = ("solution",)

    def run(self, state: State) -> State:
        """The state with `solution`."""
        from graphprune.solve import solve

        return replace(state, solution=solve(made(state.model, "model").graph))
