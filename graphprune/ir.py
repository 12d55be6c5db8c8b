"""Small readings of the graph that everything else shares (the IR is onnx-graphsurgeon's)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter

from graphprune.attributes import write_attribute
from graphprune.weights import stored


def node_proto(node: gs.Node) -> onnx.NodeProto:
    """Return `node` as onnx writes it; a list without elements is one of integers, as most are."""
    empty = [name for name, value in node.attrs.items() if isinstance(value, list) and not value]
    if not empty:
        return OnnxExporter.export_node(node)
    proto = onnx.NodeProto(op_type=node.op, name=node.name or "", domain=node.domain or "")
    proto.input.extend(tensor.name for tensor in node.inputs)
    proto.output.extend(tensor.name for tensor in node.outputs)
    rest = {name: value for name, value in node.attrs.items() if name not in empty}
    proto.attribute.extend(OnnxExporter.export_attributes(rest))
    for name in empty:
        write_attribute(proto.attribute.add(), name, [])
    return proto


def is_default_domain(node: gs.Node) -> bool:
    """Whether `node` is an operator of ONNX itself."""
    return node.domain in (None, "", "ai.onnx")


def label(node: gs.Node) -> str:
    """Return how messages name `node`: operator and name, or its first output where it has none."""
    name = node.name or next((t.name for t in node.outputs if t.name), "")
    return f"{node.op} '{name}'"


def constants(graph: gs.Graph) -> Iterator[gs.Constant]:
    """Yield every constant that the nodes of `graph` itself use, once, in order of first use."""
    seen: set[int] = set()
    for node in graph.nodes:
        for tensor in node.inputs:
            if isinstance(tensor, gs.Constant) and id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def body_constants(graph: gs.Graph) -> Iterator[gs.Constant]:
    """Yield every constant that the bodies of control-flow nodes use, once."""
    seen: set[int] = set()
    for node in graph.nodes:
        for body in subgraphs(node):
            for tensor in (*constants(body), *body_constants(body)):
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield tensor


def read(tensor: gs.Constant) -> NDArray[Any]:
    """Return the values of a constant without keeping them in the graph."""
    values = stored(tensor)
    return values if isinstance(values, np.ndarray) else values.load()


def shape_of(tensor: gs.Constant) -> tuple[int, ...]:
    """Return the sizes of a constant."""
    return tuple(int(size) for size in tensor.shape)


def element_type(tensor: gs.Tensor) -> int:
    """Return the element type of a tensor as onnx numbers it; float where the model does not say."""
    dtype = tensor.dtype
    if dtype is None:
        return onnx.TensorProto.FLOAT
    return dtype if isinstance(dtype, int) else onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def dimensions(tensor: gs.Tensor) -> list[int | str | None]:
    """Return the sizes of a graph input as the model writes them: numbers, symbols, or None."""
    return list(tensor.shape or ())


def listed(value: Any) -> list[Any]:
    """Return a list as a list of anything, for the type checkers."""
    if not isinstance(value, list):
        return [value]
    return list(cast("Sequence[Any]", value))


def subgraphs(node: gs.Node) -> Iterator[gs.Graph]:
    """Yield the bodies of a control-flow node."""
    for value in node.attrs.values():
        if isinstance(value, gs.Graph):
            yield value
        elif isinstance(value, list):
            yield from (item for item in listed(value) if isinstance(item, gs.Graph))


def every_tensor(graph: gs.Graph) -> Iterator[gs.Tensor]:
    """Yield the named tensors of `graph`, then those of its bodies, as often as they are mentioned."""
    yield from (tensor for tensor in graph.inputs if tensor.name)
    for node in graph.nodes:
        yield from (tensor for tensor in (*node.inputs, *node.outputs) if tensor.name)
    yield from (tensor for tensor in graph.outputs if tensor.name)
    for body in (body for node in graph.nodes for body in subgraphs(node)):
        yield from every_tensor(body)


def names_are_apart(graph: gs.Graph) -> bool:
    """Whether no name stands for two tensors, one of which is in a body."""
    seen: dict[str, int] = {}
    return all(seen.setdefault(tensor.name, id(tensor)) == id(tensor) for tensor in every_tensor(graph))


def read_by_bodies(graph: gs.Graph) -> set[str]:
    """Return the names that the bodies of the control-flow nodes of `graph` read from outside."""
    return {name for node in graph.nodes for body in subgraphs(node) for name in captured(body)}


def captured(body: gs.Graph) -> set[str]:
    """Return the names that `body` and the bodies inside it read from outside, and more at most."""
    used: set[str] = set()
    for node in body.nodes:
        used.update(tensor.name for tensor in node.inputs if tensor.name)
        for inner in subgraphs(node):
            used |= captured(inner)
    return used | {tensor.name for tensor in body.outputs}
