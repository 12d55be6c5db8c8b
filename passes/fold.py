"""fold: every constant an initializer under one name, and no more than the outputs need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State


@dataclass(frozen=True)
class Fold:
    """Makes initializers of constants, of their aliases and of what follows from constants alone.

    Operators that no output needs go. The model computes what it computed before.
    """

    name: ClassVar[str] = "fold"
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("model",)

    def run(self, state: State) -> State:
        """The state with `model`, and what was made of it in words among the facts."""
        from graphprune.fold import fold

        model = fold(state.model or state.original)
        facts = {**state.facts, self.name: list(model.notes)} if model.notes else state.facts
        return replace(state, model=model, facts=facts)
