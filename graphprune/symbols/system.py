"""Equations between sizes: symbols are solved for one by one, and what cannot be solved for stays pending.

Gauss' elimination over integer polynomials of which only the linear ones are solved. Which symbol of an
equation goes decides what may be asked for later: sizes that depend on data first, then the one that the
others give without a minus sign (`total = past + new`, so that past and new may be chosen), then entries of
inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import gcd

from graphprune.symbols.expression import (
    Call,
    Expr,
    Monomial,
    TooLarge,
    equal,
    number,
    symbol,
)


class Kind(IntEnum):
    """Where a symbol comes from, in the order in which symbols are solved for."""

    DATA = 0
    OUTPUT = 1
    VALUE = 2
    ANONYMOUS = 3
    NAMED = 4


@dataclass(frozen=True)
class Bound:
    """`low` <= `high`. Where `high` is a number it is a boundary: the rows of a table, the size of a cache.

    Attributes:
        node: the operator and name of the node that asks for it.
        tensor: the name of the tensor whose dimension `dim` is `high`; empty where it is no single dimension.
    """

    low: Expr
    high: Expr
    node: str
    tensor: str
    dim: int


@dataclass(frozen=True)
class Conflict:
    """`left` must be `right` and cannot; `here` and `there` say what asks for each."""

    left: Expr
    right: Expr
    here: str
    there: str


@dataclass(frozen=True)
class Pending:
    """An expression that must be zero, and who asks for it."""

    zero: Expr
    why: str


@dataclass
class System:
    """What is known of symbols so far.

    Attributes:
        kinds: every symbol, in the order in which they came up.
        solved: symbols as expressions of those that are not solved; no expression here holds a solved one.
        reasons: who asked for each solved symbol.
    """

    kinds: dict[str, Kind] = field(default_factory=dict[str, Kind])
    solved: dict[str, Expr] = field(default_factory=dict[str, Expr])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    pending: list[Pending] = field(default_factory=list[Pending])
    atmost: list[Bound] = field(default_factory=list[Bound])
    oneof: list[tuple[Expr, ...]] = field(default_factory=list[tuple[Expr, ...]])
    conflicts: list[Conflict] = field(default_factory=list[Conflict])

    def name(self, name: str, kind: Kind) -> Expr:
        """Return the symbol of that name; its kind is that of its first use."""
        self.kinds.setdefault(name, kind)
        return symbol(name)

    def copy(self) -> System:
        """Return a system that may be asked more without changing this one."""
        return replace(self, **{name: type(kept)(kept) for name, kept in vars(self).items()})

    def fresh(self) -> Expr:
        """Return a new symbol for a size that depends on data."""
        return self.name(f"_{len(self.kinds)}", Kind.DATA)

    def reduced(self, expression: Expr) -> Expr:
        """Return the expression in terms of symbols that are not solved."""
        if expression.is_number:
            return expression
        try:
            return expression.substitute(self.solved)
        except (TooLarge, ZeroDivisionError):
            return expression

    def same(self, left: Expr, right: Expr) -> bool:
        """Whether two expressions are known to be equal."""
        if left is right:
            return True
        try:
            return equal(self.reduced(left), self.reduced(right))
        except TooLarge:
            return False

    def equal(self, left: Expr, right: Expr, why: str) -> bool:
        """Note that two expressions are the same number; False where that contradicts what is known."""
        if left is right:
            return True
        left, right = self.reduced(left), self.reduced(right)
        try:
            zero = _stripped(left - right)
        except TooLarge:
            return True
        if zero.is_number:
            if zero.as_int():
                self.conflicts.append(Conflict(left, right, why, self._asked(left, right)))
                return False
            return True
        if self._impossible(zero):
            self.conflicts.append(Conflict(left, right, why, self._asked(left, right)))
            return False
        solved = self._solve(zero, why)
        if solved:
            return self._settle(solved)
        if equal(zero, number(0)):
            return True
        bounds = list(extreme(zero))
        for low, high in bounds:
            self.below(low, high, why, "", -1)
        if not bounds and all(each.zero != zero for each in self.pending):
            self.pending.append(Pending(zero, why))
        return True

    def tentative(self, pairs: Sequence[tuple[Expr, Expr]], why: str) -> bool:
        """Note equalities that are likely and no law; all are undone where one contradicts what is known.

        One that no symbol can be solved from is undone as well: it would only narrow what may be chosen.
        """
        before = self.copy()
        held = all(self.equal(left, right, why) for left, right in pairs)
        if held and len(self.pending) <= len(before.pending) and len(self.atmost) == len(before.atmost):
            return True
        for name, kept in vars(before).items():
            setattr(self, name, kept)
        return False

    def below(self, low: Expr, high: Expr, node: str, tensor: str, dim: int) -> None:
        """Note that `low` is at most `high`, dimension `dim` of `tensor`."""
        if low.is_number and high.is_number and low.as_int() <= high.as_int():
            return
        bound = Bound(low, high, node, tensor, dim)
        if bound not in self.atmost:
            self.atmost.append(bound)

    def one_of(self, *zero: Expr) -> None:
        """Note that at least one of the expressions is zero."""
        if zero not in self.oneof:
            self.oneof.append(zero)

    def _solve(self, zero: Expr, why: str) -> str:
        """Solve `zero` = 0 for one of its symbols and return it; empty where there is none to solve for."""
        best: tuple[tuple[bool, bool, bool, Kind, int], str, Expr] | None = None
        solutions = list(_solutions(zero))
        order = {name: place for place, name in enumerate(self.kinds)} if len(solutions) > 1 else {}
        for name, solution in solutions:
            negative = any(factor < 0 for factor in solution.terms.values())
            if negative and solution.is_number:
                continue
            kind = self.kinds.get(name, Kind.DATA)
            key = (kind is not Kind.DATA, negative, kind is not Kind.VALUE, kind, -order.get(name, 0))
            if best is None or key < best[0]:
                best = key, name, solution
        if best is None:
            return ""
        _, name, solution = best
        try:
            changed = {
                each: known.substitute({name: solution})
                for each, known in self.solved.items()
                if name in known.symbols
            }
        except (TooLarge, ZeroDivisionError):
            return ""
        self.solved.update(changed)
        self.solved[name] = solution
        self.reasons[name] = why
        return name

    def _impossible(self, zero: Expr) -> bool:
        """Whether sizes alone, which are never negative, forbid that `zero` is zero."""
        if any(self.kinds.get(name, Kind.DATA) in (Kind.DATA, Kind.VALUE) for name in zero.symbols):
            return False
        return nonnegative(zero - 1) or nonnegative(-zero - 1)

    def _settle(self, solved: str) -> bool:
        """Look again at what is pending and holds a symbol that was solved for; False on a contradiction."""
        waiting = [each for each in self.pending if solved in each.zero.symbols]
        self.pending = [each for each in self.pending if solved not in each.zero.symbols]
        held = [self.equal(each.zero, number(0), each.why) for each in waiting]
        return all(held)

    def _asked(self, *sides: Expr) -> str:
        """Return who fixed the symbols that once stood in the two sides of a conflict."""
        names = {
            name
            for name, solution in self.solved.items()
            if any(solution == side or not solution.symbols.isdisjoint(side.symbols) for side in sides)
        }
        found = dict.fromkeys(self.reasons[name] for name in self.solved if name in names)
        return "; ".join(found) or "the model's sizes"


def extreme(zero: Expr) -> Iterator[tuple[Expr, Expr]]:
    """Yield (low, high) where `zero` = 0 says no more than that low <= high: min(a, b) - a, max(a, b) - b.

    >>> from graphprune.symbols.expression import parse
    >>> [(str(low), str(high)) for low, high in extreme(parse("Min(s, 512) - s"))]
    [('s', '512')]
    """
    for monomial, factor in zero.terms.items():
        if len(monomial) != 1 or abs(factor) != 1 or not isinstance(monomial[0], Call):
            continue
        call = monomial[0]
        rest = (zero - Expr({monomial: factor})) * -factor
        if call.op == "min" and rest in (call.left, call.right):
            other = call.right if rest == call.left else call.left
            yield rest, other
        if call.op == "max" and rest in (call.left, call.right):
            other = call.right if rest == call.left else call.left
            yield other, rest


def _solutions(zero: Expr) -> Iterator[tuple[str, Expr]]:
    """Yield each symbol that `zero` = 0 is linear in with coefficient 1 or -1, and what it is then."""
    for monomial, factor in zero.terms.items():
        if len(monomial) != 1 or not isinstance(monomial[0], str) or abs(factor) != 1:
            continue
        name = monomial[0]
        rest = Expr({key: each * -factor for key, each in zero.terms.items() if key != monomial})
        if name not in rest.symbols:
            yield name, rest


def _stripped(zero: Expr) -> Expr:
    """Divide by the numbers and the names that all terms have in common; a size in common is not zero."""
    if zero.is_number or () in zero.terms:
        shared: list[str] = []
    else:
        first = min(zero.terms, key=len)
        shared = [atom for atom in first if isinstance(atom, str)]
    terms: Mapping[Monomial, int] = zero.terms
    for name in shared:
        if all(name in key for key in terms) and any(len(key) > 1 for key in terms):
            terms = {_without(key, name): factor for key, factor in terms.items()}
    divisor = gcd(*terms.values()) if terms else 1
    return Expr({key: factor // divisor for key, factor in terms.items()})


def _without(monomial: Monomial, name: str) -> Monomial:
    atoms = list(monomial)
    atoms.remove(name)
    return tuple(atoms)


def nonnegative(expression: Expr) -> bool:
    """Whether the expression is at least zero wherever its symbols are.

    >>> from graphprune.symbols.expression import parse
    >>> nonnegative(parse("s*2 + Max(0, p - 3)")), nonnegative(parse("s - p"))
    (True, False)
    """
    return all(factor > 0 and all(map(_plain, key)) for key, factor in expression.terms.items())


def _plain(atom: str | Call) -> bool:
    if isinstance(atom, str):
        return True
    sides = nonnegative(atom.left), nonnegative(atom.right)
    if atom.op == "mod":
        return sides[1]
    return any(sides) if atom.op == "max" else all(sides)
