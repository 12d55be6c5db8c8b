"""A cut model with its weights made up, and whether this brought it nearer to the original."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from graphprune.cut import Cut
from graphprune.duplicate import duplicate
from graphprune.fitting.calibration import Calibration
from graphprune.fitting.compensate import Fit, compensate, summary
from graphprune.fitting.makeup import make_up
from graphprune.fitting.statistics import Statistics
from graphprune.model import Model
from graphprune.progress import Tell
from graphprune.sensitivity import output_error
from graphprune.solution import Solution

By = Literal["lstsq", "obs", "bn", "bias", "none"]
_JUDGED = 64
_WORTH = 0.99
"""New weights are kept where they bring the error below this share of what it was."""


@dataclass(frozen=True)
class Compensated:
    """What came of compensation.

    Attributes:
        model: the model that is nearer to the original: with new weights, or as it was cut.
        before: the error of the outputs as it was cut: squared error over variance.
        after: the same with new weights.
        kept: whether it has new weights.
        fits: each operator that was fitted in turn.
    """

    model: Model
    before: float
    after: float
    kept: bool
    fits: tuple[Fit, ...]

    def facts(self, by: str) -> Mapping[str, object]:
        """Return what is told in the record of a run."""
        errors = {"output_error_before": round(self.before, 6), "output_error_after": round(self.after, 6)}
        return {
            "by": by,
            **errors,
            "kept": self.kept,
            **(summary(self.fits) if self.fits else {}),
        }


def compensated(
    model: Model,
    solution: Solution,
    cut: Cut,
    samples: Calibration,
    statistics: Statistics,
    *,
    by: By,
    rows: int,
    tell: Tell | None = None,
) -> Compensated:
    """Return the cut model with weights that make up for what went; `cut` is not changed.

    Raises:
        Refused: a model cannot be run on the samples.
    """
    judge = output_error(model, list(samples.held_out(_JUDGED)))
    before = judge(cut.model)
    if by == "none":
        return Compensated(cut.model, before, before, False, ())
    graph = duplicate(cut.model.graph)
    twin = dict(zip((id(node) for node in cut.model.graph.nodes), graph.nodes, strict=True))
    nodes = tuple(twin.get(id(node), node) for node in cut.nodes)
    working = replace(cut, model=replace(cut.model, graph=graph), nodes=nodes)
    fits: list[Fit] = []
    if by == "bias" or by == "obs":
        make_up(solution, working, statistics, by)
    else:
        fits = compensate(model, solution, working, samples.fitted, by=by, rows=rows, tell=tell)
    after = judge(working.model)
    kept = after < _WORTH * before
    return Compensated(working.model if kept else cut.model, before, after, kept, tuple(fits))
