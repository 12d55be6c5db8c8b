"""compensate: weights that make up for what was removed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from graphprune.state import State, made


@dataclass(frozen=True)
class Compensate:
    """Fits the weights that stay to what the original computes on the calibration data, in closed form.

    The surgery is verified before; afterwards the promise is measured fidelity.
    """

    name: ClassVar[str] = "compensate"
    needs: ClassVar[tuple[str, ...]] = ("model", "solution", "cut", "calibration", "statistics")
    gives: ClassVar[tuple[str, ...]] = ("compensated",)

    by: Literal["lstsq", "obs", "bn", "bias", "none"] = field(
        default="lstsq", metadata={"help": "how the weights that stay make up for what went"}
    )
    rows: int = field(
        default=16384,
        metadata={"help": "rows of inputs that each operator is fitted to"},
    )

    def run(self, state: State) -> State:
        """The state with `compensated`; the cut model itself where this is nearer to the original."""
        from graphprune.fitting.compensated import compensated
        from graphprune.progress import counted

        with counted("compensate") as tell:
            result = compensated(
                made(state.model, "model"),
                made(state.solution, "solution"),
                made(state.cut, "cut"),
                made(state.calibration, "calibration"),
                made(state.statistics, "statistics"),
                by=self.by,
                rows=self.rows,
                tell=tell,
            )
        return replace(
            state, compensated=result.model, facts={**state.facts, self.name: result.facts(self.by)}
        )
