"""Random samples: enough to try things out, not to choose what a model may lose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.data.batches import Chunk
from graphprune.data.hash import hash_text
from graphprune.data.layout import Layout
from graphprune.feeds import Run, Sizes, at, plan
from graphprune.feeds import draw as draw_run
from graphprune.shape_text import said
from graphprune.symbols.facts import facts

COUNT = 64
"""How many samples there are where no number is asked for."""
_LEAST = 16
"""The least size of open dimensions: a sample should hold several places."""


@dataclass(frozen=True)
class Random:
    """Samples drawn one by one: sample i depends on `seed` and i alone, not on the size of batches."""

    layout: Layout
    run: Run
    count: int
    seed: int

    def digest(self) -> str:
        """A hash of what the samples are drawn from."""
        return hash_text("random", self.seed, *sorted(self.run.sizes.items()))

    def chunks(self, size: int, chosen: NDArray[np.int64]) -> Iterator[Chunk]:
        """Draw the samples with these ascending numbers."""
        for number in chosen.tolist():
            seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1, np.uint64)[0])
            feeds = draw_run(self.run, seed=seed)
            if not self.layout.shared:
                feeds = {name: array[None] for name, array in feeds.items()}
            yield Chunk(feeds, None, 1)


def draw(
    graph: gs.Graph, layout: Layout, sizes: Mapping[str, Sizes] | None, count: int | None, seed: int
) -> Random:
    """Return `count` random samples in sizes that fit together, or in `sizes`.

    A model that takes a fixed number at a time gets at least one batch, and full ones.

    Raises:
        Refused: no sizes are found.
    """
    given = said(sizes)
    known = facts(graph, given)
    run = plan(graph, known, given=given, least=_LEAST).runs[0]
    if layout.shared:
        run = at(graph, known, {name: (1, *shape[1:]) for name, shape in run.sizes.items()})
    count = COUNT if count is None else count
    if layout.fixed:
        count = -(-count // layout.fixed) * layout.fixed
    return Random(layout, run, count, seed)
