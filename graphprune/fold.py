"""One name for one constant: aliases resolved, `Constant` nodes made initializers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.ir import is_default_domain
from graphprune.model import Model


def fold(model: Model) -> Model:
    """Return the model with every constant as an initializer that its users refer to directly.

    Exporters deduplicate equal initializers and alias them through `Identity`; `Constant` nodes hold weights
    in some exports. What the model computes does not change. Graph outputs keep their nodes.
    """
    graph = model.graph.copy()
    outputs = {id(tensor) for tensor in graph.outputs}
    kept: list[gs.Node] = []
    for node in list(graph.nodes):
        source = _constant_behind(node)
        if source is None or any(id(tensor) in outputs for tensor in node.outputs):
            kept.append(node)
            continue
        alias = node.outputs[0]
        if isinstance(source, gs.Constant):
            _use(source, alias)
        else:
            node.outputs.clear()
            alias.to_constant(source)
        node.inputs.clear()
        node.outputs.clear()
    del graph.nodes[:]
    graph.nodes.extend(kept)
    return replace(model, graph=graph)


def _constant_behind(node: gs.Node) -> gs.Constant | NDArray[Any] | Any | None:
    """Return the constant that an Identity passes on, or the values of a Constant node."""
    if not is_default_domain(node):
        return None
    if node.op == "Identity" and isinstance(node.inputs[0], gs.Constant):
        return node.inputs[0]
    if node.op != "Constant":
        return None
    for name, value in node.attrs.items():
        if name == "value" and isinstance(value, gs.Constant):
            return value._values
        if name in ("value_int", "value_ints"):
            return np.array(value, dtype=np.int64)
        if name in ("value_float", "value_floats"):
            return np.array(value, dtype=np.float32)
    return None


def _use(source: gs.Constant, alias: gs.Tensor) -> None:
    """Let every user of `alias` use `source`."""
    for user in list(alias.outputs):
        for slot, tensor in enumerate(user.inputs):
            if tensor is alias:
                user.inputs[slot] = source
