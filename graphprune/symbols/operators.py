"""Sizes of the outputs of operators that pick, pad, slide over, join or arrange dimensions.

What the notation of the rules cannot say: arithmetic of sizes. Each function returns a shape for each output,
None where it tells none, and notes what the operator asks of its operands: equal sizes, and indices that stay
inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune.symbols import attention
from graphprune.symbols.expression import Expr, floordiv, maximum, minimum, number
from graphprune.symbols.system import nonnegative
from graphprune.symbols.walk import ONE, Operator, Shape, Walk

Shapes = Sequence[Shape | None]
ZERO = number(0)
_END = 2**31 - 1
"""What exporters write for the end of a dimension, or more."""


def _axis(node: gs.Node, rank: int, default: int = 0) -> int:
    axis = int(node.attrs.get("axis", default))
    return axis + rank if axis < 0 else axis


def _integers(node: gs.Node, name: str) -> list[int]:
    given: list[Any] = node.attrs.get(name) or []
    return [int(item) for item in given]


def _product(sizes: Sequence[Expr]) -> Expr:
    return reduce(lambda left, right: left * right, sizes, ONE)


def _same_as(slot: int) -> Operator:
    return lambda walk, node: [walk.shape(node, slot)]


def _whole(data: Sequence[Expr], given: Sequence[Expr], walk: Walk, node: gs.Node) -> Expr:
    """What -1 stands for in a Reshape: the sizes of the operand over the sizes that are given."""
    left = [size for size in map(walk.system.reduced, data) if size != ONE]
    right: list[Expr] = []
    for size in map(walk.system.reduced, given):
        if size in left:
            left.remove(size)
        elif size != ONE:
            right.append(size)
    total, part = _product(left), _product(right)
    size = floordiv(total, part)
    walk.equal(size * part, total, node)
    return walk.system.reduced(size)


def _reshape(walk: Walk, node: gs.Node) -> Shapes:
    data, target = walk.shape(node, 0), walk.listed(node, 1)
    if target is None and not walk.known(node, 1) and node.attrs.get("shape") is not None:
        target = [number(size) for size in _integers(node, "shape")]
    if target is None or data is None:
        form = walk.shape(node, 1)
        known = target is not None and not any(size in (ZERO, number(-1)) for size in target)
        if known and target is not None:
            return [tuple(target)]
        rank = form[0].as_int() if form and form[0].is_number else -1
        return [walk.fresh(rank)] if 0 <= rank < 16 else [None]
    if not node.attrs.get("allowzero"):
        target = [data[i] if size == ZERO and i < len(data) else size for i, size in enumerate(target)]
    if number(-1) not in target:
        left, right = list(data), list(target)
        for size in data:
            if size in right:
                left.remove(size)
                right.remove(size)
        walk.equal(_product(left), _product(right), node)
        return [tuple(target)]
    place = target.index(number(-1))
    target[place] = _whole(data, [*target[:place], *target[place + 1 :]], walk, node)
    return [tuple(target)]


def _flatten(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None]
    axis = int(node.attrs.get("axis", 1))
    axis = axis + len(data) if axis < 0 else axis
    return [(_product(data[:axis]), _product(data[axis:]))]


def _squeeze(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    axes = walk.listed(node, 1)
    if data is None or (len(node.inputs) > 1 and node.inputs[1].name and axes is None):
        return [None]
    gone = [axis.as_int() for axis in axes] if axes is not None else _integers(node, "axes")
    if axes is None and "axes" not in node.attrs:
        gone = [i for i, size in enumerate(data) if walk.system.reduced(size) == ONE]
    places = {axis % len(data) for axis in gone}
    for place in places:
        walk.equal(data[place], ONE, node)
    return [tuple(size for i, size in enumerate(data) if i not in places)]


def _concat(walk: Walk, node: gs.Node) -> Shapes:
    found = [walk.shape(node, slot) for slot in range(len(node.inputs))]
    shapes = [shape for shape in found if shape is not None]
    if len(shapes) < len(found):
        if not shapes:
            return [None]
        axis = _axis(node, len(shapes[0]))
        return [tuple(walk.system.fresh() if i == axis else s for i, s in enumerate(shapes[0]))]
    axis, rank = _axis(node, len(shapes[0])), len(shapes[0])
    result = list(shapes[0])
    for shape in shapes[1:]:
        for i in range(rank):
            if i == axis:
                result[i] = result[i] + shape[i]
            else:
                walk.equal(result[i], shape[i], node)
                result[i] = shape[i] if shape[i].is_number else result[i]
    return [tuple(result)]


def _split(walk: Walk, node: gs.Node) -> Shapes:
    data, count = walk.shape(node, 0), len(node.outputs)
    if data is None:
        return [None] * count
    axis = _axis(node, len(data))
    whole, parts = walk.system.reduced(data[axis]), walk.listed(node, 1)
    if parts is None and node.attrs.get("split"):
        parts = [number(size) for size in _integers(node, "split")]
    if parts is None and len(node.inputs) > 1 and node.inputs[1].name:
        parts = list(walk.fresh(count))
    elif parts is None:
        each = -floordiv(-whole, number(count))
        parts = [each] * (count - 1) + [whole - each * (count - 1)]
    walk.equal(reduce(lambda left, right: left + right, parts, ZERO), whole, node)
    return [(*data[:axis], part, *data[axis + 1 :]) for part in parts]


def _bound(bound: Expr, size: Expr, walk: Walk, node: gs.Node, axis: int) -> Expr | None:
    """Where a Slice begins or ends, from the front, inside the dimension; None: it depends on data."""
    bound = walk.system.reduced(bound)
    if bound.is_number:
        return _fixed_bound(bound.as_int(), size)
    if walk.by_data(bound):
        return None
    if nonnegative(-bound):
        walk.below(-bound, node, 0, axis)
        return size + bound
    if nonnegative(size - bound):
        return bound
    if nonnegative(bound - size):
        return size
    walk.below(bound, node, 0, axis)
    return bound


def _fixed_bound(bound: int, size: Expr) -> Expr:
    """The same for a number; a dimension has at least one position, so that 1 and -1 are inside."""
    if bound >= _END:
        return size
    if bound < -1:
        return maximum(ZERO, size + bound)
    return size - 1 if bound == -1 else minimum(number(bound), size) if bound > 1 else number(bound)


def _slice(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None]
    old = "starts" in node.attrs
    starts = [number(i) for i in _integers(node, "starts")] if old else walk.listed(node, 1)
    ends = [number(i) for i in _integers(node, "ends")] if old else walk.listed(node, 2)
    count = walk.shape(node, 1)
    length = len(starts) if starts is not None else count[0].as_int() if count and count[0].is_number else 0
    axes = [number(i) for i in _integers(node, "axes")] if old else walk.listed(node, 3)
    has_axes = bool(len(node.inputs) > 3 and node.inputs[3].name) if not old else bool(axes)
    if has_axes and (axes is None or not all(axis.is_number for axis in axes)):
        return [walk.fresh(len(data))]
    places = [axis.as_int() % len(data) for axis in axes or ()] if has_axes else list(range(length))
    steps = walk.listed(node, 4) if len(node.inputs) > 4 and node.inputs[4].name else [ONE] * len(places)
    result = list(data)
    for i, place in enumerate(places):
        if starts is None or ends is None or steps is None or not steps[i].is_number:
            result[place] = walk.system.fresh()
        else:
            result[place] = _length(starts[i], ends[i], steps[i].as_int(), place, data[place], walk, node)
    return [tuple(result)]


def _length(start: Expr, end: Expr, step: int, place: int, size: Expr, walk: Walk, node: gs.Node) -> Expr:
    """How many positions a Slice takes of a dimension of `size`."""
    size = walk.system.reduced(size)
    if size.is_number and start.is_number and end.is_number:
        full = size.as_int()
        stop = end.as_int() if step > 0 or end.as_int() >= -full else None
        return number(len(range(full)[start.as_int() : stop : step]))
    if step < 0:
        from_end = start.is_number and start.as_int() in (-1, 2**63 - 1, 2**31 - 1)
        to_front = end.is_number and end.as_int() <= -(2**31) + 1
        return -floordiv(-size, number(-step)) if from_end and to_front else walk.system.fresh()
    first = _bound(start, size, walk, node, place)
    last = _bound(end, size, walk, node, place)
    if first is None or last is None:
        return walk.system.fresh()
    long = last - first
    if start.is_number and end.is_number and (start.as_int() < 0) != (end.as_int() < 0) and last != size:
        long = long if abs(start.as_int()) < 2 and abs(end.as_int()) < 2 else maximum(ZERO, long)
    return long if step == 1 else -floordiv(-long, number(step))


def _pad(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None]
    given = node.attrs.get("pads", node.attrs.get("paddings"))
    pads = [number(int(i)) for i in given] if given is not None else walk.listed(node, 1)
    has_axes = len(node.inputs) > 3 and bool(node.inputs[3].name)
    axes = walk.listed(node, 3) if has_axes else [number(i) for i in range(len(data))]
    if axes is None:
        return [walk.fresh(len(data))]
    places = [axis.as_int() % len(data) for axis in axes]
    result = list(data)
    for i, place in enumerate(places):
        if pads is None or any(walk.by_data(pads[each]) for each in (i, i + len(places))):
            result[place] = walk.system.fresh()
        else:
            result[place] = data[place] + pads[i] + pads[i + len(places)]
    return [tuple(result)]


def _tile(walk: Walk, node: gs.Node) -> Shapes:
    data, repeats = walk.shape(node, 0), walk.listed(node, 1)
    if data is None:
        return [None]
    if repeats is None or len(repeats) != len(data):
        return [walk.fresh(len(data))]
    return [tuple(size * times for size, times in zip(data, repeats, strict=True))]


def _expand(walk: Walk, node: gs.Node) -> Shapes:
    data, target = walk.shape(node, 0), walk.listed(node, 1)
    if data is None:
        return [None]
    if target is None:
        form = walk.shape(node, 1)
        if not form or not form[0].is_number:
            return [None]
        rank = max(form[0].as_int(), len(data))
        own = (ONE,) * (rank - len(data)) + data
        return [tuple(walk.system.fresh() if size == ONE else size for size in own)]
    return [walk.broadcast([data, tuple(target)], node)]


def _of_shape(walk: Walk, node: gs.Node) -> Shapes:
    sizes = walk.listed(node, 0)
    if sizes is None:
        form = walk.shape(node, 0)
        return [walk.fresh(form[0].as_int()) if form and form[0].is_number else None]
    return [tuple(sizes)]


def _range(walk: Walk, node: gs.Node) -> Shapes:
    parts = [walk.listed(node, slot) for slot in range(3)]
    if any(part is None for part in parts):
        values = [walk.known(node, slot) for slot in range(3)]
        if all(value is not None and value.dtype != object for value in values):
            start, limit, step = (np.asarray(value).reshape(-1)[0] for value in values)
            return [(number(max(0, int(np.ceil((limit - start) / step)))),)]
        return [walk.fresh(1)]
    start, limit, step = (walk.system.reduced(part[0]) for part in parts if part)
    if not step.is_number or not step.as_int() or any(map(walk.by_data, (start, limit))):
        return [walk.fresh(1)]
    count = -floordiv(start - limit, step)
    return [(number(max(0, count.as_int())) if count.is_number else count,)]


def _gather(walk: Walk, node: gs.Node) -> Shapes:
    data, index = walk.shape(node, 0), walk.shape(node, 1)
    if data is None or index is None:
        return [None]
    axis = _axis(node, len(data))
    _inside(walk, node, [axis], 1)
    return [(*data[:axis], *index, *data[axis + 1 :])]


def _inside(walk: Walk, node: gs.Node, axes: Sequence[int], slot: int) -> None:
    """Note that the indices in operand `slot` stay inside the dimensions `axes` of operand 0."""
    top = walk.top(node, slot)
    if top is None:
        return
    for column, axis in enumerate(axes):
        greatest = top[column] if len(top) == len(axes) else top[0] if len(top) == 1 else None
        if greatest is not None and not greatest.is_number:
            walk.below(greatest + 1, node, 0, axis)


def _gather_elements(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is not None and data:
        _inside(walk, node, [_axis(node, len(data))], 1)
    return [walk.shape(node, 1)]


def _gather_nd(walk: Walk, node: gs.Node) -> Shapes:
    data, index = walk.shape(node, 0), walk.shape(node, 1)
    if data is None or not index or not index[-1].is_number:
        return [None]
    batch, depth = int(node.attrs.get("batch_dims", 0)), index[-1].as_int()
    for left, right in zip(data[:batch], index[:batch]):
        walk.equal(left, right, node)
    _inside(walk, node, list(range(batch, batch + depth)), 1)
    return [(*index[:-1], *data[batch + depth :])]


def _scatter_nd(walk: Walk, node: gs.Node) -> Shapes:
    index = walk.shape(node, 1)
    if index and index[-1].is_number:
        _inside(walk, node, list(range(index[-1].as_int())), 1)
    return [walk.shape(node, 0)]


def _top_k(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None, None]
    axis = _axis(node, len(data), -1)
    given = node.attrs.get("k")
    count = [number(int(given))] if given is not None else walk.listed(node, 1)
    size = count[0] if count else walk.system.fresh()
    if count and not size.is_number:
        walk.below(size, node, 0, axis)
    shape = (*data[:axis], size, *data[axis + 1 :])
    return [shape, shape]


def _one_hot(walk: Walk, node: gs.Node) -> Shapes:
    data, depth = walk.shape(node, 0), walk.listed(node, 1)
    if data is None:
        return [None]
    axis = int(node.attrs.get("axis", -1))
    axis = axis + len(data) + 1 if axis < 0 else axis
    return [(*data[:axis], depth[0] if depth else walk.system.fresh(), *data[axis:])]


def _arg(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None]
    axis, keep = _axis(node, len(data)), int(node.attrs.get("keepdims", 1))
    return [(*data[:axis], *((ONE,) if keep else ()), *data[axis + 1 :])]


def _non_zero(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    return [None if data is None else (number(max(1, len(data))), walk.system.fresh())]


def window(size: Expr, kernel: int, stride: int, around: int, ceil: bool, before: int) -> Expr:
    """How often a window of `kernel` positions fits into `size` and `around` of padding.

    Rounded up (`ceil`), a window that would begin behind the data and the padding before it is left out.
    """
    room = size + around - kernel
    if not ceil:
        return floordiv(room, number(stride)) + 1
    return minimum(-floordiv(-room, number(stride)), floordiv(size + before - 1, number(stride))) + 1


def _slid(walk: Walk, node: gs.Node, sizes: Sequence[Expr], kernel: Sequence[int]) -> tuple[Expr, ...]:
    rank = len(sizes)
    strides = _integers(node, "strides") or [1] * rank
    dilations = _integers(node, "dilations") or [1] * rank
    pads = _integers(node, "pads") or [0] * 2 * rank
    auto, ceil = _text(node, "auto_pad", "NOTSET"), bool(node.attrs.get("ceil_mode", 0))
    if auto.startswith("SAME"):
        return tuple(-floordiv(-s, number(stride)) for s, stride in zip(sizes, strides, strict=True))
    if auto == "VALID":
        pads = [0] * 2 * rank
    return tuple(
        window(
            walk.system.reduced(size),
            (kernel[i] - 1) * dilations[i] + 1,
            strides[i],
            pads[i] + pads[i + rank],
            ceil,
            pads[i],
        )
        for i, size in enumerate(sizes)
    )


def _text(node: gs.Node, name: str, default: str) -> str:
    given: Any = node.attrs.get(name, default)
    return given.decode() if isinstance(given, bytes) else str(given)


def _convolution(weight: int) -> Operator:
    def shapes(walk: Walk, node: gs.Node) -> Shapes:
        data, kernel = walk.shape(node, 0), walk.shape(node, weight)
        if data is None or kernel is None:
            return [None]
        sizes = _integers(node, "kernel_shape") or [size.as_int() for size in kernel[2:]]
        return [(data[0], kernel[0], *_slid(walk, node, data[2:], sizes))]

    return shapes


def _pool(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None] * len(node.outputs)
    shape = (*data[:2], *_slid(walk, node, data[2:], _integers(node, "kernel_shape")))
    return [shape] * len(node.outputs)


def _global_pool(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    return [None if data is None else (*data[:2], *[ONE] * (len(data) - 2))]


def _transposed(walk: Walk, node: gs.Node) -> Shapes:
    data, weight = walk.shape(node, 0), walk.shape(node, 1)
    if data is None or weight is None:
        return [None]
    rank = len(data) - 2
    kernel = _integers(node, "kernel_shape") or [size.as_int() for size in weight[2:]]
    strides = _integers(node, "strides") or [1] * rank
    dilations = _integers(node, "dilations") or [1] * rank
    pads = _integers(node, "pads") or [0] * 2 * rank
    extra = _integers(node, "output_padding") or [0] * rank
    given = _integers(node, "output_shape")[-rank:]
    same = _text(node, "auto_pad", "NOTSET").startswith("SAME")
    sizes: list[Expr] = []
    for i, size in enumerate(data[2:]):
        if given:
            sizes.append(number(given[i]))
        elif same:
            sizes.append(size * strides[i])
        else:
            whole = (kernel[i] - 1) * dilations[i] + 1 + extra[i] - pads[i] - pads[i + rank]
            sizes.append((size - 1) * strides[i] + whole)
    channels = weight[1] * int(node.attrs.get("group", 1))
    return [(data[0], channels, *sizes)]


def _resize(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    if data is None:
        return [None]
    if _text(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return [walk.fresh(len(data))]
    axes = [axis % len(data) for axis in _integers(node, "axes")] or list(range(len(data)))
    result = list(data)
    if len(node.inputs) > 3 and node.inputs[3].name:
        sizes = walk.listed(node, 3) or list(walk.fresh(len(axes)))
        for axis, size in zip(axes, sizes, strict=True):
            result[axis] = size
        return [tuple(result)]
    given = node.attrs.get("scales")
    value = walk.known(node, 2 if node.op == "Resize" and walk.opset > 10 else 1)
    scales = given if given is not None else None if value is None else value.reshape(-1)
    for i, axis in enumerate(axes):
        result[axis] = walk.system.fresh() if scales is None else _scaled(data[axis], scales[i], walk)
    return [tuple(result)]


def _scaled(size: Expr, scale: Any, walk: Walk) -> Expr:
    if isinstance(scale, Expr):
        return size * scale
    size = walk.system.reduced(size)
    if size.is_number:
        return number(int(np.floor(np.float32(size.as_int()) * np.float32(scale))))
    ratio = Fraction(float(scale)).limit_denominator(64)
    if np.float32(ratio) != np.float32(scale):
        return walk.system.fresh()
    return floordiv(size * ratio.numerator, number(ratio.denominator))


def _depth_to_space(walk: Walk, node: gs.Node) -> Shapes:
    data, block = walk.shape(node, 0), int(node.attrs.get("blocksize", 1))
    if data is None:
        return [None]
    depth = floordiv(data[1], number(block * block))
    return [(data[0], depth, *(size * block for size in data[2:]))]


def _space_to_depth(walk: Walk, node: gs.Node) -> Shapes:
    data, block = walk.shape(node, 0), int(node.attrs.get("blocksize", 1))
    if data is None:
        return [None]
    return [(data[0], data[1] * (block * block), *(floordiv(size, number(block)) for size in data[2:]))]


def _gemm(walk: Walk, node: gs.Node) -> Shapes:
    left, right, bias = (walk.shape(node, slot) for slot in range(3))
    if left is None or right is None or len(left) != 2 or len(right) != 2:
        return [None]
    (m, k) = reversed(left) if node.attrs.get("transA", 0) else left
    (j, n) = reversed(right) if node.attrs.get("transB", 0) else right
    walk.equal(k, j, node)
    if bias is not None:
        walk.broadcast([(m, n), bias], node)
    return [(m, n)]


def _recurrent(walk: Walk, node: gs.Node) -> Shapes:
    data, weight = walk.shape(node, 0), walk.shape(node, 2)
    if data is None or weight is None or len(data) != 3:
        return [None] * len(node.outputs)
    hidden, first = weight[2], bool(node.attrs.get("layout", 0))
    if first:
        whole, last = (data[0], data[1], weight[0], hidden), (data[0], weight[0], hidden)
    else:
        whole, last = (data[0], weight[0], data[1], hidden), (weight[0], data[1], hidden)
    return [whole, last, last][: len(node.outputs)]


def _grid_sample(walk: Walk, node: gs.Node) -> Shapes:
    data, grid = walk.shape(node, 0), walk.shape(node, 1)
    if data is None or grid is None:
        return [None]
    walk.equal(data[0], grid[0], node)
    return [(*data[:2], *grid[1:-1])]


def _quantised(walk: Walk, node: gs.Node) -> Shapes:
    return [walk.shape(node, 0), (), ()]


TABLE: dict[str, Operator] = {
    "ArgMax": _arg,
    "ArgMin": _arg,
    "AveragePool": _pool,
    "Concat": _concat,
    "ConstantOfShape": _of_shape,
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "ConvTranspose": _transposed,
    "CumProd": _same_as(0),
    "CumSum": _same_as(0),
    "DepthToSpace": _depth_to_space,
    "DynamicQuantizeLinear": _quantised,
    "Expand": _expand,
    "EyeLike": _same_as(0),
    "Flatten": _flatten,
    "FusedConv": _convolution(1),
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "GlobalLpPool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "GridSample": _grid_sample,
    "GRU": _recurrent,
    "LpPool": _pool,
    "LSTM": _recurrent,
    "MaxPool": _pool,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "Pad": _pad,
    "QLinearConv": _convolution(3),
    "RandomNormalLike": _same_as(0),
    "RandomUniformLike": _same_as(0),
    "Range": _range,
    "Reshape": _reshape,
    "Resize": _resize,
    "ReverseSequence": _same_as(0),
    "RNN": _recurrent,
    "ScatterElements": _same_as(0),
    "ScatterND": _scatter_nd,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _top_k,
    "Trilu": _same_as(0),
    "Upsample": _resize,
    **attention.TABLE,
}
BY_ROW = frozenset(
    [
        *("Conv", "ConvInteger", "FusedConv", "QLinearConv", "ConvTranspose", "GRU", "LSTM", "RNN"),
        *("Attention", "RotaryEmbedding", "MultiHeadAttention", "GroupQueryAttention"),
        *("EmbedLayerNormalization", "DepthToSpace", "SpaceToDepth"),
    ]
)
"""Operators of the table whose rule is read as well: it couples channels, heads and batches."""

_BOOLEAN = frozenset(
    ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Not", "And", "Or", "Xor", "IsNaN", "IsInf"]
)
_COUNTS = frozenset(["Shape", "Size", "NonZero", "ArgMax", "ArgMin"])
_TYPE_OF = {"Where": 1, "DequantizeLinear": 1, "OneHot": 2, "CastLike": 1, "EmbedLayerNormalization": 2}


def types(walk: Walk, node: gs.Node) -> list[int]:
    """The element types of the outputs."""
    count = len(node.outputs)
    if node.op == "Cast":
        return [int(node.attrs["to"])]
    if node.op in _BOOLEAN:
        return [int(TensorProto.BOOL)]
    if node.op in _COUNTS:
        return [int(TensorProto.INT64)]
    if node.op == "DynamicQuantizeLinear":
        return [int(TensorProto.UINT8), int(TensorProto.FLOAT), int(TensorProto.UINT8)]
    if node.op in ("MatMulInteger", "ConvInteger"):
        return [int(TensorProto.INT32)]
    slot = _TYPE_OF.get(node.op, 0)
    if node.op == "QuantizeLinear":
        slot = 2
        if len(node.inputs) < 3:
            return [int(node.attrs.get("output_dtype") or TensorProto.UINT8)]
    name = node.inputs[slot].name if slot < len(node.inputs) else ""
    known = walk.types.get(name, int(TensorProto.FLOAT))
    if node.op == "TopK":
        return [known, int(TensorProto.INT64)]
    if node.op in ("ConstantOfShape", "Constant"):
        value = node.attrs.get("value")
        dtype = np.dtype(value.dtype) if isinstance(value, gs.Constant) else np.dtype(np.float32)
        return [_number_of(dtype)]
    return [known] * count


def _number_of(dtype: Any) -> int:
    import onnx

    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))
