"""Models timed in pairs of blocks, in alternating order, and the interval of the ratio of their times.

What disturbs a machine lasts longer than one inference. Timing one model after the other charges the
disturbance to one of them; short blocks of both, A B B A A B ..., meet it alike. Each pair of blocks gives
one ratio of medians; their median is the estimate, and a percentile bootstrap over pairs (Efron and
Tibshirani 1993, *An Introduction to the Bootstrap*, section 13.3) its interval.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from graphprune.backends import Numbers, Running

Verdict = Literal["faster", "slower", "same", "inconclusive"]
MARGIN = 0.02
"""A difference of less than this share is none that a user would notice, or a machine repeats."""
_DRAWS = 2000
_BLOCK = 0.025
"""Seconds of one block. Shorter ones meet a disturbance more alike; much shorter ones are all cold caches."""


@dataclass(frozen=True)
class Rounds:
    """How long is measured.

    Attributes:
        warmup: seconds that each model runs before anything counts.
        duration: seconds that each model is measured, at least.
        rounds: pairs of blocks, at least.
        longest: seconds that each model is measured, at most, while the verdict is open.
        margin: a ratio within 1 - margin and 1 + margin is called the same.
    """

    warmup: float = 0.2
    duration: float = 3.0
    rounds: int = 30
    longest: float = 12.0
    margin: float = MARGIN


@dataclass(frozen=True)
class Interval:
    """A ratio and its 95 % bootstrap interval."""

    ratio: float
    low: float
    high: float

    def verdict(self, margin: float = MARGIN) -> Verdict:
        """Say how the second model compares with the first: whether the whole interval is on one side."""
        if self.high < 1 - margin:
            return "faster"
        if self.low > 1 + margin:
            return "slower"
        return "same" if 1 - margin <= self.low and self.high <= 1 + margin else "inconclusive"


@dataclass(frozen=True)
class Blocks:
    """All the times that were measured.

    Attributes:
        seconds: for each model, each block, the seconds of each inference: [models][blocks][runs].
    """

    seconds: tuple[tuple[Numbers, ...], ...]

    def medians(self, model: int) -> Numbers:
        """Return the median of each block of a model: [blocks]."""
        return np.array([np.median(block) for block in self.seconds[model]])

    def ratios(self, model: int, reference: int = 0) -> Numbers:
        """Return the ratio of medians for each pair of blocks: [blocks]."""
        return self.medians(model) / self.medians(reference)

    def interval(self, model: int, reference: int = 0, seed: int = 0) -> Interval:
        """Return how long `model` takes in terms of `reference`."""
        return interval(self.ratios(model, reference), seed)

    def all(self, model: int) -> Numbers:
        """Return the seconds of every inference of a model, in the order in which they were made."""
        return np.concatenate(self.seconds[model])


def interval(ratios: Numbers, seed: int = 0) -> Interval:
    """Return the median of the ratios of pairs, and its 95 % percentile bootstrap interval.

    Example:
        >>> interval(np.full(10, 0.5))
        Interval(ratio=0.5, low=0.5, high=0.5)
    """
    draws = np.random.default_rng(seed).integers(0, len(ratios), (_DRAWS, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), [2.5, 97.5])
    return Interval(float(np.median(ratios)), float(low), float(high))


def measure(
    running: Sequence[Running],
    rounds: Rounds | None = None,
    *,
    reference: int = 0,
    tell: Callable[[int, int], None] | None = None,
    settled: Callable[[Blocks], bool] | None = None,
) -> Blocks:
    """Time models against each other.

    Each round times one block of every model; the order turns round from one round to the next. When the
    least is done, more rounds follow until the time is up or it is settled.

    Args:
        running: the models, loaded.
        rounds: how long to measure.
        reference: the number of the model that the others are compared with.
        tell: is told how many rounds of how many are done.
        settled: whether no more rounds are needed; by default, when no verdict is inconclusive.
    """
    rounds = rounds or Rounds()
    runs = [_warm(each, rounds.warmup) for each in running]
    each_block = [max(1, round(_BLOCK / seconds)) for seconds in runs]
    block = sum(max(_BLOCK, seconds) for seconds in runs) / len(runs)
    least = max(rounds.rounds, int(np.ceil(rounds.duration / block)))
    most = max(least, int(np.ceil(rounds.longest / block)))
    others = [number for number in range(len(running)) if number != reference]
    seconds: list[list[Numbers]] = [[] for _ in running]

    def decided(blocks: Blocks) -> bool:
        return all(
            blocks.interval(number, reference).verdict(rounds.margin) != "inconclusive" for number in others
        )

    done = 0
    while done < most:
        order = range(len(running)) if done % 2 == 0 else reversed(range(len(running)))
        for number in order:
            running[number].time(1)  # what the other model left in the caches is not this one's fault
            seconds[number].append(running[number].time(each_block[number]))
        done += 1
        if tell is not None:
            tell(done, max(least, done))
        if done >= least and done % 4 == 0 and (settled or decided)(_blocks(seconds)):
            break
    return _blocks(seconds)


def _blocks(seconds: Sequence[Sequence[Numbers]]) -> Blocks:
    return Blocks(tuple(tuple(blocks) for blocks in seconds))


def _warm(running: Running, warmup: float) -> float:
    """Run for `warmup` seconds, once at least; return the median seconds of an inference."""
    taken: list[float] = []
    until = time.perf_counter() + warmup
    while not taken or time.perf_counter() < until:
        taken.append(float(running.time(1)[0]))
    return float(np.median(taken[len(taken) // 2 :]))
