"""Random networks of many operators: images, sequences and vectors that turn into each other.

Each is valid and runs; no value stands twice in a weight, so that the judge can tell what a cut took away.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, TensorProto, helper, numpy_helper

from tests.networks.drawn import Draft, divisors

Shape = tuple[int, ...]
"""Sizes without the batch, which every tensor has in front."""
Value = tuple[str, Shape]
_BATCH = 2
_MOST = 1500
"""Elements of a tensor, without the batch."""


@dataclass
class Net(Draft):
    """A network under construction; `values` holds its tensors with their shapes."""

    opset: int = 21
    values: list[Value] = field(default_factory=list[Value])
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list[onnx.ValueInfoProto])
    dynamic: bool = False

    def weight(self, *shape: int) -> str:
        fan_in = float(np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 1.0
        count = int(np.prod(shape))
        # Normal by quantile, shuffled: no value twice.
        values = np.sort(self.weights.standard_normal(count)) + np.linspace(0, 1e-2, count)
        values = self.weights.permutation(values).reshape(shape) / max(fan_in, 1)
        return self.constant(values.astype(np.float32))

    def of(self, rank: int) -> Value | None:
        """One of the latest tensors with so many dimensions beside the batch."""
        found = [value for value in self.values[-8:] if len(value[1]) == rank]
        return self.draw.choice(found) if found else None

    def like(self, shape: Shape) -> str:
        """A tensor of this shape, of any that there are."""
        return self.draw.choice([name for name, sizes in self.values if sizes == shape])

    def reduce(self, op: str, tensor: str, axes: Sequence[int], keep: bool) -> str:
        if self.opset >= 18 or op == "ReduceSum":
            return self.add(op, [tensor, self.sizes(*axes)], keepdims=int(keep))
        return self.add(op, [tensor], axes=list(axes), keepdims=int(keep))

    def flip(self, chance: float = 0.5) -> bool:
        return self.draw.random() < chance

    def linear(self, tensor: str, rows: int, columns: int, bias: bool = True) -> str:
        made = self.add("MatMul", [tensor, self.weight(rows, columns)])
        return self.add("Add", [made, self.weight(columns)]) if bias else made


Step = Callable[[Net, Value], Value]
WIDTHS = (2, 3, 4, 6, 8, 9, 12, 16, 24)
_UNARY = (
    "Relu Sigmoid Tanh Softplus Abs Neg Elu LeakyRelu HardSigmoid HardSwish Softsign Exp Erf "
    "Identity Selu Celu Sin Cos"
)


def _unary(d: Net, value: Value) -> Value:
    name, shape = value
    kind = d.draw.choice([*_UNARY.split(), "Clip", "PRelu", "Cast", "Dropout", "Where", "Gelu", "Mish"])
    if kind == "Clip":
        return d.add(kind, [name, d.constant(np.float32(-1)), d.constant(np.float32(1.5))]), shape
    if kind == "PRelu":
        return d.add(kind, [name, d.weight(shape[0], *(1,) * (len(shape) - 1))]), shape
    if kind == "Cast":
        return d.add(kind, [d.add(kind, [name], to=TensorProto.DOUBLE)], to=TensorProto.FLOAT), shape
    if kind == "Where":
        above = d.add("Greater", [name, d.constant(np.float32(0.1))])
        return d.add(kind, [above, name, d.constant(np.float32(0.25))]), shape
    if kind == "Exp" or d.opset < {"Gelu": 20, "Mish": 18, "HardSwish": 14}.get(kind, 0):
        return d.add("Tanh", [name]), shape
    return d.add(kind, [name]), shape


def _binary(d: Net, value: Value) -> Value:
    name, shape = value
    kind = d.draw.choice(["Add", "Mul", "Sub", "Max", "Min", "Div", "Sum", "Mean"])
    if kind == "Div":
        other = d.add("Add", [d.add("Abs", [d.like(shape)]), d.constant(np.float32(1))])
    elif d.flip(0.7):
        other = d.like(shape)
    else:
        at = d.draw.randrange(len(shape))
        other = d.weight(*(size if i == at else 1 for i, size in enumerate(shape)))
    operands = [name, other]
    if kind != "Div":
        d.draw.shuffle(operands)
    return d.add(kind, operands), shape


def _concat(d: Net, value: Value) -> Value:
    _, shape = value
    axis = d.draw.randrange(len(shape)) if d.flip(0.3) else (0 if len(shape) != 2 else 1)
    parts = [value]
    for other in d.values[-12:]:
        alike = len(other[1]) == len(shape) and all(
            a == b for i, (a, b) in enumerate(zip(other[1], shape, strict=True)) if i != axis
        )
        if alike and d.flip(0.4) and len(parts) < 4:
            parts.append(other)
    d.draw.shuffle(parts)
    total = sum(sizes[axis] for _, sizes in parts)
    made = d.add("Concat", [part for part, _ in parts], axis=d.draw.choice([axis + 1, axis - len(shape)]))
    return made, (*shape[:axis], total, *shape[axis + 1 :])


def _split(d: Net, value: Value) -> Value:
    name, shape = value
    axis = d.draw.randrange(len(shape)) if d.flip(0.2) else (0 if len(shape) != 2 else 1)
    size = shape[axis]
    if size < 2:
        return _unary(d, value)
    count = d.draw.choice([2, 2, 3]) if size > 2 else 2
    cuts = sorted(d.draw.sample(range(1, size), count - 1))
    if d.flip() and size % count == 0:
        cuts = [size // count * i for i in range(1, count)]
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, size], strict=True)]
    made = d.many("Split", [name, d.sizes(*sizes)], count, axis=axis + 1)
    parts = [(part, (*shape[:axis], n, *shape[axis + 1 :])) for part, n in zip(made, sizes, strict=True)]
    d.values.extend(parts[1:])
    return parts[0]


def _slice(d: Net, value: Value) -> Value:
    name, shape = value
    axis = d.draw.randrange(len(shape))
    size = shape[axis]
    first = d.draw.randrange(size)
    last = d.draw.randrange(first + 1, size + 1)
    step = d.draw.choice([1, 1, 2])
    start, end = first, last
    if d.flip(0.3):
        start -= size
    if d.flip(0.2) and last == size:
        end = np.iinfo(np.int64).max
    if d.flip(0.15):  # backwards
        start, end, step = size - 1, -size - 1, -1
        first, last = 0, size
    made = d.add("Slice", [name, d.sizes(start), d.sizes(end), d.sizes(axis + 1), d.sizes(step)])
    return made, (*shape[:axis], len(range(first, last, abs(step))), *shape[axis + 1 :])


def _gather(d: Net, value: Value) -> Value:
    name, shape = value
    axis = d.draw.randrange(len(shape))
    size = shape[axis]
    count = d.draw.choice([size, max(1, size // 2)])
    index = d.draw.sample(range(size), count)
    if d.flip(0.2):
        index = [at - size for at in index]
    made = d.add("Gather", [name, d.sizes(*index)], axis=axis + 1)
    return made, (*shape[:axis], count, *shape[axis + 1 :])


def _pad(d: Net, value: Value) -> Value:
    name, shape = value
    before, after = ([d.draw.choice([0, 0, 1, 2]) for _ in shape] for _ in range(2))
    pads = d.sizes(0, *before, 0, *after)
    inputs = [name, pads, d.constant(np.float32(0.5))] if d.flip(0.3) else [name, pads]
    return d.add("Pad", inputs), tuple(a + b + c for a, b, c in zip(shape, before, after, strict=True))


def _factors(d: Net, value: Value) -> Value:
    """A dimension as the product of two, of which one is summed over, weighed, or changes its place."""
    name, shape = value
    axis = 0 if len(shape) != 2 else 1
    outer = d.draw.choice(divisors(shape[axis]))
    inner = shape[axis] // outer
    apart = d.reshape(name, -1, *shape[:axis], outer, inner, *shape[axis + 1 :])
    kind = d.draw.choice(["sum", "weigh", "shuffle", "max"])
    if kind in ("sum", "max"):
        made = d.reduce("ReduceSum" if kind == "sum" else "ReduceMax", apart, [axis + 1], keep=False)
        return made, (*shape[:axis], inner, *shape[axis + 1 :])
    if kind == "weigh":
        last = d.add("Mul", [apart, d.weight(outer, *(1,) * (len(shape) - axis))])
        return d.reshape(last, -1, *shape), shape
    order = list(range(len(shape) + 2))
    order[axis + 1], order[axis + 2] = axis + 2, axis + 1
    return d.reshape(d.add("Transpose", [apart], perm=order), -1, *shape), shape


def _normalised(d: Net, value: Value) -> Value:
    name, shape = value
    kind = d.draw.choice(["Softmax", "LogSoftmax", "mean", "rms", "LayerNormalization"])
    axis = d.draw.randrange(len(shape)) + 1
    if kind in ("Softmax", "LogSoftmax"):
        return d.add(kind, [name], axis=axis), shape
    if kind == "mean":
        return d.add("Sub", [name, d.reduce("ReduceMean", name, [axis], keep=True)]), shape
    if kind == "rms":
        mean = d.reduce("ReduceMean", d.add("Mul", [name, name]), [-1], keep=True)
        root = d.add("Sqrt", [d.add("Add", [mean, d.constant(np.float32(1e-3))])])
        return d.add("Mul", [d.add("Div", [name, root]), d.weight(shape[-1])]), shape
    if d.opset < 17:
        return d.add("Softmax", [name], axis=-1), shape
    return d.add(kind, [name, d.weight(shape[-1]), d.weight(shape[-1])], axis=-1), shape


def _residual(d: Net, value: Value) -> Value:
    """A branch of one or two steps that keeps the shape, added to what it starts from."""
    name, shape = value
    rank = len(shape)
    if rank == 3:
        inner = d.draw.choice(WIDTHS)
        last = d.convolve(d.add("Relu", [d.convolve(name, shape[0], inner, window=3)]), inner, shape[0])
    elif rank == 2 and d.flip() and shape[1] % 2 == 0:
        last, (_, inner) = _attention(d, value)
        last = d.linear(last, inner, shape[1])
    else:
        inner = d.draw.choice(WIDTHS)
        hidden = d.add(d.draw.choice(["Relu", "Tanh"]), [d.linear(name, shape[-1], inner)])
        if d.flip(0.3):
            hidden = d.add("Mul", [hidden, d.linear(name, shape[-1], inner)])
        last = d.linear(hidden, inner, shape[-1])
    return d.add("Add", [name, last] if d.flip() else [last, name]), shape


def _branches(d: Net, value: Value) -> Value:
    """An If that decides on the input `which`, or on a value; the weights are inside or outside."""
    name, shape = value
    inner = d.draw.choice(WIDTHS)
    given = d.flip()
    if given and "which" not in [each.name for each in d.inputs]:
        d.inputs.append(helper.make_tensor_value_info("which", TensorProto.BOOL, []))
    condition = "which"
    if not given:
        total = d.reduce("ReduceSum", name, list(range(len(shape) + 1)), keep=False)
        condition = d.add("Greater", [total, d.constant(np.float32(0))])
    bodies = [_body(d, name, shape, inner, f"b{len(d.nodes)}_{i}") for i in range(2)]
    return d.add("If", [condition], then_branch=bodies[0], else_branch=bodies[1]), (*shape[:-1], inner)


def _body(d: Net, name: str, shape: Shape, inner: int, label: str) -> GraphProto:
    weight = d.weight(shape[-1], inner)
    own = d.constants.pop() if d.flip() else None
    nodes = [helper.make_node("MatMul", [name, weight], [f"{label}_m"], name=f"{label}_m")]
    if d.flip():
        op = d.draw.choice(["Relu", "Tanh"])
        nodes.append(helper.make_node(op, [nodes[-1].output[0]], [f"{label}_a"], name=f"{label}_a"))
    if own is not None:
        own.name = f"{label}_w"
        nodes[0].input[1] = own.name
        d.constants.append(numpy_helper.from_array(np.zeros(0, np.float32), weight))  # keeps names apart
    end = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, label, [], [end], [own] if own is not None else [])


# Images: channels, height, width.


def _convolution(d: Net, value: Value) -> Value:
    name, (channels, height, width) = value
    filters = d.draw.choice(WIDTHS)
    group = d.draw.choice([1, 1, *(size for size in divisors(channels) if filters % size == 0)])
    if d.flip(0.15):
        group, filters = channels, channels * d.draw.choice([1, 2])
    window, stride, spread = d.draw.choice([1, 3]), d.draw.choice([1, 1, 1, 2]), d.draw.choice([1, 1, 2])
    pad = window // 2 * spread
    inputs = [name, d.weight(filters, channels // group, window, window)]
    inputs += [d.weight(filters)] * d.flip(0.7)
    made = d.add("Conv", inputs, group=group, pads=[pad] * 4, strides=[stride] * 2, dilations=[spread] * 2)
    return made, (filters, *(-(-size // stride) for size in (height, width)))


def _transposed(d: Net, value: Value) -> Value:
    name, (channels, height, width) = value
    group = d.draw.choice([1, 1, *divisors(channels)])
    filters = d.draw.choice([1, 2, 3, 4]) * group
    inputs = [name, d.weight(channels, filters // group, 2, 2)] + [d.weight(filters)] * d.flip()
    made = d.add("ConvTranspose", inputs, group=group, strides=[2, 2])
    return made, (filters, height * 2, width * 2)


def _image_norm(d: Net, value: Value) -> Value:
    name, shape = value
    channels = shape[0]
    kind = d.draw.choice(["BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"])
    if kind == "BatchNormalization":
        scale = d.constant(np.sort(d.weights.uniform(0.5, 1.5, channels)).astype(np.float32))
        return d.add(kind, [name, d.weight(channels), d.weight(channels), d.weight(channels), scale]), shape
    if kind == "LRN":
        return d.add(kind, [name], size=3), shape
    if kind == "GroupNormalization" and d.opset >= 21:
        groups = d.draw.choice(divisors(channels))
        return d.add(kind, [name, d.weight(channels), d.weight(channels)], num_groups=groups), shape
    return d.add("InstanceNormalization", [name, d.weight(channels), d.weight(channels)]), shape


def _pool(d: Net, value: Value) -> Value:
    name, (channels, height, width) = value
    kind = d.draw.choice(["MaxPool", "AveragePool", "LpPool"])
    if min(height, width) < 2:
        return _unary(d, value)
    made = d.add(kind, [name], kernel_shape=[2, 2], strides=[2, 2])
    return made, (channels, height // 2, width // 2)


def _resize(d: Net, value: Value) -> Value:
    name, (channels, height, width) = value
    mode = d.draw.choice(["nearest", "linear"])
    scales = d.constant(np.array([1, 1, 2, 2], np.float32))
    return d.add("Resize", [name, "", scales], mode=mode), (channels, height * 2, width * 2)


def _depth_to_space(d: Net, value: Value) -> Value:
    name, (channels, height, width) = value
    mode = d.draw.choice(["DCR", "CRD"])
    if channels % 4 == 0 and d.flip():
        return d.add("DepthToSpace", [name], blocksize=2, mode=mode), (channels // 4, height * 2, width * 2)
    if height % 2 == 0 and width % 2 == 0:
        return d.add("SpaceToDepth", [name], blocksize=2), (channels * 4, height // 2, width // 2)
    return _unary(d, value)


def _squeeze_excite(d: Net, value: Value) -> Value:
    name, shape = value
    channels = shape[0]
    pooled = (
        d.add("GlobalAveragePool", [name]) if d.flip() else d.reduce("ReduceMean", name, [2, 3], keep=True)
    )
    inner = d.draw.choice([2, 3, 4])
    gate = d.add(
        "Sigmoid", [d.convolve(d.add("Relu", [d.convolve(pooled, channels, inner)]), inner, channels)]
    )
    return d.add("Mul", [name, gate]), shape


def _spatial_gate(d: Net, value: Value) -> Value:
    name, shape = value
    mean = d.reduce("ReduceMean", name, [1], keep=True)
    most = d.reduce("ReduceMax", name, [1], keep=True)
    gate = d.add("Sigmoid", [d.convolve(d.add("Concat", [mean, most], axis=1), 2, 1, window=3)])
    return d.add("Mul", [name, gate]), shape


def _to_tokens(d: Net, value: Value) -> Value:
    name, (channels, height, width) = value
    flat = d.reshape(name, 0, channels, height * width)
    return d.add("Transpose", [flat], perm=[0, 2, 1]), (height * width, channels)


def _to_vector(d: Net, value: Value) -> Value:
    name, shape = value
    if len(shape) == 3 and d.flip():
        pooled = d.add(d.draw.choice(["GlobalAveragePool", "GlobalMaxPool"]), [name])
        return d.add("Flatten", [pooled]), shape[:1]
    if len(shape) == 2 and d.flip(0.7):
        if d.flip():
            return d.reduce("ReduceMean", name, [1], keep=False), shape[1:]
        first = d.add("Gather", [name, d.constant(np.int64(d.draw.randrange(shape[0])))], axis=1)
        return first, shape[1:]
    count = int(np.prod(shape))
    return (d.add("Flatten", [name]) if d.flip() else d.reshape(name, -1, count)), (count,)


def _flip_axes(d: Net, value: Value) -> Value:
    name, shape = value
    order = list(range(len(shape)))
    d.draw.shuffle(order)
    return d.add("Transpose", [name], perm=[0, *(at + 1 for at in order)]), tuple(shape[at] for at in order)


# Sequences: length, width.


def _dense(d: Net, value: Value) -> Value:
    name, shape = value
    columns = d.draw.choice(WIDTHS)
    if d.flip(0.2) and len(shape) == 2:
        made = d.add("Einsum", [name, d.weight(shape[1], columns)], equation="btd,dk->btk")
        return made, (shape[0], columns)
    return d.linear(name, shape[-1], columns, d.flip()), (*shape[:-1], columns)


def _gated(d: Net, value: Value) -> Value:
    name, shape = value
    inner, out = d.draw.choice(WIDTHS), d.draw.choice(WIDTHS)
    if d.flip():
        both = d.linear(name, shape[-1], 2 * inner)
        one, two = d.many("Split", [both, d.sizes(inner, inner)], 2, axis=-1)
    else:
        one, two = d.linear(name, shape[-1], inner), d.linear(name, shape[-1], inner)
    hidden = d.add("Mul", [one, d.add("Sigmoid", [two])])
    return d.linear(hidden, inner, out), (*shape[:-1], out)


def _attention(d: Net, value: Value) -> Value:
    name, (length, width) = value
    heads, size = d.draw.choice([2, 3, 4]), d.draw.choice([2, 3, 4])
    inner = heads * size
    if d.flip():
        packed = d.linear(name, width, 3 * inner)
        if d.flip():
            parts = d.many("Split", [packed, d.sizes(inner, inner, inner)], 3, axis=-1)
        else:
            apart = d.reshape(packed, 0, 0, 3, inner)
            parts = [d.add("Gather", [apart, d.constant(np.int64(i))], axis=2) for i in range(3)]
    else:
        parts = [d.linear(name, width, inner, d.flip()) for _ in range(3)]
    query, key, mixed = (
        d.add("Transpose", [d.reshape(part, 0, 0, heads, size)], perm=[0, 2, *order])
        for part, order in zip(parts, ([1, 3], [3, 1], [1, 3]), strict=True)
    )
    scores = d.add("Mul", [d.add("MatMul", [query, key]), d.constant(np.float32(size**-0.5))])
    if d.flip(0.3):
        scores = d.add("Add", [scores, d.weight(heads if d.flip() else 1, length, length)])
    mixed = d.add("MatMul", [d.add("Softmax", [scores], axis=-1), mixed])
    together = d.reshape(d.add("Transpose", [mixed], perm=[0, 2, 1, 3]), 0, 0, inner)
    if d.flip(0.8):
        out = d.draw.choice(WIDTHS)
        return d.linear(together, inner, out), (length, out)
    d.values.append((together, (length, inner)))
    return together, (length, inner)


def _recurrent(d: Net, value: Value) -> Value:
    name, (length, width) = value
    hidden, kind = d.draw.choice([2, 3, 4, 6]), d.draw.choice(["LSTM", "GRU", "RNN"])
    ways = d.draw.choice([1, 2])
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind] * hidden
    steps = d.add("Transpose", [name], perm=[1, 0, 2])
    inputs = [steps, d.weight(ways, gates, width), d.weight(ways, gates, hidden)]
    inputs += [d.weight(ways, 2 * gates)] * d.flip()
    more: dict[str, Any] = {"direction": "bidirectional"} if ways == 2 else {}
    if kind == "GRU" and d.flip():
        more["linear_before_reset"] = 1
    outputs = d.many(kind, inputs, 2, hidden_size=hidden, **more)
    if d.flip(0.3):
        last = d.add("Transpose", [outputs[1]], perm=[1, 0, 2])
        return d.reshape(last, -1, ways * hidden), (ways * hidden,)
    whole = d.add("Transpose", [outputs[0]], perm=[2, 0, 1, 3])
    return d.reshape(whole, 0, 0, ways * hidden), (length, ways * hidden)


def _along_time(d: Net, value: Value) -> Value:
    name, (length, width) = value
    filters = d.draw.choice(WIDTHS)
    turned = d.add("Transpose", [name], perm=[0, 2, 1])
    made = d.add("Conv", [turned, d.weight(filters, width, 3), d.weight(filters)], pads=[1, 1])
    return d.add("Transpose", [made], perm=[0, 2, 1]), (length, filters)


def _cross(d: Net, value: Value) -> Value:
    """The product of two tensors without a weight."""
    name, (length, width) = value
    turned = d.add("Transpose", [d.like((length, width))], perm=[0, 2, 1])
    return d.add("MatMul", [name, turned]), (length, length)


# Vectors.


def _gemm(d: Net, value: Value) -> Value:
    name, (size,) = value
    columns, turned = d.draw.choice(WIDTHS), d.draw.choice([0, 1])
    weight = d.weight(columns, size) if turned else d.weight(size, columns)
    inputs = [name, weight] + [d.weight(columns)] * d.flip(0.7)
    return d.add("Gemm", inputs, transB=turned, alpha=d.draw.choice([1.0, 0.5])), (columns,)


def _to_image(d: Net, value: Value) -> Value:
    name, (size,) = value
    made = d.add("Gemm", [name, d.weight(size, 4 * 9)])
    return d.reshape(made, -1, 4, 3, 3), (4, 3, 3)


def _vector_norm(d: Net, value: Value) -> Value:
    name, (size,) = value
    scale = d.constant(np.sort(d.weights.uniform(0.5, 1.5, size)).astype(np.float32))
    inputs = [name, d.weight(size), d.weight(size), d.weight(size), scale]
    return d.add("BatchNormalization", inputs), (size,)


_ANY: list[Step] = [
    *(_unary, _binary, _binary, _concat, _concat, _split, _slice, _gather, _pad, _factors),
    *(_normalised, _residual, _residual, _flip_axes, _branches, _to_vector),
]
_IMAGES: list[Step] = [
    *(_transposed, _image_norm, _image_norm, _pool, _resize, _depth_to_space),
    *(_squeeze_excite, _spatial_gate, _to_tokens),
]
STEPS: dict[int, list[Step]] = {
    3: [*_ANY, *[_convolution] * 7, *_IMAGES],
    2: [*_ANY, *[_dense] * 4, _gated, _gated, *[_attention] * 3, _recurrent, _along_time, _cross],
    1: [*_ANY, *[_gemm] * 4, _gated, _dense, _to_image, _vector_norm],
}


def drawn(seed: int, steps: int | None = None) -> onnx.ModelProto:
    """A network of `steps` random operators and blocks, the same for the same seed."""
    draw = random.Random(seed)
    d = Net(draw, np.random.default_rng(seed), opset=draw.choice([13, 15, 17, 18, 20, 21, 22]))
    d.dynamic = d.flip()
    shape = draw.choice([(3, 6, 6), (3, 4, 4), (5, 8), (4, 6), (10,), (7,)])
    batch: int | str = "n" if d.dynamic else _BATCH
    d.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape]))
    d.values.append(("x", shape))
    first = {3: _convolution, 2: _dense, 1: _gemm}[len(shape)]
    d.values.extend(first(d, ("x", shape)) for _ in range(2))
    for _ in range(draw.choice([4, 6, 8, 10]) if steps is None else steps):
        rank = len(draw.choice(d.values[-3:])[1])
        value = d.of(rank)
        if value is None:
            continue
        name, made = draw.choice(STEPS[rank])(d, value)
        if np.prod(made) <= _MOST and len(made) in STEPS and min(made) > 0:
            d.values.append((name, made))
    ends: dict[str, Shape] = {}
    for name, made in d.values[-draw.choice([1, 2, 3]) :]:
        if len(made) == 3:
            ends[d.convolve(name, made[0], 2)] = (2, *made[1:])
        else:
            ends[d.linear(name, made[-1], 3)] = (*made[:-1], 3)
    graph = helper.make_graph(
        d.nodes,
        "drawn",
        d.inputs,
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *made])
            for name, made in ends.items()
        ],
        [each for each in d.constants if not (each.dims and each.dims[0] == 0)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", d.opset)], ir_version=10)
