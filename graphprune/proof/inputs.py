"""Sets of inputs to compare on: at which sizes, with which values, and what takes their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.feeds import (
    MAGNITUDES,
    Feeding,
    Feeds,
    Run,
    Sizes,
    draw,
    is_dynamic,
    planned,
    redraw,
    styles,
)
from graphprune.feeds.search import Constraints, solved
from graphprune.proof.slices import is_float
from graphprune.symbols.facts import Facts

_INSTEAD = 3
"""How many other sizes are tried in place of such that the model refuses."""


@dataclass(frozen=True)
class Sample:
    """One set of inputs, and the run that was planned for it, if one was."""

    feeds: Feeds
    run: Run | None = None

    def again(self, names: Sequence[str], seed: int) -> Feeds:
        """Return inputs of the same sizes with other values for `names`, within what these are for.

        Where nothing is known of them, floats keep their mean and spread, integers stay between the smallest
        and the largest, and where all are the same half of each row becomes 0 (or 1, where it is 0).
        """
        if self.run is not None:
            return redraw(self.feeds, names, self.run, seed)
        generator = np.random.default_rng(seed + 7919)
        others = {name: _other(self.feeds[name], generator) for name in sorted(names)}
        return {**self.feeds, **others}

    def scaled(self, seed: int) -> Iterator[Sample]:
        """Yield inputs of other magnitudes, as images and features have them."""
        if not any(is_float(array) for array in self.feeds.values()):
            return
        generator = np.random.default_rng(seed + 104729)
        for magnitude in MAGNITUDES[1:]:
            if self.run is not None and self.run.given is None:
                yield Sample(draw(self.run, magnitude=magnitude, seed=seed), self.run)
            else:
                change = _SCALES[magnitude]
                yield Sample(
                    {
                        name: change(array, generator).astype(array.dtype) if is_float(array) else array
                        for name, array in self.feeds.items()
                    },
                    self.run,
                )


Change = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
_SCALES: Mapping[str, Change] = {
    "unit": lambda array, generator: generator.random(array.shape),
    "pixels": lambda array, generator: generator.uniform(0, 255, array.shape),
    "small": lambda array, _: array.astype(np.float64) * 0.1,
    "large": lambda array, _: array.astype(np.float64) * 10,
}


@dataclass(frozen=True)
class Source:
    """The inputs of a proof.

    Attributes:
        samples: the sets to compare on.
        instead: returns sets to try in the place of one that the original refuses.
        left_out: what none of them exercises, a phrase each.
    """

    samples: tuple[Sample, ...]
    instead: Callable[[Sample], Iterator[Sample]]
    left_out: tuple[str, ...] = ()


def given(feeds: Sequence[Feeds]) -> Source:
    """Return a source of inputs that a user gave."""
    return Source(tuple(Sample(each) for each in feeds), lambda _: iter(()))


def guessed(feeds: Iterable[Feeds], graph: gs.Graph, sizes: Mapping[str, Sizes] | None) -> Source:
    """Return a source of inputs at sizes that may do: two sets where sizes are open, else one."""
    rest = iter(feeds)
    first = tuple(Sample(each) for each in islice(rest, 2 if is_dynamic(graph, sizes) else 1))
    return Source(first, lambda _: (Sample(each) for each in rest))


def belonging(
    graph: gs.Graph, sizes: Mapping[str, Sizes] | None, seed: int, known: Facts | None = None
) -> Source:
    """Return a source of inputs that belong together, as far as the graph tells what does.

    `known` is what `feeds.planned` takes.

    Raises:
        Refused: no sizes were found that fit together, or what would be run takes too much memory.
    """
    feeding = planned(graph, sizes, known=known)
    samples = [Sample(draw(run, seed=seed + n), run) for n, run in enumerate(feeding.runs)]
    padded = [run for run in feeding.runs if len(styles(run)) > 1][:1]
    for run in padded:
        samples += [Sample(draw(run, style=style, seed=seed), run) for style in styles(run)[1:]]
    left = [f"{each.name}: {each.reason}" for each in feeding.left_out]
    return Source(tuple(samples), _alternatives(feeding, seed), (*left, *feeding.violations))


def most(source: Source, known: Facts) -> Mapping[str, Sizes]:
    """Return the sizes of tensors at the largest inputs of `source`, as far as what is `known` tells them."""
    shapes = [{name: array.shape for name, array in sample.feeds.items()} for sample in source.samples]
    there = max(shapes, key=lambda each: sum(map(prod, each.values())), default=dict[str, Sizes]())
    constraints = Constraints(known, ())
    equations = [
        (size, number)
        for name, shape in known.inputs.items()
        for size, number in zip(shape, there.get(name, ()), strict=False)
    ]
    fitting = solved(constraints, equations, dict.fromkeys(constraints.free, 1))
    return known.sizes(constraints.whole(fitting)) if fitting is not None else {}


def _alternatives(feeding: Feeding, seed: int) -> Callable[[Sample], Iterator[Sample]]:
    def instead(sample: Sample) -> Iterator[Sample]:
        others = feeding.others.get(sample.run.name) if sample.run is not None else None
        for run in islice(others() if others is not None else (), _INSTEAD):
            yield Sample(draw(run, seed=seed), run)

    return instead


def _other(array: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
    if not array.size or array.dtype.kind in "OSU":
        return array
    if is_float(array):
        values = array.astype(np.float64)
        values = values[np.isfinite(values)]
        mean, spread = (float(values.mean()), float(values.std())) if values.size else (0.0, 1.0)
        return np.asarray(mean + (spread or 1.0) * generator.standard_normal(array.shape)).astype(array.dtype)
    if array.dtype.kind == "b":
        return np.asarray(array ^ (generator.random(array.shape) < 0.5))
    low, high = int(array.min()), int(array.max())
    if low < high:
        return generator.integers(low, high, array.shape, endpoint=True).astype(array.dtype)
    changed = np.array(array)
    changed[..., : max(1, (array.shape[-1] if array.ndim else 1) // 2)] = 0 if low else 1
    return changed
