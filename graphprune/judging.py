"""A model judged beside the original by metrics on data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphprune.errors import Usage
from graphprune.options import Item
from graphprune.shape_text import Shapes, parse_shapes

if TYPE_CHECKING:
    from graphprune.data import Data
    from graphprune.metrics import Kind, Score
    from graphprune.model import Model


@dataclass(frozen=True)
class Judging:
    """What to judge by.

    Attributes:
        metrics: their names.
        data: what `--eval-data` names; None for the calibration data.
        label_key: the key of the labels in it.
        shapes: shapes of inputs.
        seed: the seed of random data.
    """

    metrics: tuple[str, ...]
    data: str | None
    label_key: str
    shapes: Shapes
    seed: int


@dataclass(frozen=True)
class Judged:
    """Scores by metric, and what they were measured on."""

    data: str
    scores: Mapping[str, Score]

    def to_dict(self) -> dict[str, object]:
        """As JSON values."""
        return {"data": self.data, "scores": {name: score.to_dict() for name, score in self.scores.items()}}


def judging_of(
    metrics: tuple[str, ...], data: str | None, options: Mapping[str, tuple[Item, ...]]
) -> Judging:
    """Return what the metrics, the data and the options of pruning (label-key, shape, seed) ask for."""
    words = {name: ",".join(item.text for item in items) for name, items in options.items()}
    shapes = parse_shapes(tuple(item.text for item in options.get("shape", ())))
    seed = words.get("seed", "0")
    whole = int(seed) if seed.isdigit() else 0  # what is no number, the passes refuse
    return Judging(metrics, data, words.get("label-key", "labels"), shapes, whole)


def open_judging(judging: Judging, model: Model) -> Data | None:
    """Open the data, and see before any work is done that it is what the metrics need.

    Returns None where the calibration data is meant.

    Raises:
        Usage: a metric is unknown, or has no labels; the data does not fit the model.
    """
    from graphprune.metrics import open_metric

    kinds = [open_metric(name) for name in judging.metrics]
    if judging.data is None:
        for kind in kinds:
            if kind.needs_labels:
                raise Usage(
                    f"metric {kind.name} needs labels, and is not judged on what the model is fitted to",
                    "give labelled data with --eval-data",
                )
        return None
    data = open_for(model, judging.data, judging.label_key, judging.shapes, None, judging.seed)
    check_labels(kinds, data)
    return data


def open_for(model: Model, text: str, label_key: str, shapes: Shapes, samples: int | None, seed: int) -> Data:
    """Open the data that `text` names for the inputs of `model`."""
    from graphprune.data import open_data
    from graphprune.feeds import fitted_sizes

    sizes = fitted_sizes(model.graph, shapes)
    return open_data(text, model.graph, label_key=label_key, sizes=sizes, samples=samples, seed=seed)


def check_labels(kinds: Sequence[Kind], data: Data) -> None:
    """Refuse data without labels where a metric needs them."""
    for kind in kinds:
        if kind.needs_labels and next(data.batches(1)).targets is None:
            raise Usage(f"metric {kind.name} needs labels, and the data has none", "see --label-key")
