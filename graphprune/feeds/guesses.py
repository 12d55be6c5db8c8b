"""Random inputs for a model, at shapes that it may accept: guesses, where nothing is planned yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.feeds.inputs import Feeds, Sizes, inputs_of, is_dynamic
from graphprune.ir import dimensions, shape_of

_CANDIDATES: tuple[tuple[int, int, int], ...] = (
    (1, 8, 64),
    (3, 12, 96),
    (2, 8, 64),
    (2, 16, 128),
    (1, 8, 48),
    (2, 8, 48),
    (1, 32, 224),
    (2, 64, 256),
    (1, 128, 512),
    (1, 512, 512),
    (2, 512, 512),
    (1, 1024, 1024),
)
"""Sizes to try for symbolic dimensions: the first, further ones, and those of images."""


def shapes_to_try(graph: gs.Graph, given: Mapping[str, Sizes] | None = None) -> Iterator[dict[str, Sizes]]:
    """Yield sizes for all inputs, several where dimensions are dynamic; equal symbols get equal sizes."""
    given = given or {}
    candidates = _CANDIDATES if is_dynamic(graph, given) else _CANDIDATES[:1]
    for first, other, image in candidates:
        symbols: dict[str, int] = {}
        result: dict[str, Sizes] = {}
        for tensor in inputs_of(graph):
            shape = dimensions(tensor)
            if tensor.name in given:
                result[tensor.name] = given[tensor.name]
                continue
            sizes: list[int] = []
            for position, size in enumerate(shape):
                if isinstance(size, int) and size >= 0:
                    sizes.append(size)
                    continue
                wanted = first if position == 0 else image if len(shape) >= 4 and position > 1 else other
                sizes.append(symbols.setdefault(str(size), wanted) if size else wanted)
            result[tensor.name] = tuple(sizes)
        yield result


def random_feeds(graph: gs.Graph, sizes: Mapping[str, Sizes], seed: int = 0) -> Feeds:
    """Return one random value for every input: normal floats, integers that the model can look up.

    Integers that index a table stay below its length; others are 0 or 1.
    """
    generator = np.random.default_rng(seed)
    return {
        tensor.name: _random(tensor, sizes[tensor.name], _table_length(tensor), generator)
        for tensor in inputs_of(graph)
    }


def _random(tensor: gs.Variable, sizes: Sizes, length: int, generator: np.random.Generator) -> NDArray[Any]:
    dtype = tensor.dtype if tensor.dtype is not None else np.float32
    dtype = onnx.helper.tensor_dtype_to_np_dtype(dtype) if isinstance(dtype, int) else np.dtype(dtype)
    if dtype.kind == "b":
        return np.asarray(generator.random(sizes) < 0.75)
    if dtype.kind in "iu":
        return np.asarray(generator.integers(0, length, sizes)).astype(dtype)
    return np.asarray(generator.standard_normal(sizes)).astype(dtype)


def redrawn(feeds: Feeds, seed: int) -> Feeds:
    """Return inputs of the same shapes with other values: floats drawn anew, the rest as it was."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.standard_normal(array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
        for name, array in feeds.items()
    }


def _table_length(tensor: gs.Tensor, depth: int = 4) -> int:
    """Return the length of the shortest constant table that `tensor` indexes, or 2."""
    found: list[int] = []
    for node in tensor.outputs:
        table = node.inputs[0]
        if node.op == "Gather" and isinstance(table, gs.Constant) and len(node.inputs) > 1:
            if node.inputs[1] is tensor:
                found.append(shape_of(table)[int(node.attrs.get("axis", 0))])
        elif node.op in ("Cast", "Reshape", "Unsqueeze", "Squeeze", "Identity", "Flatten") and depth:
            inner = _table_length(node.outputs[0], depth - 1)
            if inner > 2:
                found.append(inner)
    return min(found, default=2)
