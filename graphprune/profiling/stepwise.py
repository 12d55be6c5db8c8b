"""The times of a runtime's steps, taken in rounds like those of whole models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphprune.backends import LayerTime, Running
from graphprune.profiling.paired import Blocks
from graphprune.progress import counted

ROUNDS = 5
"""Of two steps that take the same time, all five ratios lie on one side of 1 by chance once in 16 times."""
_SECONDS = 0.1
_FEWEST, _MOST = 5, 200


@dataclass(frozen=True)
class Steps:
    """The steps of one model.

    Attributes:
        times: each with the median over rounds, in the order in which they run.
        rounds: the seconds of each in each round: [steps][rounds].
    """

    times: tuple[LayerTime, ...] = ()
    rounds: tuple[tuple[float, ...], ...] = ()


def step_times(running: Sequence[Running], blocks: Blocks, label: str, rounds: int = ROUNDS) -> list[Steps]:
    """Time the steps of models in turn, forwards and backwards; empty where a runtime does not know them.

    Args:
        running: the models, loaded.
        blocks: the times of whole inferences, which say how many make a tenth of a second.
        label: what the progress is called.
        rounds: how often.
    """
    runs = [
        min(_MOST, max(_FEWEST, round(_SECONDS / float(np.median(blocks.medians(number))))))
        for number in range(len(running))
    ]
    taken: list[list[tuple[LayerTime, ...]]] = [[] for _ in running]
    with counted(f"{label}, layers") as tell:
        for done in range(rounds):
            order = range(len(running)) if done % 2 == 0 else reversed(range(len(running)))
            for number in order:
                taken[number].append(running[number].layers(runs[number]))
            tell(done + 1, rounds)
    return [_joined(rounds) for rounds in taken]


def _joined(rounds: Sequence[tuple[LayerTime, ...]]) -> Steps:
    """The steps that every round has, under the name that the runtime gives them."""
    known = [{(step.name, step.op): step.seconds for step in each} for each in rounds]
    times: list[LayerTime] = []
    seconds: list[tuple[float, ...]] = []
    for step in rounds[0]:
        key = (step.name, step.op)
        if all(key in each for each in known):
            row = tuple(each[key] for each in known)
            times.append(replace(step, seconds=float(np.median(row))))
            seconds.append(row)
    return Steps(tuple(times), tuple(seconds))
