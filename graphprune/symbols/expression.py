"""Exact integer expressions over symbols: the sizes, and the values that sizes are computed from.

An expression is a polynomial with integer coefficients over *atoms*: names, and the results of floor, mod,
max and min, which no polynomial can say. Floors and remainders by a number are brought into one form; beyond
that nothing is simplified. Whether two expressions are the same is decided by their form or, where forms
differ, by evaluation (the test of Schwartz and Zippel, with the numbers at which max, min and mod turn among
the points).

>>> s, p = symbol("s"), symbol("p")
>>> str(s + p + s - 3), str(floordiv(s * 4 + 6, number(4)))
('p + 2*s - 3', 's + 1')
>>> equal(floordiv(s - 1, number(2)) + 1, floordiv(s + 1, number(2)))
True
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache, reduce
from typing import NamedTuple, TypeAlias

import numpy as np

LIMIT = 600
"""Names and numbers that one expression may hold."""
POINTS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 100, 129, 130, 4096, 5000)
"""Numbers that stand for symbols when two expressions are compared."""
TRIALS = 24
_DRAWN = np.random.default_rng(20).integers(0, 1 << 30, (4 * TRIALS, 61)).tolist()
_HYPHENATED = re.compile(r"[^\W\d]\w*(-[^\W\d]\w*)+")


class TooLarge(ArithmeticError):
    """The expression would hold more than `LIMIT` names and numbers."""


class Call(NamedTuple):
    """An atom that is no name: `floor` (of left over right), `mod`, `max` or `min` of two expressions."""

    op: str
    left: Expr
    right: Expr


Atom: TypeAlias = "str | Call"
Monomial = tuple[Atom, ...]
"""Atoms that are multiplied, in the order of their texts; empty for the constant."""


class Expr:
    """An immutable expression; equal (`==`) and hashed by its form."""

    __slots__ = ("_hash", "_text", "symbols", "terms", "weight")

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        """Make the sum of the products in `terms`, each times its coefficient, none of them zero.

        Raises:
            TooLarge: it holds too much.
        """
        self.terms: Mapping[Monomial, int] = terms
        self.symbols: frozenset[str] = _NONE
        self.weight = 1
        self._hash: int | None = None
        self._text: str | None = None
        if not terms or (len(terms) == 1 and () in terms):
            return
        weight, names = 1, set[str]()
        for monomial in terms:
            weight += 1
            for atom in monomial:
                if isinstance(atom, str):
                    weight += 1
                    names.add(atom)
                else:
                    weight += atom.left.weight + atom.right.weight
                    names |= atom.left.symbols | atom.right.symbols
        if weight > LIMIT:
            raise TooLarge(f"an expression of {weight} parts")
        self.weight = weight
        self.symbols = frozenset(names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and (self is other or self.terms == other.terms)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __bool__(self) -> bool:
        raise TypeError("an expression is neither true nor false: ask whether it is_number")

    def __add__(self, other: Expr | int) -> Expr:
        return _sum(self, _expr(other), 1)

    def __sub__(self, other: Expr | int) -> Expr:
        return _sum(self, _expr(other), -1)

    def __neg__(self) -> Expr:
        return Expr({monomial: -factor for monomial, factor in self.terms.items()})

    def __mul__(self, other: Expr | int) -> Expr:
        other = _expr(other)
        if not self.symbols and not other.symbols:
            return number(self.as_int() * other.as_int())
        if other.is_number or self.is_number:
            factor, many = (other.as_int(), self) if other.is_number else (self.as_int(), other)
            if factor == 1:
                return many
            return Expr({key: factor * each for key, each in many.terms.items()} if factor else {})
        if len(self.terms) * len(other.terms) > LIMIT:
            raise TooLarge("the product of two long sums")
        terms: dict[Monomial, int] = {}
        for left, first in self.terms.items():
            for right, second in other.terms.items():
                key = tuple(sorted((*left, *right), key=_order))
                terms[key] = terms.get(key, 0) + first * second
        return Expr({key: factor for key, factor in terms.items() if factor})

    def __radd__(self, other: int) -> Expr:
        return self + other

    def __rsub__(self, other: int) -> Expr:
        return _expr(other) - self

    def __rmul__(self, other: int) -> Expr:
        return self * other

    @property
    def is_number(self) -> bool:
        return not self.symbols

    def as_int(self) -> int:
        """The number that it is. Raises `ValueError` where it holds symbols."""
        if self.symbols:
            raise ValueError(f"{self} is no number")
        return self.terms.get((), 0)

    def substitute(self, known: Mapping[str, Expr]) -> Expr:
        """Put expressions in the place of symbols, all at once.

        >>> str(parse("s + 2*floor(s/3)").substitute({"s": symbol("h") * 3}))
        '5*h'
        """
        if self.symbols.isdisjoint(known):
            return self
        return _fold(self, lambda name: known[name] if name in known else symbol(name), known)

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number that it is where symbols are `sizes`.

        Raises:
            KeyError: the size of one is missing.
            ZeroDivisionError: it divides by zero there.
        """
        total = 0
        for monomial, factor in self.terms.items():
            for atom in monomial:
                if isinstance(atom, str):
                    factor *= sizes[atom]
                else:
                    factor *= _NUMBERS[atom.op](atom.left.value(sizes), atom.right.value(sizes))
            total += factor
        return total

    def __str__(self) -> str:
        if self._text is None:
            parts = sorted(self.terms.items(), key=lambda each: (not each[0], *map(_order, each[0])))
            texts = [_term(monomial, factor) for monomial, factor in parts] or ["0"]
            self._text = " + ".join(texts).replace("+ -", "- ")
        return self._text

    def __repr__(self) -> str:
        return f"Expr({self})"


