"""Changing who reads what in a graph.

graphsurgeon's lists compare their elements by name or in depth when one is taken out, which is slow in
large graphs and may hit the wrong one; these go by identity.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import onnx_graphsurgeon as gs

_Plain = list[Any]  # whose methods do not tell the other side


def set_input(node: gs.Node, index: int, tensor: gs.Tensor) -> None:
    """Make input `index` of `node` read `tensor`."""
    _forget(node.inputs[index].outputs, node)
    _Plain.__setitem__(node.inputs, index, tensor)
    _Plain.append(tensor.outputs, node)


def set_output(node: gs.Node, index: int, tensor: gs.Tensor) -> None:
    """Make output `index` of `node` define `tensor`."""
    _forget(node.outputs[index].inputs, node)
    _Plain.__setitem__(node.outputs, index, tensor)
    _Plain.append(tensor.inputs, node)


def redirect(tensor: gs.Tensor, other: gs.Tensor) -> None:
    """Make every node that reads `tensor` read `other`, also in bodies."""
    for node in {id(node): node for node in tensor.outputs}.values():
        for index, read in enumerate(list(node.inputs)):
            if read is tensor:
                _Plain.__setitem__(node.inputs, index, other)
                _Plain.append(other.outputs, node)
    _Plain.clear(tensor.outputs)


def bypass(node: gs.Node, slot: int, wanted: Collection[str]) -> None:
    """Let the readers of `node`'s one output read operand `slot`; where the name of the output is wanted, the
    node stays as an Identity.
    """
    tensor, result = node.inputs[slot], node.outputs[0]
    if result.name not in wanted:
        redirect(result, tensor)
        return
    for other in node.inputs:
        _forget(other.outputs, node)
    _Plain.clear(node.inputs)
    _Plain.append(node.inputs, tensor)
    _Plain.append(tensor.outputs, node)
    node.op, node.attrs = "Identity", {}


def detach(node: gs.Node) -> None:
    """Take `node` away from its tensors; the caller takes it out of the graph's nodes."""
    for tensor in node.inputs:
        _forget(tensor.outputs, node)
    for tensor in node.outputs:
        _forget(tensor.inputs, node)
    _Plain.clear(node.inputs)
    _Plain.clear(node.outputs)


def sweep(graph: gs.Graph) -> gs.Graph:
    """Take out the nodes that no output of `graph`, or of a body in it, needs; return `graph`.

    What graphsurgeon's `cleanup` does, in time that grows with the graph and not with its square.
    """
    for node in graph.nodes:
        for body in node.subgraphs():
            sweep(body)
    producers = {id(tensor): node for node in graph.nodes for tensor in node.outputs if tensor.name}
    live: set[int] = set()
    waiting = list(graph.outputs)
    while waiting:
        producer = producers.get(id(waiting.pop()))
        if producer is not None and id(producer) not in live:
            live.add(id(producer))
            waiting += producer.inputs
            for body in producer.subgraphs(recursive=True):
                waiting += [*body.outputs, *(tensor for inner in body.nodes for tensor in inner.inputs)]
    dead = {id(node): node for node in graph.nodes if id(node) not in live}
    inside = [body for node in dead.values() for body in node.subgraphs(recursive=True)]
    dead.update((id(node), node) for body in inside for node in body.nodes)
    for tensor in {id(t): t for node in dead.values() for t in node.inputs}.values():
        readers = [node for node in tensor.outputs if id(node) not in dead]
        _Plain.clear(tensor.outputs)
        _Plain.extend(tensor.outputs, readers)
    for node in dead.values():
        for tensor in node.outputs:
            _Plain.clear(tensor.inputs)
        _Plain.clear(node.inputs)
        _Plain.clear(node.outputs)
    graph.nodes = [node for node in graph.nodes if id(node) in live]
    return graph


def _forget(members: list[Any], member: object) -> None:
    for index, each in enumerate(members):
        if each is member:
            _Plain.__delitem__(members, index)
            return
