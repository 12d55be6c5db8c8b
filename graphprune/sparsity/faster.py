"""Whether sparse weights make a model faster on a device: weight by weight, and as a whole.

The sparse model is timed beside the dense one, in pairs of blocks; then their steps, where the runtime tells
of them, in rounds. Nothing but a measurement says that a weight is worth its zeros: that it may have the
pattern does not, nor that a builder picked a sparse kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from graphprune.backends import Numbers, Running, Setup, backend
from graphprune.engines.options import BuildOptions
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.profiling.layers import RESOLUTION, together
from graphprune.profiling.paired import Interval, Rounds, interval, measure
from graphprune.profiling.result import Timed
from graphprune.profiling.stepwise import Steps, step_times

SPARSE = ("trt", "trt-rtx")
"""Backends that have sparse kernels."""
_ROUNDS = 9
"""Of timing steps. Of nine ratios of equal times, eight lie below 1 by chance once in 50."""


@runtime_checkable
class Told(Protocol):
    """An engine that knows which of its layers have sparse kernels."""

    def sparse_layers(self) -> Collection[str] | None:
        """Return their names; None where nobody tells."""
        ...


@dataclass(frozen=True)
class Timing:
    """What is known of the operators of one weight.

    Attributes:
        interval: the time of their steps with sparse weights, in terms of that with dense ones; None where
            the runtime does not tell of them.
        picked: whether one of these steps has a sparse kernel; None where nobody tells.
        faster: whether the whole interval lies below 1 - margin, and the difference is one that clocks show.
    """

    interval: Interval | None
    picked: bool | None
    faster: bool


@dataclass(frozen=True)
class Comparison:
    """A sparse model beside the dense one.

    Attributes:
        whole: the time of the sparse model in terms of the dense one's.
        layers: what is known of each weight, by name; empty where the runtime does not tell of its steps.
    """

    whole: Interval
    layers: Mapping[str, Timing]


def compare(
    name: str,
    dense: Model,
    sparse: Model,
    weights: Mapping[str, Sequence[str]],
    feeds: Feeds,
    *,
    rounds: Rounds | None = None,
    gpu: int = 0,
) -> Comparison:
    """Time a sparse model beside the dense one, and the steps of its weights.

    Args:
        name: the backend.
        dense: the model before.
        sparse: the same with sparse weights.
        weights: for each sparse weight, by name, what the operators make that multiply by it.
        feeds: the inputs of one inference.
        rounds: how long is measured.
        gpu: the number of the GPU.

    Raises:
        Usage: there is no such backend.
        Environment: it does not run here.
        Refused: it does not accept the model.
    """
    runner = backend(name)
    without = Setup(gpu=gpu, build=BuildOptions(sparse=False) if name in SPARSE else None)
    runner.device(without)
    with_kernels = replace(without, build=BuildOptions(sparse=True)) if name in SPARSE else without
    with runner.open(dense, feeds, without) as first, runner.open(sparse, feeds, with_kernels) as second:
        blocks = measure([first, second], rounds)
        steps = step_times([first, second], blocks, "dense and sparse", _ROUNDS)
        picked = _picked(second, name)
    layers = of_weights(weights, (dense, sparse), (steps[0], steps[1]), picked) if weights else {}
    return Comparison(blocks.interval(1), layers)


def _picked(running: Running, name: str) -> Collection[str] | None:
    """The names of steps with sparse kernels, or None where nobody tells."""
    if name not in SPARSE:
        return ()
    return running.sparse_layers() if isinstance(running, Told) else None


def of_weights(
    weights: Mapping[str, Sequence[str]],
    models: tuple[Model, Model],
    steps: tuple[Steps, Steps],
    picked: Collection[str] | None,
) -> dict[str, Timing]:
    """Return what the times of steps say of each weight; nothing where there are no steps.

    Args:
        weights: for each weight, what the operators make that multiply by it.
        models: the dense one, and the sparse one.
        steps: of both.
        picked: the names of steps with sparse kernels; None where nobody tells.
    """
    if not (steps[0].times and steps[1].times):
        return {}
    before, after = (Timed("", "", 0, (), layers=each.times, layer_rounds=each.rounds) for each in steps)
    graphs = (models[0].graph, models[1].graph)
    found: dict[str, Timing] = {}
    for weight, made in weights.items():
        pair = together(made, before, after, graphs)
        if pair is None:
            found[weight] = Timing(None, None if picked is None or picked else False, faster=False)
            continue
        ratio = interval(pair.after / pair.before)
        has = None if picked is None else any(step in picked for step in pair.steps)
        found[weight] = Timing(ratio, has, _is_faster(ratio, pair.before, pair.after))
    return found


def _is_faster(ratio: Interval, before: Numbers, after: Numbers) -> bool:
    return ratio.verdict() == "faster" and float(np.median(before) - np.median(after)) >= RESOLUTION
