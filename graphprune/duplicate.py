"""A graph copied so that what was one tensor stays one tensor, also where bodies read it."""

from __future__ import annotations

from typing import Any

import onnx_graphsurgeon as gs

from graphprune.ir import listed

_Plain = list[Any]  # whose methods do not tell the other side


def duplicate(graph: gs.Graph) -> gs.Graph:
    """Return a copy of `graph` with nodes, tensors and bodies of its own; weights are shared.

    graphsurgeon's `copy` gives every body its own copy of an outer constant that only bodies read, so that
    one initializer becomes several of one name, and forgets the types of sequences.
    """
    return _graph(graph, {})


def names_of(graph: gs.Graph, without: gs.Node | None = None) -> set[str]:
    """Return the names of all values that `graph` and its bodies use, without the bodies of one node."""
    found = {tensor.name for tensor in (*graph.inputs, *graph.outputs)}
    for node in graph.nodes:
        found.update(tensor.name for tensor in (*node.inputs, *node.outputs))
        for body in node.subgraphs() if node is not without else ():
            found |= names_of(body, without)
    return found


def _graph(graph: gs.Graph, known: dict[int, gs.Tensor]) -> gs.Graph:
    inputs = [_tensor(tensor, known) for tensor in graph.inputs]
    nodes = [_node(node, known) for node in graph.nodes]
    return gs.Graph(
        nodes=nodes,
        inputs=inputs,
        outputs=[_tensor(tensor, known) for tensor in graph.outputs],
        name=graph.name,
        doc_string=graph.doc_string,
        opset=graph.opset,
        import_domains=graph.import_domains,
        functions=list(graph.functions),
        ir_version=graph.ir_version,
    )


def _tensor(tensor: gs.Tensor, known: dict[int, gs.Tensor]) -> gs.Tensor:
    copy = known.get(id(tensor))
    if copy is None:
        copy = known[id(tensor)] = tensor.copy()
        if isinstance(tensor, gs.Variable) and isinstance(copy, gs.Variable):
            copy.type = tensor.type
    return copy


def _node(node: gs.Node, known: dict[int, gs.Tensor]) -> gs.Node:
    # Bodies come after the operands: they read tensors that are known by then.
    inputs = [_tensor(tensor, known) for tensor in node.inputs]
    outputs = [_tensor(tensor, known) for tensor in node.outputs]
    attributes = {name: _attribute(value, known) for name, value in node.attrs.items()}
    copy = gs.Node(node.op, node.name, attributes, domain=node.domain)
    for tensor in inputs:
        _Plain.append(copy.inputs, tensor)
        _Plain.append(tensor.outputs, copy)
    for tensor in outputs:
        _Plain.append(copy.outputs, tensor)
        _Plain.append(tensor.inputs, copy)
    return copy


def _attribute(value: Any, known: dict[int, gs.Tensor]) -> Any:
    if isinstance(value, gs.Graph):
        return _graph(value, known)
    if any(isinstance(item, gs.Graph) for item in listed(value)):
        return [_attribute(item, known) for item in listed(value)]
    return value


def fresh_name(base: str, names: set[str]) -> str:
    """Return `base`, or where that is taken it with the first number that makes it free; it joins `names`.

    >>> fresh_name("a", {"a", "a2"}), fresh_name("b", {"a"})
    ('a3', 'b')
    """
    name, number = base, 1
    while name in names:
        number += 1
        name = f"{base}{number}"
    names.add(name)
    return name
