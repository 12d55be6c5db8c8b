"""Evaluation of the small tensors with which exporters compute shapes: Shape, Gather, Concat, Mul ...

Only tensors of at most `LIMIT` elements are evaluated. The most frequent operators stand in a table of
numpy functions, since a decoder has thousands of them; the rest goes through onnx's reference evaluator.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.ir import is_default_domain, node_proto, read, shape_of, subgraphs

Array = NDArray[Any]
LIMIT = 4096


def _axes(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> tuple[int, ...] | None:
    if len(arrays) > 1 and arrays[1] is not None:
        return tuple(int(axis) for axis in arrays[1].reshape(-1))
    return tuple(attrs["axes"]) if "axes" in attrs else None


def _integers(arrays: Sequence[Array | None], index: int) -> list[int] | None:
    array = arrays[index] if index < len(arrays) else None
    return None if array is None else [int(item) for item in array.reshape(-1)]


def _slice(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> Array:
    data = arrays[0]
    assert data is not None
    starts: list[int] = attrs.get("starts") or _integers(arrays, 1) or []
    ends: list[int] = attrs.get("ends") or _integers(arrays, 2) or []
    axes: list[int] = attrs.get("axes") or _integers(arrays, 3) or list(range(len(starts)))
    steps = _integers(arrays, 4) or [1] * len(starts)
    picks: list[slice] = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        past_front = step < 0 and end < -data.shape[axis]
        picks[axis] = slice(start, None if past_front else end, step)
    return data[tuple(picks)]


def _reshape(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> Array:
    data, target = arrays[0], arrays[1]
    assert data is not None and target is not None
    sizes = [int(size) for size in target]
    if not attrs.get("allowzero"):
        sizes = [data.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    return data.reshape(sizes)


def _unsqueeze(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> Array:
    data, axes = arrays[0], _axes(arrays, attrs)
    assert data is not None and axes is not None
    return np.expand_dims(data, axes)


def _squeeze(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> Array:
    data = arrays[0]
    assert data is not None
    return np.squeeze(data, _axes(arrays, attrs))


def _cast(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> Array:
    data = arrays[0]
    assert data is not None
    to = attrs["to"]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(to) if isinstance(to, int) else np.dtype(to)
    return data.astype(dtype)


def _constant_of_shape(arrays: Sequence[Array | None], attrs: dict[str, Any]) -> Array:
    shape = arrays[0]
    assert shape is not None
    if np.prod(shape.astype(np.float64)) > LIMIT:
        raise OverflowError
    value = attrs.get("value")
    fill = np.zeros(1, np.float32) if value is None else np.asarray(value.values).reshape(-1)
    return np.full(tuple(int(size) for size in shape), fill[0], fill.dtype)


def _divide(arrays: Sequence[Array | None], _: dict[str, Any]) -> Array:
    a, b = arrays[0], arrays[1]
    assert a is not None and b is not None
    if a.dtype.kind in "iu":
        toward_zero = np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))  # as C rounds
        return np.asarray(toward_zero, dtype=a.dtype)
    return np.asarray(a / b)


def _range(arrays: Sequence[Array | None], _: dict[str, Any]) -> Array:
    start, limit, step = (np.asarray(array).reshape(-1)[0] for array in arrays[:3])
    if (limit - start) / step > LIMIT:
        raise OverflowError
    return np.arange(start, limit, step, dtype=np.asarray(arrays[0]).dtype)


def _expand(arrays: Sequence[Array | None], _: dict[str, Any]) -> Array:
    data, shape = arrays[0], arrays[1]
    assert data is not None and shape is not None
    target = np.broadcast_shapes(data.shape, tuple(int(size) for size in shape))
    if np.prod(target, dtype=np.float64) > LIMIT:
        raise OverflowError
    return np.broadcast_to(data, target)


def _numpy(function: Callable[..., Any]) -> Callable[[Sequence[Array | None], dict[str, Any]], Array]:
    return lambda arrays, _: np.asarray(function(*arrays))


_TABLE: dict[str, Callable[[Sequence[Array | None], dict[str, Any]], Array]] = {
    "Add": _numpy(np.add),
    "And": _numpy(np.logical_and),
    "Cast": _cast,
    "Ceil": _numpy(np.ceil),
    "Concat": lambda arrays, attrs: np.concatenate([a for a in arrays if a is not None], attrs["axis"]),
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Equal": _numpy(np.equal),
    "Expand": _expand,
    "Floor": _numpy(np.floor),
    "Gather": lambda arrays, attrs: np.take(
        np.asarray(arrays[0]), np.asarray(arrays[1]), axis=attrs.get("axis", 0)
    ),
    "Greater": _numpy(np.greater),
    "Identity": _numpy(np.asarray),
    "Less": _numpy(np.less),
    "Mul": _numpy(np.multiply),
    "Neg": _numpy(np.negative),
    "NonZero": lambda arrays, _: np.array(np.nonzero(np.asarray(arrays[0])), np.int64),
    "Not": _numpy(np.logical_not),
    "Or": _numpy(np.logical_or),
    "Pow": lambda arrays, _: np.power(np.asarray(arrays[0]), np.asarray(arrays[1])).astype(
        np.asarray(arrays[0]).dtype
    ),
    "Range": _range,
    "Reshape": _reshape,
    "Slice": _slice,
    "Sqrt": _numpy(np.sqrt),
    "Squeeze": _squeeze,
    "Sub": _numpy(np.subtract),
    "Transpose": lambda arrays, attrs: np.transpose(np.asarray(arrays[0]), attrs.get("perm")),
    "Unsqueeze": _unsqueeze,
    "Where": _numpy(np.where),
}
_MOVES = frozenset(["Concat", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"])
_ROUNDS = frozenset(["Add", "Div", "Mul", "Neg", "Sqrt", "Sub"])
EXACT = _MOVES | _ROUNDS
"""Operators whose results are the same in numpy and in ONNX Runtime, to the bit."""
_REFERENCE = frozenset(
    [
        "Abs",
        "Clip",
        "CumSum",
        "Flatten",
        "GatherElements",
        "GatherND",
        "GreaterOrEqual",
        "LessOrEqual",
        "Max",
        "Min",
        "Mod",
        "Pad",
        "Reciprocal",
        "ReduceMax",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Round",
        "ScatterElements",
        "ScatterND",
        "Sign",
        "Split",
        "Tile",
        "Trilu",
        "Xor",
        "OneHot",
        "Log",
        "Exp",
    ]
)


def _is_narrow(array: Array) -> bool:
    return array.dtype.kind != "f" or array.dtype.itemsize < 4


def exactly(node: gs.Node, arrays: Sequence[Array | None]) -> Array | None:
    """Return the result of `node` where numpy's is that of ONNX Runtime to the bit; None elsewhere.

    That is what moves numbers around, and one correctly rounded operation on each. Arrays may have any size.
    """
    moves, rounds = node.op in _MOVES, node.op in _ROUNDS
    known = [array for array in arrays if array is not None]
    if not (moves or rounds) or (rounds and any(_is_narrow(array) for array in known)):
        return None
    try:
        with np.errstate(all="ignore"):
            return np.asarray(_TABLE[node.op](arrays, node.attrs))
    except (ValueError, IndexError, TypeError, OverflowError, KeyError):
        return None


def _padded(arrays: Sequence[Array | None]) -> int:
    """Return at least how many elements a padded tensor has."""
    data, pads = arrays[0], arrays[1] if len(arrays) > 1 else None
    return 0 if data is None or pads is None else data.size + int(pads.astype(object).reshape(-1).sum())


_GROWING: Mapping[str, Callable[[Sequence[Array | None]], int]] = {
    "OneHot": lambda arrays: _times(arrays[0], arrays[1]),
    "Pad": _padded,
    "Tile": lambda arrays: _times(arrays[0], arrays[1]),
}
"""How many elements the operators make, at least, that make many of few."""


def _times(data: Array | None, counts: Array | None) -> int:
    return 0 if data is None or counts is None else data.size * prod(int(c) for c in counts.reshape(-1))


def evaluate(node: gs.Node, arrays: Sequence[Array | None], opset: int) -> list[Array] | None:
    """Return the outputs of `node` for small inputs, or None where it cannot be told."""
    if not is_default_domain(node):
        return None
    try:
        with np.errstate(all="ignore"):
            if node.op in _TABLE:
                result = [np.asarray(_TABLE[node.op](arrays, node.attrs))]
            elif node.op in _REFERENCE:
                if node.op in _GROWING and _GROWING[node.op](arrays) > LIMIT:
                    return None
                result = _reference(node, arrays, opset)
            else:
                return None
    except (ValueError, IndexError, TypeError, OverflowError, KeyError, RuntimeError, ZeroDivisionError):
        return None
    return result if all(array.size <= LIMIT for array in result) else None


def _reference(node: gs.Node, arrays: Sequence[Array | None], opset: int) -> list[Array]:
    from onnx.reference import ReferenceEvaluator

    graph = onnx.helper.make_graph(
        [node_proto(node)],
        "one",
        [
            onnx.helper.make_tensor_value_info(
                tensor.name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for tensor, array in zip(node.inputs, arrays, strict=True)
            if array is not None
        ],
        [onnx.helper.make_empty_tensor_value_info(tensor.name) for tensor in node.outputs],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    feeds = {t.name: a for t, a in zip(node.inputs, arrays, strict=True) if a is not None}
    with warnings.catch_warnings():
        # Of OneHot it takes an array of one element for a number, which older versions of numpy warn of.
        warnings.simplefilter("ignore", DeprecationWarning)
        results: Any = ReferenceEvaluator(model).run(None, feeds)  # pyright: ignore[reportUnknownMemberType]
    return [np.asarray(array) for array in results]


def small_values(
    node: gs.Node, values: Mapping[str, Array], sizes: Mapping[str, tuple[int, ...]], opset: int
) -> list[Array] | None:
    """Return the outputs of `node` where they follow from known sizes and small known values.

    What has bodies is not evaluated.
    """
    if any(True for _ in subgraphs(node)):
        return None
    if node.op in ("Shape", "Size") and is_default_domain(node):
        known = sizes.get(node.inputs[0].name)
        if known is None:
            return None
        if node.op == "Size":
            return [np.array(np.prod(known, dtype=np.int64))]
        return [np.array(known[node.attrs.get("start", 0) : node.attrs.get("end")], dtype=np.int64)]
    if node.op == "Constant" and is_default_domain(node):
        return _constant_node(node)
    arrays: list[Array | None] = []
    for tensor in node.inputs:
        if not tensor.name:
            arrays.append(None)
            continue
        array = values.get(tensor.name)
        if array is None:
            return None
        arrays.append(array)
    return evaluate(node, arrays, opset) if arrays else None


def _constant_node(node: gs.Node) -> list[Array] | None:
    for name, value in node.attrs.items():
        if name == "value" and isinstance(value, gs.Constant):
            small = prod(shape_of(value)) <= LIMIT and is_small_type(value)
            return [read(value)] if small else None
        if name in ("value_int", "value_ints"):
            return [np.array(value, dtype=np.int64)]
        if name in ("value_float", "value_floats"):
            return [np.array(value, dtype=np.float32)]
    return None


def is_small_type(tensor: gs.Constant) -> bool:
    """Whether the values of a constant may matter for shapes: integers, and single floats."""
    kind = np.dtype(tensor.dtype).kind
    return kind in "iub" or (kind == "f" and prod(shape_of(tensor)) <= 8)
