"""The metrics: how good a model is, and how close it is to the original, on data.

| name | of the candidate | unit | better | labels |
|---|---|---|---|---|
| `top1` | positions whose label has the largest score | share, 0 to 1 | higher | yes |
| `top5` | positions whose label is among the five largest scores | share, 0 to 1 | higher | yes |
| `agreement` | positions where both models choose the same class | share, 0 to 1 | higher | no |
| `cosine` | mean over samples of the cosine between both outputs | -1 to 1 | higher | no |
| `mse` | mean over samples of the mean squared difference | output squared | lower | no |
| `kl` | mean over samples of KL(original || candidate) | nats | lower | no |
| `spearman` | rank correlation of output, or cosine of pairs, with labels | -1 to 1 | higher | yes |

A position is a sample of a classifier, a token or a pixel of others (`scores.class_axis`). `top1`, `top5` and
`spearman` give the original's score beside the candidate's; `top1`, `top5` and `agreement` count by class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Usage
from graphprune.metrics.code import code_metric
from graphprune.metrics.paired import ClassScore, Paired, Spread
from graphprune.metrics.ranks import Ranks
from graphprune.metrics.scores import (
    class_axis,
    cosines,
    decisions,
    divergences,
    hits,
    labelled,
    rows,
    squared_errors,
)
from graphprune.metrics.tally import Judged, Mean, Metric, Outputs, Score, Share, demanded
from graphprune.nearest import did_you_mean
from graphprune.user_code import is_code

__all__ = ["METRICS", "ClassScore", "Kind", "Metric", "Outputs", "Paired", "Score", "Spread", "open_metric"]

FUNCTION = "metric"
"""The function of a `metric.py` where none is named."""


@dataclass(frozen=True)
class Kind:
    """A metric that can be started on a stream of batches.

    Attributes:
        name: how it is called.
        needs_labels: whether it looks at labels.
        higher_is_better: whether larger values are better.
        help: what it is, in one line.
        start: begins a count on the output with the given number.
    """

    name: str
    needs_labels: bool
    higher_is_better: bool
    help: str
    start: Callable[[int], Metric]


def _top(
    k: int, reference: NDArray[Any], candidate: NDArray[Any], targets: NDArray[Any] | None, first: int
) -> Judged:
    axis, labels = labelled(reference, demanded(targets), first)
    right = [hits(rows(output, axis), labels, k) for output in (reference, candidate)]
    return Judged(labels, right[0], right[1], reference.shape[axis])


def _agreement(
    reference: NDArray[Any], candidate: NDArray[Any], targets: NDArray[Any] | None, first: int
) -> Judged:
    axis = class_axis(reference.shape)
    chosen = decisions(rows(reference, axis))
    if (chosen < 0).any():
        raise Usage("the original answers with NaN", "leave out the samples where it does")
    same = chosen == decisions(rows(candidate, axis))
    return Judged(chosen, np.ones_like(same), same, reference.shape[axis])


METRICS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("top1", True, True, "labels with the largest score", lambda o: _share(1, o)),
        Kind("top5", True, True, "labels among the five largest scores", lambda o: _share(5, o)),
        Kind(
            "agreement",
            False,
            True,
            "classes that both models choose",
            lambda o: Share("agreement", _agreement, o, compares=True),
        ),
        Kind("cosine", False, True, "cosine between both outputs", lambda o: Mean("cosine", cosines, 1.0, o)),
        Kind("mse", False, False, "mean squared difference", lambda o: Mean("mse", squared_errors, 0.0, o)),
        Kind(
            "kl",
            False,
            False,
            "KL divergence from the original, in nats",
            lambda o: Mean("kl", divergences, 0.0, o),
        ),
        Kind("spearman", True, True, "rank correlation with the labels", Ranks),
    )
}


def _share(k: int, output: int) -> Share:
    return Share(f"top{k}", partial(_top, k), output, compares=False)


def open_metric(text: str) -> Kind:
    """The metric called `text`, or the one in the user's file that it names (`metric.py:func`).

    Example:
        >>> count = open_metric("top1").start(0)
        >>> a, b = np.array([[1.0, 3], [4, 2]]), np.array([[1.0, 3], [1, 2]])
        >>> count.update([a], [b], np.array([1, 0]))
        >>> count.value().reference, count.value().value
        (1.0, 0.5)

    Raises:
        Usage: there is no such metric.
    """
    if is_code(text):
        found = code_metric(text, FUNCTION)
        return Kind(text, found.needs_labels, found.higher_is_better, found.help, found.start)
    if text not in METRICS:
        raise Usage(f"there is no metric {text}", did_you_mean(text, METRICS) + "; or name metric.py:func")
    return METRICS[text]
