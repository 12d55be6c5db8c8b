"""A model judged beside the original by metrics on data: the data, the scores, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from graphprune.errors import Usage

if TYPE_CHECKING:
    from graphprune.data import Data
    from graphprune.metrics import Kind, Score
    from graphprune.model import Model
    from graphprune.shape_text import Shapes

WORST = 5
"""How many of the classes that lose most are shown."""


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
        return {"data": self.data, "scores": {name: asdict(score) for name, score in self.scores.items()}}


def names(texts: Iterable[str]) -> tuple[str, ...]:
    """The metrics that the pieces of `--metric` name, each once."""
    given = (name.strip() for text in texts for name in text.split(","))
    return tuple(dict.fromkeys(name for name in given if name))


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
    from graphprune.feeds import inputs_of
    from graphprune.shape_text import fit_shapes

    sizes = fit_shapes(shapes, {tensor.name: tensor.shape for tensor in inputs_of(model.graph)})
    return open_data(text, model.graph, label_key=label_key, sizes=sizes, samples=samples, seed=seed)


def check_labels(kinds: Sequence[Kind], data: Data) -> None:
    """Refuse data without labels where a metric needs them."""
    for kind in kinds:
        if kind.needs_labels and next(data.batches(1)).targets is None:
            raise Usage(f"metric {kind.name} needs labels, and the data has none", "see --label-key")


def score_tables(scores: Mapping[str, Score], title: str, models: tuple[str, str]) -> Iterator[object]:
    """The scores of two models, called `models`, and the classes that lose most."""
    from graphprune.cli.tables import table, text

    yield text(title)
    rows: list[tuple[str, ...]] = []
    for name, score in scores.items():
        original = "" if score.reference is None else f"{score.reference:.4g}"
        rows.append((name, original, f"{score.value:.4g}", str(score.count)))
    heads = tuple(f"{model}#" for model in models)
    yield table(("metric", *heads, "of#"), rows)
    for name, score in scores.items():
        worst = sorted((each for each in score.classes if each.change < 0), key=lambda each: each.change)
        lines = [
            (str(one.label), str(one.count), str(one.reference), str(one.candidate), f"{one.change:+.1%}")
            for one in worst[:WORST]
        ]
        if lines:
            yield table((f"{name}: classes that lose most", "of#", *heads, "change#"), lines)
