"""score: how much every unit matters."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from graphprune.errors import Usage
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.importance import Scores
    from graphprune.progress import Tell

_TRIED = 64


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
        "removal",
        "taylor",
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
        if state.statistics is None:
            raise Usage(f"importance {by} judges units on data", "give calibration data with --data")
        from graphprune.progress import counted

        with counted("score") as tell:
            return replace(state, scores=self._on_data(state, by, tell))

    def _on_data(self, state: State, by: str, tell: Tell) -> Scores:
        from graphprune.importance.data import read_criterion, score_on_data
        from graphprune.importance.trials import score_by_removal, score_by_taylor
        from graphprune.sensitivity import output_error

        solution, statistics = made(state.solution, "solution"), made(state.statistics, "statistics")
        if by not in ("removal", "taylor"):
            return score_on_data(solution, statistics, read_criterion(by), tell)
        model, samples = made(state.model, "model"), made(state.calibration, "calibration")
        batches = list(samples.held_out_batches(_TRIED))
        if by == "taylor":
            return score_by_taylor(model, solution, statistics, batches, seed=self.seed, tell=tell)
        judge = output_error(model, [batch.feeds for batch in batches])
        return score_by_removal(model, solution, statistics, judge, tell)
