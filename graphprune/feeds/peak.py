"""How much memory the tensors between operators take at most, known from sizes before anything runs.

Tensors live from the node that makes them to the last that reads them, as ONNX Runtime has it in the order of
the file. Weights are not counted. Measured against the growth of its process this is good to some 10 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import onnx
import onnx_graphsurgeon as gs

from graphprune.ir import captured, subgraphs
from graphprune.symbols.expression import Expr, number
from graphprune.symbols.facts import Facts

Value = Callable[[Expr], int]


@dataclass(frozen=True)
class _Step:
    """A node: what it makes, what it reads for the last time, what it takes besides, and its bodies."""

    makes: tuple[str, ...]
    frees: tuple[str, ...]
    scratch: tuple[Sequence[Expr], ...]
    bodies: tuple[Peak, ...]


@dataclass(frozen=True)
class Peak:
    """The lives of the tensors of a graph; `bytes_at` adds them up."""

    tensors: Mapping[str, tuple[int, Sequence[Expr]]]
    inputs: tuple[str, ...]
    steps: tuple[_Step, ...]

    def bytes_at(self, value: Value) -> int:
        """Return the bytes of tensors that live at once at most, where `value` gives the sizes."""
        held = {name: _size(self.tensors[name], value) for name in self.inputs if name in self.tensors}
        live = peak = sum(held.values())
        for step in self.steps:
            for name in step.makes:
                if name not in held:
                    held[name] = _size(self.tensors[name], value)
                    live += held[name]
            extra = sum(_size((4, sizes), value) for sizes in step.scratch)
            extra += max((body.bytes_at(value) for body in step.bodies), default=0)
            peak = max(peak, live + extra)
            for name in step.frees:
                live -= held.pop(name, 0)
        return peak


def peak_of(graph: gs.Graph, facts: Facts) -> Peak:
    """Return the lives of the tensors of `graph`, of those in bodies too."""
    last: dict[str, int] = {}
    reads = [_reads(node) for node in graph.nodes]
    for position, names in enumerate(reads):
        last.update(dict.fromkeys(names, position))
    kept = {tensor.name for tensor in graph.outputs}
    frees: list[list[str]] = [[] for _ in graph.nodes]
    for name, position in last.items():
        if name not in kept:
            frees[position].append(name)
    tensors: dict[str, tuple[int, Sequence[Expr]]] = {}
    steps: list[_Step] = []
    inputs = tuple(tensor.name for tensor in graph.inputs if isinstance(tensor, gs.Variable))
    for name in inputs:
        _add(name, facts, tensors)
    for position, node in enumerate(graph.nodes):
        makes = tuple(tensor.name for tensor in node.outputs if _add(tensor.name, facts, tensors))
        unread = [name for name in makes if name not in last and name not in kept]
        bodies = tuple(peak_of(body, facts) for body in subgraphs(node))
        steps.append(_Step(makes, (*frees[position], *unread), _scratch(node, facts), bodies))
    return Peak(tensors, inputs, tuple(steps))


def _reads(node: gs.Node) -> set[str]:
    names = {tensor.name for tensor in node.inputs if isinstance(tensor, gs.Variable)}
    return names.union(*(captured(body) for body in subgraphs(node)))


def _add(name: str, facts: Facts, tensors: dict[str, tuple[int, Sequence[Expr]]]) -> bool:
    if not name or name not in facts.shapes:
        return False
    tensors[name] = (_width(facts.types.get(name, onnx.TensorProto.FLOAT)), facts.shapes[name])
    return True


def _size(tensor: tuple[int, Sequence[Expr]], value: Value) -> int:
    width, sizes = tensor
    total = width
    for size in sizes:
        try:
            total *= max(value(size), 0)
        except (KeyError, ZeroDivisionError):
            return 0
    return total


@lru_cache
def _width(element: int) -> int:
    """Return the bytes of an element, at least one."""
    try:
        return max(1, onnx.helper.tensor_dtype_to_np_dtype(element).itemsize)
    except (KeyError, TypeError, ValueError):
        return 4


def _scratch(node: gs.Node, facts: Facts) -> tuple[Sequence[Expr], ...]:
    """Return the sizes of the scores that fused attention keeps to itself: batch, heads, queries, keys."""
    heads = node.attrs.get("num_heads", node.attrs.get("q_num_heads"))
    shape = facts.shapes.get(node.inputs[0].name) if node.inputs else None
    if heads is None or shape is None or "Attention" not in node.op or len(shape) < 3:
        return ()
    keys = [facts.shapes.get(tensor.name) for tensor in (*node.inputs[1:2], *node.outputs[1:2])]
    longest = [each[-2] for each in keys if each is not None and len(each) >= 3]
    return ((shape[0], number(int(heads)), shape[-2], longest[-1] if longest else shape[-2]),)
