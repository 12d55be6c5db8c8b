"""Carry out a plan: one indexed copy per constant, and the sizes that operators write down.

After the constants are cut, the small tensors that exporters compute shapes with are evaluated again with
the new sizes. Where a size that an operator is given differs from the one its axes now have, it is rewritten;
where a value that was computed from a shape differs from what it was (an attention scale from a head size,
say), it is restored, since the promise is the original with units masked and nothing else. At last the layers
that go are bypassed: who read the sum reads what was added to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.axes import leaves
from graphprune.cuts import Cuts, in_order, take
from graphprune.duplicate import duplicate, names_of
from graphprune.evaluate import small_values
from graphprune.ir import dimensions, read_by_bodies
from graphprune.layers import Layer, gone, layers
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.rewire import leave_out, set_input, sweep
from graphprune.rewrite import keep_value, patch, restore
from graphprune.solution import Applied, Body, Solution, everywhere
from graphprune.surgery import Inside, Key, Trace, Work, fresh
from graphprune.weights import stored

_GIVEN_SIZES = frozenset(["ConstantOfShape", "Expand", "Reshape", "Resize", "Tile"])
"""Operators whose values do not change with the sizes that they are given."""
_SMALL = 1 << 20
"""Bytes below which the twin masks a weight, and not what it is multiplied with."""


@dataclass(frozen=True)
class Cut:
    """A model after a plan was carried out.

    Attributes:
        model: the smaller model.
        traces: what was cut around each node, in the order of the original's nodes.
        nodes: the node of the smaller graph for each node of the original, in the same order; those that
            nothing needs any more are no longer in it.
    """

    model: Model
    traces: tuple[Trace, ...]
    nodes: tuple[gs.Node, ...]


def cut(model: Model, solution: Solution, plan: Plan) -> Cut:
    """Carry out `plan` on `model`, which is not changed; `solution` is that of its graph.

    Raises:
        Usage: where the plan does not fit.
        Refused: where a size that is computed at run time cannot be rewritten.
    """
    plan.check(solution)
    graph = duplicate(solution.graph)
    work = Work(solution, solution.stays(plan.keep), graph, list(graph.nodes), gone(solution, plan.layers))
    work.names = names_of(graph)
    work.variants = _variants(work)
    for tensor in graph.inputs:
        work.sizes[tensor.name] = solution.shapes.sizes.get(tensor.name, ())
    traces = _cut_nodes(solution.nodes, work)
    graph.nodes = work.new
    if plan.layers:
        _take_out([layer for layer in layers(solution) if layer.name in plan.layers], traces, work)
    sweep(graph)
    return Cut(replace(model, graph=graph), tuple(traces), tuple(work.nodes))


def _cut_nodes(nodes: Sequence[Applied], work: Work) -> list[Trace]:
    """Cut the nodes of the graph that is being made, and return what was cut around each."""
    traces: list[Trace] = []
    for position, (node, applied) in enumerate(zip(work.nodes, nodes, strict=True)):
        if position in work.gone:
            traces.append(Trace({}, {}, (), False, {}))
        else:
            inside = {name: _cut_body(node.attrs[name], body, work) for name, body in applied.bodies.items()}
            traces.append(replace(_trace(applied, work), bodies=inside))
            _cut_node(node, applied, traces[-1], work)
        work.new.append(node)
    return traces


def _cut_body(graph: gs.Graph, body: Body, work: Work) -> Inside:
    """Cut a body in place; its inputs and outputs are declared with the sizes that they now have."""
    inner = replace(work, graph=graph, nodes=list(graph.nodes), gone=frozenset(), new=[])
    for tensor, axes in zip(graph.inputs, body.inputs, strict=True):
        if axes is not None:
            work.sizes[tensor.name] = tuple(work.count(axis) for axis in axes)
    traces = _cut_nodes(body.nodes, inner)
    for slot, tensor in enumerate(list(graph.outputs)):
        before, after = work.solution.shapes.values.get(tensor.name), work.values.get(tensor.name)
        if tensor.name in work.from_sizes and before is not None and after is not None:
            # As for what a node reads, what a body gives out that was computed from sizes stays what it was.
            result = gs.Variable(fresh(tensor.name, work), tensor.dtype, tensor.shape)
            node = gs.Node("Identity", result.name, inputs=[tensor], outputs=[result])
            keep_value(node, 0, before, inner)
            inner.new.append(node)
            graph.outputs[slot] = result
    graph.nodes = inner.new
    for tensor in (*graph.inputs, *graph.outputs):
        _declare(tensor, work)
    return Inside(tuple(traces), tuple(inner.nodes))


def _declare(tensor: gs.Tensor, work: Work) -> None:
    sizes = work.sizes.get(tensor.name)
    declared = dimensions(tensor)
    if isinstance(tensor, gs.Variable) and declared and sizes and len(declared) == len(sizes):
        before = work.solution.shapes.sizes[tensor.name]
        tensor.shape = [
            size if old == new else new for size, old, new in zip(declared, before, sizes, strict=True)
        ]


def _take_out(removed: Sequence[Layer], traces: list[Trace], work: Work) -> None:
    """Bypass the additions of the layers that go, and note at each which operand went."""
    wanted = read_by_bodies(work.graph) | {tensor.name for tensor in work.graph.outputs}
    for layer in removed:
        if layer.at not in work.gone:
            known = work.solution.nodes[layer.at].row
            points = known.zeros.items() if known else ()
            zeros = {slot: (point, 0) for slot, point in points} | traces[layer.at].zeros
            traces[layer.at] = replace(traces[layer.at], removed=layer.gone, skip=layer.skip, zeros=zeros)
            leave_out(work.nodes[layer.at], layer.skip, layer.gone, wanted)


def _trace(applied: Applied, work: Work) -> Trace:
    inputs = {slot: cuts for slot, axes in enumerate(applied.inputs) if (cuts := work.cuts(axes))}
    outputs = {slot: cuts for slot, axes in enumerate(applied.outputs) if (cuts := work.cuts(axes))}
    if applied.bound is None or applied.row is None or not inputs:
        return Trace(inputs, outputs, (), False, {})
    mixed = any(work.keep(axis) is not None for axis in applied.bound.mixed)
    places: dict[str, list[tuple[int, int]]] = {}
    for name, slot, dim in applied.bound.consumed:
        # Where the axis is cut and an operand is not, the operand is of size 1 there and broadcast.
        if work.keep(applied.bound.names[name]) is not None and dim in inputs.get(slot, {}):
            places.setdefault(name, []).append((slot, dim))
    consumed = tuple(min(found, key=lambda place: _burden(applied, place[0])) for found in places.values())
    zeros = {slot: (point, _along(applied, slot, point)) for slot, point in applied.row.zeros.items()}
    return Trace(inputs, outputs, consumed, mixed, zeros)


def _burden(applied: Applied, slot: int) -> int:
    """Return how little an operand suits a mask: small constants first, then activations, large weights last.

    Weights that are not masked are the original file's own bytes. Integers have their zero point beside the
    weight for certain.
    """
    tensor = applied.site.node.inputs[slot]
    if not isinstance(tensor, gs.Constant):
        return 1
    integers = applied.row is not None and slot in applied.row.zeros
    return 0 if integers or stored(tensor).nbytes < _SMALL else 2


def _along(applied: Applied, slot: int, point: int) -> int:
    """Return the dimension of operand `slot` along which the zero points of operand `point` lie."""
    points = applied.inputs[point] if point < len(applied.inputs) else None
    if points is None or len(points) != 1:
        return 0
    made_of = leaves(points[0])
    return next((dim for dim, axis in enumerate(applied.inputs[slot] or ()) if leaves(axis) == made_of), 0)


def _cut_node(node: gs.Node, applied: Applied, trace: Trace, work: Work) -> None:
    for slot, tensor in enumerate(list(node.inputs)):
        if isinstance(tensor, gs.Constant):
            if slot in trace.inputs:
                set_input(node, slot, _cut_constant(tensor, trace.inputs[slot], work))
            _note_constant(node.inputs[slot].name, applied, slot, trace, work)
    if applied.row is not None and applied.bound is not None:
        patch(node, applied, trace, work)
    restore(node, applied, trace, work)
    known = small_values(node, work.values, work.sizes, applied.site.opset)
    given = applied.row.sizes if node.op in _GIVEN_SIZES and applied.row is not None else ()
    read = [tensor.name for slot, tensor in enumerate(node.inputs) if slot not in given]
    if node.op in ("Shape", "Size") or any(name in work.from_sizes for name in read):
        work.from_sizes.update(tensor.name for tensor in node.outputs)
    for slot, tensor in enumerate(node.outputs):
        if not tensor.name:
            continue
        axes = applied.outputs[slot]
        if known is not None and slot < len(known):
            work.values[tensor.name] = known[slot]
            work.sizes[tensor.name] = tuple(known[slot].shape)
        elif axes is not None:
            work.sizes[tensor.name] = tuple(work.count(axis) for axis in axes)


def _note_constant(name: str, applied: Applied, slot: int, trace: Trace, work: Work) -> None:
    value = applied.site.value(slot)
    axes = applied.inputs[slot]
    if value is not None:
        work.values[name] = take(value, trace.inputs.get(slot, {}))
    if axes is not None:
        work.sizes[name] = tuple(work.count(axis) for axis in axes)


def _cut_constant(tensor: gs.Constant, cuts: Cuts, work: Work) -> gs.Constant:
    """Return the cut constant; uses that are cut alike share it, others get one of their own."""
    key = _key(cuts)
    name = tensor.name
    if (name, key) not in work.constants:
        # The name stays with the uses that are not cut, or else with the first.
        own = name if work.variants[name][0] == key else fresh(f"{name}_cut", work)
        values = stored(tensor)
        taken = take(values, cuts) if isinstance(values, np.ndarray) else values.take(cuts)
        work.constants[name, key] = gs.Constant(own, taken)
    return work.constants[name, key]


def _key(cuts: Cuts) -> Key:
    return tuple((dim, index.shape, index.tobytes()) for dim, index in in_order(cuts))


def _variants(work: Work) -> dict[str, list[Key]]:
    """Return, for each constant, the distinct ways in which its uses are cut; uncut comes first."""
    solution = work.solution
    elsewhere = solution.read_by_closed_bodies | {tensor.name for tensor in work.graph.outputs}
    found: dict[str, list[Key]] = {name: [()] for name in elsewhere}
    stay = (applied for position, applied in enumerate(solution.nodes) if position not in work.gone)
    for applied in everywhere(stay):
        for tensor, axes in zip(applied.site.node.inputs, applied.inputs, strict=True):
            if isinstance(tensor, gs.Constant):
                key, known = _key(work.cuts(axes)), found.setdefault(tensor.name, [])
                if not key:
                    known.insert(0, key)
                elif key not in known:
                    known.append(key)
    return found
