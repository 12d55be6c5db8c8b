"""Scores as tables, and metrics as they are named on the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphprune.metrics import Score

WORST = 5
"""How many of the classes that lose most are shown."""


def names(texts: Iterable[str]) -> tuple[str, ...]:
    """The metrics that the pieces of `--metric` name, each once."""
    given = (name.strip() for text in texts for name in text.split(","))
    return tuple(dict.fromkeys(name for name in given if name))


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
