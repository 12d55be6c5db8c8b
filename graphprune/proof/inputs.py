"""Sets of inputs to compare on: at which sizes and with which values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.feeds import Feeds, Sizes, is_dynamic, random_feeds, shapes_to_try
from graphprune.proof.slices import is_float


def candidates(graph: gs.Graph, sizes: Mapping[str, Sizes] | None, seed: int) -> Iterator[Feeds]:
    """Yield sets of inputs that the model may take, the likeliest first."""
    for number, shape in enumerate(shapes_to_try(graph, sizes)):
        yield random_feeds(graph, shape, seed + number)


def enough(graph: gs.Graph, sizes: Mapping[str, Sizes] | None) -> int:
    """Return how many sets of inputs a proof takes."""
    return 2 if is_dynamic(graph, sizes) else 1


def redraw(feeds: Feeds, names: Sequence[str], seed: int) -> Feeds:
    """Return inputs of the same sizes with other values for `names`, in the range of what they are.

    Floats keep their mean and spread; integers stay between the smallest and the largest; where all are the
    same, as in a mask, half of each row becomes 0 (or 1, where it is 0).
    """
    generator = np.random.default_rng(seed + 7919)
    found = dict(feeds)
    for name in sorted(names):
        found[name] = _other(feeds[name], generator)
    return found


def scaled(feeds: Feeds, seed: int) -> Iterator[tuple[str, Feeds]]:
    """Yield inputs of other magnitudes, as images and features have them, each with what it is called."""
    generator = np.random.default_rng(seed + 104729)
    draws: Mapping[str, Callable[[NDArray[Any]], NDArray[np.float64]]] = {
        "0..1": lambda a: generator.uniform(0, 1, a.shape),
        "0..255": lambda a: generator.uniform(0, 255, a.shape),
        "x 0.1": lambda a: a.astype(np.float64) * 0.1,
        "x 10": lambda a: a.astype(np.float64) * 10,
    }
    if not any(is_float(array) for array in feeds.values()):
        return
    for called, draw in draws.items():
        yield called, {n: np.asarray(draw(a)).astype(a.dtype) if is_float(a) else a for n, a in feeds.items()}


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
