"""How close a model is to the original, or how good, on the user's data."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.data import Data
from graphprune.errors import Usage
from graphprune.metrics import Score, open_metric
from graphprune.model import Model
from graphprune.runtime import run, session

BATCH = 32
"""Samples that go through both models at a time."""


def fidelity(
    original: Model,
    candidate: Model,
    data: Data,
    metrics: Sequence[str],
    *,
    output: int = 0,
    batch: int = BATCH,
) -> dict[str, Score]:
    """Run both models over `data` in ONNX Runtime and return the score of each metric by its name.

    Args:
        original: the model to compare with.
        candidate: the model that is judged.
        data: samples that fit both.
        metrics: names of `graphprune.metrics.METRICS`, or `metric.py:func`.
        output: the output that is judged, by position.
        batch: samples at a time.

    Raises:
        Usage: a metric is unknown, or needs labels that the data does not have.
        Refused: a model cannot be run on the data.
    """
    kinds = [open_metric(name) for name in metrics]
    counts = [kind.start(output) for kind in kinds]
    with session(original, optimised=True) as left, session(candidate, optimised=True) as right:
        outputs = left.get_outputs()
        if not 0 <= output < len(outputs):
            raise Usage(f"there is no output {output}", f"the model has {len(outputs)}, counted from 0")
        for samples in data.batches(batch):
            for kind in kinds:
                if kind.needs_labels and samples.targets is None:
                    raise Usage(f"metric {kind.name} needs labels", "name their key with --label-key")
            expected, found = run(left, samples.feeds), run(right, samples.feeds)
            for count in counts:
                count.update(expected, found, samples.targets)
    return {kind.name: count.value() for kind, count in zip(kinds, counts, strict=True)}
