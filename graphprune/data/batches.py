"""Samples on their way to the model: chunks as a source gives them, batches as the model takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.data.layout import Layout
from graphprune.errors import Usage
from graphprune.feeds import Feeds


@dataclass(frozen=True)
class Chunk:
    """`count` samples along the leading axis of every array, checked and cast."""

    feeds: Feeds
    targets: NDArray[Any] | None
    count: int

    def part(self, begin: int, end: int) -> Chunk:
        """The samples from `begin` up to `end`."""
        feeds = {name: array[begin:end] for name, array in self.feeds.items()}
        return Chunk(feeds, None if self.targets is None else self.targets[begin:end], end - begin)

    def is_like(self, other: Chunk) -> bool:
        """Whether the samples can stand in one array with those of `other`."""
        mine, yours = self.targets, other.targets
        if (mine is None) != (yours is None):
            return False
        if mine is not None and yours is not None and mine.shape[1:] != yours.shape[1:]:
            return False
        return all(array.shape[1:] == other.feeds[name].shape[1:] for name, array in self.feeds.items())


@dataclass(frozen=True)
class Batch:
    """What the model is run on once.

    Attributes:
        feeds: input name -> array, in the model's shapes and types.
        targets: the labels, [count, ...]; None where the data has none.
        count: the number of samples.
    """

    feeds: Feeds
    targets: NDArray[Any] | None
    count: int


def batched(chunks: Iterable[Chunk], size: int, layout: Layout) -> Iterator[Batch]:
    """Cut and join chunks into batches of `size` samples, in order.

    A batch is smaller where the samples end or change their shape; a model that takes a fixed number of
    samples at a time allows neither.

    Raises:
        Usage: samples do not fill a fixed batch, or some have labels and others do not.
    """
    size = layout.fixed or (size if layout.shared else 1)
    waiting: list[Chunk] = []
    for chunk in chunks:
        if waiting and (waiting[0].targets is None) != (chunk.targets is None):
            raise Usage("some samples have labels and others have none", "give all of them labels, or none")
        if waiting and not waiting[0].is_like(chunk):
            yield _batch(waiting, layout)
            waiting = []
        begin = 0
        while begin < chunk.count:
            end = min(chunk.count, begin + size - sum(part.count for part in waiting))
            waiting.append(chunk.part(begin, end))
            begin = end
            if sum(part.count for part in waiting) == size:
                yield _batch(waiting, layout)
                waiting = []
    if waiting:
        yield _batch(waiting, layout)


def _batch(parts: list[Chunk], layout: Layout) -> Batch:
    count = sum(part.count for part in parts)
    if layout.fixed and count != layout.fixed:
        raise Usage(
            f"the model takes {layout.fixed} samples of one shape at a time, {count} are left",
            f"give a multiple of {layout.fixed} samples",
        )
    if len(parts) == 1:
        feeds, targets = parts[0].feeds, parts[0].targets
    else:
        feeds = {name: np.concatenate([part.feeds[name] for part in parts]) for name in parts[0].feeds}
        labels = [part.targets for part in parts if part.targets is not None]
        targets = np.concatenate(labels) if labels else None
    if not layout.shared:
        feeds = {name: np.asarray(array[0]) for name, array in feeds.items()}
    return Batch(feeds, targets, count)
