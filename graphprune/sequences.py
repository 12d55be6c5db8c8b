"""Sequences of tensors whose length and places are known, replaced by the tensors themselves.

Exporters make sequences of `split`, `chunk`, `unbind`, `stack` and of lists that a model passes around. Where
every place is a constant, an element is one tensor that has a name: SequenceAt is that tensor,
SplitToSequence is a Split, ConcatFromSequence a Concat. A Loop that carries a sequence for a constant number
of steps is unrolled first. What cannot be told stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.duplicate import fresh_name, names_of
from graphprune.ir import is_default_domain, read, read_by_bodies, subgraphs
from graphprune.rewire import detach, redirect
from graphprune.shapes import Shapes, infer

_MOST_STEPS = 64
"""A Loop of more steps is not unrolled."""
_MAKERS = frozenset(
    ["SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SplitToSequence"]
)
Elements = list[gs.Tensor]


def resolve_sequences(graph: gs.Graph) -> bool:
    """Replace, in place, what can be told of the sequences of `graph`; return whether there was anything.

    Constants must be initializers by now.
    """
    if not any(
        node.op in _MAKERS for each in (graph, *graph.subgraphs(recursive=True)) for node in each.nodes
    ):
        return False
    work = _Work(graph, names_of(graph))
    _unroll(graph, work)
    return _resolve(graph, work)


@dataclass
class _Work:
    graph: gs.Graph
    names: set[str]
    elements: dict[int, Elements] = field(default_factory=dict[int, Elements])

    @cached_property
    def shapes(self) -> Shapes:
        """The sizes of tensors; asked for where only the size of an axis tells a length."""
        return infer(self.graph)

    def variable(self, base: str) -> gs.Variable:
        return gs.Variable(fresh_name(base, self.names))


def _number(node: gs.Node, slot: int) -> int | None:
    """Return an operand that is one constant integer, or None."""
    tensor = node.inputs[slot] if slot < len(node.inputs) else None
    if not isinstance(tensor, gs.Constant):
        return None
    value = read(tensor)
    return int(value.reshape(-1)[0]) if value.size == 1 else None


def _has(node: gs.Node, slot: int) -> bool:
    return slot < len(node.inputs) and bool(node.inputs[slot].name)


def _unroll(graph: gs.Graph, work: _Work) -> None:
    """Put the steps of Loops that carry sequences in their place."""
    nodes: list[gs.Node] = []
    for node in list(graph.nodes):
        steps = _steps(node)
        if steps is None:
            nodes.append(node)
            continue
        body: gs.Graph = node.attrs["body"]
        carried = list(node.inputs[2:])
        for step in range(steps):
            carried = _step(body, step, carried, nodes, work)
        results = list(node.outputs)
        detach(node)
        for result, tensor in zip(results, carried, strict=True):
            if result.name:
                nodes.append(gs.Node("Identity", f"{result.name}_carried", inputs=[tensor], outputs=[result]))
    graph.nodes = nodes


def _steps(node: gs.Node) -> int | None:
    """Return how many steps a Loop makes that carries a sequence and that can be unrolled, or None."""
    if node.op != "Loop" or not is_default_domain(node):
        return None
    body: gs.Graph = node.attrs["body"]
    makers = [maker.op for tensor in node.inputs[2:] for maker in tensor.inputs[:1]]
    steps = _number(node, 0)
    goes_on = not _has(node, 1) or (
        isinstance(node.inputs[1], gs.Constant) and bool(read(node.inputs[1]).all())
    )
    scanned = len(body.outputs) - 1 - (len(node.inputs) - 2)
    if steps is None or steps > _MOST_STEPS or not goes_on or scanned or _MAKERS.isdisjoint(makers):
        return None
    if not _is_true(body.outputs[0], body) or any(any(subgraphs(inner)) for inner in body.nodes):
        return None
    return steps


def _is_true(tensor: gs.Tensor, body: gs.Graph) -> bool:
    """Whether the condition that a body gives out is a constant, or the one that it was given."""
    while len(tensor.inputs) == 1 and tensor.inputs[0].op == "Identity":
        tensor = tensor.inputs[0].inputs[0]
    return tensor is body.inputs[1] or (isinstance(tensor, gs.Constant) and bool(read(tensor).all()))


def _step(
    body: gs.Graph, step: int, carried: Sequence[gs.Tensor], nodes: list[gs.Node], work: _Work
) -> list[gs.Tensor]:
    """Add one step of a Loop to `nodes`, and return what it carries on."""
    number = np.full([1] * len(body.inputs[0].shape or []), step, np.int64)
    given = [
        gs.Constant(fresh_name(f"{body.inputs[0].name}_{step}", work.names), number),
        gs.Constant(fresh_name(f"{body.inputs[1].name}_{step}", work.names), np.array(True)),
        *carried,
    ]
    became = {id(inner): outer for inner, outer in zip(body.inputs, given, strict=True)}
    for node in body.nodes:
        for tensor in node.outputs:
            if tensor.name:
                became[id(tensor)] = work.variable(f"{tensor.name}_{step}")
        inputs, outputs = ([became.get(id(t), t) for t in side] for side in (node.inputs, node.outputs))
        nodes.append(gs.Node(node.op, f"{node.name}_{step}", dict(node.attrs), inputs, outputs, node.domain))
    return [became.get(id(tensor), tensor) for tensor in body.outputs[1:]]


def _resolve(graph: gs.Graph, work: _Work) -> bool:
    """Let who reads elements of sequences that are known read the tensors; return whether anybody did."""
    wanted = {tensor.name for tensor in graph.outputs} | read_by_bodies(graph)
    nodes: list[gs.Node] = []
    changed = False
    for node in list(graph.nodes):
        for body in subgraphs(node):
            changed |= _resolve(body, work)
        if is_default_domain(node) and _read(node, wanted, nodes, work):
            changed = True
            continue
        nodes.append(node)
        found = _made(node, nodes, work) if is_default_domain(node) else None
        if found is not None:
            work.elements[id(node.outputs[0])] = found
    graph.nodes = nodes
    return changed


def _made(node: gs.Node, nodes: list[gs.Node], work: _Work) -> Elements | None:
    """Return the elements of the sequence that a node makes, or None where it makes none that is known."""
    if node.op == "SequenceEmpty":
        return []
    if node.op == "SequenceConstruct":
        return list(node.inputs)
    if node.op == "SplitToSequence":
        return _split(node, nodes, work)
    before = work.elements.get(id(node.inputs[0])) if node.inputs else None
    if before is None or node.op not in ("Identity", "SequenceInsert", "SequenceErase"):
        return None
    slot = 2 if node.op == "SequenceInsert" else 1
    place = _number(node, slot)
    if node.op == "Identity":
        return before
    if _has(node, slot) and place is None:
        return None
    length = len(before)
    if node.op == "SequenceInsert":
        at = length if place is None else place + length * (place < 0)
        return [*before[:at], node.inputs[1], *before[at:]]
    at = length - 1 if place is None else place + length * (place < 0)
    return [*before[:at], *before[at + 1 :]]


def _split(node: gs.Node, nodes: list[gs.Node], work: _Work) -> Elements | None:
    """Put a Split beside a SplitToSequence, and return its results."""
    sizes = _pieces(node, work)
    if not sizes:
        return None
    axis = int(node.attrs.get("axis", 0))
    base = node.outputs[0].name
    results = [work.variable(f"{base}_{number}") for number in range(len(sizes))]
    name = fresh_name(f"{base}_split", work.names)
    split = gs.Node("Split", name, {"axis": axis}, [node.inputs[0]], results)
    _give(split, "split", sizes, f"{base}_sizes", work)
    nodes.append(split)
    if _has(node, 1) or int(node.attrs.get("keepdims", 1)):
        return list(results)
    return [_with_axis("Squeeze", result, axis, nodes, work) for result in results]


def _pieces(node: gs.Node, work: _Work) -> list[int] | None:
    """Return the sizes of the elements that a SplitToSequence makes."""
    given = node.inputs[1] if _has(node, 1) else None
    if given is not None and not isinstance(given, gs.Constant):
        return None
    values = np.array(1) if given is None else read(given)
    if values.ndim:
        return [int(size) for size in values]
    name = node.inputs[0].name
    if name not in work.shapes.sizes:
        return None
    shown = work.shapes.shown(name)
    size = shown[int(node.attrs.get("axis", 0))]
    each = int(values)
    if not isinstance(size, int) or each < 1 or size > each * 4096:
        return None
    return [min(each, size - first) for first in range(0, size, each)]


def _with_axis(op: str, tensor: gs.Tensor, axis: int, nodes: list[gs.Node], work: _Work) -> gs.Variable:
    """Add a Squeeze or an Unsqueeze of one axis, and return its result."""
    result = work.variable(f"{tensor.name}_{op.lower()}")
    node = gs.Node(op, result.name, {}, [tensor], [result])
    _give(node, "axes", [axis], f"{result.name}_axes", work)
    nodes.append(node)
    return result


def _give(node: gs.Node, name: str, values: Sequence[int], constant: str, work: _Work) -> None:
    """Give an operator integers that are an attribute before operator set 13, and an operand since."""
    if work.graph.opset < 13:
        node.attrs[name] = list(values)
    else:
        held = gs.Constant(fresh_name(constant, work.names), np.array(values, np.int64))
        node.inputs.append(held)


def _read(node: gs.Node, wanted: Collection[str], nodes: list[gs.Node], work: _Work) -> bool:
    """Replace a node that reads a known sequence by what it gives; return whether that could be told."""
    elements = work.elements.get(id(node.inputs[0])) if node.inputs else None
    if elements is None:
        return False
    if node.op == "ConcatFromSequence" and elements:
        axis = int(node.attrs["axis"])
        if int(node.attrs.get("new_axis", 0)):
            elements = [_with_axis("Unsqueeze", each, axis, nodes, work) for each in elements]
        _put("Concat", node, elements, nodes, axis=axis)
        return True
    found: gs.Tensor
    if node.op == "SequenceLength":
        length = np.array(len(elements), np.int64)
        found = gs.Constant(fresh_name(f"{node.outputs[0].name}_length", work.names), length)
    else:
        place = _number(node, 1) if node.op == "SequenceAt" else None
        if place is None or not -len(elements) <= place < len(elements):
            return False
        found = elements[place]
    if node.outputs[0].name in wanted:
        _put("Identity", node, [found], nodes)
    else:
        redirect(node.outputs[0], found)
        detach(node)
    return True


def _put(
    op: str, node: gs.Node, inputs: Sequence[gs.Tensor], nodes: list[gs.Node], **attributes: int
) -> None:
    """Add an operator that makes what `node` made."""
    outputs = list(node.outputs)
    detach(node)
    nodes.append(gs.Node(op, node.name, dict(attributes), list(inputs), outputs))
