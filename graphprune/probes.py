"""A model with tensors inside it as further outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graphprune.duplicate import duplicate
from graphprune.model import Model


def expose(model: Model, names: Iterable[str]) -> Model:
    """Return the model with the tensors called `names` as further outputs."""
    wanted = list(names)
    if not wanted:
        return model
    graph = duplicate(model.graph)
    tensors = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs}
    graph.outputs = [*graph.outputs, *(tensors[name] for name in wanted)]
    return replace(model, graph=graph)
