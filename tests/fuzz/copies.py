"""What the judge reads of a network, and a copy of one that it changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, helper, numpy_helper

from benchmarks.reference import exposed, run

Array = NDArray[Any]
Feeds = dict[str, Array]


class Unjudged(Exception):
    """The judge does not know what the pruned model must be."""


@dataclass
class Copy:
    """The original as it is being masked: what it held where, and what has been put into it."""

    model: ModelProto
    constants: Mapping[str, Array]
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])

    def constant(self, values: Array) -> str:
        name = f"judge_{len(self.model.graph.initializer)}"
        self.model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def put(self, name: str, values: Array) -> None:
        self.nodes.append(helper.make_node("Identity", [self.constant(values)], [name]))

    def finish(self) -> ModelProto:
        nodes = [NodeProto.FromString(node.SerializeToString()) for node in self.nodes]
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        return self.model

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"judge_t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output


def name_of(node: NodeProto) -> str:
    """Return the first result of a node, by which it is known."""
    return next((name for name in node.output if name), "")


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for item in node.attribute:
            if item.type == AttributeProto.GRAPH:
                yield from graphs(item.g)


def has_bodies(node: NodeProto) -> bool:
    return any(item.type == AttributeProto.GRAPH for item in node.attribute)


def constants(model: ModelProto) -> dict[str, Array]:
    """Return initializers and Constant nodes by name, those of bodies as well."""
    found: dict[str, Array] = {}
    for graph in graphs(model.graph):
        found.update((tensor.name, numpy_helper.to_array(tensor)) for tensor in graph.initializer)
        for sparse in graph.sparse_initializer:
            values, where = (numpy_helper.to_array(part) for part in (sparse.values, sparse.indices))
            dense = np.zeros(list(sparse.dims), values.dtype)
            flat = where if where.ndim == 1 else np.ravel_multi_index(tuple(where.T), dense.shape)
            dense.reshape(-1)[flat] = values
            found[sparse.values.name] = dense
        for node in graph.node:
            if node.op_type == "Constant":
                for item in node.attribute:
                    if item.name == "value":
                        found[node.output[0]] = numpy_helper.to_array(item.t)
                    elif item.name.startswith("value_"):
                        found[node.output[0]] = np.asarray(helper.get_attribute_value(item))
    for graph in graphs(model.graph):
        for node in graph.node:
            if node.op_type == "Identity" and node.input[0] in found:
                found[node.output[0]] = found[node.input[0]]
    return found


def seen(model: ModelProto, feeds: Feeds) -> dict[str, Array]:
    """Return the inputs, and what each node of the main graph makes of them."""
    names = [name for node in model.graph.node for name in node.output if name]
    return {**feeds, **dict(zip(names, run(exposed(model, names), feeds, names), strict=True))}
