"""Mutations of a model file: what a bad exporter, a bad disk or a bad sender makes of it.

A mutation is a function of a model and of a source of chance; a case is a row of them with their seeds, so
that it can be repeated, and made smaller by leaving some out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.fuzz.copies import graphs


@dataclass(frozen=True)
class Step:
    """A mutation by name, and the seed of its choices."""

    name: str
    seed: int


Mutation = Callable[[ModelProto, random.Random], object]

SIZES = (
    *(-(1 << 63), -(1 << 31), -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 64, 255, 256, 1000, 65536),
    *(1 << 20, (1 << 31) - 1, 1 << 31, 1 << 33, 1 << 40, 1 << 62, (1 << 63) - 1),
)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e38, -1e38, float("inf"), float("-inf"), float("nan"))
STRINGS = ("", "x", "y", "\0", "a\0b", "ai.onnx", "com.microsoft", "é", "..", "a/b", "%s", "n" * 5000)


def mutated(source: bytes, steps: Sequence[Step]) -> bytes:
    """Return the file `source` after the mutations `steps`; those of bytes come last, whatever the order."""
    model = ModelProto.FromString(source)
    for step in steps:
        if step.name in MUTATIONS:
            MUTATIONS[step.name](model, random.Random(step.seed))
    data = bytes(model.SerializeToString())
    for step in steps:
        if step.name in OF_BYTES:
            data = OF_BYTES[step.name](data, random.Random(step.seed))
    return data


def chosen(draw: random.Random) -> list[Step]:
    """Draw which mutations a case has: one to four, seldom of bytes."""
    names = list(MUTATIONS)
    steps = [
        Step(draw.choice(names), draw.getrandbits(32)) for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 4]))
    ]
    if draw.random() < 0.1:
        steps = [*steps[:-1], Step(draw.choice(list(OF_BYTES)), draw.getrandbits(32))]
    return steps


def _messages(message: Message) -> Iterator[Message]:
    """Yield a message and all inside it."""
    yield message
    for _, value in message.ListFields():
        if isinstance(value, Message):
            yield from _messages(value)
        elif (
            not isinstance(value, str | bytes | int | float) and len(value) and isinstance(value[0], Message)
        ):
            for item in value:
                yield from _messages(item)


def _graph(model: ModelProto, draw: random.Random) -> GraphProto:
    return draw.choice(list(graphs(model.graph)))


def _node(model: ModelProto, draw: random.Random) -> NodeProto | None:
    nodes = [node for graph in graphs(model.graph) for node in graph.node]
    return draw.choice(nodes) if nodes else None


def _tensors(model: ModelProto) -> list[TensorProto]:
    every = list(graphs(model.graph))
    held = [a.t for g in every for n in g.node for a in n.attribute if a.type == AttributeProto.TENSOR]
    return [*(tensor for graph in every for tensor in graph.initializer), *held]


def _tensor(model: ModelProto, draw: random.Random) -> TensorProto | None:
    tensors = _tensors(model)
    return draw.choice(tensors) if tensors else None


def _names(model: ModelProto) -> list[str]:
    """All names of tensors, each once, in order."""
    found: dict[str, None] = {}
    for graph in graphs(model.graph):
        found |= dict.fromkeys(item.name for item in (*graph.input, *graph.initializer))
        found |= dict.fromkeys(name for node in graph.node for name in (*node.input, *node.output))
    return list(found) or [""]


def any_field(model: ModelProto, draw: random.Random) -> None:
    """A field of any message gets another value, is dropped, or loses, doubles or swaps an entry."""
    messages = [each for each in _messages(model) if each.ListFields()]
    message = draw.choice(messages)
    field, value = draw.choice(message.ListFields())
    name = str(field.name)
    if draw.random() < 0.15 or isinstance(value, Message):
        message.ClearField(name)
    elif isinstance(value, bool | int | float | str | bytes):
        _put(message, name, _other(value, model, draw))
    else:
        _rearrange(value, model, draw)


def absent_field(model: ModelProto, draw: random.Random) -> None:
    """A field that is not there is there."""
    message = draw.choice(list(_messages(model)))
    present = {str(field.name) for field, _ in message.ListFields()}
    absent = [str(field.name) for field in message.DESCRIPTOR.fields if field.name not in present]
    if not absent:
        return
    name = draw.choice(absent)
    value = getattr(message, name)
    if isinstance(value, Message):
        value.SetInParent()
    elif isinstance(value, bool | int | float | str | bytes):
        _put(message, name, _other(value, model, draw))
    else:
        _grow(value, model, draw)


def _put(message: Message, name: str, value: object) -> None:
    try:
        setattr(message, name, value)
    except (ValueError, TypeError):
        message.ClearField(name)


def _other(value: object, model: ModelProto, draw: random.Random) -> object:
    if isinstance(value, bool | int):
        return draw.choice([*SIZES, int(value) + 1, int(value) - 1, int(value) * 2, -int(value)])
    if isinstance(value, float):
        return draw.choice([*FLOATS, value * 2, -value])
    if isinstance(value, str):
        return draw.choice([draw.choice(STRINGS), draw.choice(_names(model)), value + "_", value[:-1]])
    assert isinstance(value, bytes)
    return draw.choice([b"", value[:-1], value + b"\0", value * 2, bytes(len(value)), _flipped(value, draw)])


def _flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 4])):
        if changed:
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _rearrange(values: Any, model: ModelProto, draw: random.Random) -> None:
    at, kind = draw.randrange(len(values)), draw.choice(["drop", "double", "swap", "clear", "other", "grow"])
    if kind == "drop":
        del values[at]
    elif kind == "clear":
        del values[:]
    elif kind == "double":
        values.append(values[at])
    elif kind == "grow":
        _grow(values, model, draw)
    elif isinstance(values[at], Message):
        other = draw.randrange(len(values))
        first, second = type(values[at])(), type(values[at])()
        first.CopyFrom(values[at])
        second.CopyFrom(values[other])
        values[at].CopyFrom(second)
        if kind == "swap":
            values[other].CopyFrom(first)
    elif kind == "swap":
        other = draw.randrange(len(values))
        values[at], values[other] = values[other], values[at]
    else:
        try:
            values[at] = _other(values[at], model, draw)
        except (ValueError, TypeError):
            del values[at]


def _grow(values: Any, model: ModelProto, draw: random.Random) -> None:
    if hasattr(values, "add"):
        values.add()
        return
    for value in (draw.choice(SIZES), draw.choice(_names(model)), b"q"):
        try:
            values.append(value)
        except (ValueError, TypeError):
            continue
        return


def attribute(model: ModelProto, draw: random.Random) -> None:
    """A number in an attribute is another one, of any size."""
    numbers = [
        (each, name)
        for graph in graphs(model.graph)
        for node in graph.node
        for each in node.attribute
        for name in ("i", "f", "ints", "floats")
        if each.type == getattr(AttributeProto, {"i": "INT", "f": "FLOAT"}.get(name, name.upper()))
    ]
    if not numbers:
        return
    each, name = draw.choice(numbers)
    value = getattr(each, name)
    if name in ("i", "f"):
        _put(each, name, _other(value, model, draw))
    elif len(value):
        _rearrange(value, model, draw)


def size_of_interface(model: ModelProto, draw: random.Random) -> None:
    """A size of an input or output is another one, or open."""
    graph = _graph(model, draw)
    shapes = [v.type.tensor_type.shape for v in (*graph.input, *graph.output, *graph.value_info)]
    dims = [dim for shape in shapes for dim in shape.dim]
    if not dims:
        return
    dim = draw.choice(dims)
    if draw.random() < 0.3:
        dim.dim_param = draw.choice(["n", "m", "", "0", "-1", "n+1"])
    else:
        _put(dim, "dim_value", draw.choice([*SIZES, dim.dim_value + 1, dim.dim_value * 2]))


def type_of_interface(model: ModelProto, draw: random.Random) -> None:
    """An input or output is of another element type, or of no type."""
    graph = _graph(model, draw)
    values = [*graph.input, *graph.output, *graph.value_info]
    if values:
        value = draw.choice(values)
        if draw.random() < 0.2:
            value.ClearField("type")
        else:
            value.type.tensor_type.elem_type = draw.randrange(25)


def type_of_weight(model: ModelProto, draw: random.Random) -> None:
    """A weight is of another element type, with data that fits it."""
    tensor = _tensor(model, draw)
    if tensor is None:
        return
    values = _values(tensor)
    if values is None:
        return
    kind = draw.choice(["float16", "float64", "float32", "int64", "int32", "int8", "uint8", "bool", "object"])
    with np.errstate(all="ignore"):
        if kind == "object":
            changed = np.array([str(item) for item in values.reshape(-1)], object).reshape(values.shape)
        else:
            changed = values.astype(kind)
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))


def _values(tensor: TensorProto) -> np.ndarray[Any, Any] | None:
    try:
        found = numpy_helper.to_array(tensor)
    except Exception:  # noqa: BLE001  a mutation before this one may have spoiled it in any way
        return None
    return found if found.size < 1 << 20 else None


def shape_of_weight(model: ModelProto, draw: random.Random) -> None:
    """A weight has other sizes, with data that fits them: more, less, turned, flat, of another rank."""
    tensor = _tensor(model, draw)
    values = None if tensor is None else _values(tensor)
    if tensor is None or values is None:
        return
    shape = list(values.shape)
    kind = draw.choice(["turned", "flat", "one more", "size", "scalar", "empty"])
    if kind == "turned":
        changed = values.transpose()
    elif kind == "flat":
        changed = values.reshape(-1)
    elif kind == "one more":
        changed = values[None] if draw.random() < 0.5 else values[..., None]
    elif kind == "scalar":
        changed = values.reshape(-1)[:1].reshape(()) if values.size else values
    elif kind == "empty":
        changed = values.reshape(-1)[:0]
    elif shape:
        shape[draw.randrange(len(shape))] = draw.choice([0, 1, 2, 3, 5, 8, 12])
        changed = np.resize(values, shape)
    else:
        return
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(changed), tensor.name))


def values_of_weight(model: ModelProto, draw: random.Random) -> None:
    """A weight has a value that is no number or no index, or is the same everywhere."""
    tensor = _tensor(model, draw)
    values = None if tensor is None else _values(tensor)
    if tensor is None or values is None or not values.size or values.dtype.kind not in "fiu":
        return
    changed = np.array(values)
    new = draw.choice(FLOATS) if values.dtype.kind == "f" else draw.choice(SIZES)
    with np.errstate(all="ignore"):
        try:
            item = np.array(new).astype(values.dtype)
        except OverflowError:
            return
    if draw.random() < 0.3:
        changed[...] = item
    else:
        changed.reshape(-1)[draw.randrange(values.size)] = item
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))


def operator(model: ModelProto, draw: random.Random) -> None:
    """A node is of another operator."""
    node = _node(model, draw)
    if node is not None:
        there = [each.op_type for graph in graphs(model.graph) for each in graph.node]
        node.op_type = draw.choice([draw.choice(there), draw.choice(_OPERATORS)])
        if draw.random() < 0.5:
            del node.attribute[:]


_OPERATORS = sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""})


def domain(model: ModelProto, draw: random.Random) -> None:
    """A node is of another domain."""
    node = _node(model, draw)
    if node is not None:
        node.domain = draw.choice(["", "ai.onnx", "com.microsoft", "acme", "ai.onnx.ml"])
        if node.domain and draw.random() < 0.8:
            model.opset_import.add(domain=node.domain, version=1)


def wire(model: ModelProto, draw: random.Random) -> None:
    """A node reads another tensor, or two that it reads are exchanged."""
    node = _node(model, draw)
    if node is None or not node.input:
        return
    at = draw.randrange(len(node.input))
    if draw.random() < 0.3:
        other = draw.randrange(len(node.input))
        node.input[at], node.input[other] = node.input[other], node.input[at]
    else:
        node.input[at] = draw.choice(_names(model))


def shared(model: ModelProto, draw: random.Random) -> None:
    """An operand is read from another weight, so that two users share one; mostly of the same sizes."""
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    places = [(n, i) for n in model.graph.node for i, name in enumerate(n.input) if name in weights]
    if not places:
        return
    node, at = draw.choice(places)
    alike = [name for name, dims in weights.items() if dims == weights[node.input[at]]]
    node.input[at] = draw.choice(alike if draw.random() < 0.8 else list(weights))


def operand(model: ModelProto, draw: random.Random) -> None:
    """A node has an operand or a result more, or less, or none of a name."""
    node = _node(model, draw)
    if node is None:
        return
    values = draw.choice([node.input, node.output])
    kind = draw.choice(["drop", "add", "none"])
    if kind == "add" or not values:
        values.append(draw.choice(_names(model)))
    elif kind == "drop":
        del values[draw.randrange(len(values))]
    else:
        values[draw.randrange(len(values))] = ""


def node_gone(model: ModelProto, draw: random.Random) -> None:
    """A node is gone; what read its results may read what it read."""
    graph = _graph(model, draw)
    if not graph.node:
        return
    at = draw.randrange(len(graph.node))
    gone = graph.node[at]
    if draw.random() < 0.7 and gone.input:
        for node in graph.node:
            for slot, name in enumerate(node.input):
                if name in gone.output:
                    node.input[slot] = gone.input[0]
    del graph.node[at]


def node_twice(model: ModelProto, draw: random.Random) -> None:
    """A node stands there twice, the second time with results of its own that something may read."""
    graph = _graph(model, draw)
    if not graph.node:
        return
    copy = NodeProto()
    copy.CopyFrom(draw.choice(list(graph.node)))
    if draw.random() < 0.8:
        copy.output[:] = [f"{name}_twice" for name in copy.output]
    graph.node.append(copy)
    users = [node for node in graph.node if node.input]
    if copy.output and users and draw.random() < 0.7:
        node = draw.choice(users)
        node.input[draw.randrange(len(node.input))] = copy.output[0]


def order(model: ModelProto, draw: random.Random) -> None:
    """The nodes stand in another order."""
    graph = _graph(model, draw)
    nodes = list(graph.node)
    draw.shuffle(nodes)
    copies = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def outputs(model: ModelProto, draw: random.Random) -> None:
    """A graph, or a body, has an output less, or more, or none."""
    graph = _graph(model, draw)
    kind = draw.choice(["less", "more", "none", "other"])
    if kind == "none":
        del graph.output[:]
    elif kind == "more" or not graph.output:
        made = [name for node in graph.node for name in node.output]
        graph.output.add(name=draw.choice(made or [""]))
        if draw.random() < 0.7:
            graph.output[-1].type.tensor_type.elem_type = 1
    elif kind == "less":
        del graph.output[draw.randrange(len(graph.output))]
    else:
        graph.output[0].name = draw.choice(_names(model))


def opset(model: ModelProto, draw: random.Random) -> None:
    """The operator set, or the format, is of another version."""
    if model.opset_import and draw.random() < 0.8:
        entry = draw.choice(list(model.opset_import))
        entry.version = draw.choice([*range(1, 28), 0, 1 << 40])
    else:
        model.ir_version = draw.choice([*range(1, 15), 1 << 40])


def held_otherwise(model: ModelProto, draw: random.Random) -> None:
    """A weight is held otherwise: by a Constant node, sparse, as an input with a default, as numbers."""
    graph = model.graph
    if not graph.initializer:
        return
    at = draw.randrange(len(graph.initializer))
    tensor = TensorProto.FromString(graph.initializer[at].SerializeToString())
    values = _values(tensor)
    if values is None or values.dtype.kind not in "fi":
        return
    kind = draw.choice(["node", "sparse", "input", "numbers"])
    if kind == "input":
        graph.input.add().CopyFrom(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        return
    del graph.initializer[at]
    if kind == "node":
        graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    elif kind == "numbers":
        graph.initializer.append(
            helper.make_tensor(tensor.name, tensor.data_type, tensor.dims, values.reshape(-1).tolist())
        )
    else:
        where = np.flatnonzero(np.array(values).reshape(-1) != 0)
        held = numpy_helper.from_array(values.reshape(-1)[where], tensor.name)
        graph.sparse_initializer.append(
            helper.make_sparse_tensor(held, numpy_helper.from_array(where), list(values.shape))
        )


def range_in_front(model: ModelProto, draw: random.Random) -> None:
    """An operand is made in the graph: a Range, a ConstantOfShape, an Expand, a Tile, of any size."""
    node = _node(model, draw)
    if node is None or not node.input:
        return
    many = draw.choice([*SIZES[9:], 6])
    name, graph = f"made_{len(model.graph.node)}", model.graph

    def constant(values: Any) -> str:
        made = f"{name}_{len(graph.initializer)}"
        graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), made))
        return made

    kind = draw.choice(["Range", "ConstantOfShape", "Expand", "Tile", "OneHot"])
    if kind == "Range":
        made = helper.make_node(kind, [constant(0), constant(many), constant(1)], [name])
    elif kind == "ConstantOfShape":
        made = helper.make_node(kind, [constant([many] * draw.choice([1, 2, 3]))], [name])
    elif kind == "OneHot":
        made = helper.make_node(kind, [constant([0, 1]), constant(many), constant([0, 1])], [name])
    else:
        made = helper.make_node(kind, [constant([1]), constant([many])], [name])
    graph.node.insert(0, made)
    at = draw.randrange(len(node.input))
    if draw.random() < 0.5:
        graph.node.insert(1, helper.make_node("Cast", [name], [f"{name}_f"], to=TensorProto.FLOAT))
        name += "_f"
    node.input[at] = name


def in_a_branch(model: ModelProto, draw: random.Random) -> None:
    """A node stands in both branches of an If."""
    graph = model.graph
    if not graph.node:
        return
    at = draw.randrange(len(graph.node))
    node = NodeProto.FromString(graph.node[at].SerializeToString())
    bodies: list[GraphProto] = []
    for branch in ("yes", "no"):
        copy = NodeProto.FromString(node.SerializeToString())
        copy.output[:] = [name and f"{name}_{branch}" for name in node.output]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in copy.output if name]
        bodies.append(helper.make_graph([copy], branch, [], ends))
    if draw.random() < 0.2:
        del bodies[draw.randrange(2)].output[:]
    name = "which"
    if draw.random() < 0.5:
        graph.initializer.append(numpy_helper.from_array(np.array(draw.random() < 0.5), name))
    else:
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.BOOL, []))
    ends = [each for each in node.output if each]
    made = helper.make_node("If", [name], ends, then_branch=bodies[0], else_branch=bodies[1])
    del graph.node[at]
    graph.node.insert(at, made)


def spliced(model: ModelProto, draw: random.Random) -> None:
    """A message is a copy of another one of its kind."""
    messages = [each for each in _messages(model) if not isinstance(each, ModelProto | GraphProto)]
    if not messages:
        return
    one = draw.choice(messages)
    other = draw.choice([each for each in messages if isinstance(each, type(one))])
    data = other.SerializeToString()
    one.ParseFromString(data)


MUTATIONS: Mapping[str, Mutation] = {
    each.__name__: each
    for each in (
        *(any_field, absent_field, attribute, size_of_interface, type_of_interface, type_of_weight),
        *(shape_of_weight, values_of_weight, operator, domain, wire, shared, operand, node_gone, node_twice),
        *(order, outputs, opset, held_otherwise, range_in_front, in_a_branch, spliced),
    )
}


def flipped(data: bytes, draw: random.Random) -> bytes:
    """Some bits are others."""
    return _flipped(data, draw)


def cut_off(data: bytes, draw: random.Random) -> bytes:
    """The file ends early."""
    return data[: draw.randrange(len(data) + 1)]


def stretch_gone(data: bytes, draw: random.Random) -> bytes:
    """Some bytes are gone, or zero, or there twice."""
    start = draw.randrange(len(data) + 1)
    end = min(len(data), start + draw.choice([1, 4, 16, 512]))
    middle = draw.choice([b"", bytes(end - start), data[start:end] * 2])
    return data[:start] + middle + data[end:]


def no_text(data: bytes, draw: random.Random) -> bytes:
    """A name has a byte that is no UTF-8."""
    model = ModelProto.FromString(data)
    names = [
        *(name for name in _names(model) if name),
        *(node.name for node in model.graph.node if node.name),
    ]
    if not names:
        return data
    text = draw.choice(names).encode()
    places = [at for at in range(len(data)) if data.startswith(text, at)]
    every = draw.random() < 0.5
    for at in places if every else [draw.choice(places)]:
        data = data[:at] + b"\xff" + data[at + 1 :]
    return data


OF_BYTES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    each.__name__: each for each in (flipped, cut_off, stretch_gone, no_text)
}
