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
from graphprune.feeds import Sizes, random_feeds, shapes_to_try

COUNT = 64
"""How many samples there are where no number is asked for."""


@dataclass(frozen=True)
class Random:
    """Samples drawn one by one: sample i depends on `seed` and i alone, not on the size of batches."""

    layout: Layout
    graph: gs.Graph
    shapes: Mapping[str, Sizes]
    count: int
    seed: int

    def digest(self) -> str:
        """A hash of what the samples are drawn from."""
        return hash_text("random", self.seed, *sorted(self.shapes.items()))

    def chunks(self, size: int, chosen: NDArray[np.int64]) -> Iterator[Chunk]:
        """Draw the samples with these ascending numbers."""
        for number in chosen.tolist():
            seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1, np.uint64)[0])
            feeds = random_feeds(self.graph, self.shapes, seed)
            if not self.layout.shared:
                feeds = {name: array[None] for name, array in feeds.items()}
            yield Chunk(feeds, None, 1)


def draw(
    graph: gs.Graph, layout: Layout, sizes: Mapping[str, Sizes] | None, count: int | None, seed: int
) -> Random:
    """Return `count` random samples in the first shapes that may suit the model, or in `sizes`.

    A model that takes a fixed number at a time gets at least one batch, and full ones.
    """
    shapes = next(shapes_to_try(graph, sizes))
    if layout.shared:
        shapes = {name: (1, *shape[1:]) for name, shape in shapes.items()}
    count = COUNT if count is None else count
    if layout.fixed:
        count = -(-count // layout.fixed) * layout.fixed
    return Random(layout, graph, shapes, count, seed)
