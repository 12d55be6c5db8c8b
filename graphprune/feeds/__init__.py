"""Inputs for a model: sizes that belong together, values as users feed them, and what they leave unseen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.feeds.draw import MAGNITUDES, Run, draw, redraw, styles
from graphprune.feeds.flow import Reach, reaches
from graphprune.feeds.inputs import Feeds, Sizes, fitted_sizes, inputs_of, is_dynamic
from graphprune.feeds.plan import BUDGET, Feeding, LeftOut, at, carry_out, plan
from graphprune.shape_text import said
from graphprune.symbols.facts import facts

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
    "random_feeds",
    "reaches",
    "redraw",
    "redrawn",
    "shapes_to_try",
    "styles",
]


def shapes_to_try(graph: gs.Graph, given: Mapping[str, Sizes] | None = None) -> Iterator[dict[str, Sizes]]:
    """Yield sizes for all inputs: those of the planned runs.

    Raises:
        Refused: there are none.
    """
    known = said(given)
    for run in plan(graph, facts(graph, known), given=known).runs:
        yield dict(run.sizes)


def random_feeds(graph: gs.Graph, sizes: Mapping[str, Sizes], seed: int = 0) -> Feeds:
    """Return a value for every input at given sizes, as `draw` does."""
    return draw(at(graph, facts(graph), sizes), seed=seed)


def redrawn(feeds: Feeds, seed: int) -> Feeds:
    """Return inputs of the same shapes with other values: floats drawn anew, the rest as it was."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.standard_normal(array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
        for name, array in feeds.items()
    }
