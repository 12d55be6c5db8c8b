"""Changing who reads what in a graph.

graphsurgeon's lists compare their elements by name or in depth when one is taken out, which is slow in
large graphs and may hit the wrong one; these go by identity.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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


NORMS = {"SkipLayerNormalization": "LayerNormalization"}
"""What is left of an operator that adds and normalises when it has nothing to add."""


def leave_out(node: gs.Node, skip: int, gone: Sequence[int], wanted: Collection[str]) -> list[int]:
    """Let `node`, which adds, be what it is without the operands `gone`; return which operands it has now.

    An addition hands on operand `skip`; one that normalises the sum normalises that; one of integers adds the
    zero point, since it has scales of its own for the sum.
    """
    if node.op == "QLinearAdd":
        set_input(node, gone[0], node.inputs[gone[0] + 2])
        return list(range(len(node.inputs)))
    if node.op not in NORMS:
        bypass(node, skip, wanted)
        return [skip]
    if len(node.outputs) > TOTAL and node.outputs[TOTAL].name:
        redirect(node.outputs[TOTAL], node.inputs[skip])
    slots = [skip, *(slot for slot in range(2, len(node.inputs)) if slot not in gone)]
    kept = [node.inputs[slot] for slot in slots]
    for tensor in node.inputs:
        _forget(tensor.outputs, node)
    _Plain.clear(node.inputs)
    for tensor in kept:
        _Plain.append(node.inputs, tensor)
        _Plain.append(tensor.outputs, node)
    for tensor in node.outputs[1:]:
        _forget(tensor.inputs, node)
    _Plain.__delitem__(node.outputs, slice(1, None))
    node.op, node.domain = NORMS[node.op], None
    node.attrs["axis"] = -1
    node.attrs.setdefault("epsilon", _EPSILON)
    return slots


_EPSILON = 1e-12
"""What such an operator takes where it is given none; that of a LayerNormalization is another."""
TOTAL = 3
"""The output of such an operator that is the sum."""


def hands_on(node: gs.Node, slot: int) -> bool:
    """Whether output `slot` of an operator that adds is the other operand where one is gone."""
    return slot == TOTAL if node.op in NORMS else node.op != "QLinearAdd"


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
