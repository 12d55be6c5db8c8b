"""influence: how much every layer changes what passes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from graphprune.state import State, made


@dataclass(frozen=True)
class Influence:
    """Judges every layer by the cosine of what goes in and what comes out, on calibration data."""

    name: ClassVar[str] = "influence"
    needs: ClassVar[tuple[str, ...]] = ("model", "solution", "scores", "calibration")
    gives: ClassVar[tuple[str, ...]] = ()

    def run(self, state: State) -> State:
        """The state with `scores` that know the layers, too."""
        from graphprune.importance.influence import influences
        from graphprune.layers import layers
        from graphprune.progress import counted

        scores = made(state.scores, "scores")
        samples = made(state.calibration, "calibration")
        with counted("influence") as tell:
            found = influences(
                made(state.model, "model"), layers(made(state.solution, "solution")), samples.all(), tell
            )
        return replace(state, scores=replace(scores, values={**scores.values, **found}))
