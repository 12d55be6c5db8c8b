"""Data from code: `data.py:load_data`, by Polygraphy's convention.

`load_data()` takes no arguments and returns an iterable of `{input: array}`, as the model is fed, or of
`({input: array}, target)`. Arrays without the leading axis are a single sample.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from graphprune.data import values
from graphprune.data.batches import Chunk
from graphprune.data.layout import Layout, check_counts, fit, match
from graphprune.errors import Usage
from graphprune.user_code import Code, blamed

_SHAPE = "yield {input: array} or ({input: array}, target)"


@dataclass(frozen=True)
class Generated:
    """What a function of the user's yields; it is called anew for every pass over the data."""

    layout: Layout
    code: Code
    label_key: str

    @property
    def count(self) -> None:
        """The number of samples is not known before the end."""
        return

    def chunks(self) -> Generator[Chunk]:
        """Yield what the function yields, checked and cast.

        Raises:
            Usage: the function raises, or yields something else, or what does not fit the model.
        """
        first = 0
        with closing(self._items()) as items:
            for number, item in enumerate(items):
                chunk = chunk_of(
                    item, self.layout, self.label_key, f"{self.code.where}, item {number}", first
                )
                first += chunk.count
                yield chunk

    def _items(self) -> Generator[object]:
        with blamed(self.code.path):
            result: object = self.code.function()
        kind = type(result).__name__
        if isinstance(result, Mapping) or not isinstance(result, Iterable):
            raise Usage(f"{self.code.where} returned {kind}", _SHAPE)
        with blamed(self.code.path):
            iterator = iter(cast("Iterable[object]", result))
        try:
            while True:
                with blamed(self.code.path):
                    try:
                        item = next(iterator)
                    except StopIteration:
                        return
                yield item
        finally:
            close = getattr(iterator, "close", None)
            if callable(close):
                with blamed(self.code.path):
                    close()


def chunk_of(item: object, layout: Layout, label_key: str, where: str, first: int = 0) -> Chunk:
    """Return a feed, or a pair of a feed and a target, as a chunk whose first sample has the number `first`.

    Raises:
        Usage: it is something else, or does not fit the model.
    """
    kind = type(item).__name__
    feed, target = item, None
    if isinstance(item, tuple) and len(pair := cast("tuple[object, ...]", item)) == 2:
        feed, target = pair
    if not isinstance(feed, Mapping):
        raise Usage(f"{where} is a {kind}, no feed", _SHAPE)
    given = {str(key): value for key, value in cast("Mapping[object, object]", feed).items()}
    matched = match(layout, list(given), label_key, where)
    if target is None and label_key in given and label_key not in matched.values():
        target = given[label_key]
    arrays = {name: _array(given[key], name, where) for name, key in matched.items()}
    for name, array in arrays.items():
        values.check_dtype(array.dtype, layout[name], where)
    if not fit(layout, {name: array.shape for name, array in arrays.items()}, where, one=True):
        arrays = {name: array[None] for name, array in arrays.items()}
        target = None if target is None else _array(target, "the target", where)[None]
    count = next(iter(arrays.values())).shape[0]
    numbers = range(first, first + count)
    feeds = {name: values.cast(array, layout[name], where, numbers) for name, array in arrays.items()}
    return Chunk(feeds, _targets(target, count, where, numbers), count)


def _targets(target: object, count: int, where: str, numbers: range) -> NDArray[Any] | None:
    if target is None:
        return None
    array = _array(target, "the target", where)
    if not array.ndim and count == 1:
        array = array[None]
    if not array.ndim:
        raise Usage(f"{where}: one target is given for {count} samples", "give one target a sample")
    check_counts({"samples": count, "targets": array.shape[0]}, where)
    return values.check_targets(array, where, numbers)


def _array(value: object, name: str, where: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except MemoryError:
        raise
    except Exception as error:
        raise Usage(f"{where}: {name} is no array: {error}", "give numpy arrays") from error
