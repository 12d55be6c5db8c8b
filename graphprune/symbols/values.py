"""Small integer tensors as expressions: the arithmetic with which exporters compute shapes, done on symbols.

An array of expressions has dtype object. An entry that is not known is a symbol of its own that depends on
data, so that one unknown entry of a shape hides none of the others. What holds no symbol is numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune import evaluate
from graphprune.ir import is_default_domain
from graphprune.symbols.expression import (
    Expr,
    TooLarge,
    equal,
    floordiv,
    maximum,
    minimum,
    mod,
    number,
)
from graphprune.symbols.system import nonnegative
from graphprune.symbols.walk import SMALL, Array, Walk

_MOVES = frozenset(
    [
        *("Add", "Concat", "Expand", "Gather", "Identity", "Mul", "Neg"),
        *("Reshape", "Slice", "Squeeze", "Sub", "Transpose", "Unsqueeze"),
    ]
)
"""Operators that `evaluate` computes on expressions as well as on numbers."""
_FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def value(walk: Walk, node: gs.Node) -> list[Array] | None:
    """Return the values of the outputs of `node` where they are known."""
    if not is_default_domain(node) or not node.outputs:
        return None
    if node.op in ("Shape", "Size"):
        return _sizes(walk, node)
    arrays = [walk.values.get(tensor.name) if tensor.name else None for tensor in node.inputs]
    if node.op == "Constant":
        return evaluate.small_values(node, {}, {}, walk.opset)
    if not arrays or any(array is None and t.name for array, t in zip(arrays, node.inputs, strict=True)):
        filled = _filled(walk, node, arrays) if node.op == "Concat" else None
        if filled is None:
            return None
        arrays = filled
    if all(array is None or array.dtype != object for array in arrays):
        return evaluate.evaluate(node, arrays, walk.opset)
    return _symbolic(walk, node, arrays)


def _sizes(walk: Walk, node: gs.Node) -> list[Array] | None:
    shape = walk.shape(node, 0)
    if shape is None:
        return None
    shape = tuple(map(walk.system.reduced, shape))
    if node.op == "Size":
        return [plain(np.array(reduce(lambda a, b: a * b, shape, number(1)), dtype=object), np.int64)]
    part = shape[node.attrs.get("start", 0) : node.attrs.get("end")]
    return [plain(objects(part, (len(part),)), np.int64)]


def _filled(walk: Walk, node: gs.Node, arrays: Sequence[Array | None]) -> list[Array | None] | None:
    """Put symbols of their own in the place of unknown entries, where others of a Concat are known."""
    found: list[Array | None] = []
    for tensor, array in zip(node.inputs, arrays, strict=True):
        shape = walk.shapes.get(tensor.name, ())
        if array is None:
            if walk.types.get(tensor.name) != TensorProto.INT64 or not all(s.is_number for s in shape):
                return None
            sizes = [size.as_int() for size in shape]
            if len(sizes) != 1 or not 0 < prod(sizes) <= 8:
                return None
            array = objects(walk.fresh(prod(sizes)), sizes)
        found.append(array)
    return found if any(array is not None for array in arrays) else None


def _symbolic(walk: Walk, node: gs.Node, arrays: Sequence[Array | None]) -> list[Array] | None:
    operands = [None if array is None else _expressions(array) for array in arrays]
    if any(operand is None and array is not None for operand, array in zip(operands, arrays, strict=True)):
        return None
    try:
        if node.op in _MOVES:
            mixed = [a if i and node.op in _INDEXED else o for i, (a, o) in enumerate(zip(arrays, operands))]
            results = evaluate.evaluate(node, mixed, walk.opset)
        elif node.op in _TABLE:
            results = _TABLE[node.op](walk, node, [each for each in operands if each is not None])
        else:
            return None
    except (TooLarge, ValueError, TypeError, IndexError, ZeroDivisionError, OverflowError):
        return None
    if results is None or any(result.size > SMALL for result in results):
        return None
    return [plain(np.asarray(result, dtype=object), _dtype(walk, node)) for result in results]


_INDEXED = frozenset(["Expand", "Gather", "Reshape", "Slice", "Squeeze", "Unsqueeze"])
"""Operators whose other operands say places and sizes, which must be numbers."""


def _expressions(array: Array) -> Array | None:
    """The array as expressions; None where it holds fractions."""
    if array.dtype == object:
        return array
    if array.size > SMALL or (array.dtype.kind == "f" and not np.all(array == np.floor(array))):
        return None
    return objects([number(int(item)) for item in array.reshape(-1)], array.shape)


def objects(items: Sequence[Any], sizes: Sequence[int]) -> Array:
    """An array of objects, which numpy would otherwise look into."""
    made = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):
        made[position] = item
    return made.reshape(tuple(sizes))


def plain(array: Array, dtype: Any) -> Array:
    """The array as numbers where it holds no symbol."""
    items = array.reshape(-1)
    if all(item.is_number for item in items):
        return np.array([item.as_int() for item in items], dtype=dtype).reshape(array.shape)
    return array


def _dtype(walk: Walk, node: gs.Node) -> Any:
    if node.op in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Not", "And", "Or"):
        return np.bool_
    element = int(node.attrs["to"]) if node.op == "Cast" else walk.types.get(node.inputs[-1].name, 7)
    if element == TensorProto.BOOL:
        return np.bool_
    if element in _FLOATS:
        return np.float32
    return np.int32 if element == TensorProto.INT32 else np.int64


def _each(function: Callable[..., Expr | None]) -> Callable[[Walk, gs.Node, Sequence[Array]], list[Array]]:
    """Apply a function of entries with broadcasting; what it cannot tell becomes a symbol of its own."""

    def apply(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array]:
        together = np.broadcast_arrays(*arrays)
        if together[0].size > SMALL:
            raise OverflowError
        results: list[Expr] = []
        for items in zip(*(array.reshape(-1) for array in together), strict=True):
            found = function(*(walk.system.reduced(item) for item in items))
            results.append(walk.system.fresh() if found is None else found)
        return [objects(results, together[0].shape)]

    return apply


def _divided(left: Expr, right: Expr) -> Expr | None:
    if nonnegative(-left) and not left.is_number:
        return -floordiv(-left, right)  # integer division rounds towards zero
    return floordiv(left, right)


def _divide(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array] | None:
    is_float = any(walk.types.get(tensor.name) in _FLOATS for tensor in node.inputs)

    def exact(left: Expr, right: Expr) -> Expr | None:
        whole = floordiv(left, right)
        return whole if equal(whole * right, left) else None

    return _each(exact if is_float else _divided)(walk, node, arrays)


def truth(expression: Expr) -> bool | None:
    """Whether an expression of sizes is at least one (True) or below (False), wherever that is certain."""
    if nonnegative(expression - 1):
        return True
    return False if nonnegative(-expression) else None


def _compared(test: Callable[[Expr, Expr], bool | None]) -> Callable[..., list[Array]]:
    def one(left: Expr, right: Expr) -> Expr | None:
        found = test(left, right)
        return None if found is None else number(int(found))

    return _each(one)


def _same(left: Expr, right: Expr) -> bool | None:
    if equal(left, right):
        return True
    apart = truth(left - right) or truth(right - left)
    return False if apart else None


def _where(condition: Expr, yes: Expr, no: Expr) -> Expr | None:
    if condition.is_number:
        return yes if condition.as_int() else no
    return yes if equal(yes, no) else None


def _logic(known: int, result: int) -> Callable[[Expr, Expr], Expr | None]:
    """And (Or): one operand that is false (true) decides; else both must be known."""

    def one(left: Expr, right: Expr) -> Expr | None:
        sides = [side.as_int() for side in (left, right) if side.is_number]
        if known in [int(bool(side)) for side in sides]:
            return number(known)
        return number(result) if len(sides) == 2 else None

    return one


def _cast(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array] | None:
    if int(node.attrs["to"]) != TensorProto.BOOL:
        return [arrays[0]]

    def one(item: Expr) -> Expr | None:
        found = _same(item, number(0))
        return None if found is None else number(int(not found))

    return _each(one)(walk, node, arrays)


def _variadic(function: Callable[[Expr, Expr], Expr]) -> Callable[..., list[Array]]:
    return _each(lambda *items: reduce(function, items))


def _reduced(function: Callable[[Expr, Expr], Expr]) -> Callable[..., list[Array] | None]:
    def apply(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array] | None:
        data = arrays[0]
        if data.ndim > 1 or not data.size:
            return None
        result = objects([reduce(function, data.reshape(-1))], ())
        return [result.reshape((1,) * data.ndim) if node.attrs.get("keepdims", 1) else result]

    return apply


def _range(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array] | None:
    start, limit, step = (array.reshape(-1)[0] for array in arrays)
    count = limit - start
    if not count.is_number or not step.is_number or not 0 <= count.as_int() <= SMALL:
        return None
    items = [start + item for item in range(0, count.as_int(), step.as_int())]
    return [objects(items, (len(items),))]


def _split(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array] | None:
    data = arrays[0]
    if data.ndim != 1:
        return None
    if len(arrays) > 1:
        sizes = [item.as_int() for item in arrays[1].reshape(-1)]
    else:
        sizes = list(node.attrs.get("split") or [])
        each = -(-len(data) // len(node.outputs))
        sizes = sizes or [each] * (len(node.outputs) - 1) + [len(data) - each * (len(node.outputs) - 1)]
    return np.split(data, np.cumsum(sizes)[:-1])


def _tile(walk: Walk, node: gs.Node, arrays: Sequence[Array]) -> list[Array] | None:
    return [np.tile(arrays[0], [item.as_int() for item in arrays[1].reshape(-1)])]


def _whole(item: Expr) -> Expr:
    """Rounding: what is followed here is whole already."""
    return item


def _absolute(item: Expr) -> Expr | None:
    return item if nonnegative(item) else -item if nonnegative(-item) else None


def _not(item: Expr) -> Expr | None:
    return number(1 - item.as_int()) if item.is_number else None


def _power(base: Expr, exponent: Expr) -> Expr | None:
    times = exponent.as_int() if exponent.is_number else 9
    return reduce(lambda a, b: a * b, [base] * times, number(1)) if 0 <= times < 8 else None


_TABLE: dict[str, Callable[[Walk, gs.Node, Sequence[Array]], list[Array] | None]] = {
    "Abs": _each(_absolute),
    "And": _each(_logic(0, 1)),
    "Cast": _cast,
    "Ceil": _each(_whole),
    "Div": _divide,
    "Equal": _compared(_same),
    "Floor": _each(_whole),
    "Greater": _compared(lambda left, right: truth(left - right)),
    "GreaterOrEqual": _compared(lambda left, right: truth(left - right + 1)),
    "Less": _compared(lambda left, right: truth(right - left)),
    "LessOrEqual": _compared(lambda left, right: truth(right - left + 1)),
    "Max": _variadic(maximum),
    "Min": _variadic(minimum),
    "Mod": _each(mod),
    "Not": _each(_not),
    "Or": _each(_logic(1, 0)),
    "Pow": _each(_power),
    "Range": _range,
    "ReduceMax": _reduced(maximum),
    "ReduceMin": _reduced(minimum),
    "ReduceProd": _reduced(lambda left, right: left * right),
    "ReduceSum": _reduced(lambda left, right: left + right),
    "Round": _each(_whole),
    "Split": _split,
    "Tile": _tile,
    "Where": _each(_where),
}