_NONE: frozenset[str] = frozenset()
_NUMBERS: Mapping[str, Callable[[int, int], int]] = {
    "floor": lambda left, right: left // right,
    "mod": lambda left, right: left % right,
    "max": max,
    "min": min,
}


@lru_cache(maxsize=1 << 14)
def number(value: int) -> Expr:
    """The expression that is `value`."""
    return Expr({(): value} if value else {})


@lru_cache(maxsize=1 << 14)
def symbol(name: str) -> Expr:
    """The expression that is one symbol."""
    return Expr({(name,): 1})


def floordiv(left: Expr, right: Expr) -> Expr:
    """`left` over `right`, rounded down; exact where `right` is one product that divides every term.

    Raises:
        ZeroDivisionError: `right` is zero.
    """
    if right.is_number:
        by = right.as_int()
        if by == 0:
            raise ZeroDivisionError(f"{left} over 0")
        if by < 0:
            return floordiv(-left, -right)
        if not left.symbols:
            return number(left.as_int() // by)
        whole = {key: factor // by for key, factor in left.terms.items() if factor // by}
        rest = {key: factor % by for key, factor in left.terms.items() if factor % by}
        if not rest or (len(rest) == 1 and () in rest):
            return Expr(whole)
        return Expr(whole) + Expr({(Call("floor", Expr(rest), right),): 1})
    exact = _divided(left, right)
    return exact if exact is not None else Expr({(Call("floor", left, right),): 1})


def mod(left: Expr, right: Expr) -> Expr:
    """What is left of `left` when `right` is taken from it as often as it fits; it has the sign of `right`.

    >>> str(mod(symbol("s") * 4 + 7, number(4))), str(mod(symbol("s") * 3, number(2)))
    ('3', '(s % 2)')
    """
    if right.is_number and right.as_int() > 0:
        by = right.as_int()
        rest = Expr({key: factor % by for key, factor in left.terms.items() if factor % by})
        return rest if rest.is_number else Expr({(Call("mod", rest, right),): 1})
    if left.is_number and right.is_number:
        return number(left.as_int() % right.as_int())
    return Expr({(Call("mod", left, right),): 1})


def maximum(left: Expr, right: Expr) -> Expr:
    """The greater of two; the one where their difference is a number."""
    return _extreme("max", left, right)


def minimum(left: Expr, right: Expr) -> Expr:
    """The lesser of two; the one where their difference is a number."""
    return _extreme("min", left, right)


def equal(left: Expr, right: Expr) -> bool:
    """Whether two expressions are the same number wherever symbols are sizes."""
    difference = left - right
    if difference.is_number:
        return difference.as_int() == 0
    if not any(isinstance(atom, Call) for key in difference.terms for atom in key):
        return False
    tried = False
    for sizes in _assignments(difference):
        try:
            if difference.value(sizes):
                return False
        except ZeroDivisionError:
            continue
        tried = True
    return tried


def parse(text: str, names: Collection[str] = ()) -> Expr:
    """Read the text of a dimension.

    Arithmetic is read (`+ - * / // % **`, `Max`, `Min`, `Mod`, `floor`, `ceiling`; `/` rounds down).
    Everything else is one name, and so is `batch-size`, unless all its parts are in `names`: what dimensions
    are called elsewhere.

    >>> [str(parse(text)) for text in ("Max(0, s1) + 1", "2*floor(x/2)", "batch-size", "unk 7", "a[0]")]
    ['max(0, s1) + 1', '2*(x//2)', 'batch-size', 'unk 7', 'a[0]']
    >>> str(parse("total-past", {"total", "past"}))
    '-past + total'
    """
    if _HYPHENATED.fullmatch(text) and not set(text.split("-")) <= set(names):
        return symbol(text)
    try:
        found = _read(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ArithmeticError, RecursionError, MemoryError):
        return symbol(text)
    return symbol(text) if found.is_number else found


def calls(expression: Expr) -> Iterator[Call]:
    """Yield the atoms that are no names, outer ones first; those within others as well."""
    for monomial in expression.terms:
        for atom in monomial:
            if isinstance(atom, Call):
                yield atom
                yield from calls(atom.left)
                yield from calls(atom.right)


def constants(expression: Expr) -> frozenset[int]:
    """Return the numbers at which a max, a min, a floor or a mod in the expression may turn.

    >>> sorted(constants(parse("Max(0, s - 4095) + 7")))
    [0, 4095]
    """
    return frozenset(
        abs(part.terms.get((), 0))
        for call in calls(expression)
        for part in (call.left, call.right, call.left - call.right)
    )


_SIGNS = {"floor": "//", "mod": " % "}


def _expr(value: Expr | int) -> Expr:
    return value if isinstance(value, Expr) else number(value)


def _order(atom: Atom) -> str:
    # Names before calls; a call's text alone tells two calls apart.
    return atom if isinstance(atom, str) else f"\uffff{_atom(atom)}"


def _atom(atom: Atom) -> str:
    if isinstance(atom, str):
        return atom
    sign = _SIGNS.get(atom.op)
    if sign is None:
        return f"{atom.op}({atom.left}, {atom.right})"
    left = f"({atom.left})" if len(atom.left.terms) > 1 else str(atom.left)
    right = str(atom.right) if atom.right.is_number else f"({atom.right})"
    return f"({left}{sign}{right})"


def _term(monomial: Monomial, factor: int) -> str:
    product = "*".join(map(_atom, monomial))
    if not product:
        return str(factor)
    return product if factor == 1 else f"-{product}" if factor == -1 else f"{factor}*{product}"


def _sum(left: Expr, right: Expr, sign: int) -> Expr:
    if left.is_number and right.is_number:
        return number(left.as_int() + sign * right.as_int())
    terms = dict(left.terms)
    for key, factor in right.terms.items():
        total = terms.get(key, 0) + sign * factor
        if total:
            terms[key] = total
        else:
            del terms[key]
    return Expr(terms)


def _divided(left: Expr, right: Expr) -> Expr | None:
    """`left` over a `right` that is one product, where it divides every term; over itself it is 1."""
    if left == right:
        return number(1)
    if len(right.terms) != 1:
        return None
    ((divisor, by),) = right.terms.items()
    terms: dict[Monomial, int] = {}
    for monomial, factor in left.terms.items():
        atoms = list(monomial)
        for atom in divisor:
            if atom not in atoms:
                return None
            atoms.remove(atom)
        if factor % by:
            return None
        terms[tuple(atoms)] = factor // by
    return Expr(terms)


def _extreme(op: str, left: Expr, right: Expr) -> Expr:
    difference = left - right
    if difference.is_number:
        return left if (difference.as_int() >= 0) == (op == "max") else right
    first, second = sorted((left, right), key=lambda each: (not each.is_number, str(each)))
    return Expr({(Call(op, first, second),): 1})


def _fold(expression: Expr, leaf: Callable[[str], Expr], touched: Collection[str]) -> Expr:
    """Compute the expression again with `leaf` for its names; parts without any of `touched` stay."""
    total: Expr = number(0)
    for monomial, factor in expression.terms.items():
        product = number(factor)
        for atom in monomial:
            if isinstance(atom, str):
                product = product * leaf(atom)
            else:
                left, right = (
                    part if part.symbols.isdisjoint(touched) else _fold(part, leaf, touched)
                    for part in (atom.left, atom.right)
                )
                product = product * _OPERATIONS[atom.op](left, right)
        total = total + product
    return total


_OPERATIONS: Mapping[str, Callable[[Expr, Expr], Expr]] = {
    "floor": floordiv,
    "mod": mod,
    "max": maximum,
    "min": minimum,
}


def _assignments(expression: Expr) -> Iterator[dict[str, int]]:
    """Yield numbers for the symbols, fixed ones: small and large, and near where max, min and mod turn."""
    turns = sorted(constants(expression))[:32]
    points = sorted({*POINTS, *(near for turn in turns for near in (turn, turn + 1, 2 * turn + 3))})
    names = sorted(expression.symbols)
    for drawn in _DRAWN[: TRIALS if len(points) <= 2 * len(POINTS) else len(_DRAWN)]:
        yield {name: points[drawn[each % 61] % len(points)] for each, name in enumerate(names)}


def _ceiling(left: Expr, right: Expr) -> Expr:
    return -floordiv(-left, right)


_FUNCTIONS: Mapping[str, Callable[[Expr, Expr], Expr]] = {
    "max": maximum,
    "min": minimum,
    "mod": mod,
    "floordiv": floordiv,
    "ceildiv": _ceiling,
}
_BINARY: Mapping[type[ast.operator], Callable[[Expr, Expr], Expr]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: floordiv,
    ast.FloorDiv: floordiv,
    ast.Mod: mod,
}


def _read(tree: ast.expr) -> Expr:
    """Return the expression of a parsed text. Raises `ValueError` for what is no arithmetic."""
    match tree:
        case ast.Name(name):
            return symbol(name)
        case ast.Constant(int(value)):
            return number(value)
        case ast.UnaryOp(ast.USub(), operand):
            return -_read(operand)
        case ast.BinOp(base, ast.Pow(), ast.Constant(int(power))) if 0 < power < 8:
            return reduce(lambda left, right: left * right, [_read(base)] * power)
        case ast.BinOp(left, operator, right) if type(operator) in _BINARY:
            return _BINARY[type(operator)](_read(left), _read(right))
        case ast.Call(ast.Name(function), [argument], []) if function.lower() == "floor":
            return _read(argument)
        case ast.Call(ast.Name(function), [ast.BinOp(left, ast.Div(), right)], []) if function.lower() in (
            "ceil",
            "ceiling",
        ):
            return _ceiling(_read(left), _read(right))
        case ast.Call(ast.Name(function), [first, *others], []) if function.lower() in _FUNCTIONS:
            return reduce(_FUNCTIONS[function.lower()], map(_read, others), _read(first))
        case _:
            raise ValueError("no arithmetic")
