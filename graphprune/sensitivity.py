"""How much each group, and each layer, may lose: measured, one at a time, at the outputs of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.cut import cut
from graphprune.errors import Refused
from graphprune.feeds import Feeds
from graphprune.fitting.makeup import make_up
from graphprune.fitting.statistics import Statistics
from graphprune.groups import Group
from graphprune.ir import is_default_domain
from graphprune.layers import Layer
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.probes import expose
from graphprune.progress import Tell
from graphprune.ranking import kept
from graphprune.runtime import run, session
from graphprune.solution import Solution

Numbers = NDArray[np.float64]
Judge = Callable[[Model], float]
"""Tells how bad a model is; 0 for the original."""

SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Sensitivity:
    """What the loss of units of one group, or of one layer, costs.

    Attributes:
        name: the group or layer.
        kind: the kind of its units, or 'layers'.
        size: its units.
        errors: by share of its units that went, what was measured.
    """

    name: str
    kind: str
    size: int
    errors: Mapping[float, float]


_SATURATING = frozenset(("LogSoftmax", "Sigmoid", "Softmax"))
_PASSING = frozenset(("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"))


def output_error(model: Model, batches: Sequence[Feeds]) -> Judge:
    """Return the judge that compares outputs with those of `model`, in front of a last softmax or sigmoid.

    It gives the squared error over the variance of each floating-point output over samples and positions, on
    average over these outputs: 0 is the original, 1 is as bad as its mean.

    Raises:
        Refused: the model cannot be run on the batches, or has no such output.
    """
    names = _judged(model.graph)
    expected = _run(model, names, batches)
    chosen = [number for number, value in enumerate(expected[0]) if value.dtype.kind in "fV"]
    if not chosen:
        raise Refused("the model has no output of floating-point numbers", "judge by a --metric")
    spread = [_spread([values[number] for values in expected]) for number in chosen]

    def judge(candidate: Model) -> float:
        total = np.zeros(len(chosen))
        for found, values in zip(_run(candidate, names, batches), expected, strict=True):
            for at, number in enumerate(chosen):
                apart = found[number].astype(np.float64) - values[number].astype(np.float64)
                total[at] += np.square(apart).sum()
        errors = np.divide(total, spread, out=np.zeros_like(total), where=np.array(spread) > 0)
        return float(errors.mean()) if np.isfinite(errors).all() else float("inf")

    return judge


def _judged(graph: gs.Graph) -> list[str]:
    """Return for each output the tensor that is judged: what a last softmax or sigmoid gets, or itself."""
    names: list[str] = []
    for output in graph.outputs:
        seen, tensor = output, output
        while len(tensor.inputs) == 1 and is_default_domain(tensor.inputs[0]):
            node: gs.Node = tensor.inputs[0]
            if node.op not in _SATURATING | _PASSING or isinstance(node.inputs[0], gs.Constant):
                break
            tensor = node.inputs[0]
            if node.op in _SATURATING:
                seen = tensor
        # The sum of a layer that goes is no longer there; that with a bias is.
        kept = [
            maker.op not in ("Add", "Sum") or any(isinstance(each, gs.Constant) for each in maker.inputs)
            for maker in seen.inputs
        ]
        names.append(seen.name if kept == [True] else output.name)
    return names


def _run(model: Model, names: Sequence[str], batches: Sequence[Feeds]) -> list[list[NDArray[Any]]]:
    """Run a model and return the tensors `names` of each batch."""
    outputs = [tensor.name for tensor in model.graph.outputs]
    with session(expose(model, [name for name in names if name not in outputs]), optimised=True) as opened:
        made = [each.name for each in opened.get_outputs()]
        at = [made.index(name) for name in names]
        return [[values[number] for number in at] for values in (run(opened, feeds) for feeds in batches)]


def _spread(values: Sequence[NDArray[Any]]) -> float:
    flat = np.concatenate([value.astype(np.float64).reshape(-1) for value in values])
    return float(np.square(flat - flat.mean()).sum())


def measure(
    model: Model,
    solution: Solution,
    scores: Mapping[str, Numbers],
    groups: Sequence[Group],
    layers: Sequence[Layer],
    judge: Judge,
    *,
    shares: Sequence[float] = SHARES,
    statistics: Statistics | None = None,
    tell: Tell | None = None,
) -> list[Sensitivity]:
    """Cut one group at a time and judge what is left.

    Args:
        model: the original.
        solution: its axes.
        scores: the importance of units; the lowest go first.
        groups: the groups to try.
        layers: the layers to try.
        judge: tells how bad a model is.
        shares: shares of a group's units that go; those that remove no unit, or all, are left out.
        statistics: with them, the weights that stay make up for what went (`fitting.makeup`, 'obs').
        tell: is told how many groups and layers are done, of how many.
    """
    found: list[Sensitivity] = []
    count = len(groups) + len(layers)

    def judged(plan: Plan) -> float:
        return judged_plan(model, solution, plan, judge, statistics)

    for group in groups:
        errors: dict[float, float] = {}
        for share in shares:
            stay = group.size - round(share * group.size)
            if 0 < stay < group.size:
                keep = {group.name: kept(scores[group.name], stay)}
                errors[share] = judged(Plan(keep, {group.name: group.size}))
        found.append(Sensitivity(group.name, group.kind, group.size, errors))
        if tell is not None:
            tell(len(found), count)
    for layer in layers:
        found.append(Sensitivity(layer.name, "layers", 1, {1.0: judged(Plan({}, {}, (layer.name,)))}))
        if tell is not None:
            tell(len(found), count)
    return found


def judged_plan(
    model: Model, solution: Solution, plan: Plan, judge: Judge, statistics: Statistics | None
) -> float:
    """Return how bad the model is under a plan, with the weights made up where there are statistics."""
    made = cut(model, solution, plan)
    if statistics is not None:
        make_up(solution, made, statistics, "obs")
    return judge(made.model)
