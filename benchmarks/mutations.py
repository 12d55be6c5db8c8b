"""Faults put into an ONNX file: fifteen kinds that change what it computes, and three that must not.

Each kind is a function of a model and a random generator. It changes the model in place and says where, or
returns None where the model has no place for it. The weights lie inside the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, TensorProto, numpy_helper

Generator = np.random.Generator
Mutation = Callable[[onnx.ModelProto, Generator], str | None]

LINEAR = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "FusedMatMul", "LSTM", "GRU", "RNN"})
TABLES = frozenset({"Gather"})
UNLIKE = frozenset({"Sub", "Div", "Pow", "MatMul", "PRelu", "Less", "Greater", "Concat"})
"""Operators whose operands are not exchangeable."""
PASSED = frozenset({"Constant", "Shape", "Size"})


@dataclass(frozen=True)
class Weight:
    """A float constant at one operand of one node."""

    tensor: TensorProto
    node: onnx.NodeProto
    slot: int

    @property
    def values(self) -> NDArray[Any]:
        """A copy of the values that can be written to."""
        return numpy_helper.to_array(self.tensor).copy()

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        return f"{self.tensor.name or self.node.name} at {self.node.op_type} '{self.node.name}'[{self.slot}]"

    def put(self, values: NDArray[Any]) -> None:
        """Store other values."""
        name = self.tensor.name
        self.tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))


def stored(model: onnx.ModelProto) -> dict[str, TensorProto]:
    """Initializers and Constant nodes of the main graph, by the tensor's name."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            found.update((node.output[0], item.t) for item in node.attribute if item.name == "value")
    return found


def weights(model: onnx.ModelProto, least: int = 1) -> list[Weight]:
    """Every use of a float constant with at least so many entries."""
    constants = stored(model)
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE}
    return [
        Weight(constants[name], node, slot)
        for node in model.graph.node
        for slot, name in enumerate(node.input)
        if name in constants
        and constants[name].data_type in floats
        and numpy_helper.to_array(constants[name]).size >= least
    ]


def _matrices(model: onnx.ModelProto) -> list[Weight]:
    return [
        found for found in weights(model, 8) if found.node.op_type in LINEAR and len(found.tensor.dims) > 1
    ]


def _vectors(model: onnx.ModelProto) -> list[Weight]:
    return [
        found
        for found in weights(model, 2)
        if sum(size > 1 for size in found.tensor.dims) == 1 and found.node.op_type not in TABLES
    ]


def _pick(choices: list[Any], draw: Generator) -> Any:
    return choices[int(draw.integers(len(choices)))] if choices else None


