"""Layers: residual branches that can be taken out whole, so that `Add(x, branch)` becomes `x`.

A branch comes from the skipped tensor `x` and from constants, holds weights, and what it computes is used by
the addition alone. It may read other tensors as well (a mask, the encoder's output), and may share what
carries no weights with others: a norm in front of attention and MLP, sizes that are computed at run time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

import onnx_graphsurgeon as gs

from graphprune.solution import Solution
from graphprune.uses import Uses, idle, uses

_MOST_HOPS = 8
"""How far back the tensor that the branch comes from is looked for."""
_TWO_PATHS = "both operands are computed with weights, as where a shortcut is projected"
_ELSEWHERE = "'{}' inside the branch is used outside of it"
_EITHER = "either operand could be the branch"
_APART = "the two operands have nothing to do with each other"


@dataclass(frozen=True)
class Layer:
    """A residual branch that can be taken out.

    Attributes:
        name: unique within the model, also among the groups, and stable from run to run.
        join: the addition.
        at: its position in the graph's nodes.
        skip: the operand of `join` that stays in its place.
        gone: the operands that go.
        nodes: the positions of the nodes that go with the branch, in order, without the addition.
        skipped: the name of the tensor that stays.
        branch: the name of the tensor that goes.
    """

    name: str
    join: gs.Node = field(repr=False)
    at: int
    skip: int
    gone: tuple[int, ...]
    nodes: tuple[int, ...] = field(repr=False)
    skipped: str
    branch: str


@dataclass(frozen=True)
class Joins:
    """The additions of a graph.

    Attributes:
        layers: those whose one operand is a branch that can go, in topological order.
        others: the names of others that add what was computed with weights, and why they are no layers; where
            the two operands have nothing to do with each other, they are left out.
        idle: the positions of the nodes that nothing needs as it is.
    """

    layers: tuple[Layer, ...]
    others: tuple[tuple[str, str], ...]
    idle: frozenset[int] = field(repr=False)


def layers(solution: Solution) -> tuple[Layer, ...]:
    """Return the layers of a graph in topological order, in time that grows almost linearly with it."""
    return joins(solution).layers


def joins(solution: Solution) -> Joins:
    """Return the layers of a graph, and the other additions with the reasons; found once a solution."""
    known = vars(solution)  # as functools.cached_property keeps what it computes
    if "joins" not in known:
        known["joins"] = _joins(solution)
    return cast("Joins", known["joins"])


def gone(solution: Solution, names: Collection[str]) -> frozenset[int]:
    """Return the positions of the nodes that nothing needs any more when the layers `names` are out.

    The addition of a layer is one of them only where nothing needs its result.
    """
    if not names:
        return frozenset()
    found = joins(solution)
    skips = {layer.at: layer.skip for layer in found.layers if layer.name in names}
    return idle(solution.graph, skips) - found.idle


def _joins(solution: Solution) -> Joins:
    known, skips = uses(solution), dict[int, str]()
    found: list[Layer] = []
    others: list[tuple[str, str]] = []
    taken = {group.name for group in solution.groups}
    for at in known.joins:
        node = solution.graph.nodes[at]
        adds = known.joins[at]
        verdicts = {
            slot: _judge(solution, known, skips, at, slot)
            for slot in (adds.first, adds.second)
            if known.has_weights(at, slot)
        }
        branches = [slot for slot, why in verdicts.items() if not why]
        name = node.name or node.outputs[0].name
        if len(branches) == 1:
            (slot,) = branches
            skip = adds.other(slot)
            skips[at] = node.inputs[skip].name
            gone = (slot, *(at for at in adds.beside if at < len(node.inputs) and node.inputs[at].name))
            unique, inner = _unique(name, taken), known.needed_by(at, slot)
            found.append(Layer(unique, node, at, skip, gone, inner, skips[at], node.inputs[slot].name))
        elif branches:
            others.append((name, _EITHER))
        elif any(why != _APART for why in verdicts.values()):
            others.append((name, next(why for why in verdicts.values() if why != _APART)))
        elif len(verdicts) == 2:
            others.append((name, _TWO_PATHS))
    return Joins(tuple(found), tuple(others), known.idle)


def _unique(base: str, taken: set[str]) -> str:
    name, number = base, 1
    while name in taken:
        name = f"{base}:layer{number if number > 1 else ''}"
        number += 1
    taken.add(name)
    return name


def _judge(solution: Solution, known: Uses, skips: Mapping[int, str], at: int, slot: int) -> str:
    """Return why operand `slot` of the addition at `at` is no branch that comes from the other, or ''.

    `skips` has the skipped tensor of each layer that was found, by the position of the addition.
    """
    skip = known.joins[at].other(slot)
    for origin in _origins(solution, known, skips, solution.graph.nodes[at].inputs[skip].name):
        connected, beside = _between(solution, known, origin, at, slot)
        if connected and known.heavy.isdisjoint(beside):
            return ""
        # What a mask has to do with attention scores by way of the layers before is not worth a word.
        if connected and skips.keys().isdisjoint(beside):
            return _ELSEWHERE.format(solution.graph.nodes[beside[0]].outputs[0].name)
    return _APART


def _origins(solution: Solution, known: Uses, skips: Mapping[int, str], name: str) -> Iterator[str]:
    """Yield the skipped tensor, and what it is made of without weights or by the layers before.

    The shortcut may scale, slice or dequantise by itself, and branches in parallel come from one tensor and
    are added one after another.
    """
    shapes = solution.shapes
    for _ in range(_MOST_HOPS):
        yield name
        maker = known.makers.get(name)
        if maker is None or maker in known.heavy:
            return
        tensors = {tensor.name for tensor in solution.graph.nodes[maker].inputs if tensor.name}
        computed = tensors - shapes.fixed - shapes.values.keys()
        if maker in skips:
            name = skips[maker]
        elif len(computed) == 1:
            (name,) = computed
        else:
            return


def _between(solution: Solution, known: Uses, origin: str, at: int, slot: int) -> tuple[bool, list[int]]:
    """Tell how the tensor `origin` and the branch at operand `slot` of an addition hang together.

    Returns:
        Whether the branch needs the tensor for more than its sizes; and the nodes between the two that are
        used elsewhere too, the last one first.
    """
    nodes = solution.graph.nodes

    def users(names: Iterable[str]) -> list[int]:
        found = (position for name in names for position in known.readers.get(name, ()))
        return [p for p in found if p < at and nodes[p].op not in ("Shape", "Size")]

    def inside(position: int) -> bool:
        return known.is_needed_by(position, at, slot)

    first = users([origin])
    beside: dict[int, list[int]] = {}
    waiting = first
    while waiting:
        outside = [position for position in waiting if not inside(position) and position not in beside]
        beside.update((p, users(tensor.name for tensor in nodes[p].outputs)) for p in outside)
        waiting = [user for position in outside for user in beside[position]]
    leading: dict[int, None] = {}
    for position in sorted(beside, reverse=True):
        if any(inside(user) or user in leading for user in beside[position]):
            leading[position] = None
    return bool(leading) or any(map(inside, first)), list(leading)
