"""The largest magnitude of every tensor of a model on data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.duplicate import duplicate, names_of
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.rewire import sweep
from graphprune.runtime import run, session

_INFINITE = 10
"""The first operator set with IsInf."""


def magnitudes(model: Model, names: Sequence[str], batches: Iterable[Feeds]) -> dict[str, float]:
    """Run `model` over `batches` and return the largest magnitude of the tensors called `names`.

    They are reduced inside the runtime, so that no more memory is needed than for running the model.
    Infinities do not count, since 16 bits hold them, too (from opset 10 on, which can tell them); a tensor
    without elements has magnitude 0.

    Raises:
        Refused: the model cannot be run on the batches.
    """
    if not names:
        return {}
    with session(_reducing(model, names)) as opened:
        most = np.zeros(len(names))
        for feeds in batches:
            found = [np.abs(values).max(initial=0.0) for values in run(opened, feeds)]
            most = np.maximum(most, np.nan_to_num(np.array(found, np.float64), nan=0.0, posinf=np.inf))
    return dict(zip(names, most.tolist(), strict=True))


def _reducing(model: Model, names: Sequence[str]) -> Model:
    """Return the model that gives the largest magnitude of each of these tensors."""
    graph = duplicate(model.graph)
    tensors: dict[str, Any] = {tensor.name: tensor for tensor in graph.inputs}
    tensors.update((tensor.name, tensor) for node in graph.nodes for tensor in node.outputs)
    taken = names_of(graph)
    outputs: list[gs.Tensor] = []
    zero = gs.Constant(_free("graphprune_zero", taken), np.zeros((), np.float32))
    for number, name in enumerate(names):
        prefix = _free(f"graphprune_largest_{number}", taken)

        def step(op: str, *inputs: gs.Tensor, prefix: str = prefix, **attributes: int) -> gs.Variable:
            made = gs.Variable(f"{prefix}_{op}")
            graph.nodes.append(gs.Node(op, made.name, dict(attributes), list(inputs), [made]))
            return made

        size = step("Abs", tensors[name])
        if graph.opset >= _INFINITE:
            size = step("Where", step("IsInf", size), zero, size)
        largest = step("ReduceMax", step("Flatten", size, axis=0), keepdims=1)
        largest.dtype = np.dtype(np.float32)
        outputs.append(largest)
    graph.outputs = outputs
    return replace(model, graph=sweep(graph))


def _free(name: str, taken: set[str]) -> str:
    while any(each.startswith(name) for each in taken):
        name += "_"
    return name
