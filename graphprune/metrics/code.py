"""Metrics from code: `metric.py:func`.

`func(reference, candidate, targets)` gets the lists of outputs of both models for a batch and its labels
(None where the data has none), and returns a number for the batch or one for every sample; the metric is the
mean over samples, with an interval where every sample has its number. For what is no mean, name a class: an
instance is made without arguments, sees every batch through `update(reference, candidate, targets)`, and
`value()` returns a number.

`needs_labels` (False) and `higher_is_better` (True) may be set as attributes of the function or class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Usage
from graphprune.metrics.paired import Paired
from graphprune.metrics.tally import Metric, Outputs, Score, counted, demanded
from graphprune.user_code import Code, blamed, load_code


@dataclass(frozen=True)
class CodeMetric:
    """A metric of the user's."""

    code: Code
    needs_labels: bool
    higher_is_better: bool

    @property
    def help(self) -> str:
        """The first line of its docstring."""
        return (str(getattr(self.code.function, "__doc__", None) or self.code.where).strip().splitlines())[0]

    def start(self, output: int) -> Metric:
        """Begin a count; the code sees all outputs, whatever `output` is."""
        if isinstance(self.code.function, type):
            return _Instance(self.code, self.needs_labels)
        return _Function(self)


def code_metric(text: str, default: str) -> CodeMetric:
    """Load the metric that `text` names.

    Raises:
        Usage: there is no such file or function, the file raises, or a class lacks a method.
    """
    code = load_code(text, default)
    if isinstance(code.function, type):
        for method in ("update", "value"):
            if not callable(getattr(code.function, method, None)):
                raise Usage(f"{code.where} has no method {method}", "a metric has update and value")
    flags = getattr(code.function, "needs_labels", False), getattr(code.function, "higher_is_better", True)
    return CodeMetric(code, bool(flags[0]), bool(flags[1]))


class _Function:
    def __init__(self, metric: CodeMetric) -> None:
        self._metric = metric
        self._code = metric.code
        self._sum = 0.0
        self._count = 0
        self._values: list[float] | None = []  # None once a batch of several samples has only one number

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        targets = demanded(targets) if self._metric.needs_labels else targets
        count = len(targets) if targets is not None else len(np.atleast_1d(reference[0]))
        with blamed(self._code.path):
            result = self._code.function(list(reference), list(candidate), targets)
        values = _numbers(result, self._code)
        if values.shape not in ((), (count,)):
            raise Usage(
                f"{self._code.where} returned {list(values.shape)} numbers for {count} samples",
                "return one number, or one for every sample",
            )
        self._sum += float(values.sum()) if values.ndim else float(values) * count
        self._count += count
        if self._values is not None and (values.ndim or count == 1):
            self._values += values.reshape(-1).tolist()
        else:
            self._values = None

    def value(self) -> Score:
        mean = self._sum / counted(self._count)
        if self._values is None:
            return Score(mean, None, self._count)
        better = self._metric.higher_is_better
        paired = Paired(str(self._code.where), better, "mean", candidate=tuple(self._values))
        return Score(mean, None, self._count, paired=paired)


class _Instance:
    def __init__(self, code: Code, needs_labels: bool) -> None:
        self._code = code
        self._needs_labels = needs_labels
        self._count = 0
        with blamed(code.path):
            self._metric = code.function()

    def update(self, reference: Outputs, candidate: Outputs, targets: NDArray[Any] | None) -> None:
        targets = demanded(targets) if self._needs_labels else targets
        self._count += len(targets) if targets is not None else len(np.atleast_1d(reference[0]))
        with blamed(self._code.path):
            self._metric.update(list(reference), list(candidate), targets)

    def value(self) -> Score:
        counted(self._count)
        with blamed(self._code.path):
            result = self._metric.value()
        values = _numbers(result, self._code)
        if values.ndim:
            raise Usage(
                f"{self._code.where} returned {list(values.shape)} numbers", "value() returns one number"
            )
        return Score(float(values), None, self._count)


def _numbers(result: object, code: Code) -> NDArray[np.float64]:
    try:
        return np.asarray(result, np.float64)
    except (TypeError, ValueError) as error:
        raise Usage(f"{code.where} returned a {type(result).__name__}", "return a number") from error
