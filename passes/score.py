"""score: how much every unit matters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from graphprune.state import State, made


@dataclass(frozen=True)
class Score:
    """Judges every unit of every group from the weights alone."""

    name: ClassVar[str] = "score"
    needs: ClassVar[tuple[str, ...]] = ("solution",)
    gives: ClassVar[tuple[str, ...]] = ("scores",)

    by: Literal["l2", "l1", "fpgm", "lamp", "bn", "random"] = field(
        default="l2", metadata={"help": "how a unit's importance is judged"}
    )
    seed: int = field(default=0, metadata={"help": "the seed of random importance"})

    def run(self, state: State) -> State:
        """The state with `scores`."""
        from graphprune.importance import score

        return replace(state, scores=score(made(state.solution, "solution"), self.by, self.seed))
