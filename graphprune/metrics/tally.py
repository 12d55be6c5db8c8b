"""Metrics over a stream of batches: what is kept between them, and the score at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Negative, Usage
from graphprune.metrics.paired import ClassScore, Paired
from graphprune.metrics.scores import Bools, Floats, Ints

Outputs = Sequence[NDArray[Any]]
"""The outputs of a model for one batch, in the model's order."""


@dataclass(frozen=True)
class Score:
    """The value of a metric over all samples.

    Attributes:
        value: of the candidate.
        reference: the same of the original; None for a metric that compares the two.
        count: the samples (or positions, or pairs) that went in.
        classes: the classes that occur, by index; empty for a metric without classes.
        paired: what was found of each sample; None where only the total is known.
    """

    value: float
    reference: float | None
    count: int
    classes: tuple[ClassScore, ...] = ()
    paired: Paired | None = None

    def to_dict(self) -> dict[str, object]:
        """As JSON values, without what was found of each sample."""
        values = asdict(replace(self, paired=None))
        del values["paired"]
        return values


class Metric(Protocol):
    """Something that sees every batch once and then has a score."""

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        """Take the outputs of both models for one batch, and its labels."""
        ...

    def value(self) -> Score:
        """The score of all batches so far."""
        ...


class Mean:
    """The mean over samples of a number for each, made of both models' outputs."""

    def __init__(self, measure: Callable[[NDArray[Any], NDArray[Any]], Floats], output: int) -> None:
        self._measure = measure
        self._output = output
        self._sum = 0.0
        self._count = 0

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        a, b = pair(reference, candidate, self._output)
        with np.errstate(all="ignore"):  # what is not finite shows in the score
            values = self._measure(a, b)
        self._sum += float(values.sum())
        self._count += len(values)

    def value(self) -> Score:
        return Score(self._sum / counted(self._count), None, self._count)


@dataclass(frozen=True)
class Judged:
    """Positions with their class, and which of them each model gets right."""

    labels: Ints
    reference: Bools
    candidate: Bools
    classes: int


class Share:
    """The share of positions that are right, and counts for every class."""

    def __init__(
        self,
        judge: Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None, int], Judged],
        output: int,
        *,
        compares: bool,
    ) -> None:
        """`judge` gets both outputs, the labels and the number of the first sample.

        `compares` says that the original is right by definition, so that it has no score of its own.
        """
        self._judge = judge
        self._output = output
        self._compares = compares
        self._samples = 0
        self._counts = np.zeros((4, 0), np.int64)

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        a, b = pair(reference, candidate, self._output)
        judged = self._judge(a, b, targets, self._samples)
        self._samples += len(a)
        right = judged.reference, judged.candidate, judged.reference & judged.candidate
        counts = np.stack(
            [
                np.bincount(judged.labels[mask], minlength=judged.classes)
                for mask in (np.ones_like(right[0]), *right)
            ]
        )
        missing = counts.shape[1] - self._counts.shape[1]
        if missing > 0:
            self._counts = np.pad(self._counts, ((0, 0), (0, missing)))
        self._counts[:, : counts.shape[1]] += counts

    def value(self) -> Score:
        total, reference, candidate, _ = (int(number) for number in self._counts.sum(axis=1))
        classes = tuple(
            ClassScore(label, *(int(number) for number in self._counts[:, label]))
            for label in np.flatnonzero(self._counts[0]).tolist()
        )
        own = None if self._compares else reference / counted(total)
        return Score(candidate / counted(total), own, total, classes)


def pair(reference: Outputs, candidate: Outputs, output: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The output with this number of both models.

    Raises:
        Usage: there is no such output, or it is no array of numbers.
        Negative: the two differ in shape.
    """
    if not output < len(reference):
        raise Usage(f"the model has no output {output}", f"it has {len(reference)}, counted from 0")
    a, b = np.atleast_1d(reference[output]), np.atleast_1d(candidate[output])
    if a.shape != b.shape:
        raise Negative(
            f"output {output} is {list(b.shape)}, of the original it is {list(a.shape)}",
            "compare models with the same outputs",
        )
    if a.dtype.kind in "OSU":
        raise Usage(f"output {output} is no array of numbers", "choose another output")
    return a, b


def demanded(targets: NDArray[Any] | None) -> NDArray[Any]:
    """The labels; raises `Usage` where there are none."""
    if targets is None:
        raise Usage("this metric needs labels, and the data has none", "name their key with --label-key")
    return targets


def counted(count: int) -> int:
    """`count` as a divisor; raises `Usage` where nothing was counted."""
    if not count:
        raise Usage("a metric has seen no samples", "give data")
    return count
