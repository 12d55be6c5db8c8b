"""Who uses what in a graph, which nodes one operand of an addition alone needs, and where weights are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import onnx_graphsurgeon as gs

from graphprune.dominance import EXIT, Order, Tree, preorder
from graphprune.ir import captured, read_by_bodies, subgraphs
from graphprune.rewire import NORMS
from graphprune.rules import Adds, row
from graphprune.solution import Solution

_WEIGHTED = frozenset(
    [
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DeformConv",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "Einsum",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "GRU",
        "Gemm",
        "LSTM",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "QAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
    ]
)
"""Operators that multiply by weights, where one of their operands is made of constants."""
_NORM_SINCE = 17
"""The operator set that has the norm which is left of an addition with a norm."""


@dataclass(frozen=True)
class Uses:
    """Who uses what in a graph; nodes are told by their positions.

    Attributes:
        readers: the nodes that use each tensor, once for each use.
        makers: the node that makes each tensor.
        heavy: the nodes with weights.
        joins: the additions of two computed tensors of one shape, in order, and what they add.
        idle: the nodes that no output needs.
    """

    readers: dict[str, list[int]]
    makers: dict[str, int]
    heavy: frozenset[int]
    joins: Mapping[int, Adds]
    idle: frozenset[int]
    _order: Order
    _numbers: list[int]
    _ends: dict[tuple[int, int], int]
    _nodes: list[int]
    _weights: list[int]

    def needed_by(self, join: int, slot: int) -> tuple[int, ...]:
        """Return the nodes that nothing but operand `slot` of an addition needs, in order."""
        inside = (self._nodes[number] for number in self._order.below(self._ends[join, slot]))
        return tuple(sorted(node for node in inside if node >= 0))

    def is_needed_by(self, node: int, join: int, slot: int) -> bool:
        """Whether `node` is one of them, in constant time."""
        return self._order.is_below(self._numbers[node], self._ends[join, slot])

    def has_weights(self, join: int, slot: int) -> bool:
        """Whether one of them has weights, in constant time."""
        end = self._ends[join, slot]
        return self._weights[self._order.stop[end]] > self._weights[self._order.start[end]]


def uses(solution: Solution) -> Uses:
    """Find out who uses what in the graph of `solution`, in time n log n."""
    nodes = solution.graph.nodes
    readers: dict[str, list[tuple[int, int]]] = {}
    without = idle(solution.graph, {})
    for position, node in enumerate(nodes):
        for slot, tensor in enumerate(node.inputs if position not in without else ()):
            if tensor.name and not isinstance(tensor, gs.Constant):
                readers.setdefault(tensor.name, []).append((position, slot))
    outside = {tensor.name for tensor in solution.graph.outputs} | read_by_bodies(solution.graph)
    joins: dict[int, Adds] = {}
    tree, numbers, ends, of = Tree(), [EXIT] * len(nodes), dict[tuple[int, int], int](), [-1]
    for position in range(len(nodes) - 1, -1, -1):
        names = [tensor.name for tensor in nodes[position].outputs if tensor.name]
        users = [use for name in names for use in readers.get(name, ())]
        leaves = [EXIT] if any(name in outside for name in names) else []
        numbers[position] = tree.add([*leaves, *(ends.get(use, numbers[use[0]]) for use in users)])
        of.append(position)
        sum_of = _adds_two_alike(nodes[position], solution)
        if sum_of is not None:
            joins[position] = sum_of
            for slot in (sum_of.first, sum_of.second):
                ends[position, slot] = tree.add([numbers[position]])
                of.append(-1)
    order = preorder(tree)
    heavy = frozenset(position for position, node in enumerate(nodes) if _has_weights(node, solution))
    weights = [0, *accumulate(of[number] in heavy for number in order.nodes)]
    by_name = {name: [position for position, _ in found] for name, found in readers.items()}
    for position in joins:
        _read_behind(nodes[position], by_name)
    return Uses(
        by_name,
        {tensor.name: n for n, node in enumerate(nodes) for tensor in node.outputs if tensor.name},
        heavy,
        dict(sorted(joins.items())),
        without,
        order,
        numbers,
        ends,
        of,
        weights,
    )


def idle(graph: gs.Graph, bypassed: Mapping[int, int]) -> frozenset[int]:
    """Return the nodes that no output of `graph` needs.

    Args:
        graph: nodes in topological order.
        bypassed: nodes that pass on one of their operands, and which.
    """
    needed = {tensor.name for tensor in graph.outputs}
    found: list[int] = []
    for position in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[position]
        if not any(tensor.name in needed for tensor in node.outputs if tensor.name):
            found.append(position)
        elif position in bypassed:
            needed.add(node.inputs[bypassed[position]].name)
        else:
            needed.update(tensor.name for tensor in node.inputs)
            for body in subgraphs(node):
                needed |= captured(body)
    return frozenset(found)


def _read_behind(node: gs.Node, readers: dict[str, list[int]]) -> None:
    """Let who reads what an operator makes of its sum count as reading the sum."""
    known = row(node)
    if known is not None and known.adds is not None and known.adds.total < len(node.outputs):
        total = node.outputs[known.adds.total].name
        behind = [
            position for other in node.outputs if other.name for position in readers.get(other.name, ())
        ]
        if total:
            readers[total] = behind


def _adds_two_alike(node: gs.Node, solution: Solution) -> Adds | None:
    """Return what the operator adds where it is two different computed tensors of the shape of their sum."""
    known = row(node)
    adds = None if known is None else known.adds
    if adds is None or (node.op == "Sum" and len(node.inputs) != 2):
        return None
    if node.op in NORMS and solution.graph.opset < _NORM_SINCE:
        return None
    statistics = [tensor.name for slot, tensor in enumerate(node.outputs) if slot not in (0, adds.total)]
    a, b = (node.inputs[slot].name for slot in (adds.first, adds.second))
    sizes, fixed = solution.shapes.sizes, solution.shapes.fixed
    if any(statistics) or a == b or a in fixed or b in fixed or a not in sizes:
        return None
    return adds if sizes[a] == sizes.get(b) == sizes.get(node.outputs[0].name) else None


def _has_weights(node: gs.Node, solution: Solution) -> bool:
    fixed = solution.shapes.fixed
    return node.op in _WEIGHTED and any(tensor.name in fixed for tensor in node.inputs if tensor.name)
