"""probe: how much each group, and each layer, may lose."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.passes.select import Kind
from graphprune.state import State, made

_WORK = 10**13
"""Multiply-accumulates that are spent, all runs together; this takes some minutes on two cores."""
_LEAST = 8


@dataclass(frozen=True)
class Probe:
    """Cuts one group at a time, at several ratios, and measures the error of the model's outputs.

    The samples are ones that the statistics have not seen.
    """

    name: ClassVar[str] = "probe"
    needs: ClassVar[tuple[str, ...]] = ("model", "solution", "scores", "calibration", "statistics")
    gives: ClassVar[tuple[str, ...]] = ("sensitivities",)

    only: tuple[Kind, ...] = field(
        default=("channels", "neurons", "heads", "head-dims", "width"),
        metadata={"help": "kinds of units that may go (default: all but experts, tokens, layers)"},
    )
    ignore: tuple[str, ...] = field(
        default=(), metadata={"help": "leave groups, operators or constants alone that match a glob"}
    )
    probes: int = field(
        default=64, metadata={"help": "samples that the error is measured on, at most; fewer on large models"}
    )

    def run(self, state: State) -> State:
        """The state with `sensitivities`."""
        from graphprune.choice import Choice, candidates, open_layers
        from graphprune.cost import cost
        from graphprune.progress import counted
        from graphprune.sensitivity import SHARES, measure, output_error

        solution, model = made(state.solution, "solution"), made(state.model, "model")
        choice = Choice(only=self.only, ignore=self.ignore, target="macs=1x")
        groups = candidates(solution, choice)
        layers, price = open_layers(solution, choice), max(1, cost(solution).macs)
        runs = len(groups) * len(SHARES) + len(layers)
        most = min(self.probes, max(_LEAST, _WORK // (price * max(1, runs))))
        batches = list(made(state.calibration, "calibration").held_out(most))
        with counted("probe") as tell:
            found = measure(
                model,
                solution,
                made(state.scores, "scores").values,
                groups,
                layers,
                output_error(model, batches),
                statistics=state.statistics,
                tell=tell,
            )
        return replace(state, sensitivities={each.name: each for each in found})
