"""Evidence made by hand: what a gate would have measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphprune.backends import Device, Setup
from graphprune.gate.evidence import Evidence, Figures, Scored, Timing
from graphprune.metrics.paired import ClassScore, Paired
from graphprune.profiling.result import Batch, Conditions, Profile, Timed

NOON = Conditions("2030-01-01T12:00:00+00:00")


def timing(
    original: float = 10.0,
    candidate: float = 7.0,
    *,
    backend: str = "ort:cpu",
    name: str = "A processor",
    batches: Sequence[int | None] = (1,),
    blocks: int = 40,
    runs: int = 20,
    jitter: float = 0.0,
    deviation: float | None = None,
) -> Timing:
    """Times in milliseconds; `jitter` is the standard deviation of the candidate's blocks, as a share."""
    drawn = np.random.default_rng(0).normal(size=blocks)
    off = jitter * (drawn - np.median(drawn))

    def times(milliseconds: float, sign: int) -> tuple[tuple[float, ...], ...]:
        return tuple((float(milliseconds * (1 + sign * share)),) * runs for share in off)

    models = (
        Timed("model.onnx", "aaaaaaaaaaaa", 1000, times(original, 0)),
        Timed("small.onnx", "bbbbbbbbbbbb", 600, times(candidate, 1), deviation=deviation, limit=1e-4),
    )
    made = tuple(Batch(batch, {"x": (batch or 1, 8)}, models) for batch in batches)
    return Timing(Profile(Device(backend, name), Setup(), 0, 0.02, made, NOON, NOON), 0, 1)


def paired(classes: Mapping[int, tuple[int, int, int, int]]) -> Paired:
    """Counts by class: how many, right by the original, by the candidate, by both."""
    scores = tuple(ClassScore(label, *counts) for label, counts in classes.items())
    return Paired("top1", higher_is_better=True, form="share", classes=scores)


def scored(found: Paired) -> Scored:
    count = sum(each.count for each in found.classes)
    shares = [sum(getattr(each, who) for each in found.classes) / count for who in ("candidate", "reference")]
    return Scored(shares[0], shares[1], count, found)


def evidence(
    *timings: Timing,
    classes: Mapping[int, tuple[int, int, int, int]] | None = None,
    names: Sequence[str] = (),
) -> Evidence:
    """An original of 1000 bytes, 100 parameters and 50 MACs, and a candidate of 600, 40 and 20."""
    scores = {} if classes is None else {"top1": scored(paired(classes))}
    return Evidence(
        Figures("model.onnx", "aaaaaaaaaaaa", 1000, 100, 50),
        Figures("small.onnx", "bbbbbbbbbbbb", 600, 40, 20),
        tuple(timings),
        scores,
        class_names=tuple(names),
    )