def _large(values: NDArray[Any], draw: Generator) -> tuple[int, ...]:
    """An entry that is not among the smaller half in size."""
    size = np.abs(values.astype(np.float64)).reshape(-1)
    order = np.argsort(size)[len(size) // 2 :]
    return tuple(int(i) for i in np.unravel_index(int(order[int(draw.integers(len(order)))]), values.shape))


def sign(model: onnx.ModelProto, draw: Generator) -> str | None:
    """The sign of one weight is turned."""
    return _scale(model, draw, -1.0)


def weight(model: onnx.ModelProto, draw: Generator) -> str | None:
    """One weight is larger by a thousandth."""
    return _scale(model, draw, 1.001)


def _scale(model: onnx.ModelProto, draw: Generator, factor: float) -> str | None:
    found = _pick(_matrices(model), draw)
    if found is None:
        return None
    values = found.values
    where = _large(values, draw)
    values[where] *= values.dtype.type(factor)
    found.put(values)
    return f"{found.place} {list(where)}"


def _axis(found: Weight, draw: Generator) -> int | None:
    axes = [axis for axis, size in enumerate(found.tensor.dims) if size > 1]
    return axes[int(draw.integers(len(axes)))] if axes else None


def channels(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Two slices of a weight are exchanged."""
    found = _pick(_matrices(model), draw)
    axis = None if found is None else _axis(found, draw)
    if found is None or axis is None:
        return None
    values = found.values
    one, other = draw.choice(int(values.shape[axis]), 2, replace=False)
    order: NDArray[np.int64] = np.arange(int(values.shape[axis]))
    order[[one, other]] = order[[other, one]]
    found.put(np.take(values, order, axis))
    return f"{found.place} axis {axis}: {one} and {other}"


def zero(model: onnx.ModelProto, draw: Generator) -> str | None:
    """A slice of a weight is zero."""
    found = _pick(_matrices(model), draw)
    axis = None if found is None else _axis(found, draw)
    if found is None or axis is None:
        return None
    values = found.values
    at = int(draw.integers(int(values.shape[axis])))
    values[(slice(None),) * axis + (at,)] = 0
    found.put(values)
    return f"{found.place} axis {axis}: {at}"


def tensors(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Two weights of one shape are exchanged."""
    found = weights(model, 4)
    pairs = [
        (a, b)
        for i, a in enumerate(found)
        for b in found[i + 1 : i + 60]
        if a.tensor.dims == b.tensor.dims
        and a.tensor.data_type == b.tensor.data_type
        and a.tensor is not b.tensor
        and not np.array_equal(numpy_helper.to_array(a.tensor), numpy_helper.to_array(b.tensor))
    ]
    pair = _pick(pairs, draw)
    if pair is None:
        return None
    one, other = pair
    first, second = one.values, other.values
    one.put(second)
    other.put(first)
    return f"{one.place} and {other.place}"


def entry(model: onnx.ModelProto, draw: Generator) -> str | None:
    """One entry of a vector is half as large again."""
    found = _pick(_vectors(model), draw)
    if found is None:
        return None
    values = found.values
    where = _large(values, draw)
    values[where] = values[where] * values.dtype.type(1.5) if values[where] else values.dtype.type(0.1)
    found.put(values)
    return f"{found.place} {list(where)}"


def scalar(model: onnx.ModelProto, draw: Generator) -> str | None:
    """A constant of one entry is larger by a hundredth."""
    single = [
        found
        for found in weights(model)
        if found.values.size == 1 and np.isfinite(found.values).all() and found.values.reshape(-1)[0] != 0
    ]
    found = _pick(single, draw)
    if found is None:
        return None
    found.put(found.values * found.values.dtype.type(1.01))
    return str(found.place)


def row(model: onnx.ModelProto, draw: Generator) -> str | None:
    """A row of a table is that of another index."""
    tables = [
        found
        for found in weights(model, 4)
        if found.node.op_type in TABLES and found.slot == 0 and len(found.tensor.dims) > 1
    ]
    found = _pick([table for table in tables if table.tensor.dims[0] > 1], draw)
    if found is None:
        return None
    values = found.values
    one, other = draw.choice(values.shape[0], 2, replace=False)
    values[one] = values[other]
    found.put(values)
    return f"{found.place}: row {one} is row {other}"


def bias(model: onnx.ModelProto, draw: Generator) -> str | None:
    """A bias is zero."""
    added = [
        found
        for found in _vectors(model)
        if (found.node.op_type in ("Conv", "Gemm", "ConvTranspose") and found.slot == 2)
        or found.node.op_type == "Add"
        or (found.node.op_type in ("BatchNormalization", "LayerNormalization") and found.slot == 2)
    ]
    found = _pick([one for one in added if one.values.any()], draw)
    if found is None:
        return None
    found.put(np.zeros_like(found.values))
    return str(found.place)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[object, ...]]:
    inferred = onnx.shape_inference.infer_shapes(model).graph
    found: dict[str, tuple[object, ...]] = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        kind = value.type.tensor_type
        dims = tuple(d.dim_value if d.HasField("dim_value") else d.dim_param or None for d in kind.shape.dim)
        if kind.HasField("shape") and None not in dims:
            found[value.name] = (kind.elem_type, *dims)
    for name, tensor in stored(model).items():
        found[name] = (tensor.data_type, *tensor.dims)
    return found


def operands(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Two operands of a node change places."""
    shapes = _shapes(model)
    places = [
        (node, i, j)
        for node in model.graph.node
        if node.op_type in UNLIKE
        for i in range(len(node.input))
        for j in range(i + 1, len(node.input))
        if node.input[i] != node.input[j] and shapes.get(node.input[i], i) == shapes.get(node.input[j], j)
    ]
    found = _pick(places, draw)
    if found is None:
        return None
    node, i, j = found
    node.input[i], node.input[j] = node.input[j], node.input[i]
    return f"{node.op_type} '{node.name}': operands {i} and {j}"


def wire(model: onnx.ModelProto, draw: Generator) -> str | None:
    """A node reads another tensor of the same shape that was made before."""
    shapes = _shapes(model)
    constants = stored(model)
    before: dict[tuple[object, ...], list[str]] = {}
    places: list[tuple[onnx.NodeProto, int, str]] = []
    for value in model.graph.input:
        if value.name in shapes and value.name not in constants:
            before.setdefault(shapes[value.name], []).append(value.name)
    for node in model.graph.node:
        for slot, name in enumerate(node.input):
            others = [other for other in before.get(shapes.get(name, ()), []) if other != name]
            if name not in constants and others:
                places.append((node, slot, str(_pick(others, draw))))
        for name in node.output:
            if name in shapes and node.op_type not in PASSED:
                before.setdefault(shapes[name], []).append(name)
    found = _pick(places, draw)
    if found is None:
        return None
    node, slot, name = found
    said = f"{node.op_type} '{node.name}'[{slot}]: {name} for {node.input[slot]}"
    node.input[slot] = name
    return said


def attribute(model: onnx.ModelProto, draw: Generator) -> str | None:
    """An attribute has another value that the operator takes."""
    found = _pick(list(_attributes(model)), draw)
    if found is None:
        return None
    node, item, change = found
    change(item)
    return f"{item.name} of {node.op_type} '{node.name}'"


def _attributes(model: onnx.ModelProto) -> Iterator[tuple[Any, AttributeProto, Callable[[Any], None]]]:
    for node in model.graph.node:
        for item in node.attribute:
            key = (node.op_type, item.name)
            if item.name == "alpha" and item.type == AttributeProto.FLOAT:
                yield node, item, _larger
            elif key == ("Gelu", "approximate"):
                yield node, item, _other_text
            elif key in {("AveragePool", "count_include_pad"), ("Gather", "axis"), ("Softmax", "axis")}:
                yield node, item, _turned
            elif item.name == "pads" and node.op_type in ("Conv", "MaxPool", "AveragePool"):
                half = len(item.ints) // 2
                if any(item.ints) and list(item.ints[:half]) == list(item.ints[half:]):
                    yield node, item, _shifted
            elif key == ("Transpose", "perm") and len(item.ints) > 2:
                yield node, item, _permuted
            elif key == ("Resize", "coordinate_transformation_mode"):
                yield node, item, _other_mode


def _larger(item: AttributeProto) -> None:
    item.f = item.f * 1.1


def _other_text(item: AttributeProto) -> None:
    item.s = b"tanh" if item.s == b"none" else b"none"


def _turned(item: AttributeProto) -> None:
    item.i = {0: 1, 1: 0}.get(item.i, 1 if item.i == -1 else -1)


def _shifted(item: AttributeProto) -> None:
    half = len(item.ints) // 2
    at = next(i for i in range(half) if item.ints[i])
    item.ints[at] += 1
    item.ints[at + half] -= 1


def _permuted(item: AttributeProto) -> None:
    item.ints[-1], item.ints[-2] = item.ints[-2], item.ints[-1]


def _other_mode(item: AttributeProto) -> None:
    item.s = b"asymmetric" if item.s != b"asymmetric" else b"half_pixel"


def epsilon(model: onnx.ModelProto, draw: Generator) -> str | None:
    """The epsilon of a norm is a hundred times as large."""
    found = [(node, item) for node in model.graph.node for item in node.attribute if item.name == "epsilon"]
    small = [
        one for one in weights(model) if one.values.size == 1 and 0 < float(one.values.reshape(-1)[0]) < 1e-3
    ]
    picked = _pick([*found, *small], draw)
    if picked is None:
        return None
    if isinstance(picked, Weight):
        picked.put(picked.values * picked.values.dtype.type(100))
        return picked.place
    node, item = picked
    item.f = item.f * 100
    return f"{node.op_type} '{node.name}'"


def target(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Two sizes of a Reshape's target, or two bounds of a Slice, change."""
    constants = stored(model)
    places: list[tuple[TensorProto, int, int, str]] = []
    for node in model.graph.node:
        if node.op_type != "Reshape" or len(node.input) < 2 or node.input[1] not in constants:
            continue
        sizes = numpy_helper.to_array(constants[node.input[1]])
        places.extend(
            (constants[node.input[1]], i, i + 1, f"Reshape '{node.name}': sizes {i} and {i + 1}")
            for i in range(sizes.size - 1)
            if sizes[i] != sizes[i + 1] and min(sizes[i], sizes[i + 1]) > 1
        )
    found = _pick(places, draw)
    if found is None:
        return None
    tensor, i, j, said = found
    values = numpy_helper.to_array(tensor).copy()
    values[[i, j]] = values[[j, i]]
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return str(said)


def inputs(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Who reads one input or makes one output of the model, reads or makes another of the same type."""
    graph = model.graph
    fed = [value for value in graph.input if value.name not in stored(model)]
    pairs = [
        (a.name, b.name)
        for side in (fed, list(graph.output))
        for i, a in enumerate(side)
        for b in side[i + 1 :]
        if a.type.SerializeToString(deterministic=True) == b.type.SerializeToString(deterministic=True)
    ]
    found = _pick(pairs, draw)
    if found is None:
        return None
    renamed(model, {found[0]: found[1], found[1]: found[0]})
    return f"{found[0]} and {found[1]}"


KINDS: Mapping[str, Mutation] = {
    "sign": sign,
    "channels": channels,
    "zero": zero,
    "weight": weight,
    "tensors": tensors,
    "entry": entry,
    "scalar": scalar,
    "row": row,
    "bias": bias,
    "operands": operands,
    "wire": wire,
    "attribute": attribute,
    "epsilon": epsilon,
    "target": target,
    "inputs": inputs,
}
"""What changes a model, by name."""


def renamed(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Give tensors of the main graph other names; the interface keeps its own. Bodies are not looked into."""
    for node in model.graph.node:
        for side in (node.input, node.output):
            for slot, name in enumerate(side):
                side[slot] = names.get(name, name)
    for tensor in model.graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    del model.graph.value_info[:]


def _whole(model: onnx.ModelProto) -> bool:
    """Whether no node has a body."""
    kinds = {AttributeProto.GRAPH, AttributeProto.GRAPHS}
    return not any(item.type in kinds for node in model.graph.node for item in node.attribute)


def rename(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Everything but the interface has another name."""
    if not _whole(model):
        return None
    interface = {value.name for value in (*model.graph.input, *model.graph.output)}
    tensors_here = [*stored(model), *(name for node in model.graph.node for name in node.output)]
    names = {name: f"t{i}" for i, name in enumerate(tensors_here) if name and name not in interface}
    renamed(model, names)
    for i, node in enumerate(model.graph.node):
        node.name = f"n{i}"
    return f"{len(names)} tensors"


def reorder(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Nodes stand in another order in which each still follows what it reads."""
    if not _whole(model):
        return None
    nodes = list(model.graph.node)
    makers = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    waits = [{makers[name] for name in node.input if name in makers} for node in nodes]
    done: set[int] = set()
    order: list[int] = []
    ready = [i for i, needed in enumerate(waits) if not needed]
    readers: dict[int, list[int]] = {}
    for i, needed in enumerate(waits):
        for j in needed:
            readers.setdefault(j, []).append(i)
    while ready:
        chosen = ready.pop(int(draw.integers(len(ready))))
        done.add(chosen)
        order.append(chosen)
        ready.extend(
            i for i in readers.get(chosen, []) if waits[i] <= done and i not in done and i not in ready
        )
    copies = [onnx.NodeProto.FromString(nodes[i].SerializeToString()) for i in order]
    del model.graph.node[:]
    model.graph.node.extend(copies)
    constants = list(model.graph.initializer)
    kept = [
        TensorProto.FromString(constants[int(i)].SerializeToString())
        for i in draw.permutation(len(constants))
    ]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return f"{len(order)} nodes"


def deduplicate(model: onnx.ModelProto, draw: Generator) -> str | None:
    """Constants with the same content are one; where there are none, one constant becomes two."""
    if not _whole(model):
        return None
    seen: dict[bytes, str] = {}
    names: dict[str, str] = {}
    for tensor in model.graph.initializer:
        key = (
            np.asarray(numpy_helper.to_array(tensor)).tobytes()
            + str((tensor.data_type, list(tensor.dims))).encode()
        )
        first = seen.setdefault(key, tensor.name)
        if first != tensor.name:
            names[tensor.name] = first
    interface = {value.name for value in (*model.graph.input, *model.graph.output)}
    names = {name: first for name, first in names.items() if name not in interface}
    if names:
        stays = [tensor for tensor in model.graph.initializer if tensor.name not in names]
        copies = [TensorProto.FromString(tensor.SerializeToString()) for tensor in stays]
        del model.graph.initializer[:]
        model.graph.initializer.extend(copies)
        for node in model.graph.node:
            for slot, name in enumerate(node.input):
                node.input[slot] = names.get(name, name)
        return f"{len(names)} constants became one with another"
    return _split(model)


def _split(model: onnx.ModelProto) -> str | None:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    seen: set[str] = set()
    for node in model.graph.node:
        for slot, name in enumerate(node.input):
            if name in seen:
                copy = model.graph.initializer.add()
                copy.CopyFrom(constants[name])
                copy.name = f"{name}_again"
                node.input[slot] = copy.name
                return f"{name} became two"
            if name in constants:
                seen.add(name)
    return None


HARMLESS: Mapping[str, Mutation] = {"renamed": rename, "reordered": reorder, "deduplicated": deduplicate}
"""What changes a file, and nothing that it computes."""
