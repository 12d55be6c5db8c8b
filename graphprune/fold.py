"""Every constant an initializer that its users refer to directly, and nothing that no output needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.aliases import resolve_aliases
from graphprune.branches import take_known_branches
from graphprune.duplicate import duplicate, fresh_name, names_of
from graphprune.expressions import compute
from graphprune.ir import every_tensor, is_default_domain, shape_of
from graphprune.model import Model
from graphprune.rewire import detach, sweep
from graphprune.sequences import resolve_sequences
from graphprune.weights import stored


def fold(model: Model) -> Model:
    """Return the model with every constant an initializer, and without what no output needs.

    `Constant` nodes become initializers, aliases of constants are resolved, and what follows from constants
    alone is computed (`graphprune.expressions`). That goes for bodies, too. An `If` whose condition follows
    from static shapes becomes the branch that it takes, and sequences whose places are known become their
    tensors (`graphprune.sequences`). A value in a body whose name stands elsewhere in the model gets a name
    of its own.

    Some exporters write weights as `Constant` nodes; others write equal weights once and alias them through
    `Identity`. What the model computes does not change; nodes that define graph outputs stay.
    """
    graph = duplicate(model.graph)
    name_apart(graph)
    take_known_branches(graph)
    _make_initializers(graph)
    names = names_of(graph)
    for body in list(graph.subgraphs(recursive=True)):
        _hand_on(body, names)
        _make_initializers(body)
    if resolve_sequences(graph):
        take_known_branches(graph)
    resolve_aliases(replace(model, graph=graph))
    before = _count(graph)
    sweep(graph)
    notes, dead = list(model.notes), before - _count(graph)
    if dead:
        notes.append(f"Operators that no output needs, left out: {dead}.")
    computed, beyond = compute(replace(model, graph=graph))
    if computed:
        notes.append(f"Values that follow from constants alone, computed once and stored: {computed}.")
    if beyond:
        notes.append(f"Values that follow from constants alone and are too large to be stored: {beyond}.")
    return replace(model, graph=graph, notes=tuple(notes))


def _count(graph: gs.Graph) -> int:
    return len(graph.nodes) + sum(len(body.nodes) for body in graph.subgraphs(recursive=True))


def name_apart(graph: gs.Graph) -> None:
    """Give each tensor in the bodies of `graph` whose name another tensor has a name of its own, in place."""
    names, seen = names_of(graph), dict[str, int]()
    for tensor in every_tensor(graph):
        if seen.setdefault(tensor.name, id(tensor)) != id(tensor):
            tensor.name = fresh_name(tensor.name, names)
            seen[tensor.name] = id(tensor)


def _make_initializers(graph: gs.Graph) -> None:
    outputs = {id(tensor) for tensor in graph.outputs}
    kept: list[gs.Node] = []
    for node in graph.nodes:
        values = values_of(node)
        if values is None or id(node.outputs[0]) in outputs:
            kept.append(node)
            continue
        tensor = node.outputs[0]
        detach(node)
        tensor.to_constant(values)
    graph.nodes = kept


def _hand_on(body: gs.Graph, names: set[str]) -> None:
    """Let a body hand on by `Identity` what it gives out and does not compute, so that its use can be cut."""
    for node in body.nodes:
        values = values_of(node) if any(node.outputs[0] is tensor for tensor in body.outputs) else None
        if values is not None:
            node.op, node.attrs = "Identity", {}
            node.inputs.append(gs.Constant(fresh_name(node.outputs[0].name, names), values))
    for slot, tensor in enumerate(body.outputs):
        if isinstance(tensor, gs.Constant):
            result = gs.Variable(fresh_name(tensor.name, names), tensor.dtype, list(shape_of(tensor)))
            body.nodes.append(gs.Node("Identity", result.name, inputs=[tensor], outputs=[result]))
            body.outputs[slot] = result


def values_of(node: gs.Node) -> Any:
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
