"""fold: one name for one tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State


@dataclass(frozen=True)
class Fold:
    """Replaces aliases of constants (`Identity` of an initializer) by the constant itself.

    The model computes what it computed before, to the bit.
    """

    name: ClassVar[str] = "fold"
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("model",)

    def run(self, state: State) -> State:
        """The state with `model`."""
        from graphprune.aliases import resolve_aliases

        model = state.model or state.original
        return replace(state, model=resolve_aliases(replace(model, graph=model.graph.copy())))
