"""A random graph under construction: operators that move, join and combine the axes of a few weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import helper

from tests.rules.case import Array, draw

Sizes = tuple[int, ...]
LARGEST = 2000
"""How many elements a tensor may have before nothing more is added."""


@dataclass
class Sketch:
    """Nodes, the sizes of the tensors that the next node may use, and the constants."""

    tensors: dict[str, Sizes] = field(default_factory=dict[str, Sizes])
    constants: dict[str, Array] = field(default_factory=dict[str, Array])
    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])

    def _fresh(self, prefix: str) -> str:
        return f"{prefix}{len(self.tensors) + len(self.constants)}"

    def weight(self, sizes: Sizes) -> str:
        """Add a weight and return its name."""
        name = self._fresh("w")
        self.constants[name] = draw(sizes, seed=len(self.constants))
        return name

    def integers(self, *items: int) -> str:
        """Add a vector of sizes or indices and return its name."""
        name = self._fresh("i")
        self.constants[name] = np.array(items, np.int64)
        return name

    def node(self, op: str, inputs: list[str], *results: Sizes, **attributes: int | list[int]) -> None:
        """Add a node whose outputs have the sizes `results`."""
        names: list[str] = []
        for sizes in results:
            names.append(self._fresh("t"))
            self.tensors[names[-1]] = sizes
        self.nodes.append(helper.make_node(op, inputs, names, None, None, None, None, **attributes))

    def model(self) -> onnx.ModelProto:
        """The graph with its constants as inputs; what nobody reads is an output."""
        read = {name for node in self.nodes for name in node.input}
        written = [name for node in self.nodes for name in node.output]
        outputs = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            for name in written
            if name not in read
        ]
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in self.constants.items()
        ]
        graph = helper.make_graph(self.nodes, "random", inputs, outputs)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@dataclass(frozen=True)
class Spot:
    """Where the next node goes: one dimension of one tensor."""

    data: st.DataObject
    sketch: Sketch
    name: str
    axis: int

    @property
    def sizes(self) -> Sizes:
        return self.sketch.tensors[self.name]

    @property
    def size(self) -> int:
        return self.sizes[self.axis]

    def resized(self, size: int) -> Sizes:
        """The sizes of the tensor with another one at the dimension."""
        return (*self.sizes[: self.axis], size, *self.sizes[self.axis + 1 :])

    def number(self, low: int, high: int) -> int:
        return self.data.draw(st.integers(low, high))

    def stretch(self) -> tuple[int, int]:
        low = self.number(0, self.size - 1)
        return low, self.number(low + 1, self.size)


def _factors(spot: Spot, size: int) -> list[int]:
    found: list[int] = []
    while size > 1 and len(found) < 3 and spot.data.draw(st.booleans()):
        found.append(spot.data.draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0])))
        size //= found[-1]
    return [*found, size]


def _reshape(spot: Spot) -> None:
    new = tuple(factor for size in spot.sizes for factor in _factors(spot, size))
    merged = spot.number(1, len(new))
    choices = [new, (prod(new[:merged]), *new[merged:]), tuple(reversed(spot.sizes))]
    new = spot.data.draw(st.sampled_from(choices))
    spot.sketch.node("Reshape", [spot.name, spot.sketch.integers(*new)], new)


def _transpose(spot: Spot) -> None:
    order = spot.data.draw(st.permutations(range(len(spot.sizes))))
    spot.sketch.node("Transpose", [spot.name], tuple(spot.sizes[i] for i in order), perm=order)


def _concat(spot: Spot) -> None:
    fits = {name: s for name, s in spot.sketch.tensors.items() if len(s) == len(spot.sizes)}
    alike = [name for name, s in fits.items() if spot.resized(0) == (*s[: spot.axis], 0, *s[spot.axis + 1 :])]
    other = spot.data.draw(st.sampled_from(alike))
    both = spot.size + fits[other][spot.axis]
    spot.sketch.node("Concat", [spot.name, other], spot.resized(both), axis=spot.axis)


def _repeat(spot: Spot) -> None:
    spot.sketch.node("Concat", [spot.name, spot.name], spot.resized(2 * spot.size), axis=spot.axis)


def _split(spot: Spot) -> None:
    if spot.size > 1:
        at = spot.number(1, spot.size - 1)
        pieces = spot.sketch.integers(at, spot.size - at)
        results = spot.resized(at), spot.resized(spot.size - at)
        spot.sketch.node("Split", [spot.name, pieces], *results, axis=spot.axis)


def _slice(spot: Spot) -> None:
    low, high = spot.stretch()
    bounds = [spot.sketch.integers(low), spot.sketch.integers(high), spot.sketch.integers(spot.axis)]
    spot.sketch.node("Slice", [spot.name, *bounds], spot.resized(high - low))


def _pad(spot: Spot) -> None:
    before, after = spot.number(0, 2), spot.number(0, 2)
    amounts = [spot.sketch.integers(before, after), "", spot.sketch.integers(spot.axis)]
    spot.sketch.node("Pad", [spot.name, *amounts], spot.resized(spot.size + before + after))


def _gather(spot: Spot) -> None:
    low, high = spot.stretch()
    index = spot.sketch.integers(*range(low, high))
    spot.sketch.node("Gather", [spot.name, index], spot.resized(high - low), axis=spot.axis)


def _pick(spot: Spot) -> None:
    at = [spot.number(0, spot.size - 1) for _ in range(spot.number(1, 2 * spot.size))]
    index = spot.sketch.integers(*at)
    spot.sketch.node("Gather", [spot.name, index], spot.resized(len(at)), axis=spot.axis)


def _reorder(spot: Spot) -> None:
    order = spot.data.draw(st.permutations(range(spot.size)))
    spot.sketch.node("Gather", [spot.name, spot.sketch.integers(*order)], spot.sizes, axis=spot.axis)


def _turn_around(spot: Spot) -> None:
    low, high = spot.stretch()
    bounds = [high - 1, low - 1 if low else -spot.size - 1, spot.axis, -1]
    operands = [spot.name, *map(spot.sketch.integers, bounds)]
    spot.sketch.node("Slice", operands, spot.resized(high - low))


def _expand(spot: Spot) -> None:
    spot.sketch.node("Expand", [spot.name, spot.sketch.integers(2, *spot.sizes)], (2, *spot.sizes))


def _tile(spot: Spot) -> None:
    repeats = [1] * len(spot.sizes)
    repeats[spot.axis] = 2
    spot.sketch.node("Tile", [spot.name, spot.sketch.integers(*repeats)], spot.resized(2 * spot.size))


def _add(spot: Spot) -> None:
    alike = [other for other, sizes in spot.sketch.tensors.items() if sizes == spot.sizes]
    spot.sketch.node("Add", [spot.name, spot.data.draw(st.sampled_from(alike))], spot.sizes)


def _scale(spot: Spot) -> None:
    sizes = (spot.size,) + (1,) * (len(spot.sizes) - 1 - spot.axis)
    spot.sketch.node("Mul", [spot.name, spot.sketch.weight(sizes)], spot.sizes)


def _product(spot: Spot) -> None:
    columns = spot.data.draw(st.sampled_from([2, 4, 6]))
    weight = spot.sketch.weight((spot.sizes[-1], columns))
    spot.sketch.node("MatMul", [spot.name, weight], (*spot.sizes[:-1], columns))


def _reduce(spot: Spot) -> None:
    op = spot.data.draw(st.sampled_from(["ReduceSum", "ReduceMean", "ReduceMax"]))
    spot.sketch.node(op, [spot.name, spot.sketch.integers(spot.axis)], spot.resized(1))


def _softmax(spot: Spot) -> None:
    spot.sketch.node("Softmax", [spot.name], spot.sizes, axis=spot.axis)


def _activate(spot: Spot) -> None:
    op = spot.data.draw(st.sampled_from(["Sigmoid", "Relu", "Neg"]))
    spot.sketch.node(op, [spot.name], spot.sizes)


STEPS: tuple[Callable[[Spot], None], ...] = (
    _reshape,
    _transpose,
    _concat,
    _repeat,
    _split,
    _slice,
    _pad,
    _gather,
    _pick,
    _reorder,
    _turn_around,
    _expand,
    _tile,
    _add,
    _scale,
    _product,
    _reduce,
    _softmax,
    _activate,
)


def sketched(data: st.DataObject, nodes: int) -> Sketch:
    """Draw a graph of about `nodes` nodes on one or two weights."""
    sketch = Sketch()
    for _ in range(data.draw(st.integers(1, 2))):
        rank = data.draw(st.integers(2, 3))
        sizes = tuple(data.draw(st.sampled_from([2, 3, 4, 6])) for _ in range(rank))
        sketch.tensors[sketch.weight(sizes)] = sizes
    for _ in range(nodes):
        if max(map(prod, sketch.tensors.values())) > LARGEST:
            break
        name = data.draw(st.sampled_from(sorted(sketch.tensors)))
        axis = data.draw(st.integers(0, len(sketch.tensors[name]) - 1))
        data.draw(st.sampled_from(STEPS))(Spot(data, sketch, name, axis))
    return sketch
