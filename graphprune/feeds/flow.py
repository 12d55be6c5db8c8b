"""Where the values of a tensor go: through operators, into the bodies of If, Loop and Scan, and out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import onnx_graphsurgeon as gs

from graphprune.ir import is_default_domain, subgraphs


class Edge(NamedTuple):
    """`node` reads a tensor at `slot` and makes `targets` of it; without a node it is the same tensor."""

    node: gs.Node | None
    slot: int
    targets: Sequence[gs.Tensor]


Flow = Mapping[int, Sequence[Edge]]
"""The edges that leave a tensor, by its `id`."""


def flow(graph: gs.Graph) -> Flow:
    """Return the edges between all tensors of `graph` and of the bodies within it."""
    found: dict[int, list[Edge]] = {}
    for node in every_node(graph):
        bodies = list(subgraphs(node))
        for slot, tensor in enumerate(node.inputs):
            found.setdefault(id(tensor), []).append(Edge(node, slot, _read_at(node, slot, bodies)))
        for body in bodies:
            for number, tensor in enumerate(body.outputs):
                found.setdefault(id(tensor), []).append(Edge(None, 0, _left_by(node, number, body)))
    return found


def every_node(graph: gs.Graph) -> Iterator[gs.Node]:
    """Yield the nodes of `graph`, those in the bodies of a node behind it."""
    for node in graph.nodes:
        yield node
        for body in subgraphs(node):
            yield from every_node(body)


def _read_at(node: gs.Node, slot: int, bodies: Sequence[gs.Graph]) -> Sequence[gs.Tensor]:
    """Return what is made of an operand: what goes into the body of a loop comes out by its outputs only."""
    if not is_default_domain(node) or len(bodies) != 1 or node.op not in ("Loop", "Scan"):
        return list(node.outputs)
    if node.op == "Scan":
        return bodies[0].inputs[slot : slot + 1]
    return list(node.outputs) if slot < 2 else bodies[0].inputs[slot : slot + 1]


def _left_by(node: gs.Node, number: int, body: gs.Graph) -> Sequence[gs.Tensor]:
    """Return what an output of a body is outside, and in the next turn of a loop."""
    if not is_default_domain(node) or node.op not in ("If", "Loop", "Scan"):
        return list(node.outputs)
    if node.op == "If":
        return node.outputs[number : number + 1]
    if node.op == "Scan":
        states = len(node.inputs) - int(node.attrs.get("num_scan_inputs", 0))
        again = body.inputs[number : number + 1] if number < states else []
        return [*node.outputs[number : number + 1], *again]
    if number == 0:  # whether the loop goes on
        return list(node.outputs)
    again = body.inputs[number + 1 : number + 2]
    return [*node.outputs[number - 1 : number], *again]


@dataclass(frozen=True)
class Reach:
    """What the values of an input can change.

    Attributes:
        changed: outputs that are computed from the values.
        copied: outputs that hold the values as they are, as a cache handed on with a step more; some of these
            may be changed as well.
    """

    changed: frozenset[str]
    copied: frozenset[str]


BY_SIZE = frozenset(["EyeLike", "RandomNormalLike", "RandomUniformLike", "Shape", "Size"])
"""Operators that look at the size of their operand, not at its values."""
PICKS: Mapping[str, tuple[int, ...] | None] = {
    "Cast": (0,),
    "Concat": None,
    "Expand": (0,),
    "Flatten": (0,),
    "Gather": (0,),
    "GatherElements": (0,),
    "GatherND": (0,),
    "Identity": (0,),
    "Reshape": (0,),
    "Slice": (0,),
    "Split": (0,),
    "Squeeze": (0,),
    "Transpose": (0,),
    "Unsqueeze": (0,),
    "Where": (1, 2),
}
"""Operators that pick and arrange values of their operands, and of which; None: of all."""
_COPIES: Mapping[str, tuple[int, ...] | None] = {
    **PICKS,
    "Pad": (0,),
    "ScatterElements": (0, 2),
    "ScatterND": (0, 2),
    "TensorScatter": (0, 1),
}
"""Operators that hand values on as they are, and the operands that they take them from; None: all."""
CACHES: Mapping[str, Mapping[int, int]] = {
    "Attention": {4: 1, 5: 2},
    "DecoderMaskedMultiHeadAttention": {5: 1, 6: 2},
    "GroupQueryAttention": {3: 1, 4: 2},
    "MultiHeadAttention": {6: 1, 7: 2},
}
"""Operands of fused attention that hold a past, and the output that hands each on."""


def reaches(graph: gs.Graph, edges: Flow | None = None) -> dict[str, Reach]:
    """Return what each input of `graph` can change: an input that changes no output is dead."""
    edges = flow(graph) if edges is None else edges
    outputs = {id(tensor): tensor.name for tensor in graph.outputs}
    return {
        tensor.name: _reach(tensor, edges, outputs)
        for tensor in graph.inputs
        if isinstance(tensor, gs.Variable)
    }


def _reach(tensor: gs.Tensor, edges: Flow, outputs: Mapping[int, str]) -> Reach:
    seen = {(id(tensor), False)}
    todo = deque([(tensor, False)])
    while todo:
        each, computed = todo.popleft()
        for edge in edges.get(id(each), ()):
            for target, changed in _through(edge, computed):
                if (id(target), changed) not in seen:
                    seen.add((id(target), changed))
                    todo.append((target, changed))
    touched = frozenset(name for key, name in outputs.items() if (key, True) in seen)
    copied = frozenset(name for key, name in outputs.items() if (key, False) in seen)
    return Reach(touched, copied)


def _through(edge: Edge, computed: bool) -> Iterator[tuple[gs.Tensor, bool]]:
    """Yield what an edge leads to, and whether it was computed with."""
    node = edge.node
    if node is None:
        yield from ((target, computed) for target in edge.targets)
    elif node.op not in BY_SIZE:
        for number, target in enumerate(edge.targets):
            yield target, computed or not _copies(node, edge.slot, number)


def _copies(node: gs.Node, slot: int, output: int) -> bool:
    if node.op in CACHES:
        return CACHES[node.op].get(slot) == output
    if node.op in ("Loop", "Scan"):
        return slot > 1 or node.op == "Scan"
    if node.op not in _COPIES:
        return False
    slots = _COPIES[node.op]
    return slots is None or slot in slots
