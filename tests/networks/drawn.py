"""Random networks: operators drawn one after the other over a handful of tensors of 4 x 4 pixels."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import NodeProto, TensorProto, helper, numpy_helper

SIDE = 4
WIDEST = 48


@dataclass
class Draft:
    """A network under construction; `live` holds tensors of (1, channels, 4, 4) with their channels."""

    draw: random.Random
    weights: np.random.Generator
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])
    constants: list[TensorProto] = field(default_factory=list[TensorProto])
    live: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])

    def pick(self) -> tuple[str, int]:
        """One of the latest tensors."""
        return self.draw.choice(self.live[-5:])

    def constant(self, values: ArrayLike) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def sizes(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def weight(self, *shape: int) -> str:
        fan_in = float(np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 1.0
        return self.constant((self.weights.standard_normal(shape) / max(fan_in, 1)).astype(np.float32))

    def many(self, op: str, inputs: list[str], count: int, **attributes: object) -> list[str]:
        outputs = [f"t{len(self.nodes)}_{number}" for number in range(count)]
        name = f"{op}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, outputs, name=name, **attributes))  # type: ignore[arg-type]
        return outputs

    def add(self, op: str, inputs: list[str], **attributes: object) -> str:
        return self.many(op, inputs, 1, **attributes)[0]

    def reshape(self, tensor: str, *sizes: int) -> str:
        return self.add("Reshape", [tensor, self.sizes(*sizes)])

    def convolve(self, tensor: str, channels: int, filters: int, group: int = 1, window: int = 1) -> str:
        inputs = [tensor, self.weight(filters, channels // group, window, window), self.weight(filters)]
        return self.add("Conv", inputs, group=group, pads=[window // 2] * 4)


def divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def _convolution(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    filters = d.draw.choice([2, 3, 4, 6, 8, 9, 12, 16])
    group = d.draw.choice([1, *(size for size in divisors(channels) if filters % size == 0)])
    return d.convolve(tensor, channels, filters, group, d.draw.choice([1, 3])), filters


def _depthwise(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    factor = d.draw.choice([1, 2])
    return d.convolve(tensor, channels, channels * factor, channels, 3), channels * factor


def _activation(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    return d.add(d.draw.choice(["Relu", "Sigmoid", "Tanh", "Softplus", "Abs", "Neg"]), [tensor]), channels


def _concat(d: Draft) -> tuple[str, int]:
    parts = [d.pick() for _ in range(d.draw.choice([2, 3]))]
    return d.add("Concat", [name for name, _ in parts], axis=1), sum(channels for _, channels in parts)


def _split(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    if channels < 2:
        return tensor, channels
    at = d.draw.randrange(1, channels)
    first, second = d.many("Split", [tensor, d.sizes(at, channels - at)], 2, axis=1)
    d.live.append((second, channels - at))
    return first, at


def _slice(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    first = d.draw.randrange(channels)
    last = d.draw.randrange(first + 1, channels + 1)
    step = d.draw.choice([1, 1, 2])
    start = first - channels if d.draw.random() < 0.5 else first
    taken = d.add("Slice", [tensor, d.sizes(start), d.sizes(last), d.sizes(1), d.sizes(step)])
    return taken, len(range(first, last, step))


def _elementwise(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    others = [name for name, size in d.live if size == channels]
    other = d.draw.choice([*others, d.weight(channels, 1, 1), d.weight(1, 1, SIDE, SIDE)])
    return d.add(d.draw.choice(["Add", "Mul", "Sub", "Max"]), [tensor, other]), channels


def _squeeze_excite(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    inner = d.convolve(d.add("GlobalAveragePool", [tensor]), channels, 4)
    gate = d.add("Sigmoid", [d.convolve(d.add("Relu", [inner]), 4, channels)])
    return d.add("Mul", [tensor, gate]), channels


def _shuffle(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    groups = d.draw.choice(divisors(channels))
    apart = d.reshape(tensor, 1, groups, channels // groups, SIDE, SIDE)
    return d.reshape(d.add("Transpose", [apart], perm=[0, 2, 1, 3, 4]), 1, -1, SIDE, SIDE), channels


def _norm(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    affine = [d.weight(channels), d.weight(channels)]
    kind = d.draw.choice(["Softmax", "InstanceNormalization", "GroupNormalization", "ReduceMean"])
    if kind == "ReduceMean":
        return d.add("Sub", [tensor, d.add(kind, [tensor, d.sizes(1)])]), channels
    if kind == "Softmax":
        return d.add(kind, [tensor], axis=1), channels
    if kind == "InstanceNormalization":
        return d.add(kind, [tensor, *affine]), channels
    return d.add(kind, [tensor, *affine], num_groups=d.draw.choice(divisors(channels))), channels


def _pad(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    before, after = d.draw.choice([0, 2]), d.draw.choice([1, 4])
    return d.add("Pad", [tensor, d.sizes(0, before, 0, 0, 0, after, 0, 0)]), channels + before + after


def _product(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    filters = d.draw.choice([3, 4, 6])
    last = d.add("MatMul", [d.add("Transpose", [tensor], perm=[0, 2, 3, 1]), d.weight(channels, filters)])
    return d.add("Transpose", [last], perm=[0, 3, 1, 2]), filters


def _attention(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    heads, size = d.draw.choice([2, 3]), d.draw.choice([2, 4])
    pixels, width = SIDE * SIDE, heads * size
    packed = d.convolve(tensor, channels, 3 * width)
    parts = d.many("Split", [packed, d.sizes(width, width, width)], 3, axis=1)
    query, key, value = (d.reshape(part, 1, heads, size, pixels) for part in parts)
    scores = d.add("MatMul", [d.add("Transpose", [key], perm=[0, 1, 3, 2]), query])
    mixed = d.add("MatMul", [value, d.add("Softmax", [scores], axis=-2)])
    return d.reshape(mixed, 1, width, SIDE, SIDE), width


def _factors(d: Draft) -> tuple[str, int]:
    tensor, channels = d.pick()
    outer = d.draw.choice(divisors(channels))
    apart = d.reshape(tensor, 1, outer, channels // outer, SIDE, SIDE)
    if d.draw.random() < 0.5:
        return d.add("ReduceSum", [apart, d.sizes(1)], keepdims=0), channels // outer
    return d.reshape(d.add("Mul", [apart, d.weight(outer, 1, 1, 1)]), 1, -1, SIDE, SIDE), channels


STEPS: list[Callable[[Draft], tuple[str, int]]] = [
    *[_convolution] * 4,
    *[_concat, _split, _elementwise, _shuffle, _factors] * 2,
    *[_depthwise, _activation, _slice, _squeeze_excite, _norm, _pad, _product, _attention],
]


def drawn(seed: int, steps: int = 8) -> onnx.ModelProto:
    """A network of `steps` random operators, the same for the same seed."""
    d = Draft(random.Random(seed), np.random.default_rng(seed))
    for filters in (8, 12):
        d.live.append((d.convolve("x", 3, filters, window=3), filters))
    for _ in range(steps):
        tensor, channels = d.draw.choice(STEPS)(d)
        if channels <= WIDEST:
            d.live.append((tensor, channels))
    ends = dict.fromkeys(d.convolve(d.add("Tanh", [name]), size, 2) for name, size in d.live[-2:])
    graph = helper.make_graph(
        d.nodes,
        "drawn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, SIDE, SIDE]) for name in ends],
        d.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
