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
        """The state with `model`."""
        from graphprune.fold import fold

        return replace(state, model=fold(state.model or state.original))
