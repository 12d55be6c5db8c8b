"""Two models timed beside each other, loaded more than once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from graphprune.backends import Backend, Numbers, Setup
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.profiling.paired import Interval, Rounds, interval, measure

_LOADS = 2
"""Where a model lies in memory matters, too."""
_ROUNDS = Rounds(warmup=0.2, duration=0.75, rounds=30, longest=2.5)
_WIDTH = 0.008


@dataclass(frozen=True)
class Pair:
    """How a model compares with the original.

    Attributes:
        seconds: medians of the original and of the model.
        ratios: the model's share of the original's time, one for each pair of blocks.
    """

    seconds: tuple[float, float]
    ratios: Numbers = field(repr=False)

    @property
    def interval(self) -> Interval:
        """The model's share of the original's time."""
        return interval(self.ratios)


def timed(runner: Backend, setup: Setup, feeds: Feeds, original: Model, other: Model) -> Pair:
    """Time `other` beside `original` on the same inputs.

    Raises:
        Environment: the backend does not run here.
        Refused: it does not accept a model.
    """
    ratios: list[Numbers] = []
    medians: list[tuple[float, float]] = []
    for _ in range(_LOADS):
        with runner.open(original, feeds, setup) as first, runner.open(other, feeds, setup) as second:
            blocks = measure(
                [first, second],
                _ROUNDS,
                settled=lambda blocks: blocks.interval(1).high - blocks.interval(1).low < _WIDTH,
            )
        ratios.append(blocks.ratios(1))
        medians.append((float(np.median(blocks.medians(0))), float(np.median(blocks.medians(1)))))
    return Pair(
        (float(np.median([a for a, _ in medians])), float(np.median([b for _, b in medians]))),
        np.concatenate(ratios),
    )
