"""Every constant an initializer that its users refer to directly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.aliases import resolve_aliases
from graphprune.branches import take_known_branches
from graphprune.duplicate import duplicate
from graphprune.ir import is_default_domain
from graphprune.model import Model
from graphprune.rewire import detach
from graphprune.weights import stored


def fold(model: Model) -> Model:
    """Return the model with `Constant` nodes made initializers and aliases of constants resolved.

    An `If` whose condition follows from static shapes becomes the branch that it takes.

    Some exporters write weights as `Constant` nodes; others write equal weights once and alias them through
    `Identity`. What the model computes does not change, to the bit; nodes that define graph outputs stay.
    """
    graph = duplicate(model.graph)
    take_known_branches(graph)
    outputs = {id(tensor) for tensor in graph.outputs}
    kept: list[gs.Node] = []
    for node in graph.nodes:
        values = _values(node)
        if values is None or id(node.outputs[0]) in outputs:
            kept.append(node)
            continue
        tensor = node.outputs[0]
        detach(node)
        tensor.to_constant(values)
    graph.nodes = kept
    return resolve_aliases(replace(model, graph=graph))


def _values(node: gs.Node) -> Any:
    """Return the values of a `Constant` node, or None for other nodes and kinds of value."""
    if node.op != "Constant" or not is_default_domain(node):
        return None
    for name, value in node.attrs.items():
        if name == "value" and isinstance(value, gs.Constant):
            return stored(value)
        if name in ("value_int", "value_ints"):
            return np.array(value, dtype=np.int64)
        if name in ("value_float", "value_floats"):
            return np.array(value, dtype=np.float32)
    return None
