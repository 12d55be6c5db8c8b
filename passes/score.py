"""score: how much every unit matters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from graphprune.errors import Usage
from graphprune.state import State, made


@dataclass(frozen=True)
class Score:
    """Judges every unit of every group, from the weights alone or by what it does on calibration data."""

    name: ClassVar[str] = "score"
    needs: ClassVar[tuple[str, ...]] = ("solution",)
    gives: ClassVar[tuple[str, ...]] = ("scores",)

    by: Literal[
        "auto",
        "l2",
        "l1",
        "fpgm",
        "lamp",
        "bn",
        "random",
        "activation",
        "wanda",
        "fluctuation",
        "obs",
    ] = field(
        default="auto", metadata={"help": "how a unit's importance is judged (auto: obs with data, else l2)"}
    )
    seed: int = field(default=0, metadata={"help": "the seed of random importance"})

    def run(self, state: State) -> State:
        """The state with `scores`."""
        from graphprune.importance import CRITERIA, score

        solution = made(state.solution, "solution")
        by = ("l2" if state.statistics is None else "obs") if self.by == "auto" else self.by
        if by in CRITERIA:
            return replace(state, scores=score(solution, by, self.seed))
        from graphprune.data_importance import read_criterion, score_on_data
        from graphprune.progress import counted

        if state.statistics is None:
            raise Usage(f"importance {by} judges units on data", "give calibration data with --data")
        with counted("score") as tell:
            scores = score_on_data(solution, state.statistics, read_criterion(by), tell)
        return replace(state, scores=scores)
