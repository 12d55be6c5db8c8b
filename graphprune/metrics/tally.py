"""Metrics over a stream of batches: what is kept between them, and the score at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Negative, Usage
from graphprune.metrics.counts import Counts
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

    def __init__(
        self, name: str, measure: Callable[[NDArray[Any], NDArray[Any]], Floats], perfect: float, output: int
    ) -> None:
        """`perfect` is the number of a model beside itself, the best that there is."""
        self._name = name
        self._measure = measure
        self._perfect = perfect
        self._output = output
        self._values: list[Floats] = []

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        a, b = pair(reference, candidate, self._output)
        with np.errstate(all="ignore"):  # what is not finite shows in the score
            self._values.append(self._measure(a, b))

    def value(self) -> Score:
        values = np.concatenate([np.zeros(0), *self._values])
        mean = float(values.sum()) / counted(len(values))
        found: list[float] = values.tolist()
        paired = Paired(self._name, self._perfect > 0, "mean", self._perfect, candidate=tuple(found))
        return Score(mean, None, len(values), paired=paired)


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
        name: str,
        judge: Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None, int], Judged],
        output: int,
        *,
        compares: bool,
    ) -> None:
        """`judge` gets both outputs, the labels and the number of the first sample.

        `compares` says that the original is right by definition, so that it has no score of its own.
        """
        self._name = name
        self._judge = judge
        self._output = output
        self._compares = compares
        self._samples = 0
        self._counts = Counts()

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        a, b = pair(reference, candidate, self._output)
        judged = self._judge(a, b, targets, self._samples)
        self._samples += len(a)
        self._counts.add(judged.labels, judged.reference, judged.candidate, judged.classes, len(a))

    def value(self) -> Score:
        total, reference, candidate = self._counts.totals
        classes = self._counts.classes()
        spread, by_class = self._counts.spreads()
        perfect = 1.0 if self._compares else None
        paired = Paired(self._name, True, "share", perfect, classes, spread, by_class)
        own = None if self._compares else reference / counted(total)
        return Score(candidate / counted(total), own, total, classes, paired)


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
