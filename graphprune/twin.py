"""The masked twin: the original at full size, in which removed units cannot be seen by anybody.

What a cut must equal. Wherever removed positions enter a sum, one factor is zero there (at the consumer,
since f(0) need not be 0); an operator that mixes the units of a cut axis (a norm, a mean, a softmax) sees
the kept positions alone, and its results are put back where they belong. The twin is built from the
positions that the cut recorded at each node; it knows nothing of groups.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.cut import Cut
from graphprune.duplicate import duplicate
from graphprune.ir import read
from graphprune.rewire import detach, set_input
from graphprune.shapes import Shapes
from graphprune.surgery import Cuts, Trace


class _Builder:
    """Adds nodes and constants with fresh names to a graph under construction."""

    def __init__(self, graph: gs.Graph) -> None:
        self.nodes: list[gs.Node] = []
        self.taken = set(graph.tensors().keys())

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
    copy = duplicate(graph)
    build = _Builder(copy)
    for node, trace, small in zip(list(copy.nodes), cut.traces, cut.nodes, strict=True):
        if trace.mixed:
            _compress(node, trace, small, build, shapes)
            continue
        names = [tensor.name for tensor in node.inputs]
        for slot, dim in trace.consumed:
            _mask(node, slot, dim, names[slot], trace, build, shapes)
        build.nodes.append(node)
    copy.nodes = build.nodes
    return copy


def _mask(
    node: gs.Node, slot: int, dim: int, name: str, trace: Trace, build: _Builder, shapes: Shapes
) -> None:
    """Put zeros at the removed positions of one dimension of the operand called `name` in the original."""
    tensor = node.inputs[slot]
    kept = trace.inputs[slot][dim]
    if isinstance(tensor, gs.Constant):
        values = read(tensor).copy()
        gone = np.ones(values.shape[dim], dtype=bool)
        gone[kept] = False
        view = np.moveaxis(values, dim, 0)
        view[gone] = 0
        point, along = trace.zeros.get(slot, (len(node.inputs), 0))
        if point < len(node.inputs):
            _set_zero_point(view, gone, node.inputs[point], values, dim, along)
        set_input(node, slot, build.constant(tensor.name, values))
        return
    sizes = shapes.sizes[name]
    mask = np.zeros(sizes[dim], dtype=bool)
    mask[kept] = True
    mask = mask.reshape([-1 if position == dim else 1 for position in range(len(sizes))])
    dtype = onnx.helper.tensor_dtype_to_np_dtype(shapes.types.get(name, onnx.TensorProto.FLOAT))
    zero = build.constant("zero", np.zeros((), dtype))
    set_input(node, slot, build.add("Where", [build.constant("mask", mask), tensor, zero], tensor.name))


def _set_zero_point(
    view: NDArray[Any], gone: NDArray[np.bool_], point: gs.Tensor, values: NDArray[Any], dim: int, along: int
) -> None:
    """Integers are zero at their zero point: one for the tensor, or one for each position `along` an axis."""
    if not isinstance(point, gs.Constant):
        return
    zero = read(point)
    if zero.size == 1:
        view[gone] = zero.reshape(-1)[0]
        return
    shape = [zero.size if position == along else 1 for position in range(values.ndim)]
    full = np.broadcast_to(zero.reshape(shape), values.shape)
    view[gone] = np.moveaxis(full, dim, 0)[gone]


def _compress(node: gs.Node, trace: Trace, small: gs.Node, build: _Builder, shapes: Shapes) -> None:
    """Let the operator see the kept positions alone and put its results back where they belong."""
    results = list(node.outputs)
    inputs: list[gs.Tensor] = []
    for slot, tensor in enumerate(node.inputs):
        patched = small.inputs[slot] if slot < len(small.inputs) else tensor
        if slot not in trace.inputs and isinstance(patched, gs.Constant):
            inputs.append(build.constant(patched.name, read(patched)))
            continue
        inputs.append(_pick(tensor, trace.inputs.get(slot, {}), build))
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
        gs.Node(node.op, node.name, dict(small.attrs), inputs=inputs, outputs=outputs, domain=node.domain)
    )
    for compact, full, cuts in restore:
        sizes = shapes.sizes[full.name]
        for number, (dim, kept) in enumerate(cuts.items()):
            # What stands at removed positions does not matter: nobody sees it.
            index = np.zeros(sizes[dim], dtype=np.int64)
            index[kept] = np.arange(kept.size)
            last = number == len(cuts) - 1
            result = full if last else gs.Variable(build.name(full.name))
            build.nodes.append(
                gs.Node(
                    "Gather",
                    name=build.name(full.name),
                    attrs={"axis": dim},
                    inputs=[compact, build.constant("index", index)],
                    outputs=[result],
                )
            )
            compact = result


def _pick(tensor: gs.Tensor, cuts: Cuts, build: _Builder) -> gs.Tensor:
    if isinstance(tensor, gs.Constant) and cuts:
        values = read(tensor)
        for dim, kept in cuts.items():
            values = np.take(values, kept, axis=dim)
        return build.constant(tensor.name, values)
    for dim, kept in cuts.items():
        tensor = build.add("Gather", [tensor, build.constant("index", kept)], tensor.name, axis=dim)
    return tensor
