"""Inputs for a model: sizes that belong together, values as users feed them, and what they leave unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import onnx_graphsurgeon as gs

from graphprune.feeds.draw import MAGNITUDES, Run, draw, redraw, styles
from graphprune.feeds.flow import Reach, reaches
from graphprune.feeds.inputs import Feeds, Sizes, fitted_sizes, inputs_of, is_dynamic
from graphprune.feeds.plan import BUDGET, Feeding, LeftOut, at, carry_out, plan
from graphprune.shape_text import said
from graphprune.symbols.facts import Facts, facts

__all__ = [
    "BUDGET",
    "MAGNITUDES",
    "Feeding",
    "Feeds",
    "LeftOut",
    "Reach",
    "Run",
    "Sizes",
    "at",
    "carry_out",
    "draw",
    "fitted_sizes",
    "inputs_of",
    "is_dynamic",
    "plan",
    "planned",
    "random_feeds",
    "reaches",
    "redraw",
    "shapes_to_try",
    "styles",
]


def planned(
    graph: gs.Graph,
    given: Mapping[str, Sizes] | None = None,
    *,
    least: int = 3,
    known: Facts | None = None,
) -> Feeding:
    """Return what `plan` makes of `graph` and of what a user says of its sizes, symbols included.

    `known` is what the graph says of its sizes whatever a user gives, where that was found out already.
    """
    told = said(given)
    if known is None or told.symbols or told.shapes:
        known = facts(graph, told)
    return plan(graph, known, given=told, least=least)


def shapes_to_try(graph: gs.Graph, given: Mapping[str, Sizes] | None = None) -> Iterator[dict[str, Sizes]]:
    """Yield sizes for all inputs: those of the planned runs.

    Raises:
        Refused: there are none.
    """
    for run in planned(graph, given).runs:
        yield dict(run.sizes)


def random_feeds(graph: gs.Graph, sizes: Mapping[str, Sizes], seed: int = 0) -> Feeds:
    """Return a value for every input at given sizes, as `draw` does."""
    return draw(at(graph, facts(graph), sizes), seed=seed)
