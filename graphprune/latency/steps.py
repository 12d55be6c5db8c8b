"""The steps of a runtime, and the groups of the model whose widths their times depend on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from graphprune.axes import find, leaves
from graphprune.backends import LayerTime
from graphprune.layers import Layer
from graphprune.solution import Applied, Solution, everywhere

Key = tuple[str, ...]
"""A step by the names of the model's tensors that it makes: they stay when the model is cut."""


@dataclass(frozen=True)
class Step:
    """One step of a runtime, and what its time depends on.

    Attributes:
        key: the tensors that it makes.
        nodes: positions of the operators that it carries out.
        groups: the groups along their operands and results.
        layers: names of the residual branches that what it makes is part of.
    """

    key: Key
    nodes: tuple[int, ...]
    groups: tuple[str, ...]
    layers: tuple[str, ...]


def steps_of(
    solution: Solution, times: Sequence[LayerTime], names: Collection[str], branches: Sequence[Layer] = ()
) -> tuple[Step, ...]:
    """Return the steps that make tensors of the model.

    A step does all that lies between what it makes and what other steps make.

    Args:
        solution: the model's groups.
        times: what the runtime says of its steps.
        names: the groups that may lose units.
        branches: the layers that may go.
    """
    leaf = {id(find(solution.group(name).axis)): name for name in names}
    position = {id(node): number for number, node in enumerate(solution.graph.nodes)}
    tensors = solution.graph.tensors()
    made = {name for each in times for name in each.outputs}
    found: dict[Key, Step] = {}
    for each in times:
        outputs = [tensors[name] for name in each.outputs if name in tensors]
        nodes = tuple(sorted(position[id(node)] for node in _covered(outputs, made)))
        if nodes and each.outputs not in found:
            groups = _touched([solution.nodes[number] for number in nodes], leaf)
            makers = {position[id(node)] for tensor in outputs for node in tensor.inputs}
            inside = tuple(branch.name for branch in branches if makers <= set(branch.nodes))
            found[each.outputs] = Step(each.outputs, nodes, groups, inside)
    return tuple(found.values())


def _covered(outputs: Sequence[gs.Tensor], made: Collection[str]) -> list[gs.Node]:
    """Return the nodes between `outputs` and what other steps make."""
    seen: dict[int, gs.Node] = {}
    waiting = [node for tensor in outputs for node in tensor.inputs]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen[id(node)] = node
        waiting += [
            maker
            for tensor in node.inputs
            if isinstance(tensor, gs.Variable) and tensor.name not in made
            for maker in tensor.inputs
        ]
    return list(seen.values())


def _touched(nodes: Sequence[Applied], leaf: dict[int, str]) -> tuple[str, ...]:
    """Return the groups along the operands and results of the nodes, and of those in their bodies."""
    found: dict[str, None] = {}
    for applied in everywhere(nodes):
        for axes in (*applied.inputs, *applied.outputs):
            for axis in axes or ():
                found.update((leaf[id(part)], None) for part in leaves(axis) if id(part) in leaf)
    return tuple(found)
