"""How much every unit matters, judged by running the model with units weakened or gone.

| by | a unit's number |
|---|---|
| removal | the error of the outputs once it is gone and the weights that stay make up for it |
| taylor | absolute derivative of the loss by a gate on the unit |

`removal` (Michel et al. 2019, *Are Sixteen Heads Really Better than One?*, section 3.1; with weights made up
as in Kurtic et al. 2023, *ZipLM*) takes a run for each unit, so it is for heads alone; other units are judged
by `obs`.

`taylor` (Molchanov et al. 2019, *Importance Estimation*, eq. 8) estimates all derivatives at once without a
backward pass, from runs with every gate moved a little up or down at random: Spall 1992, *SPSA*, eq. 2.2. The
estimate is unbiased up to the second order of the step, and noisy: its relative error is about the root of
units over probes. The loss is the cross entropy to the labels where the data has them, or else to the class
that the model itself says, so it is for classifiers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from graphprune.data import Batch
from graphprune.duplicate import duplicate
from graphprune.errors import Usage
from graphprune.fitting.consumers import Use, uses
from graphprune.fitting.linear import Linear, linear, matrix
from graphprune.fitting.linear_write import put
from graphprune.fitting.statistics import Statistics
from graphprune.importance import Scores
from graphprune.importance.data import score_on_data
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.progress import Tell
from graphprune.runtime import run, session
from graphprune.sensitivity import Judge, judged_plan
from graphprune.solution import Solution

Numbers = NDArray[np.float64]
By = Literal["removal", "taylor"]
CRITERIA: tuple[By, ...] = get_args(By)
PROBES = 64
STEP = 0.05


def score_by_removal(
    model: Model, solution: Solution, statistics: Statistics, judge: Judge, tell: Tell | None = None
) -> Scores:
    """Return the importance of every unit of every group that may be pruned; heads are removed one at a time.

    Args:
        model: the original.
        solution: its groups.
        statistics: with which the weights that stay make up for a unit.
        judge: tells how bad a model is.
        tell: is told how many units are done, of how many.
    """
    scores = score_on_data(solution, statistics, "obs")
    few = [group for group in solution.groups if group.prunable and group.kind == "heads" and group.size > 1]
    values, notes = dict(scores.values), dict(scores.notes)
    done, count = 0, sum(group.size for group in few)
    for group in few:
        numbers = np.zeros(group.size)
        for unit in range(group.size):
            kept = np.delete(np.arange(group.size), unit)
            plan = Plan({group.name: kept}, {group.name: group.size})
            numbers[unit] = judged_plan(model, solution, plan, judge, statistics)
            done += 1
            if tell is not None:
                tell(done, count)
        values[group.name] = numbers
        notes.pop(group.name, None)
    tried = {group.name for group in few}
    for group in solution.groups:
        if group.prunable and group.name not in tried:
            notes[group.name] = "its units are no heads, so obs is used"
    return Scores("removal", values, notes)


def score_by_taylor(
    model: Model,
    solution: Solution,
    statistics: Statistics,
    batches: Sequence[Batch],
    *,
    probes: int = PROBES,
    seed: int = 0,
    tell: Tell | None = None,
) -> Scores:
    """Return the estimated size of the derivative of the loss by each unit's gate.

    Args:
        model: a classifier; its first output holds one number a class.
        solution: its groups.
        statistics: for groups that no linear operator sums over, which are judged as by `obs`.
        batches: samples, with labels or without.
        probes: pairs of runs.
        seed: seed of the directions.
        tell: is told how many pairs of runs are done, of how many.

    Raises:
        Usage: the model's first output is not one number a class.
    """
    scores = score_on_data(solution, statistics, "activation")
    felt = uses(solution)
    names = sorted(felt)
    loss = _Loss(model, batches)
    rng = np.random.default_rng(seed)
    sums = {name: np.zeros(solution.group(name).size) for name in names}
    for probe in range(probes):
        signs = {name: rng.choice([-1.0, 1.0], sums[name].size) for name in names}
        up, down = (
            loss.of(_gated(model, felt, {name: 1 + way * STEP * sign for name, sign in signs.items()}))
            for way in (1, -1)
        )
        for name, sign in signs.items():
            sums[name] += (up - down) / (2 * STEP) * sign / probes
        if tell is not None:
            tell(probe + 1, probes)
    return Scores(
        "taylor", {**scores.values, **{name: np.abs(found) for name, found in sums.items()}}, scores.notes
    )


def _gated(model: Model, felt: Mapping[str, tuple[Use, ...]], gates: dict[str, Numbers]) -> Model:
    """Return the model with the inputs of operators that sum over units multiplied by the units' gates."""
    graph = duplicate(model.graph)
    factors: dict[int, tuple[Linear, Numbers]] = {}
    for name, here in felt.items():
        for use in here:
            it = linear(graph.nodes[use.number])
            if not isinstance(it, Linear):
                continue
            factor = np.where(use.units >= 0, gates[name][use.units], 1.0)
            known = factors.get(use.number)
            factors[use.number] = (it, factor if known is None else known[1] * factor)
    for it, factor in factors.values():
        w, b = matrix(it)
        put(graph, it, w * factor[:, :, None], b)
    return replace(model, graph=graph)


class _Loss:
    """The mean cross entropy of a classifier on samples."""

    def __init__(self, model: Model, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._labels = [
            logits.argmax(axis=1)
            if batch.targets is None
            else np.asarray(batch.targets).reshape(-1).astype(np.int64)
            for batch, logits in zip(batches, self._logits(model), strict=True)
        ]

    def of(self, model: Model) -> float:
        """Return the loss of a model."""
        total, count = 0.0, 0
        for labels, logits in zip(self._labels, self._logits(model), strict=True):
            shifted = logits - logits.max(axis=1, keepdims=True)
            if labels.shape != (len(logits),) or not 0 <= labels.min() <= labels.max() < logits.shape[1]:
                raise Usage(
                    f"labels of the data are not classes of 0 to {logits.shape[1] - 1}, one a sample",
                    "leave them out to judge by the classes that the model says",
                )
            norm = np.log(np.exp(shifted).sum(axis=1))
            total += float((norm - shifted[np.arange(len(labels)), labels]).sum())
            count += len(labels)
        return total / count

    def _logits(self, model: Model) -> Iterator[Numbers]:
        with session(model, optimised=True) as opened:
            for batch in self._batches:
                found = run(opened, batch.feeds)[0].astype(np.float64)
                flat = found.reshape(len(found), -1)
                if flat.shape[1] < 2:
                    raise Usage("importance taylor needs a classifier", "choose another importance, as obs")
                if np.all(flat >= 0) and np.allclose(flat.sum(axis=1), 1, atol=1e-3):
                    flat = np.log(np.maximum(flat, 1e-12))  # a softmax has been taken
                yield flat
