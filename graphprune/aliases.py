"""Names that stand for an initializer: exporters write equal weights once and alias them by Identity."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from graphprune.ir import is_default_domain
from graphprune.model import Model
from graphprune.rewire import detach, redirect


def resolve_aliases(model: Model) -> Model:
    """Make readers of `Identity(initializer)`, chains of them too, read the initializer; return `model`.

    The graph is changed in place. An Identity that defines a graph output stays, for that output alone; the
    others go.
    """
    hidden = _names_in_bodies(model.graph)
    for graph in (model.graph, *model.graph.subgraphs(recursive=True)):
        _resolve(graph, hidden)
    return model


def _resolve(graph: gs.Graph, hidden: set[str]) -> None:
    outputs = {id(tensor) for tensor in graph.outputs}
    kept: list[gs.Node] = []
    for node in graph.nodes:
        if not _is_alias(node, hidden):
            kept.append(node)
            continue
        redirect(node.outputs[0], node.inputs[0])
        if id(node.outputs[0]) in outputs:
            kept.append(node)
        else:
            detach(node)
    graph.nodes = kept


def _is_alias(node: gs.Node, hidden: set[str]) -> bool:
    if node.op != "Identity" or not is_default_domain(node):
        return False
    source = node.inputs[0]
    # A body that has a value of the same name would read that one instead.
    return isinstance(source, gs.Constant) and source.name not in hidden


def _names_in_bodies(graph: gs.Graph) -> set[str]:
    """Return the names that bodies define for themselves."""
    names: set[str] = set()
    constants: dict[str, int] = {}
    for each in (graph, *graph.subgraphs(recursive=True)):
        if each is not graph:
            names.update(tensor.name for tensor in each.inputs)
            names.update(tensor.name for node in each.nodes for tensor in node.outputs)
        for tensor in (tensor for node in each.nodes for tensor in node.inputs):
            if isinstance(tensor, gs.Constant) and constants.setdefault(tensor.name, id(tensor)) != id(
                tensor
            ):
                names.add(tensor.name)
    return names
