"""Calibration data on its way through the pipeline: what is fitted on, and what is held out to judge by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphprune.data import Batch, Data
from graphprune.feeds import Feeds

BATCH = 32
_PARTS = 16
_HELD_OUT = 8


@dataclass(frozen=True)
class Calibration:
    """Samples in batches; one batch in eight is held out where there are as many.

    Attributes:
        data: the samples.
        batch: samples at a time.
    """

    data: Data
    batch: int

    def all(self) -> Iterator[Feeds]:
        """Yield every batch."""
        return (batch.feeds for batch in self.data.batches(self.batch))

    def fitted(self) -> Iterator[Feeds]:
        """Yield the batches to gather statistics from."""
        return (feeds for number, feeds in enumerate(self.all()) if not self._is_held_out(number))

    def first(self, most: int) -> Iterator[Feeds]:
        """Yield the batches to gather statistics from, up to about `most` samples and at least one batch."""
        taken = 0
        for number, batch in enumerate(self.data.batches(self.batch)):
            if taken >= most:
                return
            if not self._is_held_out(number):
                taken += batch.count
                yield batch.feeds

    def held_out(self, most: int) -> Iterator[Feeds]:
        """Yield batches that no statistics have seen, of `most` samples in all and at least one.

        Where there are too few samples to hold any out, the first that there are.
        """
        return (batch.feeds for batch in self.held_out_batches(most))

    def held_out_batches(self, most: int) -> Iterator[Batch]:
        """Yield the same with labels, where the data has them."""
        taken = 0
        first: Batch | None = None
        for number, batch in enumerate(self.data.batches(self.batch)):
            first = first or batch
            if taken >= most:
                return
            if self._is_held_out(number) or self._is_small:
                some = self._part(batch, most - taken)
                taken += some.count
                yield some
        if not taken and first is not None:  # fewer batches than one in eight, of a number not known before
            yield first

    def _part(self, batch: Batch, most: int) -> Batch:
        """Return the first samples of a batch, where the model takes as many as one likes."""
        if batch.count <= most or self.data.layout.fixed or not self.data.layout.shared:
            return batch
        feeds = {name: array[:most] for name, array in batch.feeds.items()}
        return Batch(feeds, None if batch.targets is None else batch.targets[:most], most)

    @property
    def _is_small(self) -> bool:
        count = self.data.count
        return count is not None and -(-count // self.batch) < _HELD_OUT

    def _is_held_out(self, number: int) -> bool:
        return not self._is_small and number % _HELD_OUT == _HELD_OUT - 1


def calibration(data: Data) -> Calibration:
    """Return `data` in batches: of 32 samples, fewer where this would leave few batches."""
    count = data.count
    size = BATCH if count is None else max(1, min(BATCH, count // _PARTS))
    return Calibration(data, data.layout.fixed or size)
