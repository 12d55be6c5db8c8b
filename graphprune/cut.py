"""Carry out a plan: one indexed copy per constant, and the sizes that operators write down.

After the constants are cut, the small tensors that exporters compute shapes with are evaluated again with the
new sizes. Where a size that an operator is given differs from the one its axes now have, it is rewritten; where
a value that was computed from a shape differs from what it was (an attention scale from a head size, say), it is
restored, since the promise is the original with units masked and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import gcd
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune import rules
from graphprune.axes import Axis, Index, find, keep
from graphprune.bind import Axes
from graphprune.errors import Refused
from graphprune.ir import label
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.rewire import set_input, sweep
from graphprune.shapes import Sizes, small_values
from graphprune.solve import Applied, Solution
from graphprune.weights import Weight

Cuts = dict[int, Index]
"""Dimension -> the positions that stay, in order."""
Key = tuple[tuple[int, bytes], ...]
"""Cuts as a key of dictionaries."""


@dataclass(frozen=True)
class Trace:
    """What the cut did around one node, for the proof: it names tensors and positions, never groups.

    Attributes:
        inputs: positions that stay, by operand and dimension, where not all do.
        outputs: the same by output.
        consumed: (operand, dimension) where removed positions must be masked with zeros.
        mixed: whether the operator mixes a cut axis, so that it must see the kept positions alone.
        zeros: for an operand of integers, the operand that holds its zero point.
    """

    inputs: dict[int, Cuts]
    outputs: dict[int, Cuts]
    consumed: tuple[tuple[int, int], ...]
    mixed: bool
    zeros: dict[int, int]


@dataclass(frozen=True)
class Cut:
    """A model after a plan was carried out.

    Attributes:
        model: the smaller model.
        traces: what was cut around each node, in the order of the original's nodes.
        nodes: the node of the smaller graph for each node of the original, in the same order.
    """

    model: Model
    traces: tuple[Trace, ...]
    nodes: tuple[gs.Node, ...]


@dataclass
class _Work:
    solution: Solution
    kept: dict[int, Index]
    graph: gs.Graph
    nodes: list[gs.Node]
    new: list[gs.Node] = field(default_factory=list[gs.Node])
    constants: dict[tuple[str, Key], gs.Constant] = field(
        default_factory=dict["tuple[str, Key]", gs.Constant]
    )
    variants: dict[str, list[Key]] = field(default_factory=dict[str, "list[Key]"])
    names: set[str] = field(default_factory=set[str])
    values: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    sizes: dict[str, Sizes] = field(default_factory=dict[str, Sizes])
    memo: dict[int, Index | None] = field(default_factory=dict[int, "Index | None"])

    def keep(self, axis: Axis) -> Index | None:
        """Return the positions along `axis` that stay, or None where all stay."""
        root = find(axis)
        if id(root) not in self.memo:
            self.memo[id(root)] = keep(root, lambda part: self.kept.get(id(part)))
        return self.memo[id(root)]

    def count(self, axis: Axis) -> int:
        """Return how many positions along `axis` stay."""
        index = self.keep(axis)
        return axis.size if index is None else index.size

    def cuts(self, axes: Axes | None) -> Cuts:
        """Return the dimensions of a tensor with these axes that are cut."""
        kept = {dim: self.keep(axis) for dim, axis in enumerate(axes or ())}
        return {dim: index for dim, index in kept.items() if index is not None}


def cut(model: Model, solution: Solution, plan: Plan) -> Cut:
    """Carry out `plan` on `model`, which is not changed; `solution` is that of its graph.

    Raises:
        Usage: where the plan does not fit.
        Refused: where a size that is computed at run time cannot be rewritten.
    """
    plan.check(solution.groups)
    kept = {id(find(solution.group(name).axis)): index for name, index in plan.keep.items()}
    graph = solution.graph.copy()
    work = _Work(solution, kept, graph, list(graph.nodes))
    work.names = set(graph.tensors().keys())
    work.variants = _variants(work)
    traces: list[Trace] = []
    for tensor in graph.inputs:
        work.sizes[tensor.name] = solution.shapes.sizes.get(tensor.name, ())
    for node, applied in zip(work.nodes, solution.nodes, strict=True):
        traces.append(_trace(applied, work))
        _cut_node(node, applied, traces[-1], work)
        work.new.append(node)
    graph.nodes = work.new
    sweep(graph)
    return Cut(replace(model, graph=graph), tuple(traces), tuple(work.nodes))


def _trace(applied: Applied, work: _Work) -> Trace:
    inputs = {slot: cuts for slot, axes in enumerate(applied.inputs) if (cuts := work.cuts(axes))}
    outputs = {slot: cuts for slot, axes in enumerate(applied.outputs) if (cuts := work.cuts(axes))}
    if applied.bound is None or applied.row is None or not inputs:
        return Trace(inputs, outputs, (), False, {})
    mixed = any(work.keep(axis) is not None for axis in applied.bound.mixed)
    places: dict[str, list[tuple[int, int]]] = {}
    for name, slot, dim in applied.bound.consumed:
        if work.keep(applied.bound.names[name]) is not None:
            places.setdefault(name, []).append((slot, dim))
    fixed = [slot for slot, tensor in enumerate(applied.site.node.inputs) if isinstance(tensor, gs.Constant)]
    consumed = tuple(
        next((place for place in found if place[0] in fixed), found[0]) for found in places.values()
    )
    return Trace(inputs, outputs, consumed, mixed, dict(applied.row.zeros))


def _cut_node(node: gs.Node, applied: Applied, trace: Trace, work: _Work) -> None:
    for slot, tensor in enumerate(list(node.inputs)):
        if isinstance(tensor, gs.Constant):
            if slot in trace.inputs:
                set_input(node, slot, _cut_constant(tensor, trace.inputs[slot], work))
            _note_constant(node.inputs[slot].name, applied, slot, trace, work)
    if applied.row is not None and applied.bound is not None:
        _patch(node, applied, trace, work)
    _restore(node, applied, trace, work)
    known = small_values(node, work.values, work.sizes, applied.site.opset)
    for slot, tensor in enumerate(node.outputs):
        if not tensor.name:
            continue
        axes = applied.outputs[slot]
        if known is not None and slot < len(known):
            work.values[tensor.name] = known[slot]
            work.sizes[tensor.name] = tuple(known[slot].shape)
        elif axes is not None:
            work.sizes[tensor.name] = tuple(work.count(axis) for axis in axes)


def _note_constant(name: str, applied: Applied, slot: int, trace: Trace, work: _Work) -> None:
    value = applied.site.value(slot)
    axes = applied.inputs[slot]
    if value is not None:
        work.values[name] = _take(value, trace.inputs.get(slot, {}))
    if axes is not None:
        work.sizes[name] = tuple(work.count(axis) for axis in axes)


def _take(array: NDArray[Any], cuts: Cuts) -> NDArray[Any]:
    for dim, index in cuts.items():
        array = np.take(array, index, axis=dim)
    return array


def _cut_constant(tensor: gs.Constant, cuts: Cuts, work: _Work) -> gs.Constant:
    """Return the cut constant; uses that are cut alike share it, others get one of their own."""
    key = _key(cuts)
    name = tensor.name
    if (name, key) not in work.constants:
        # The name stays with the uses that are not cut, or else with the first.
        own = name if work.variants[name][0] == key else _fresh(f"{name}_cut", work)
        values = tensor._values
        if isinstance(values, np.ndarray):
            work.constants[name, key] = gs.Constant(own, _take(values, cuts))
        else:
            weight = values if isinstance(values, Weight) else Weight(values.tensor)
            work.constants[name, key] = gs.Constant(own, weight.take(cuts))
    return work.constants[name, key]


def _key(cuts: Cuts) -> Key:
    return tuple((dim, index.tobytes()) for dim, index in sorted(cuts.items()))


def _variants(work: _Work) -> dict[str, list[Key]]:
    """Return, for each constant, the distinct ways in which its uses are cut; uncut comes first."""
    found: dict[str, list[Key]] = {}
    for node, applied in zip(work.nodes, work.solution.nodes, strict=True):
        for tensor, axes in zip(node.inputs, applied.inputs, strict=True):
            if isinstance(tensor, gs.Constant):
                key, known = _key(work.cuts(axes)), found.setdefault(tensor.name, [])
                if not key:
                    known.insert(0, key)
                elif key not in known:
                    known.append(key)
    return found


def _fresh(base: str, work: _Work) -> str:
    name, number = base, 1
    while name in work.names:
        number += 1
        name = f"{base}{number}"
    work.names.add(name)
    return name


def _patch(node: gs.Node, applied: Applied, trace: Trace, work: _Work) -> None:
    """Write the sizes that the operator is given, where its axes have others now."""
    row, bound, site = applied.row, applied.bound, applied.site
    assert row is not None and bound is not None
    after = tuple(work.values.get(tensor.name) if tensor.name else None for tensor in node.inputs)
    changed = (
        trace.inputs
        or trace.outputs
        or any(_differs(site.value(slot), after[slot]) for slot in row.sizes if slot < len(after))
    )
    if row.patch is None or not changed:
        return
    edit = rules.Edit(
        site,
        tuple(None if axes is None else tuple(map(work.count, axes)) for axes in applied.inputs),
        tuple(None if axes is None else tuple(map(work.count, axes)) for axes in applied.outputs),
        {name: work.count(axis) for name, axis in bound.names.items()},
        after,
    )
    for place, wanted in row.patch(edit).items():
        if isinstance(place, str):
            if wanted is None:
                node.attrs.pop(place, None)
            elif node.attrs.get(place) != wanted:
                node.attrs[place] = wanted
        else:
            _write_operand(node, place, np.asarray(wanted, dtype=np.int64), work)


def _differs(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    return a is not None and b is not None and not np.array_equal(a, b)


def _write_operand(node: gs.Node, slot: int, wanted: NDArray[np.int64], work: _Work) -> None:
    """Make operand `slot` hold `wanted`, keeping what is computed at run time where that comes out right."""
    while len(node.inputs) <= slot:
        node.inputs.append(gs.Variable.empty())
    tensor = node.inputs[slot]
    current = work.values.get(tensor.name) if tensor.name else None
    if current is None or isinstance(tensor, gs.Constant):
        if current is not None and np.array_equal(current.reshape(-1), wanted.reshape(-1)):
            return
        dtype = np.int64 if current is None else current.dtype
        shape = wanted.shape if current is None or current.size != wanted.size else current.shape
        value = wanted.astype(dtype).reshape(shape)
        constant = gs.Constant(_fresh(f"{tensor.name or node.outputs[0].name + '_sizes'}_cut", work), value)
        set_input(node, slot, constant)
        work.values[constant.name], work.sizes[constant.name] = value, tuple(value.shape)
        return
    flat, target = current.reshape(-1), wanted.reshape(-1)
    if np.array_equal(flat, target):
        return
    _scale(node, slot, *_factors(node, flat.tolist(), target.tolist()), work)
    work.values[node.inputs[slot].name] = wanted.astype(current.dtype).reshape(current.shape)


def _factors(node: gs.Node, have: list[int], want: list[int]) -> tuple[NDArray[np.int64], ...]:
    """Return divisors, factors and offsets that turn sizes computed at run time into the wanted ones.

    A size that came out as 0 (channels over a group count that the cut undercut) does not depend on the
    inputs any more: it is replaced.
    """
    divisors, multiples, offsets = (np.full(len(have), number, np.int64) for number in (1, 1, 0))
    for i, (old, new) in enumerate(zip(have, want, strict=True)):
        if old == new:
            continue
        if old < 0 or new <= 0:
            raise Refused(
                f"{label(node)} computes sizes {have} at run time that would have to become {want}",
                "leave the groups of this operator alone with --ignore",
            )
        if old == 0:
            multiples[i], offsets[i] = 0, new
        else:
            divisors[i], multiples[i] = old // gcd(old, new), new // gcd(old, new)
    return divisors, multiples, offsets


def _scale(
    node: gs.Node, slot: int, divisor: NDArray[Any], factor: NDArray[Any], offset: NDArray[Any], work: _Work
) -> None:
    """Insert `operand / divisor * factor + offset` before operand `slot`."""
    tensor = node.inputs[slot]
    value = work.values[tensor.name]
    for op, array, neutral in (("Div", divisor, 1), ("Mul", factor, 1), ("Add", offset, 0)):
        if np.all(array == neutral):
            continue
        result = gs.Variable(_fresh(f"{tensor.name}_{op.lower()}", work))
        by = np.ascontiguousarray(array.astype(value.dtype).reshape(value.shape))
        constant = gs.Constant(_fresh(f"{result.name}_by", work), by)
        work.new.append(gs.Node(op, name=result.name, inputs=[node.inputs[slot], constant], outputs=[result]))
        set_input(node, slot, result)
        work.sizes[result.name] = tuple(value.shape)


def _restore(node: gs.Node, applied: Applied, trace: Trace, work: _Work) -> None:
    """Give the operator the values that it was given before, where the cut changed them on the way."""
    skip: Sequence[int] = applied.row.sizes if applied.row is not None else ()
    if node.op in ("Shape", "Size") or small_values(node, work.values, work.sizes, applied.site.opset):
        return
    for slot, tensor in enumerate(node.inputs):
        old = applied.site.value(slot)
        new = work.values.get(tensor.name) if tensor.name else None
        if slot in skip or old is None or new is None or isinstance(tensor, gs.Constant):
            continue
        expected = _take(old, trace.inputs.get(slot, {}))
        if np.array_equal(new, expected) or new.shape != expected.shape:
            continue
        if work.solution.shapes.symbols and new.dtype.kind == "f" and np.all(new != 0):
            _scale(node, slot, np.ones_like(new), expected / new, np.zeros_like(new), work)
        elif work.solution.shapes.symbols and new.dtype.kind in "iu":
            _write_operand(node, slot, expected.astype(np.int64), work)
        else:
            kept = gs.Constant(_fresh(f"{tensor.name}_kept", work), np.ascontiguousarray(expected))
            set_input(node, slot, kept)
