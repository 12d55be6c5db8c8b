"""Which tensor of the smaller model stands for which of the original, and what stays of it.

Nodes correspond by what the cut recorded, and tensors by the place where they are made; names of constants
play no part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.cut import Cut
from graphprune.cuts import Cuts
from graphprune.positions import Index
from graphprune.rewire import hands_on


@dataclass(frozen=True)
class Place:
    """Where a tensor of the original is in the smaller model: its name there, and what stays of it."""

    name: str
    cuts: Cuts


def places(graph: gs.Graph, cut: Cut, given: Mapping[str, Cuts]) -> dict[str, Place]:
    """Return the places of the tensors that nodes of `graph` make, where the smaller model has them.

    What a layer that is out adds to stands for the sum. Where a model has been given other names, tensors
    correspond that are made by the same operators from the outputs backward. `given` says
    what stays of inputs.
    """
    here = {t.name for node in cut.model.graph.nodes for t in node.outputs if t.name}
    here |= {tensor.name for tensor in cut.model.graph.inputs}
    names = _renamed(cut, here)
    found = {tensor.name: Place(tensor.name, given.get(tensor.name, {})) for tensor in graph.inputs}
    for node, trace, small in zip(graph.nodes, cut.traces, cut.nodes, strict=True):
        for slot, tensor in enumerate(node.outputs):
            own = small.outputs[slot].name if slot < len(small.outputs) else ""
            name = names.get(own, own)
            if tensor.name and name in here:
                found[tensor.name] = Place(name, trace.outputs.get(slot, {}))
            elif tensor.name and trace.removed and hands_on(node, slot):
                skip = node.inputs[trace.skip].name
                if skip in found:
                    found[tensor.name] = found[skip]
    return found


def fitted(cuts: Cuts, solved: Sequence[int], sizes: Sequence[int], now: Mapping[int, int]) -> Cuts | None:
    """Return the positions that stay of a tensor of other sizes than those that were solved with.

    A cut axis may be a product with a size that the inputs leave open, as batch times heads.

    Args:
        cuts: what stays at the sizes that were solved with.
        solved: those sizes.
        sizes: those that the tensor has.
        now: for the number that stood for each open size, what it is now.

    Returns:
        The positions, or None where they cannot be told.
    """
    if len(solved) != len(sizes):
        return None if cuts else {}
    found: Cuts = {}
    for dim, index in cuts.items():
        if solved[dim] == sizes[dim]:
            found[dim] = index
            continue
        size, other = solved[dim], index if index.ndim == 1 else None
        for number, is_now in now.items():
            if other is not None and number > 1 and size % number == 0 and len(other) % number == 0:
                other = _repeated(other, size, number, is_now)
                size = size // number * is_now
        if other is None or size != sizes[dim]:
            return None
        found[dim] = other
    return found


def _repeated(index: Index, size: int, number: int, now: int) -> Index | None:
    """Return positions along (a number c) as those along (a now c); None where the `number` matters."""
    for inner in (c for c in range(1, size // number + 1) if size // number % c == 0):
        for kept in (k for k in range(1, inner + 1) if len(index) // number % k == 0):
            rows = index.reshape(-1, number, kept)
            first = rows[:, :1]
            if (first % (number * inner) < inner).all() and np.array_equal(
                rows, first + np.arange(number)[:, None] * inner
            ):
                start = first // (number * inner) * (now * inner) + first % (number * inner)
                return np.asarray(start + np.arange(now)[:, None] * inner, np.int64).reshape(-1)
    return None


def _renamed(cut: Cut, here: set[str]) -> Mapping[str, str]:
    """Return the names of tensors in a model that has other names than the one that was cut."""
    ours = {name: node for node in cut.nodes for name in _made(node)}
    if all(name in here for name in ours):
        return {}
    makers = {name: node for node in cut.model.graph.nodes for name in _made(node)}
    found: dict[str, str] = {}
    waiting = deque((tensor.name, tensor.name) for tensor in cut.model.graph.outputs)
    while waiting:
        name, other = waiting.popleft()
        node, there = ours.get(name), makers.get(other)
        if name in found or node is None or there is None or _kind(node) != _kind(there):
            continue
        found.update(zip(_made(node), _made(there), strict=False))
        for a, b in zip(node.inputs, there.inputs, strict=True):
            if a.name and not isinstance(a, gs.Constant) and not isinstance(b, gs.Constant):
                waiting.append((a.name, b.name))
                if a.inputs:
                    ours.setdefault(a.name, a.inputs[0])  # a node that the cut put in
    return found


def _kind(node: gs.Node) -> tuple[str, str, int]:
    return node.op, node.domain or "", len(node.inputs)


def _made(node: gs.Node) -> list[str]:
    return [tensor.name for tensor in node.outputs if tensor.name]
