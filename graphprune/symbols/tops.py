"""The greatest entries of integer tensors: what bounds the indices that a graph computes for itself.

A table that is read at positions made by Range, or by a running count over a mask, must have as many rows as
the greatest of them says. One expression an array, or one for each column of the last axis.
"""

from __future__ import annotations

from collections.abc import Callable

import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune.ir import is_default_domain
from graphprune.symbols.expression import Expr, maximum, minimum, number
from graphprune.symbols.system import nonnegative
from graphprune.symbols.walk import Top, Walk

_INTEGERS = (TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


def top(walk: Walk, node: gs.Node) -> Top | None:
    """Return the greatest entry of the first output of `node` where it can be told."""
    if not is_default_domain(node) or node.op not in _TABLE:
        return None
    if walk.types.get(node.outputs[0].name) not in _INTEGERS:
        return None
    return _TABLE[node.op](walk, node)


def _first(walk: Walk, node: gs.Node) -> Top | None:
    return walk.top(node, 0)


def _columns(walk: Walk, node: gs.Node) -> Top | None:
    """What keeps the last axis keeps the columns; elsewhere the greatest of them counts."""
    found = walk.top(node, 0)
    before, after = walk.shape(node, 0), walk.shapes.get(node.outputs[0].name)
    if found is None or len(found) == 1 or (before and after and before[-1] == after[-1]):
        return found
    return None


def _range(walk: Walk, node: gs.Node) -> Top | None:
    limit, step = walk.listed(node, 1), walk.listed(node, 2)
    if not limit or not step or not step[0].is_number or step[0].as_int() != 1:
        return None
    return (walk.system.reduced(limit[0]) - 1,)


def _pair(function: Callable[[Expr, Expr], Expr | None]) -> Callable[[Walk, gs.Node], Top | None]:
    def combine(walk: Walk, node: gs.Node) -> Top | None:
        left, right = walk.top(node, 0), walk.top(node, 1)
        if left is None or right is None or 1 not in (len(left), len(right)):
            return None
        if len(left) == 1:
            left = left * len(right)
        if len(right) == 1:
            right = right * len(left)
        found = [function(a, b) for a, b in zip(left, right, strict=True)]
        known = [each for each in found if each is not None]
        return tuple(known) if len(known) == len(found) else None

    return combine


def _sub(walk: Walk, node: gs.Node) -> Top | None:
    right = walk.listed(node, 1)
    left = walk.top(node, 0)
    if left is None or not right or len(set(right)) != 1:
        return None
    return tuple(each - right[0] for each in left)


def _times(left: Expr, right: Expr) -> Expr | None:
    return left * right if nonnegative(left) and nonnegative(right) else None


def _concat(walk: Walk, node: gs.Node) -> Top | None:
    shape = walk.shapes.get(node.outputs[0].name)
    found = [walk.top(node, slot) for slot in range(len(node.inputs))]
    if not shape or any(each is None for each in found):
        return None
    tops = [each for each in found if each is not None]
    if int(node.attrs["axis"]) not in (-1, len(shape) - 1) or len(shape) == 1:
        return tops[0] if all(each == tops[0] for each in tops) else None
    columns: list[Expr] = []
    for slot, each in enumerate(tops):
        width = (walk.shape(node, slot) or (number(0),))[-1]
        if not width.is_number or width.as_int() > 8 or len(each) not in (1, width.as_int()):
            return None
        columns += each * width.as_int() if len(each) == 1 else each
    return tuple(columns)


def _count(walk: Walk, node: gs.Node) -> Top | None:
    """A running count over a mask of zeros and ones is at most as long as the axis."""
    axis = walk.listed(node, 1)
    shape = walk.shape(node, 0)
    one = walk.top(node, 0)
    if not axis or not shape or not axis[0].is_number or (one is not None and one != (number(1),)):
        return None
    walk.tops.setdefault(node.inputs[0].name, (number(1),))  # the count is often masked by what it counts
    return (shape[axis[0].as_int()],)


def _sum(walk: Walk, node: gs.Node) -> Top | None:
    """The sum of a mask along one axis."""
    axes = walk.listed(node, 1)
    given = [axis.as_int() for axis in axes or () if axis.is_number] or list(node.attrs.get("axes") or [])
    shape, one = walk.shape(node, 0), walk.top(node, 0)
    if len(given) != 1 or not shape or (one is not None and one != (number(1),)):
        return None
    return (shape[given[0]],)


def _mod(walk: Walk, node: gs.Node) -> Top | None:
    by = walk.listed(node, 1)
    return (by[0] - 1,) if by and len(set(by)) == 1 and nonnegative(by[0] - 1) else None


def _where(walk: Walk, node: gs.Node) -> Top | None:
    left, right = walk.top(node, 1), walk.top(node, 2)
    if left is None or right is None or len(left) != 1 or len(right) != 1:
        return None
    return (left[0],) if left == right else (maximum(left[0], right[0]),)


def _last(walk: Walk, node: gs.Node) -> Top | None:
    shape = walk.shape(node, 0)
    return (shape[int(node.attrs.get("axis", 0))] - 1,) if shape else None


def _clip(walk: Walk, node: gs.Node) -> Top | None:
    own, limit = walk.top(node, 0), walk.listed(node, 2)
    if own is None or len(own) != 1:
        return (limit[0],) if limit else None
    return (minimum(own[0], limit[0]),) if limit else own


def _boolean(walk: Walk, node: gs.Node) -> Top | None:
    return (number(1),)


def _filled(walk: Walk, node: gs.Node) -> Top | None:
    value = node.attrs.get("value")
    return (number(0 if value is None else int(value.values.reshape(-1)[0])),)


_TABLE: dict[str, Callable[[Walk, gs.Node], Top | None]] = {
    "Add": _pair(lambda left, right: left + right),
    "And": _boolean,
    "ArgMax": _last,
    "ArgMin": _last,
    "Cast": _columns,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "CumSum": _count,
    "Equal": _boolean,
    "Expand": _columns,
    "Flatten": _columns,
    "Gather": _columns,
    "Greater": _boolean,
    "GreaterOrEqual": _boolean,
    "Identity": _columns,
    "Less": _boolean,
    "LessOrEqual": _boolean,
    "Max": _pair(maximum),
    "Min": _pair(minimum),
    "Mod": _mod,
    "Mul": _pair(_times),
    "Not": _boolean,
    "Or": _boolean,
    "Range": _range,
    "ReduceMax": _first,
    "ReduceSum": _sum,
    "Reshape": _columns,
    "Slice": _columns,
    "Squeeze": _columns,
    "Sub": _sub,
    "Tile": _columns,
    "Transpose": _columns,
    "Unsqueeze": _columns,
    "Where": _where,
}
