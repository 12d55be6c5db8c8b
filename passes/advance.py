"""advance: the smaller model becomes the model, for another step of pruning."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.state import State, made


@dataclass(frozen=True)
class Advance:
    """Takes the compensated model as the model to prune further, and gathers its statistics.

    `compose` leads back to the first model in the end.
    """

    name: ClassVar[str] = "advance"
    needs: ClassVar[tuple[str, ...]] = (
        "model",
        "solution",
        "statistics",
        "plan",
        "compensated",
        "calibration",
    )
    gives: ClassVar[tuple[str, ...]] = ("steps",)

    steps: int = field(
        default=1, metadata={"help": "prune in so many steps, with new statistics between them"}
    )

    def run(self, state: State) -> State:
        """The state of the smaller model, with the step that was taken in `steps`."""
        from graphprune.fitting.statistics_cache import gathered
        from graphprune.progress import counted
        from graphprune.solve import solve
        from graphprune.steps import Step

        step = Step(
            made(state.model, "model"),
            made(state.solution, "solution"),
            made(state.statistics, "statistics"),
            made(state.plan, "plan"),
        )
        model = made(state.compensated, "compensated")
        with counted("advance") as tell:
            samples = made(state.calibration, "calibration")
            statistics = gathered(model, samples, keep=False, tell=tell)
        return replace(
            state,
            steps=(*(state.steps or ()), step),
            model=model,
            solution=solve(model.graph),
            statistics=statistics,
            scores=None,
            sensitivities=None,
            plan=None,
            cut=None,
            compensated=None,
            facts={**state.facts, self.name: {"steps": len(state.steps or ()) + 2}},
        )
