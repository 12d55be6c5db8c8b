"""The masked twin: the original at full size, in which removed units cannot be seen by anybody.

What a cut must equal. Wherever removed positions enter a sum, one factor is zero there (at the consumer,
since f(0) need not be 0); an operator that mixes the units of a cut axis (a norm, a mean, a softmax) sees
the kept positions alone, and its results are put back where they belong. A layer that is out adds zero. The
twin is built from the positions that the cut recorded at each node; it knows nothing of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune.cut import Cut
from graphprune.cuts import Cuts, back, in_order, mask, other, take
from graphprune.duplicate import duplicate, names_of
from graphprune.ir import read
from graphprune.positions import Index
from graphprune.precision.types import settled
from graphprune.rewire import NORMS, detach, set_input
from graphprune.shapes import Shapes
from graphprune.surgery import Inside, Trace


class _Builder:
    """Adds nodes and constants with fresh names to a graph under construction."""

    def __init__(self, graph: gs.Graph) -> None:
        self.nodes: list[gs.Node] = []
        self.taken = names_of(graph)

    def name(self, base: str) -> str:
        name, number = f"{base}_twin", 1
        while name in self.taken:
            number += 1
            name = f"{base}_twin{number}"
        self.taken.add(name)
        return name

    def constant(self, base: str, values: NDArray[Any]) -> gs.Constant:
        return gs.Constant(self.name(base), np.asarray(values, order="C"))

    def add(self, op: str, inputs: list[gs.Tensor], base: str, **attributes: Any) -> gs.Variable:
        result = gs.Variable(self.name(base))
        self.nodes.append(gs.Node(op, name=result.name, attrs=attributes, inputs=inputs, outputs=[result]))
        return result


def twin(graph: gs.Graph, cut: Cut, shapes: Shapes) -> gs.Graph:
    """Return the masked twin of `graph` for `cut`; `graph` is not changed.

    Args:
        graph: the original.
        cut: what was cut out of it.
        shapes: the original's concrete sizes.
    """
    return twin_by_node(graph, cut, shapes)[0]


def twin_by_node(graph: gs.Graph, cut: Cut, shapes: Shapes) -> tuple[gs.Graph, list[list[gs.Node]]]:
    """Return the masked twin, and the nodes of it that stand for each node of `graph`, in order."""
    copy = duplicate(graph)
    shapes = replace(shapes, types={**shapes.types, **settled(graph, shapes.types)})
    return copy, _mask_graph(copy, Inside(cut.traces, cut.nodes), _Builder(copy), shapes)


def _mask_graph(graph: gs.Graph, inside: Inside, build: _Builder, shapes: Shapes) -> list[list[gs.Node]]:
    """Mask the nodes of `graph`, and of the bodies in it, in place; return what stands for each node."""
    around, build.nodes = build.nodes, []
    starts: list[int] = []
    for node, trace, small in zip(list(graph.nodes), inside.traces, inside.nodes, strict=True):
        starts.append(len(build.nodes))
        for name, body in trace.bodies.items():
            _mask_graph(node.attrs[name], body, build, shapes)
        names = [tensor.name for tensor in node.inputs]
        for slot in trace.removed:
            _take_away(node, slot, trace, build, shapes)
        if trace.mixed:
            _compress(node, names, trace, small, build, shapes)
            continue
        for slot, dim in trace.consumed:
            _mask(node, slot, dim, names[slot], trace, build, shapes)
        build.nodes.append(node)
    graph.nodes, build.nodes = build.nodes, around
    ends = [*starts[1:], len(graph.nodes)]
    return [list(graph.nodes[start:end]) for start, end in zip(starts, ends, strict=True)]


def _take_away(node: gs.Node, slot: int, trace: Trace, build: _Builder, shapes: Shapes) -> None:
    """Put zero in the place of an operand that is added; 0 times infinity would be none."""
    tensor = node.inputs[slot]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(shapes.types.get(tensor.name, TensorProto.FLOAT))
    if isinstance(tensor, gs.Constant):
        set_input(node, slot, build.constant("zero", np.zeros_like(read(tensor))))
        return
    zero = build.constant("zero", _zero(node, slot, 0, dtype, trace))
    if node.op in NORMS:  # which do not broadcast
        never = build.constant("never", np.array(False))
        set_input(node, slot, build.add("Where", [never, tensor, zero], tensor.name))
    else:
        set_input(node, slot, zero)


def _mask(
    node: gs.Node, slot: int, dim: int, name: str, trace: Trace, build: _Builder, shapes: Shapes
) -> None:
    """Put zeros at the removed positions of one dimension of the operand called `name` in the original."""
    tensor, sizes = node.inputs[slot], shapes.sizes[name]
    stays = mask(trace.inputs[slot], dim, sizes)
    if isinstance(tensor, gs.Constant):
        values = read(tensor)
        zero = _zero(node, slot, len(sizes), values.dtype, trace)
        set_input(node, slot, build.constant(tensor.name, np.where(stays, values, zero)))
        return
    element = shapes.types.get(name, TensorProto.FLOAT)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(element)
    zero = _zero(node, slot, len(sizes), dtype, trace)
    wide = dtype.kind in "iu" and dtype.itemsize < 4  # ONNX Runtime has no Where for most of these
    if wide:
        tensor = build.add("Cast", [tensor], name, to=int(TensorProto.INT32))
        zero = zero.astype(np.int32)
    tensor = build.add("Where", [build.constant("mask", stays), tensor, build.constant("zero", zero)], name)
    set_input(node, slot, build.add("Cast", [tensor], name, to=element) if wide else tensor)


def _zero(node: gs.Node, slot: int, rank: int, dtype: np.dtype[Any], trace: Trace) -> NDArray[Any]:
    """Return what counts as zero in an operand: integers are zero at their zero point.

    There is one for the tensor, or one for each position along an axis of it.
    """
    slot, along = trace.zeros.get(slot, (len(node.inputs), 0))
    point = node.inputs[slot] if slot < len(node.inputs) else None
    if not isinstance(point, gs.Constant):
        return np.zeros((), dtype)
    zero = read(point)
    shape = [-1 if position == along else 1 for position in range(rank)]
    return zero.reshape(() if zero.size == 1 else shape).astype(dtype)


def _compress(
    node: gs.Node, names: Sequence[str], trace: Trace, small: gs.Node, build: _Builder, shapes: Shapes
) -> None:
    """Let the operator see the kept positions alone and put its results back where they belong.

    `names` are those of its operands in the original.
    """
    results = list(node.outputs)
    inputs: list[gs.Tensor] = []
    for slot, tensor in enumerate(node.inputs):
        patched = small.inputs[slot] if small.op == node.op and slot < len(small.inputs) else tensor
        if slot not in trace.inputs and isinstance(patched, gs.Constant):
            inputs.append(build.constant(patched.name, read(patched)))
            continue
        sizes = shapes.sizes.get(names[slot], ())
        inputs.append(_pick(tensor, trace.inputs.get(slot, {}), build, sizes))
    outputs: list[gs.Tensor] = []
    restore: list[tuple[gs.Tensor, gs.Tensor, Cuts]] = []
    for slot, tensor in enumerate(results):
        if tensor.name and slot in trace.outputs:
            outputs.append(gs.Variable(build.name(tensor.name)))
            restore.append((outputs[-1], tensor, trace.outputs[slot]))
        else:
            outputs.append(tensor)
    detach(node)
    build.nodes.append(
        gs.Node(
            node.op,
            node.name,
            dict(small.attrs if small.op == node.op else node.attrs),
            inputs=inputs,
            outputs=outputs,
            domain=node.domain,
        )
    )
    for compact, full, cuts in restore:
        for dim, kept in reversed(in_order(cuts)):
            # What stands at removed positions does not matter: nobody sees it.
            size = shapes.sizes[full.name][dim]
            compact = _at(
                compact, dim, back(kept, dim, size), kept.shape[0 if kept.ndim == 1 else dim], build
            )
        build.nodes.append(gs.Node("Identity", name=build.name(full.name), inputs=[compact], outputs=[full]))


def _pick(tensor: gs.Tensor, cuts: Cuts, build: _Builder, sizes: Sequence[int]) -> gs.Tensor:
    if isinstance(tensor, gs.Constant) and cuts:
        return build.constant(tensor.name, take(read(tensor), cuts))
    for dim, kept in in_order(cuts):
        tensor = _at(tensor, dim, kept, sizes[dim], build)
    return tensor


def _at(tensor: gs.Tensor, dim: int, index: Index, size: int, build: _Builder) -> gs.Tensor:
    """Return the tensor at positions of one dimension of `size`, which may differ along another one.

    Then the two are made one dimension, the last, since GatherElements would want an index for every element.
    """
    along = other(index, dim)
    if along is None:
        places = build.constant("index", index.reshape(-1))
        return build.add("Gather", [tensor, places], tensor.name, axis=dim)
    rest = [at for at in range(index.ndim) if at not in (along, dim)]
    order = [*rest, along, dim]
    rows, columns = index.shape[along], index.shape[dim]
    starts = np.arange(rows, dtype=np.int64)[:, None] * size
    places = build.constant("index", (index.transpose(order).reshape(rows, columns) + starts).reshape(-1))
    joined = build.constant("sizes", np.array([*[0] * len(rest), rows * size], np.int64))
    apart = build.constant("sizes", np.array([*[0] * len(rest), rows, columns], np.int64))
    tensor = build.add("Transpose", [tensor], tensor.name, perm=order)
    tensor = build.add("Reshape", [tensor, joined], tensor.name)
    tensor = build.add("Gather", [tensor, places], tensor.name, axis=len(rest))
    tensor = build.add("Reshape", [tensor, apart], tensor.name)
    return build.add("Transpose", [tensor], tensor.name, perm=[order.index(at) for at in range(index.ndim)])
