"""What a graph says of its sizes: the shape of every tensor as expressions of the symbols that are free."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune.ir import dimensions
from graphprune.symbols.expression import Expr, number, parse, symbol
from graphprune.symbols.given import Given
from graphprune.symbols.nodes import step
from graphprune.symbols.system import Bound, Conflict, Kind, System, nonnegative
from graphprune.symbols.values import objects
from graphprune.symbols.walk import SMALL, Walk, constants_into, element_type

__all__ = [
    "GIVEN",
    "NOTHING",
    "Bound",
    "Conflict",
    "Facts",
    "Given",
    "Kind",
    "Shape",
    "Sizes",
    "Values",
    "facts",
]

Sizes = tuple[int, ...]
Shape = tuple[Expr, ...]
Values = NDArray[np.object_]
"""An array of `Expr`."""


@dataclass(frozen=True)
class Facts:
    """Sizes and small values of the tensors of a graph, by tensor name.

    Attributes:
        shapes: a tensor of unknown rank is missing.
        values: small integer tensors that are known, one expression an element.
        fixed: the values that hold at all sizes, as numbers: of constants and what follows from them.
        entries: the values that hold symbols, by what operators ask for alone: `values` may take two symbols
            for one because inputs are mostly used so.
        types: onnx element types.
        tops: the greatest entry that an integer tensor may have.
        free: the symbols that a user of the model may choose, after unification.
        solved: every other symbol as an expression of free ones.
        pending: expressions that must be zero and could not be solved for a symbol.
        atmost: what must not be greater than what.
        oneof: of each of these at least one must be zero.
        data: the symbols whose size depends on data.
        inputs: the shapes of graph inputs.
        value_symbols: small integer inputs whose entries are symbols.
        conflicts: what contradicts itself; the model cannot run as it stands.
        names: every symbol of the inputs by its name, solved.
    """

    shapes: Mapping[str, Shape]
    values: Mapping[str, Values]
    types: Mapping[str, int]
    tops: Mapping[str, Expr]
    free: tuple[str, ...]
    solved: Mapping[str, Expr]
    pending: tuple[Expr, ...]
    atmost: tuple[Bound, ...]
    oneof: tuple[tuple[Expr, ...], ...]
    data: frozenset[str]
    inputs: Mapping[str, Shape]
    value_symbols: Mapping[str, tuple[Expr, ...]]
    conflicts: tuple[Conflict, ...]
    fixed: Mapping[str, NDArray[Any]]
    entries: Mapping[str, Values]
    names: Mapping[str, Expr]

    def sizes(self, assignment: Mapping[str, int]) -> dict[str, Sizes]:
        """Return the sizes of all tensors where the free symbols, and those in `data`, are `assignment`.

        A tensor whose size needs a symbol that is not assigned is left out, and so is one whose size divides
        by zero there. Sizes may be negative: then the model does not run at this assignment.
        """
        known: dict[Expr, int] = {}
        found: dict[str, Sizes] = {}
        for name, shape in self.shapes.items():
            try:
                for size in shape:
                    if size not in known:
                        known[size] = size.value(assignment)
            except (KeyError, ZeroDivisionError):
                continue
            found[name] = tuple(known[size] for size in shape)
        return found


NOTHING = Facts({}, {}, {}, {}, (), {}, (), (), (), frozenset(), {}, {}, (), {}, {}, {})
"""The facts of no graph."""


def facts(graph: gs.Graph, given: Given | None = None) -> Facts:
    """Return what `graph` says of its sizes; nothing in it is changed.

    What cannot be told is a symbol that depends on data. What contradicts itself, or what is given, is in
    `conflicts` and does not count.
    """
    walk = Walk(graph, graph.opset)
    names = _names(graph)
    for tensor in graph.inputs:
        if isinstance(tensor, gs.Variable):
            _input(walk, tensor, names)
    _give(walk, graph, given or Given())
    _shapeless(walk, graph)
    constants_into(walk, graph)
    for node in graph.nodes:
        step(walk, node)
    chosen = _of_inputs(walk, graph)
    laws = walk.system.copy()
    for left, right, why in walk.likely:
        walk.system.tentative([(left, right)], why)
    _outputs(walk, graph, names, chosen)
    _batches(walk, graph)
    _families(walk, graph)
    _tables(walk)
    return _finished(walk, graph, laws)


def _names(graph: gs.Graph) -> frozenset[str]:
    """What dimensions of inputs and outputs are called where they are called by one name."""
    dims = (size for tensor in (*graph.inputs, *graph.outputs) for size in dimensions(tensor))
    return frozenset(size for size in dims if isinstance(size, str) and size.isidentifier())


def _input(walk: Walk, tensor: gs.Variable, names: frozenset[str]) -> None:
    """Note the shape of a graph input, and its entries where it holds a few integers."""
    walk.types[tensor.name] = element_type(tensor.dtype)
    if tensor.shape is None:
        return
    shape: list[Expr] = []
    for position, size in enumerate(dimensions(tensor)):
        if isinstance(size, int) and size >= 0:
            shape.append(number(size))
        elif isinstance(size, str) and size not in _NAMELESS:
            expression = parse(size, names)
            for name in sorted(expression.symbols):
                walk.system.name(name, Kind.NAMED)
            shape.append(expression)
        else:
            shape.append(walk.system.name(f"{tensor.name}.{position}", Kind.ANONYMOUS))
    walk.shapes[tensor.name] = tuple(shape)
    if walk.types[tensor.name] not in (TensorProto.INT64, TensorProto.INT32):
        return
    sizes = [size.as_int() for size in shape if size.is_number]
    if len(sizes) == len(shape) and prod(sizes) <= _FEW:
        entries = [walk.system.name(f"val:{tensor.name}[{i}]", Kind.VALUE) for i in range(prod(sizes))]
        walk.values[tensor.name] = objects(entries, sizes)


_NAMELESS = ("", "?", "*", "-1", "None")
_FEW = 8


def _give(walk: Walk, graph: gs.Graph, given: Given) -> None:
    """Note what the user said, before anything else, so that what contradicts it names it."""
    for name, size in given.symbols.items():
        if name in walk.system.kinds:
            walk.system.equal(symbol(name), number(size), f"{GIVEN} {name}={size}")
    for pattern, sizes in given.shapes.items():
        for tensor in graph.inputs:
            shape = walk.shapes.get(tensor.name)
            if not fnmatchcase(tensor.name, pattern) and tensor.name != pattern:
                continue
            text = f"{GIVEN} {pattern}:{'x'.join(map(str, sizes))}"
            if shape is None:
                places = (f"{tensor.name}.{position}" for position in range(len(sizes)))
                shape = tuple(walk.system.name(place, Kind.ANONYMOUS) for place in places)
                walk.shapes[tensor.name] = shape
            for expression, wanted in zip(shape, sizes):
                if wanted >= 0:
                    walk.system.equal(expression, number(wanted), text)


def _shapeless(walk: Walk, graph: gs.Graph) -> None:
    """Give inputs without a shape the sizes that their readers tell, and symbols for the others."""
    if all(tensor.name in walk.shapes for tensor in graph.inputs if isinstance(tensor, gs.Variable)):
        return
    told = walk.told()
    for tensor in graph.inputs:
        if isinstance(tensor, gs.Variable) and tensor.name not in walk.shapes and tensor.name in told:
            walk.shapes[tensor.name] = tuple(
                walk.system.name(f"{tensor.name}.{position}", Kind.ANONYMOUS)
                if size is None
                else number(size)
                for position, size in enumerate(told[tensor.name])
            )


GIVEN = "--shape"
"""How the reasons of what the user gave begin."""


def _of_inputs(walk: Walk, graph: gs.Graph) -> frozenset[str]:
    """The symbols that occur in shapes and values of inputs."""
    found: set[str] = set()
    for tensor in graph.inputs:
        for size in walk.shapes.get(tensor.name, ()) if isinstance(tensor, gs.Variable) else ():
            found |= size.symbols
    return frozenset(found)


def _outputs(walk: Walk, graph: gs.Graph, names: frozenset[str], chosen: frozenset[str]) -> None:
    """Believe the sizes of outputs that are declared in symbols of inputs; other symbols are names only."""
    for tensor in graph.outputs:
        shape = walk.shapes.get(tensor.name)
        if shape is None or tensor.shape is None or len(shape) != len(tensor.shape):
            continue
        for size, declared in zip(shape, dimensions(tensor), strict=True):
            if isinstance(declared, int) and declared > 0:
                walk.system.tentative([(size, number(declared))], f"output '{tensor.name}'")
            elif isinstance(declared, str) and declared not in _NAMELESS:
                wanted = parse(declared, names)
                if wanted.symbols <= chosen:
                    walk.system.tentative([(size, wanted)], f"output '{tensor.name}'")


def _batches(walk: Walk, graph: gs.Graph) -> None:
    """The first axes of all inputs are one batch, unless one input has both symbols."""
    first: Expr | None = None
    shapes = [walk.shapes[t.name] for t in graph.inputs if walk.shapes.get(t.name)]
    for shape in shapes:
        size = walk.system.reduced(shape[0])
        if not _is_free(walk, size):
            continue
        if first is None:
            first = size
            continue
        first = walk.system.reduced(first)
        together = size.symbols | first.symbols
        if size == first or any(together <= _symbols(walk, each) for each in shapes):
            continue
        walk.system.tentative([(first, size)], "the batch of all inputs")


def _symbols(walk: Walk, shape: Shape) -> frozenset[str]:
    return frozenset(name for size in shape for name in walk.system.reduced(size).symbols)


def _families(walk: Walk, graph: gs.Graph) -> None:
    """Inputs whose names differ in numbers, key and value alone have the same sizes."""
    families: dict[tuple[str, int], list[str]] = {}
    for tensor in graph.inputs:
        shape = walk.shapes.get(tensor.name) if isinstance(tensor, gs.Variable) else None
        if shape is not None:
            kind = re.sub(r"\d+|key|value", "#", tensor.name)
            families.setdefault((kind, len(shape)), []).append(tensor.name)
    for (_, rank), members in families.items():
        for name in members[1:]:
            for axis in range(rank):
                one, other = (walk.system.reduced(walk.shapes[each][axis]) for each in (members[0], name))
                if one != other and _is_free(walk, one) and _is_free(walk, other):
                    walk.system.tentative([(one, other)], f"inputs '{members[0]}' and '{name}'")


def _tables(walk: Walk) -> None:
    """Where the rows of what is indexed are free, there are as many as the greatest index says."""
    for bound in list(walk.system.atmost):
        high = walk.system.reduced(bound.high)
        if bound.tensor and _is_free(walk, high):
            walk.system.tentative([(high, bound.low)], bound.node)


def _is_free(walk: Walk, size: Expr) -> bool:
    """Whether a size is a single symbol that a user may choose."""
    kinds = walk.system.kinds
    return any(size == symbol(name) and kinds[name] >= Kind.ANONYMOUS for name in size.symbols)


def _finished(walk: Walk, graph: gs.Graph, laws: System) -> Facts:
    system, every = walk.system, {**walk.within, **walk.values}
    reduced = lru_cache(maxsize=None)(system.reduced)
    shapes = {name: tuple(map(reduced, shape)) for name, shape in walk.shapes.items()}
    values = {
        name: objects([_entry(item, reduced) for item in array.reshape(-1)], array.shape)
        for name, array in walk.values.items()
        if array.size <= SMALL and array.dtype.kind in "iubO"
    }
    inputs = [tensor.name for tensor in graph.inputs if isinstance(tensor, gs.Variable)]
    entries = {name: tuple(values[name].reshape(-1)) for name in inputs if name in values}
    atmost = dict.fromkeys(replace(b, low=reduced(b.low), high=reduced(b.high)) for b in system.atmost)
    free = [n for n, kind in system.kinds.items() if n not in system.solved and kind is not Kind.DATA]
    return Facts(
        shapes=shapes,
        values=values,
        types=walk.types,
        tops={name: reduced(top[0]) for name, top in walk.tops.items() if len(top) == 1},
        free=tuple(free),
        solved=system.solved,
        pending=tuple(each.zero for each in system.pending),
        atmost=tuple(bound for bound in atmost if not _holds(bound)),
        oneof=tuple(dict.fromkeys(tuple(map(reduced, zeros)) for zeros in system.oneof)),
        data=frozenset(name for name, kind in system.kinds.items() if kind is Kind.DATA) - set(system.solved),
        inputs={name: shapes[name] for name in inputs if name in shapes},
        value_symbols=entries,
        conflicts=tuple(system.conflicts),
        fixed={name: array for name, array in every.items() if array.dtype != object},
        entries={
            name: objects([_entry(item, laws.reduced) for item in array.reshape(-1)], array.shape)
            for name, array in every.items()
            if array.dtype == object
        },
        names={n: reduced(symbol(n)) for n, kind in system.kinds.items() if kind >= Kind.ANONYMOUS},
    )


def _entry(item: Any, reduced: Callable[[Expr], Expr]) -> Expr:
    return reduced(item) if isinstance(item, Expr) else number(int(item))


def _holds(bound: Bound) -> bool:
    """Whether a bound holds at all sizes."""
    return nonnegative(bound.high - bound.low)
