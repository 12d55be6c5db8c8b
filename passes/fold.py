"""fold: every constant an initializer, under one name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State


@dataclass(frozen=True)
class Fold:
    """Makes `Constant` nodes initializers and replaces aliases of constants by the constant itself.

    The model computes what it computed before, to the bit.
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
