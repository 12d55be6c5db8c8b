"""What each input of a model is for, told from what the graph does with it, or else from its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from graphprune.feeds.flow import CACHES, PICKS, Edge, Flow, flow, reaches
from graphprune.feeds.inputs import inputs_of
from graphprune.ir import read, shape_of
from graphprune.symbols.expression import Expr, number
from graphprune.symbols.facts import Facts

Kind = Literal["float", "mask", "bias", "ids", "positions", "length", "branch", "whole", "bool", "text"]


@dataclass(frozen=True)
class Role:
    """What an input is for.

    Attributes:
        name: of the input.
        dtype: of its elements.
        kind: `ids` index tables, `positions` count along a sequence, a `mask` says what is seen (not 0), a
            `bias` is added where nothing is to be seen, a `length` follows from the sizes of other inputs,
            a `branch` decides an If; `whole` and `bool` are numbers of which no more is known.
        limit: ids and positions stay below it.
        candidates: the values that decide a branch either way.
        past: the axis along which a cache holds what came before; None where it is no cache.
        value: what every entry of a length must be.
    """

    name: str
    dtype: np.dtype[np.generic]
    kind: Kind
    limit: Expr | None = None
    candidates: tuple[int | float | bool, ...] = ()
    past: int | None = None
    value: Expr | None = None


def roles(graph: gs.Graph, facts: Facts, edges: Flow | None = None) -> dict[str, Role]:
    """Return what each input of `graph` is for."""
    edges = flow(graph) if edges is None else edges
    found: dict[str, Role] = {}
    reached = reaches(graph, edges)
    for tensor in inputs_of(graph):
        dtype = element_type(tensor)
        past = _past_axis(tensor, reached[tensor.name].copied, facts, edges)
        candidates = _branches(tensor, edges, dtype)
        limit = _limit(tensor, facts, edges)
        value = _length(tensor, facts, edges)
        kind = "length" if value is not None else _kind(tensor, dtype, facts, edges, limit, bool(candidates))
        found[tensor.name] = Role(tensor.name, dtype, kind, limit, candidates, past, value)
    return found


def element_type(tensor: gs.Tensor) -> np.dtype[np.generic]:
    """Return the type of the elements of an input as numpy has it."""
    dtype = tensor.dtype if tensor.dtype is not None else np.float32
    return onnx.helper.tensor_dtype_to_np_dtype(dtype) if isinstance(dtype, int) else np.dtype(dtype)


def _kind(
    tensor: gs.Tensor,
    dtype: np.dtype[np.generic],
    facts: Facts,
    edges: Flow,
    limit: Expr | None,
    decides: bool,
) -> Kind:
    rank = len(facts.inputs.get(tensor.name, ()))
    name = tensor.name.lower()
    if dtype.kind in "OSU":
        return "text"
    if decides:
        return "branch"
    if _sizes_follow(tensor.name, facts):
        return "length"
    first = frozenset(_first_readers(tensor, edges))
    if dtype.kind == "b":
        return "mask" if rank > 1 or "mask" in name else "bool"
    if dtype.kind not in "iu":
        if "mask" not in name:
            return "float"
        return "mask" if first & {"Mul", *_ASKED_OF_MASKS} else "bias"
    if rank and "mask" in name:
        return "mask"
    if "position" in name or "pos_ids" in name:
        return "positions"
    if limit is not None:
        return "ids"
    return "mask" if rank > 1 and first & _ASKED_OF_MASKS else "whole"


def _sizes_follow(name: str, facts: Facts) -> bool:
    """Whether the entries of an input are sizes, or follow from sizes."""
    entries = facts.value_symbols.get(name, ())
    if any(
        entry.is_number or not all(each.startswith("val:") for each in entry.symbols) for entry in entries
    ):
        return True
    own = {each for entry in entries for each in entry.symbols}
    asked = (*(size for shape in facts.shapes.values() for size in shape), *facts.pending)
    return bool(own) and any(own & size.symbols for size in asked if not size.is_number)


_ASKED_OF_MASKS = frozenset(
    ["And", "CumSum", "Equal", "Greater", "Less", "Not", "ReduceMax", "ReduceSum", "Sub", "Where"]
)
_CARRIES: Mapping[str, tuple[int, ...] | None] = {**PICKS, "Max": None, "Min": None, "Tile": (0,)}
"""Operators behind which an integer is still the same integer, and where they read it; None: anywhere."""


class _Table(NamedTuple):
    """Where an operator looks up: the operand that is looked up in, and the axis that indices count along."""

    data: int
    axis: int | None


_INDEX: Mapping[tuple[str, int], _Table] = {
    ("EmbedLayerNormalization", 0): _Table(2, 0),
    ("EmbedLayerNormalization", 1): _Table(4, 0),
    ("EmbedLayerNormalization", 7): _Table(3, 0),
    ("Gather", 1): _Table(0, None),
    ("GatherBlockQuantized", 1): _Table(0, None),
    ("GatherElements", 1): _Table(0, None),
    ("ScatterElements", 1): _Table(0, None),
}


def _is_carried(edge: Edge) -> bool:
    if edge.node is None:
        return True
    slots = _CARRIES.get(edge.node.op, ())
    return slots is None or edge.slot in slots


def _first_readers(tensor: gs.Tensor, edges: Flow) -> Iterator[str]:
    """Yield the operators that compute with an input first."""
    seen, todo = {id(tensor)}, [tensor]
    while todo:
        for edge in edges.get(id(todo.pop()), ()):
            if edge.node is not None and not _is_carried(edge):
                yield edge.node.op
                continue
            fresh = [target for target in edge.targets if id(target) not in seen]
            seen.update(map(id, fresh))
            todo += fresh


def _limit(tensor: gs.Tensor, facts: Facts, edges: Flow) -> Expr | None:
    """Return the least number of rows of all tables that a tensor indexes, less what is added on the way."""
    found: list[Expr] = []
    seen, todo = {(id(tensor), 0)}, [(tensor, 0)]
    while todo:
        each, offset = todo.pop()
        for edge in edges.get(id(each), ()):
            rows = _rows(edge, facts)
            if rows is not None:
                found.append(rows - offset)
                continue
            added = 0 if _is_carried(edge) else _added(edge)
            if added is None:
                continue
            for target in edge.targets:
                if (id(target), offset + added) not in seen and len(seen) < _MOST:
                    seen.add((id(target), offset + added))
                    todo.append((target, offset + added))
    numbers = [rows for rows in found if rows.is_number]
    if numbers:
        return min(numbers, key=Expr.as_int)
    return found[0] if found else None


_MOST = 2000
"""Tensors that a value is followed through."""


def _rows(edge: Edge, facts: Facts) -> Expr | None:
    """Return how many rows there are to look up in, where an edge leads to indices."""
    node = edge.node
    if node is None:
        return None
    if node.op == "GatherND" and edge.slot == 1:
        shape = _shape(node.inputs[0], facts)
        columns = _shape(node.inputs[1], facts)
        deep = columns[-1].as_int() if columns and columns[-1].is_number else 1
        first = int(node.attrs.get("batch_dims", 0))
        sizes = [] if shape is None else [size for size in shape[first : first + deep] if size.is_number]
        return min(sizes, key=Expr.as_int) if sizes else None
    if node.op == "RotaryEmbedding":
        positions, cache = (1, 2) if node.domain == "com.microsoft" else (3, 1)
        table = _Table(cache, 0) if edge.slot == positions else None
    else:
        table = _INDEX.get((node.op, edge.slot))
    if table is None or table.data >= len(node.inputs):
        return None
    shape = _shape(node.inputs[table.data], facts)
    axis = int(node.attrs.get("axis", 0)) if table.axis is None else table.axis
    return None if shape is None or not -len(shape) <= axis < len(shape) else shape[axis]


def _shape(tensor: gs.Tensor, facts: Facts) -> Sequence[Expr] | None:
    if tensor.name in facts.shapes:
        return facts.shapes[tensor.name]
    return [number(size) for size in shape_of(tensor)] if isinstance(tensor, gs.Constant) else None


def _added(edge: Edge) -> int | None:
    """Return the constant that an operator adds at most, None for an operator that does something else."""
    node = edge.node
    if node is None or node.op not in ("Add", "Sub") or (node.op == "Sub" and edge.slot == 1):
        return None
    other = _constant(node.inputs[1 - edge.slot])
    if other is None or not other.size:
        return None
    return int(other.max()) if node.op == "Add" else -int(other.min())


def _constant(tensor: gs.Tensor) -> np.ndarray | None:
    """Return the values of a small constant."""
    if isinstance(tensor, gs.Constant):
        small = np.prod(shape_of(tensor), dtype=np.float64) <= 64
        return read(tensor) if small else None
    if len(tensor.inputs) == 1 and tensor.inputs[0].op == "Constant":
        value = tensor.inputs[0].attrs.get("value")
        return _constant(value) if isinstance(value, gs.Constant) else None
    return None


_COMPARES = frozenset(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
_DECIDES = frozenset(["And", "Not", "Or", "Xor"])


def _branches(tensor: gs.Tensor, edges: Flow, dtype: np.dtype[np.generic]) -> tuple[int | float | bool, ...]:
    """Return values of an input that decide the Ifs which hang on it either way; none where none does."""
    constants, decides = set[float](), False
    seen, todo = {id(tensor)}, [tensor]
    while todo:
        for edge in edges.get(id(todo.pop()), ()):
            node = edge.node
            if node is not None and node.op == "If" and edge.slot == 0:
                decides = True
                continue
            if node is not None and node.op in _COMPARES:
                other = _constant(node.inputs[1 - edge.slot])
                if other is None:
                    continue
                constants.update(float(value) for value in other.reshape(-1)[:4])
            elif not (_is_carried(edge) or (node is not None and node.op in _DECIDES)):
                continue
            fresh = [target for target in edge.targets if id(target) not in seen]
            seen.update(map(id, fresh))
            todo += fresh
    if not decides:
        return ()
    if dtype.kind == "b":
        return (True, False)
    turns = sorted(constants) or [0.0]
    values = [*turns, turns[-1] + 1, turns[0] - 1]
    if dtype.kind in "iu":
        return tuple(dict.fromkeys(int(value) for value in values if value >= 0 or dtype.kind == "i"))
    return tuple(dict.fromkeys(values))


def _length(tensor: gs.Tensor, facts: Facts, edges: Flow) -> Expr | None:
    """Return how far attention reads the cache of each sample, where an input says that."""
    seen, todo = {id(tensor)}, [tensor]
    while todo:
        each = todo.pop()
        for edge in edges.get(id(each), ()):
            if edge.node is not None and edge.node.op == "GroupQueryAttention" and edge.slot == 5:
                return facts.tops.get(each.name)
            fresh = [target for target in edge.targets if _is_carried(edge) and id(target) not in seen]
            seen.update(map(id, fresh))
            todo += fresh
    return None


def _past_axis(tensor: gs.Variable, copied: frozenset[str], facts: Facts, edges: Flow) -> int | None:
    """Return the axis along which an output holds an input and more, or attention reads a past."""
    shape = facts.inputs.get(tensor.name)
    if shape is None or len(shape) < 3:
        return None
    for edge in edges.get(id(tensor), ()):
        if edge.node is not None and edge.slot in CACHES.get(edge.node.op, ()):
            return len(shape) - 2
    for name in sorted(copied):
        other = facts.shapes.get(name)
        if other is not None and len(other) == len(shape):
            differ = [axis for axis, (a, b) in enumerate(zip(shape, other, strict=True)) if a != b]
            if len(differ) == 1:
                return differ[0]
    return None
