"""What metrics count, batch by batch: arrays in, one number a sample (or a position) out.

Outputs are [n, ...] with the samples along the leading axis. The classes of an output lie along
`class_axis`: a classifier's [n, C], a token classifier's [n, tokens, C], a segmentation's [n, C, H, W].
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Usage

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_FLOOR = 1e-12
"""Probabilities below this count as this in a divergence, which would else be infinite."""


def class_axis(shape: tuple[int, ...], labels: tuple[int, ...] | None = None) -> int:
    """Return the axis of an output along which its classes lie.

    It is the axis that the labels lack; without labels (or where several would do) the last axis of up to
    three, and axis 1 of more.

    Raises:
        Usage: the output has no classes, or the labels do not fit it.
    """
    usual = 1 if len(shape) > 3 else len(shape) - 1
    if len(shape) < 2 or (labels is None and shape[usual] < 2):
        raise Usage(
            f"an output of shape {_show(shape)} has no classes", "use cosine, mse, or your own metric.py:func"
        )
    if labels is None:
        return usual
    fitting = [axis for axis in range(1, len(shape)) if shape[:axis] + shape[axis + 1 :] == labels]
    fitting = [axis for axis in fitting if shape[axis] > 1]
    if not fitting:
        raise Usage(
            f"labels of shape {_show(labels)} do not fit an output of shape {_show(shape)}",
            "give one whole number a sample; one-hot labels need an argmax",
        )
    return usual if usual in fitting else fitting[0]


def rows(output: NDArray[Any], axis: int) -> Floats:
    """Return an output as [positions, classes], a position being a sample, a token or a pixel."""
    moved = np.moveaxis(output, axis, -1)
    return moved.reshape(-1, moved.shape[-1]).astype(np.float64)


def labelled(output: NDArray[Any], targets: NDArray[Any], first: int = 0) -> tuple[int, Ints]:
    """Return the class axis of `output` and the labels as [positions]; [n, 1] labels count as [n].

    `first` is the number of the first sample, for messages.

    Raises:
        Usage: the labels are no integers, do not fit the output, or are out of range.
    """
    if targets.dtype.kind not in "biu":
        raise Usage(
            f"the labels are {targets.dtype.name}", "classes are integers: save them with astype('int64')"
        )
    shape = targets.shape
    if len(output.shape) == 2 and len(shape) == 2 and shape[1] == 1:
        shape = shape[:1]
    axis = class_axis(output.shape, shape)
    classes = output.shape[axis]
    bad = (targets < 0) | (targets >= classes)
    if bad.any():
        place = tuple(np.argwhere(bad)[0])
        raise Usage(
            f"label {targets[place]} of sample {first + int(place[0])} is out of range",
            f"the model has {classes} classes: labels go from 0 to {classes - 1}",
        )
    return axis, targets.reshape(-1).astype(np.int64)


def hits(scores: Floats, labels: Ints, k: int) -> Bools:
    """Whether the label is among the k largest of `scores` [positions, classes].

    Of equal scores the one with the lower index counts as larger, as in argmax. A position with a NaN is
    no hit.
    """
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    index = np.arange(int(scores.shape[1]))
    before = index < labels[:, None]
    rank = np.count_nonzero((scores > own) | ((scores == own) & before), axis=1)
    found: Bools = (rank < k) & ~np.isnan(scores).any(axis=1)
    return found


def decisions(scores: Floats) -> Ints:
    """The class with the largest of `scores` [positions, classes]; -1 where one is NaN."""
    return np.where(np.isnan(scores).any(axis=1), -1, scores.argmax(axis=1))


def cosines(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """The cosine of the angle between each sample of `a` and `b` [n, ...], flattened.

    Two zeros agree (1), a zero and something else do not (0).
    """
    x, y = _directions(flat(a)), _directions(flat(b))
    zero = [~array.any(axis=1) for array in (x, y)]
    return np.where(zero[0] & zero[1], 1.0, np.clip((x * y).sum(axis=1), -1, 1))


def squared_errors(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """The mean squared difference of each sample of `a` and `b` [n, ...]."""
    result: Floats = np.mean((flat(a) - flat(b)) ** 2, axis=1)
    return result


def divergences(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """KL(p || q) of each sample in nats, p and q being the softmax of `a` and `b` along the class axis.

    Where both are probabilities (not negative, and each position sums to 1 within 0.001), p and q are `a` and
    `b` themselves. A sample of several positions has the mean of them.
    """
    axis = class_axis(a.shape)
    x, y = rows(a, axis), rows(b, axis)
    if all(bool((z >= 0).all() and (np.abs(z.sum(axis=1) - 1) < 1e-3).all()) for z in (x, y)):
        p, q = np.log(np.maximum(x, _FLOOR)), np.log(np.maximum(y, _FLOOR))
    else:
        p, q = _log_softmax(x), _log_softmax(y)
    result: Floats = np.mean(np.sum(np.exp(p) * (p - q), axis=1).reshape(a.shape[0], -1), axis=1)
    return result


def rank_correlation(a: Floats, b: Floats) -> float:
    """Spearman's rho of two lists: Pearson's r of their ranks, ties sharing their mean rank.

    NaN where one of them is constant or holds a NaN.
    """
    if np.isnan(a).any() or np.isnan(b).any():
        return float("nan")
    x, y = _ranks(a), _ranks(b)
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale else float("nan")


def flat(array: NDArray[Any]) -> Floats:
    """Samples as rows, [n, values]."""
    return array.reshape(array.shape[0], math.prod(array.shape[1:])).astype(np.float64)


def _directions(x: Floats) -> Floats:
    """Rows of length 1, or 0; scaled before they are squared, which could overflow."""
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0)
    x = x / np.where(largest == 0, 1, largest)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length == 0, 1, length)


def _ranks(values: Floats) -> Floats:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[which]


def _log_softmax(x: Floats) -> Floats:
    shifted: Floats = x - x.max(axis=1, keepdims=True)
    result: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _show(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
