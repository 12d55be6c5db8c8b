"""Sizes of outputs from the one-line rule of an operator: dimensions of one name are one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import onnx_graphsurgeon as gs

from graphprune import rules
from graphprune.notation import (
    Dim,
    Factors,
    Name,
    NotationError,
    Operand,
    Parts,
    Rest,
    Rule,
    Size,
    parse,
)
from graphprune.symbols.expression import Expr, floordiv, number
from graphprune.symbols.walk import ONE, Shape, Walk

_PRIMES = (61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157)
_CONTRADICTIONS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def by_row(walk: Walk, node: gs.Node) -> list[Shape | None]:
    """Return the sizes of the outputs as far as the operator's rule tells, and note what it equates."""
    row = rules.row(node)
    if row is None:
        return []
    if row.rule in _ELEMENTWISE:
        return _broadcast(walk, node, str(row.rule))
    try:
        rule = parse(row.rule if isinstance(row.rule, str) else row.rule(_site(walk, node)))
    except (rules.Unruly, NotationError, *_CONTRADICTIONS):
        return []
    shapes = [walk.shape(node, slot) for slot in range(len(node.inputs))]
    if len(shapes) > len(rule.inputs):
        return []
    return _Binding(walk, node, rule).bind(shapes)


_ELEMENTWISE = ("... -> ...", "..., ... -> ...", "..., ..., ... -> ...", "..., - -> ...")
"""Rules that need no reading: most nodes of most graphs have one of them."""


def _broadcast(walk: Walk, node: gs.Node, rule: str) -> list[Shape | None]:
    count = rule.partition("->")[0].count("...")
    shapes = [walk.shape(node, slot) for slot in range(min(count, len(node.inputs)))]
    known = [shape for shape in shapes if shape is not None]
    return [walk.broadcast(known, node)] if known and len(known) == len(shapes) else []


def _site(walk: Walk, node: gs.Node) -> rules.Site:
    """The node with numbers in the place of symbols; a rule's text depends on ranks and fixed sizes only."""
    numbers = _Numbers(walk)

    def sizes(tensor: gs.Tensor) -> tuple[int, ...] | None:
        shape = walk.shapes.get(tensor.name) if tensor.name else None
        return None if shape is None else tuple(map(numbers, shape))

    values = (walk.values.get(tensor.name) if tensor.name else None for tensor in node.inputs)
    return rules.Site(
        node,
        tuple(map(sizes, node.inputs)),
        (None,) * len(node.outputs),
        tuple(None if value is None or value.dtype == object else value for value in values),
        (False,) * len(node.inputs),
        walk.opset,
    )


class _Numbers:
    def __init__(self, walk: Walk) -> None:
        self._walk = walk

    def __call__(self, size: Expr) -> int:
        if size.is_number:
            return size.as_int()
        size = self._walk.system.reduced(size)
        order = list(self._walk.system.kinds)
        return size.value(
            {
                name: _PRIMES[order.index(name) % len(_PRIMES)] if name in self._walk.system.kinds else 61
                for name in size.symbols
            }
        )


class _Binding:
    """The names of one rule with the sizes that they stand for."""

    def __init__(self, walk: Walk, node: gs.Node, rule: Rule) -> None:
        self.walk, self.node, self.rule = walk, node, rule
        self.names: dict[str, Expr] = {}
        self.rest: dict[str, Shape] = {}
        self.fixed: Mapping[str, int] = rule.sizes

    def bind(self, shapes: Sequence[Shape | None]) -> list[Shape | None]:
        pairs: list[tuple[Dim, Expr]] = []
        for operand, shape in zip(self.rule.inputs, shapes):
            if operand is not None and shape is not None:
                pairs += self._pair(operand, shape)
        plain = [(dim, size) for dim, size in pairs if isinstance(dim, Name | Size)]
        made = [(dim, size) for dim, size in pairs if isinstance(dim, Factors | Parts)]
        for dim, size in plain:
            self._meet(dim, size)
        for _ in range(2):  # a product whose one factor another operand tells
            made = [(dim, size) for dim, size in made if not self._meet(dim, size)]
        return [self._built(operand) for operand in self.rule.outputs]

    def _pair(self, operand: tuple[Dim, ...], shape: Shape) -> list[tuple[Dim, Expr]]:
        wild = next((i for i, dim in enumerate(operand) if isinstance(dim, Rest)), None)
        if wild is None:
            return list(zip(operand, shape, strict=True)) if len(operand) == len(shape) else []
        behind = len(operand) - wild - 1
        if len(shape) < wild + behind:
            return []
        middle = shape[wild : len(shape) - behind]
        kind = str(operand[wild])
        if kind == "...":
            known = self.rest.get(kind)
            self.rest[kind] = middle if known is None else self.walk.broadcast([known, middle], self.node)
        elif kind == "*!":
            self.rest[kind] = middle
        ends = zip(operand[wild + 1 :], shape[len(shape) - behind :])
        return [*zip(operand[:wild], shape[:wild]), *ends]

    def _meet(self, dim: Dim, size: Expr) -> bool:
        """Note that `dim` is `size`; False where more than one name in it is open."""
        if isinstance(dim, Size):
            self.walk.equal(size, number(dim.size), self.node)
            return True
        if isinstance(dim, Name):
            self._name(dim.name, size)
            return True
        if not isinstance(dim, Factors | Parts):
            return True
        parts = [self._size(part) for part in dim.dims]
        known = [part for part in parts if part is not None]
        join: Callable[[Expr, Expr], Expr] = _times if isinstance(dim, Factors) else _plus
        total = reduce(join, known, ONE if isinstance(dim, Factors) else number(0))
        unknown = [part for part, found in zip(dim.dims, parts, strict=True) if found is None]
        if not unknown:
            self.walk.equal(size, total, self.node)
            return True
        if len(unknown) > 1 or not isinstance(unknown[0], Name):
            return False
        rest = floordiv(size, total) if isinstance(dim, Factors) else size - total
        if isinstance(dim, Factors):
            self.walk.equal(rest * total, size, self.node)
        self._name(unknown[0].name, self.walk.system.reduced(rest))
        return True

    def _name(self, name: str, size: Expr) -> None:
        known = self.names.get(name)
        if name in self.fixed and size != ONE:
            self.walk.equal(size, number(self.fixed[name]), self.node)
        if known is None or known == ONE:
            self.names[name] = size
        elif size != ONE:
            self.names[name] = self.walk.broadcast([(known,), (size,)], self.node)[0]

    def _size(self, dim: Dim) -> Expr | None:
        if isinstance(dim, Size):
            return number(dim.size)
        if isinstance(dim, Name):
            fixed = self.fixed.get(dim.name)
            return number(fixed) if fixed is not None else self.names.get(dim.name)
        if isinstance(dim, Factors | Parts):
            parts = [self._size(part) for part in dim.dims]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            return reduce(_times if isinstance(dim, Factors) else _plus, known)
        return None

    def _built(self, operand: Operand) -> Shape | None:
        if operand is None:
            return None
        result: list[Expr] = []
        for dim in operand:
            if isinstance(dim, Rest):
                if str(dim) not in self.rest:
                    return None
                result += self.rest[str(dim)]
                continue
            size = self._size(dim)
            if size is None:
                return None
            result.append(size)
        return tuple(result)


def _times(left: Expr, right: Expr) -> Expr:
    return left * right


def _plus(left: Expr, right: Expr) -> Expr:
    return left + right
