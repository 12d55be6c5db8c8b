"""Positions counted by class and by sample, batch by batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.metrics.paired import ClassScore, Spread
from graphprune.metrics.scores import Bools, Ints

_SUMS = 11
"""Of a class: positions, right under the original, the candidate, both; then the fields of `Spread`."""


class Counts:
    """What is kept of all positions: sums by class, and sums over samples of products (see `Spread`)."""

    def __init__(self) -> None:
        self._classes = np.zeros((_SUMS, 0), np.int64)
        self._whole = np.zeros((_SUMS, 1), np.int64)
        self._several = False

    def add(self, labels: Ints, reference: Bools, candidate: Bools, classes: int, samples: int) -> None:
        """Count the positions of `samples` samples, [positions] each, sample by sample."""
        right = np.ones_like(reference), reference, candidate, reference & candidate
        if len(labels) == samples:
            added = _single([np.bincount(labels[mask], minlength=classes) for mask in right])
            self._whole += added.sum(axis=1, keepdims=True)
        else:
            self._several = True
            keys = np.arange(len(labels)) // (len(labels) // max(samples, 1)) * classes + labels
            size = samples * classes
            by_sample = [np.bincount(keys[mask], minlength=size).reshape(samples, classes) for mask in right]
            added = _several(by_sample)
            self._whole += _several([counts.sum(axis=1, keepdims=True) for counts in by_sample])
        lacking = added.shape[1] - self._classes.shape[1]
        if lacking > 0:
            self._classes = np.pad(self._classes, ((0, 0), (0, lacking)))
        self._classes[:, : added.shape[1]] += added

    @property
    def totals(self) -> tuple[int, int, int]:
        """All positions, and how many of them the original and the candidate get right."""
        count, reference, candidate = (int(number) for number in self._whole[:3, 0])
        return count, reference, candidate

    def classes(self) -> tuple[ClassScore, ...]:
        """The classes that occur, by index."""
        return tuple(ClassScore(label, *_whole(self._classes[:4, label])) for label in self._occurring())

    def spreads(self) -> tuple[Spread | None, tuple[Spread, ...]]:
        """Of all positions, and of each class that occurs; none where each sample is one position."""
        if not self._several:
            return None, ()
        by_class = tuple(Spread(*_whole(self._classes[4:, label])) for label in self._occurring())
        return Spread(*_whole(self._whole[4:, 0])), by_class

    def _occurring(self) -> list[int]:
        found: list[int] = np.flatnonzero(self._classes[0]).tolist()
        return found


def _single(counts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The sums where every sample is one position, so that a square is what it was."""
    m, a, b, both = counts
    return np.stack([m, a, b, both, m, m, a, b, a, both, b])


def _several(counts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """The sums of counts [samples, classes]."""
    m, a, b, _ = counts
    sums = [each.sum(axis=0) for each in counts]
    products = [(x * y).sum(axis=0) for x, y in ((m, m), (m, a), (m, b), (a, a), (a, b), (b, b))]
    return np.stack([*sums, np.count_nonzero(m, axis=0), *products])


def _whole(numbers: NDArray[Any]) -> list[int]:
    found: list[int] = numbers.tolist()
    return found
