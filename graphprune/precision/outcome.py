"""What a change of precision does to the outputs of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Negative, Refused, Usage
from graphprune.feeds import Feeds, Sizes, draw, inputs_of, planned
from graphprune.fitting.calibration import Calibration
from graphprune.metrics.scores import class_axis
from graphprune.model import Model
from graphprune.runtime import run, session

JUDGED = 256
"""Samples of calibration data that the outputs are compared on."""
_LEAST = 16
"""The least size of open dimensions of random inputs."""


@dataclass(frozen=True)
class Outcome:
    """How the outputs of a model compare with those of another.

    Attributes:
        error: squared error over variance, on average over the floating-point outputs: 0 is the same, 1 is as
            bad as the mean.
        agreement: the share of positions where both choose the same class; None where no output has classes.
        samples: along the leading axis of the inputs.
    """

    error: float
    agreement: float | None
    samples: int

    def facts(self) -> dict[str, object]:
        """Return what is told in the record of a run."""
        agreement = None if self.agreement is None else round(self.agreement, 6)
        return {"output_error": float(f"{self.error:.6g}"), "agreement": agreement, "samples": self.samples}


def inputs_for(
    model: Model, calibration: Calibration | None, sizes: Mapping[str, Sizes] | None = None, seed: int = 0
) -> list[Feeds]:
    """Return held-out calibration data, or without any random inputs at a shape that the model accepts.

    Raises:
        Refused: the model accepts no shape that was tried.
    """
    if calibration is not None:
        return list(calibration.held_out(JUDGED))
    feeding = planned(model.graph, sizes, least=_LEAST)
    refusals: list[Refused] = []
    with session(model) as opened:
        for each in feeding.runs:
            feeds = draw(each, seed=seed)
            try:
                run(opened, feeds)
            except Refused as error:
                refusals.append(error)
                continue
            return [feeds, draw(each, seed=seed + 1)]
    raise refusals[0]


def outcome(model: Model, candidate: Model, batches: Sequence[Feeds]) -> Outcome:
    """Compare `candidate` with `model` in ONNX Runtime, as it would be run.

    Raises:
        Negative: an output is not finite where that of `model` is, or the candidate cannot be run.
        Refused: the model itself cannot be run.
    """
    expected = list(_outputs(model, batches))
    try:
        found = list(_outputs(candidate, batches))
    except Refused as error:
        raise Negative(
            f"in the lower precision the model cannot be run: {error.what}",
            "block the operator that is named, and report this with the model",
        ) from error
    names = [tensor.name for tensor in model.graph.outputs]
    errors: list[float] = []
    for at, first in enumerate(expected[0] if expected else []):
        if first.dtype.kind not in "fV":
            continue
        a, b = ([values[at].astype(np.float64) for values in batches] for batches in (expected, found))
        if not _finite(a, b):
            raise Negative(
                f"output '{names[at] if at < len(names) else at}' is not finite in the lower precision",
                "give calibration data, so that overflows are found, or block operators, or take bf16",
            )
        errors.append(_error(a, b))
    count = sum(_count(feeds) for feeds in batches)
    return Outcome(float(np.mean(errors)) if errors else 0.0, _agreement(expected, found), count)


def _finite(a: list[NDArray[np.float64]], b: list[NDArray[np.float64]]) -> bool:
    return all(bool(np.isfinite(y[np.isfinite(x)]).all()) for x, y in zip(a, b, strict=True))


def _error(a: list[NDArray[np.float64]], b: list[NDArray[np.float64]]) -> float:
    x, y = (np.concatenate([values.reshape(-1) for values in each]) for each in (a, b))
    fine = np.isfinite(x)
    x, y = x[fine], y[fine]
    apart = float(np.square(x - y).sum())
    spread = float(np.square(x - x.mean()).sum()) if x.size else 0.0
    return 0.0 if apart == 0 else apart / spread if spread else float("inf")


def _agreement(expected: list[list[NDArray[Any]]], found: list[list[NDArray[Any]]]) -> float | None:
    same = count = 0
    for a, b in zip(expected, found, strict=True):
        if not a or a[0].dtype.kind not in "fV":
            return None
        try:
            axis = class_axis(a[0].shape)
        except Usage:
            return None
        alike = a[0].astype(np.float32).argmax(axis) == b[0].astype(np.float32).argmax(axis)
        same, count = same + int(np.count_nonzero(alike)), count + alike.size
    return same / count if count else None


def _outputs(model: Model, batches: Iterable[Feeds]) -> Iterable[list[NDArray[Any]]]:
    types = {tensor.name: tensor.dtype for tensor in inputs_of(model.graph)}
    with session(model, optimised=True) as opened:
        for feeds in batches:
            yield run(opened, {name: _as(array, types.get(name)) for name, array in feeds.items()})


def _as(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return an input in the type that the model takes, where both are floating-point numbers."""
    if dtype is None or array.dtype.kind != "f" or np.dtype(dtype).kind not in "fV":
        return array
    return array.astype(dtype)


def _count(feeds: Feeds) -> int:
    return max((len(array) for array in feeds.values() if array.ndim), default=1)
