"""The inputs of a model, and sizes that a user gave for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.ir import dimensions
from graphprune.shape_text import Shapes, fit_shapes

Feeds = dict[str, NDArray[Any]]
Sizes = tuple[int, ...]


def inputs_of(graph: gs.Graph) -> list[gs.Variable]:
    """Return the inputs that must be fed."""
    return [tensor for tensor in graph.inputs if isinstance(tensor, gs.Variable)]


def fitted_sizes(graph: gs.Graph, shapes: Mapping[str, Sizes]) -> Shapes:
    """Return the shapes of inputs that a user gave, checked against those of `graph`.

    Raises:
        Usage: one does not fit.
    """
    return fit_shapes(shapes, {tensor.name: tensor.shape for tensor in inputs_of(graph)})


def is_dynamic(graph: gs.Graph, given: Mapping[str, Sizes] | None = None) -> bool:
    """Whether an input has a dimension without a number."""
    return any(
        not isinstance(size, int) or size < 0
        for tensor in inputs_of(graph)
        if tensor.name not in (given or {})
        for size in dimensions(tensor)
    )
