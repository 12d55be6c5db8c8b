"""What sizes must do so that no weight is left without influence, and what some sizes do not.

At the smallest sizes that run, a tap of a convolution may lie on padding wherever it is put, a softmax over
one element is 1 whatever it is given, and one element less its mean is 0. All of it follows from sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import onnx_graphsurgeon as gs

from graphprune.feeds.flow import every_node
from graphprune.ir import label
from graphprune.symbols.expression import Expr, number
from graphprune.symbols.facts import Facts

Value = Callable[[Expr], int]


@dataclass(frozen=True)
class Condition:
    """A condition on sizes.

    Attributes:
        text: what is wrong where it is not met.
        sizes: that it depends on.
        misses: how many parts of the operator are not exercised at these sizes.
    """

    text: str
    sizes: tuple[Expr, ...]
    misses: Callable[[Sequence[int]], int]


def conditions(graph: gs.Graph, facts: Facts) -> list[Condition]:
    """Return what the sizes of `graph` must meet; operators whose shapes are not known ask for nothing."""
    return [each for node in every_node(graph) for each in _conditions(node, facts)]


def violations(asked: Sequence[Condition], value: Value) -> tuple[int, tuple[str, ...]]:
    """Return how much is not exercised where `value` gives the sizes, and what, in the order of the graph."""
    total, texts = 0, dict[str, None]()
    for condition in asked:
        try:
            misses = condition.misses([value(size) for size in condition.sizes])
        except (KeyError, ZeroDivisionError):
            continue
        if misses:
            total += misses
            texts[condition.text] = None
    return total, tuple(texts)


def dead_taps(size: int, out: int, kernel: int, stride: int, dilation: int, before: int) -> int:
    """Return how many taps of a kernel lie on padding at every position along one axis.

    >>> dead_taps(size=1, out=1, kernel=3, stride=2, dilation=1, before=1)
    2
    >>> dead_taps(size=2, out=2, kernel=3, stride=1, dilation=1, before=1)
    0
    """
    dead = 0
    for tap in range(kernel):
        start = tap * dilation - before
        first = max(0, -(start // stride))
        last = min(out - 1, (size - 1 - start) // stride)
        dead += first > last
    return dead


def _conditions(node: gs.Node, facts: Facts) -> Iterator[Condition]:
    if node.op in _WINDOWS:
        yield from _windows(node, facts)
    elif node.op in _ALONG:
        yield from _along(node, facts)


_WINDOWS: Mapping[str, tuple[int, int | None]] = {
    "Conv": (0, 1),
    "ConvInteger": (0, 1),
    "ConvTranspose": (0, 1),
    "FusedConv": (0, 1),
    "NhwcConv": (0, 1),
    "QLinearConv": (0, 3),
    "AveragePool": (0, None),
    "LpPool": (0, None),
    "MaxPool": (0, None),
}
"""Operators that slide a window: the operand that they slide it over, and the one that holds its weights."""


def _windows(node: gs.Node, facts: Facts) -> Iterator[Condition]:
    source, weight = _WINDOWS[node.op]
    shape, made = facts.shapes.get(node.inputs[source].name), facts.shapes.get(node.outputs[0].name)
    if shape is None or made is None or len(shape) < 3:
        return
    kernel = _kernel(node, facts, weight)
    if kernel is None or len(kernel) > len(shape) - 2:
        return
    first = 1 if node.op == "NhwcConv" else 2
    steps = _numbers(node, "strides", len(kernel), 1)
    apart = _numbers(node, "dilations", len(kernel), 1)
    pads = _numbers(node, "pads", 2 * len(kernel), 0)
    auto = str(_text(node.attrs.get("auto_pad", "NOTSET")))
    text = f"{label(node)}: taps that never see data"
    for at, taps in enumerate(kernel):
        if taps < 2:
            continue
        geometry = (taps, steps[at], apart[at], pads[at], pads[at + len(kernel)], auto)
        misses = _transposed if node.op == "ConvTranspose" else _slid
        yield Condition(text, (shape[first + at], made[first + at]), _bound(misses, geometry))


def _bound(misses: Callable[..., int], geometry: tuple[Any, ...]) -> Callable[[Sequence[int]], int]:
    return lambda sizes: misses(sizes[0], sizes[1], *geometry)


def _slid(
    size: int, out: int, taps: int, stride: int, dilation: int, before: int, after: int, auto: str
) -> int:
    if auto.startswith("SAME"):
        around = max(0, (out - 1) * stride + (taps - 1) * dilation + 1 - size)
        before = around // 2 if auto == "SAME_UPPER" else around - around // 2
    return dead_taps(size, out, taps, stride, dilation, 0 if auto == "VALID" else before)


def _transposed(
    size: int, out: int, taps: int, stride: int, dilation: int, before: int, after: int, auto: str
) -> int:
    """Count the taps whose results are all cropped: tap t of input i lands on i * stride + t * dilation."""
    if auto.startswith("SAME"):
        around = max(0, (size - 1) * stride + (taps - 1) * dilation + 1 - out)
        before = around // 2 if auto == "SAME_UPPER" else around - around // 2
    dead = 0
    for tap in range(taps):
        start = tap * dilation - before
        first = max(0, -(start // stride))
        dead += first > min(size - 1, (out - 1 - start) // stride)
    return dead


def _kernel(node: gs.Node, facts: Facts, weight: int | None) -> list[int] | None:
    if "kernel_shape" in node.attrs:
        return [int(size) for size in node.attrs["kernel_shape"]]
    shape = facts.shapes.get(node.inputs[weight].name) if weight is not None else None
    if shape is None or not all(size.is_number for size in shape):
        return None
    spatial = shape[1:-1] if node.op == "NhwcConv" else shape[2:]
    return [size.as_int() for size in spatial]


def _numbers(node: gs.Node, name: str, count: int, default: int) -> list[int]:
    given = [int(item) for item in node.attrs.get(name) or ()]
    return given if len(given) == count else [default] * count


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_ONE_AXIS = {"Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "LpNormalization": -1, "ArgMax": 0, "ArgMin": 0}
_FROM_AXIS = {
    "LayerNormalization": -1,
    "RMSNormalization": -1,
    "SimplifiedLayerNormalization": -1,
    "SkipLayerNormalization": -1,
    "SkipSimplifiedLayerNormalization": -1,
}
_SPATIAL = frozenset(["InstanceNormalization", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
_REDUCES = frozenset(
    ["ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSumSquare"]
)
_RECURRENT = frozenset(["GRU", "LSTM", "RNN", "DynamicQuantizeLSTM"])
_ALONG = frozenset([*_ONE_AXIS, *_FROM_AXIS, *_SPATIAL, *_REDUCES, *_RECURRENT, "GroupNormalization"])


def _along(node: gs.Node, facts: Facts) -> Iterator[Condition]:
    shape = facts.shapes.get(node.inputs[0].name)
    if not shape:
        return
    chosen = [size for size in _chosen(node, shape, facts) if size != number(1) or len(shape) == 1]
    kind = "sequence" if node.op in _RECURRENT else "elements"
    text = f"{label(node)}: one of the {kind} that it works along"
    if chosen or node.op in _ONE_AXIS or node.op in _SPATIAL:
        yield Condition(text, tuple(chosen), lambda sizes: int(prod(sizes) < 2))


def _chosen(node: gs.Node, shape: Sequence[Expr], facts: Facts) -> Sequence[Expr]:
    """Return the sizes of the axes that an operator sums, compares or normalises along."""
    rank = len(shape)
    if node.op in _ONE_AXIS:
        axis = int(node.attrs.get("axis", _ONE_AXIS[node.op]))
        return shape[axis % rank :][:1]
    if node.op in _FROM_AXIS:
        return shape[int(node.attrs.get("axis", -1)) % rank :]
    if node.op in _REDUCES:
        axes = _axes(node, facts)
        return list(shape) if not axes else [shape[axis % rank] for axis in axes if -rank <= axis < rank]
    if node.op in _RECURRENT:
        return shape[int(node.attrs.get("layout", 0)) :][:1]
    if node.op == "GroupNormalization":
        channels = shape[1]
        groups = int(node.attrs.get("num_groups", 1))
        each = number(channels.as_int() // max(groups, 1)) if channels.is_number else channels
        return [each, *shape[2:]]
    return shape[2:]


def _axes(node: gs.Node, facts: Facts) -> list[int]:
    if "axes" in node.attrs:
        return [int(axis) for axis in node.attrs["axes"]]
    if len(node.inputs) > 1 and node.inputs[1].name in facts.values:
        return [axis.as_int() for axis in facts.values[node.inputs[1].name].reshape(-1) if axis.is_number]
    return []
