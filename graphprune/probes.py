"""Tensors inside a model that are compared beside its outputs, where the outputs could hide a difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import onnx_graphsurgeon as gs

from graphprune.cut import Cut
from graphprune.cuts import Cuts
from graphprune.duplicate import duplicate
from graphprune.ir import is_default_domain
from graphprune.model import Model

_HIDING = frozenset(
    [
        "ArgMax",
        "ArgMin",
        "Cast",
        "Clip",
        "Ceil",
        "Equal",
        "Flatten",
        "Floor",
        "Greater",
        "GreaterOrEqual",
        "HardSigmoid",
        "Identity",
        "Less",
        "LessOrEqual",
        "LogSoftmax",
        "Not",
        "Relu",
        "Reshape",
        "Round",
        "Sigmoid",
        "Sign",
        "Softmax",
        "Squeeze",
        "Tanh",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where",
    ]
)
"""Operators that saturate, compare or round, and those that pass values on."""


def probes(graph: gs.Graph, cut: Cut) -> dict[str, Cuts]:
    """Return the tensors behind the outputs that hide them, with the positions of each that stay.

    From each output the walk goes back through operators that saturate or compare, to the first that
    computes. Layers that are out are passed by. A tensor is left out where the cut model does not have it.
    """
    makers = {
        tensor.name: (position, slot)
        for position, node in enumerate(graph.nodes)
        for slot, tensor in enumerate(node.outputs)
    }
    here = {tensor.name for node in cut.model.graph.nodes for tensor in node.outputs}
    outputs = {tensor.name for tensor in graph.outputs}
    found: dict[str, Cuts] = {}
    for output in graph.outputs:
        name = output.name
        while name in makers:
            position, slot = makers[name]
            node = graph.nodes[position]
            if cut.traces[position].removed:
                name = next(
                    t.name for i, t in enumerate(node.inputs) if i not in cut.traces[position].removed
                )
                continue
            if node.op not in _HIDING or not is_default_domain(node) or not node.inputs:
                break
            name = node.inputs[1 if node.op == "Where" else 0].name
        if name in makers and name in here and name not in outputs:
            position, slot = makers[name]
            found[name] = cut.traces[position].outputs.get(slot, {})
    return found


def expose(model: Model, names: Iterable[str]) -> Model:
    """Return the model with the tensors called `names` as further outputs."""
    wanted = list(names)
    if not wanted:
        return model
    graph = duplicate(model.graph)
    tensors = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs}
    graph.outputs = [*graph.outputs, *(tensors[name] for name in wanted)]
    return replace(model, graph=graph)
