"""A graph in which the Ifs that inputs decide are decided: sizes and values of a branch belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune import evaluate
from graphprune.branches import take_branch
from graphprune.duplicate import duplicate
from graphprune.ir import constants, is_default_domain, read
from graphprune.rewire import sweep


def specialised(graph: gs.Graph, values: Mapping[str, NDArray[Any]]) -> tuple[gs.Graph, tuple[bool, ...]]:
    """Return a copy of `graph` with `values` in the place of inputs, and the branches taken, in order."""
    result = duplicate(graph)
    for tensor in list(result.inputs):
        if tensor.name in values and isinstance(tensor, gs.Variable):
            tensor.to_constant(values[tensor.name])  # pyright: ignore[reportUnknownMemberType]
    result.inputs = [tensor for tensor in result.inputs if not isinstance(tensor, gs.Constant)]
    taken: list[bool] = []
    while True:
        known = _known(result)
        decided = [node for node in result.nodes if _is_if(node) and node.inputs[0].name in known]
        if not decided:
            return sweep(result), tuple(taken)
        node = decided[0]
        taken.append(bool(known[node.inputs[0].name].reshape(-1)[0]))
        take_branch(result, node, node.attrs["then_branch" if taken[-1] else "else_branch"])


def _is_if(node: gs.Node) -> bool:
    return node.op == "If" and is_default_domain(node)


def _known(graph: gs.Graph) -> dict[str, NDArray[Any]]:
    """Return the small tensors that follow from constants."""
    known: dict[str, NDArray[Any]] = {
        tensor.name: np.asarray(read(tensor))
        for tensor in constants(graph)
        if np.prod(tensor.shape, dtype=np.float64) <= evaluate.LIMIT and evaluate.is_small_type(tensor)
    }
    for node in graph.nodes:
        found = (
            evaluate.small_values(node, known, {}, graph.opset) if node.op not in ("Shape", "Size") else None
        )
        for tensor, array in zip(node.outputs, found or (), strict=False):
            known[tensor.name] = array
    return known
