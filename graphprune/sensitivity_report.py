"""How much each group, and each layer, of a model may lose: what `graphprune sensitivity` shows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from graphprune.choice import LAYERS, candidates, open_layers, why_nothing
from graphprune.errors import Refused, Usage
from graphprune.fidelity import fidelity
from graphprune.judging import Judging, open_judging
from graphprune.metrics import open_metric
from graphprune.options import Item
from graphprune.passes.score import Score
from graphprune.passes.select import Select
from graphprune.pipeline import Hook, run
from graphprune.progress import counted
from graphprune.pruning import passes, start
from graphprune.sensitivity import Judge, Sensitivity, measure, output_error
from graphprune.state import State, made

if TYPE_CHECKING:
    from pathlib import Path

    from graphprune.data import Data
    from graphprune.model import Model

VERSION = 1
OUTPUT_ERROR = "output error"
_PROBED = 64
_BATCH = 32


@dataclass(frozen=True)
class Row:
    """A group: what was measured at each ratio; None where the ratio removes no unit, or all."""

    name: str
    kind: str
    units: int
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Layer:
    """A layer, and what was measured without it."""

    name: str
    value: float


@dataclass(frozen=True)
class Report:
    """What was measured of every group and layer, the most sensitive first.

    Attributes:
        measure: 'output error' (squared error of the outputs over their variance), or the metric's name.
        data: what it was measured on.
        higher_is_better: whether larger values are better.
        original: the value of the original.
        made_up: whether the weights that stay made up for what went.
        ratios: shares of a group's units that went.
        groups: the groups.
        layers: the layers.
    """

    measure: str
    data: str
    higher_is_better: bool
    original: float
    made_up: bool
    ratios: tuple[float, ...]
    groups: tuple[Row, ...]
    layers: tuple[Layer, ...]

    def to_dict(self) -> dict[str, object]:
        """As JSON values."""
        return {"version": VERSION, **asdict(self)}


@dataclass(frozen=True)
class _Measure:
    name: str
    data: str
    higher_is_better: bool
    judge: Judge
    original: float


def report(
    model: Path | str,
    options: Mapping[str, tuple[Item, ...]],
    ratios: Sequence[float],
    judging: Judging,
    *,
    plain: bool = False,
    hooks: Iterable[Hook] = (),
) -> Report:
    """Cut one group at a time, at each ratio, and take out one layer at a time; judge what is left.

    Args:
        model: the model's file.
        options: of `graphprune.pruning.OPTIONS`; `data` is needed.
        ratios: shares of a group's units.
        judging: at most one metric; without any the output error is measured, on `judging.data` or else on
            samples of the calibration data that are held out.
        plain: leave the other weights as they are.
        hooks: are shown every pass.

    Raises:
        Usage: an option is wrong, or the data does not fit.
        Refused: nothing can be pruned, or the model cannot be run.
    """
    if "data" not in options:
        raise Usage("sensitivity is measured on data, and none is given", "give it with --data")
    state = start(model)
    data = open_judging(judging, state.original)
    chain = passes(options, "plan")
    choice = next(each.choice() for each in chain if isinstance(each, Select))
    upto = next(number for number, each in enumerate(chain, 1) if isinstance(each, Score))
    state = run(chain[:upto], state, hooks)
    solution = made(state.solution, "solution")
    groups = candidates(solution, replace(choice, target="macs=1x"))
    branches = open_layers(solution, choice)
    if not groups and not branches:
        raise Refused("nothing can be pruned: " + why_nothing(solution, choice), "see `graphprune inspect`")
    by = _measure(state, judging, data)
    with counted("sensitivity") as tell:
        found = measure(
            made(state.model, "model"),
            solution,
            made(state.scores, "scores").values,
            groups,
            branches,
            by.judge,
            shares=ratios,
            statistics=None if plain else state.statistics,
            tell=tell,
        )
    return _sorted(found, by, tuple(ratios), made_up=not plain)


def _measure(state: State, judging: Judging, data: Data | None) -> _Measure:
    model, calibration = made(state.model, "model"), made(state.calibration, "calibration")
    if judging.metrics:
        samples, (metric,) = data or calibration.data, judging.metrics
        kind = open_metric(metric)

        def value(candidate: Model) -> float:
            return fidelity(model, candidate, samples, [metric])[kind.name].value

        where = judging.data or "the calibration data"
        return _Measure(kind.name, where, kind.higher_is_better, value, value(model))
    if data is not None and judging.data is not None:
        feeds = [batch.feeds for batch in data.batches(_BATCH)]
        return _Measure(OUTPUT_ERROR, judging.data, False, output_error(model, feeds), 0.0)
    feeds = list(calibration.held_out(_PROBED))
    return _Measure(OUTPUT_ERROR, "samples of the calibration data", False, output_error(model, feeds), 0.0)


def _sorted(
    found: Sequence[Sensitivity], by: _Measure, ratios: tuple[float, ...], *, made_up: bool
) -> Report:
    sign = -1.0 if by.higher_is_better else 1.0

    def damage(each: Sensitivity) -> float:
        """The mean over all ratios of what is lost, between the ratios that were measured on a line."""
        at = sorted(each.errors)
        lost = [0.0, *(sign * (each.errors[ratio] - by.original) for ratio in at)]
        mean = float(np.mean(np.interp(ratios if each.kind != LAYERS else [1.0], [0.0, *at], lost)))
        return math.inf if math.isnan(mean) else mean

    order = sorted(found, key=damage, reverse=True)
    rows = [
        Row(each.name, each.kind, each.size, tuple(each.errors.get(ratio) for ratio in ratios))
        for each in order
        if each.kind != LAYERS
    ]
    gone = [Layer(each.name, each.errors[1.0]) for each in order if each.kind == LAYERS]
    return Report(
        by.name, by.data, by.higher_is_better, by.original, made_up, ratios, tuple(rows), tuple(gone)
    )
