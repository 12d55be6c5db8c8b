"""The names that Model Explorer shows the nodes of an ONNX model under.

Its ONNX adapter (`model-explorer-onnx`) tells nodes by their names, and first gives a name to those that have
none or one that is taken: `onnx_ir`'s NameFixPass calls them `node`, and appends `_1`, `_2`, ... where that
is taken in the same graph, counting through the whole model. What follows does the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

UNNAMED_GRAPH = "<main>"


def graph_id(model: ModelProto) -> str:
    """The name that the main graph has there."""
    return model.graph.name or UNNAMED_GRAPH


def node_ids(model: ModelProto) -> dict[str, str]:
    """Return the names of the nodes of the main graph, by each of the tensors that they make."""
    counts: Counter[str] = Counter()
    return _named(model.graph, counts)


def _named(graph: GraphProto, counts: Counter[str]) -> dict[str, str]:
    taken: set[str] = set()
    found: dict[str, str] = {}
    for node in graph.node:
        name = base = node.name or "node"
        while name in taken:
            counts[base] += 1
            name = f"{base}_{counts[base]}"
        taken.add(name)
        found.update(dict.fromkeys((output for output in node.output if output), name))
        for body in _bodies(node):
            _named(body, counts)
    return found


def _bodies(node: NodeProto) -> Iterable[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs
