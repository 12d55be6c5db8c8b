"""Both models judged on the user's data, by the metrics that limits name."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from graphprune.errors import Usage
from graphprune.gate.catalogue import Metric, score_of
from graphprune.gate.evidence import Evidence, Scored
from graphprune.gate.outcome import Assertion
from graphprune.gate.settings import Settings
from graphprune.metrics import Kind, open_metric
from graphprune.model import Model
from graphprune.user_code import is_code

Wanted = Sequence[tuple[Assertion, Metric]]
log = logging.getLogger(__name__)


def check_data(settings: Settings, wanted: Wanted, folder: Path | None) -> None:
    """Refuse a limit on what data says where no data is named, or the metric cannot be opened.

    Raises:
        Usage: naming the first such limit and its line.
    """
    for assertion, metric in _of_data(wanted):
        where = assertion.where
        try:
            kind = _open(score_of(metric), folder)
        except Usage as error:
            raise Usage(f"{where}: {error.what}", error.hint) from error
        if settings.data is None:
            labelled = "labelled data" if kind.needs_labels else "data"
            raise Usage(
                f"{where}: {assertion.metric} needs {labelled}, and none is named",
                'write data = "val.npz" under [gate], or give --data val.npz',
            )


def score(
    found: Evidence,
    original: Model,
    candidate: Model,
    settings: Settings,
    wanted: Wanted,
    folder: Path | None,
) -> Evidence:
    """Return the evidence with the scores that are wanted.

    Raises:
        Usage: the data does not fit the model, or has no labels where a limit needs them.
    """
    from graphprune.fidelity import fidelity
    from graphprune.judging import open_for

    asked = {score_of(metric): assertion for assertion, metric in _of_data(wanted)}
    if not asked or settings.data is None:
        return found
    data = open_for(
        original, settings.data, settings.label_key, settings.shape, settings.samples, settings.seed
    )
    kinds = {name: _open(name, folder) for name in asked}
    if any(kind.needs_labels for kind in kinds.values()) and next(data.batches(1)).targets is None:
        name = next(name for name, kind in kinds.items() if kind.needs_labels)
        raise Usage(
            f"{asked[name].where}: {asked[name].metric} needs labels, and {settings.data} has none under "
            f"the key {settings.label_key!r}",
            "name their key with label-key",
        )
    log.info("judging on %s", settings.data)
    opened = {name: kind.name for name, kind in kinds.items()}
    scores = fidelity(original, candidate, data, tuple(opened.values()), output=settings.output)
    made = {name: scores[known] for name, known in opened.items()}
    return replace(
        found,
        data=settings.data,
        scores={
            name: Scored(each.value, each.reference, each.count, each.paired) for name, each in made.items()
        },
    )


def _of_data(wanted: Wanted) -> Iterable[tuple[Assertion, Metric]]:
    return [pair for pair in wanted if pair[1].source in ("labels", "data")]


def _open(name: str, folder: Path | None) -> Kind:
    return open_metric(str(folder / name) if folder is not None and is_code(name) else name)
