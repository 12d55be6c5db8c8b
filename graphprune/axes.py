"""What the dimensions of tensors are made of, and when two of them are the same.

An `Axis` is a plain factor, a *product* `(h d)` of axes from the outermost to the innermost, or a *sum*
`(q + k + v)` of consecutive stretches. Two dimensions whose indices must line up are unified, as types are
in type inference (Robinson 1965; Hindley 1969); a plain axis takes the other's place, and structures are
refined until both consist of the same leaves. What cannot be lined up is reported, never guessed.

Example:
    >>> channels, heads, dims = leaf(768), leaf(12), leaf(64)
    >>> unify(channels, product([heads, dims]))
    []
    >>> [axis.size for axis in leaves(channels)]
    [12, 64]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from math import gcd, prod


class Form(Enum):
    """How an axis is put together."""

    LEAF = "leaf"
    PRODUCT = "product"
    SUM = "sum"


class Axis:
    """One node of the term graph; `link` points to the axis that took this one's place."""

    __slots__ = ("form", "link", "parts", "size")

    def __init__(self, size: int, form: Form = Form.LEAF, parts: tuple[Axis, ...] = ()) -> None:
        self.size = size
        self.form = form
        self.parts = parts
        self.link: Axis | None = None

    def __repr__(self) -> str:
        axis = find(self)
        if axis.form is Form.LEAF:
            return f"{axis.size}"
        return f"({(' ' if axis.form is Form.PRODUCT else ' + ').join(map(repr, axis.parts))})"


Mismatch = tuple[Axis, Axis, str]
"""Two axes that ought to be the same and cannot be, and why."""


def leaf(size: int) -> Axis:
    """Return a new plain axis of `size` units."""
    return Axis(size)


def product(factors: Iterable[Axis]) -> Axis:
    """Return the axis made of `factors`, outermost first; factors of size 1 vanish."""
    kept = tuple(factor for factor in factors if factor.size != 1)
    if len(kept) == 1:
        return kept[0]
    return Axis(prod(axis.size for axis in kept), Form.PRODUCT, kept) if kept else leaf(1)


def total(parts: Iterable[Axis]) -> Axis:
    """Return the axis made of consecutive `parts`; empty parts vanish."""
    kept = tuple(part for part in parts if part.size != 0)
    if len(kept) == 1:
        return kept[0]
    return Axis(sum(axis.size for axis in kept), Form.SUM, kept) if kept else leaf(0)


def find(axis: Axis) -> Axis:
    """Return the axis that now stands for `axis`."""
    root = axis
    while root.link is not None:
        root = root.link
    while axis.link is not None:
        axis.link, axis = root, axis.link
    return root


def factors(axis: Axis) -> list[Axis]:
    """Return the factors of `axis`, outermost first: leaves and sums."""
    axis = find(axis)
    if axis.form is Form.PRODUCT:
        return [factor for part in axis.parts for factor in factors(part)]
    return [axis] if axis.size != 1 else []


def stretches(axis: Axis) -> list[Axis]:
    """Return the consecutive terms of `axis`: leaves and products whose outermost factor is a leaf.

    A product over a sum is distributed: `((q + k) d)` is `(q d) + (k d)`.
    """
    axis = find(axis)
    if axis.form is Form.SUM:
        return [term for part in axis.parts for term in stretches(part)]
    if axis.form is Form.PRODUCT:
        first, *rest = factors(axis)
        if first.form is Form.SUM:
            return [term for part in stretches(first) for term in stretches(product([part, *rest]))]
    return [axis]


def leaves(axis: Axis) -> list[Axis]:
    """Return the distinct leaves of `axis` in order of first appearance."""
    found: dict[int, Axis] = {}

    def walk(axis: Axis) -> None:
        axis = find(axis)
        if axis.form is Form.LEAF:
            found.setdefault(id(axis), axis)
        else:
            for part in axis.parts:
                walk(part)

    walk(axis)
    return list(found.values())


def unify(a: Axis, b: Axis) -> list[Mismatch]:
    """Make `a` and `b` the same axis, refining both; return what could not be lined up.

    An axis of size 1 broadcasts and is left alone.
    """
    a, b = find(a), find(b)
    if a is b or a.size == 1 or b.size == 1:
        return []
    if a.size != b.size:
        return [(a, b, f"sizes {a.size} and {b.size} differ")]
    if a.form is Form.LEAF:
        a.link = b
        return []
    if b.form is Form.LEAF:
        b.link = a
        return []
    terms_a, terms_b = stretches(a), stretches(b)
    single = len(terms_a) == len(terms_b) == 1
    failed = _match(a, b) if single else _align(a, b, terms_a, terms_b)
    a, b = find(a), find(b)
    if not failed and a is not b:
        a.link = b
    return failed


def _align(a: Axis, b: Axis, terms_a: list[Axis], terms_b: list[Axis]) -> list[Mismatch]:
    """Unify two lists of stretches of equal total size, cutting where a boundary of the other falls."""
    left, right = deque(terms_a), deque(terms_b)
    failed: list[Mismatch] = []
    while left and right:
        x, y = _next_term(left), _next_term(right)
        if x.size == y.size:
            failed += unify(x, y)
            continue
        long, rest, short = (x, left, y) if x.size > y.size else (y, right, x)
        head, tail = split(long, short.size)
        rest.appendleft(tail)
        failed += unify(head, short)
    if left or right:
        failed.append((a, b, "their stretches do not line up"))
    return failed


def _next_term(terms: deque[Axis]) -> Axis:
    """Take the first stretch; a term that was refined meanwhile is unfolded first."""
    expanded = stretches(terms.popleft())
    terms.extendleft(reversed(expanded[1:]))
    return expanded[0]


def _match(a: Axis, b: Axis) -> list[Mismatch]:
    """Unify two products factor by factor, splitting a factor that is a multiple of the other.

    Outermost first; where factors do not divide each other, the rest is matched from the innermost, so that
    `(2 24)` and `(3 16)` still share their innermost 8.
    """
    left, right = deque([a]), deque([b])
    failed: list[Mismatch] = []
    while True:
        x, y = _next_factor(left), _next_factor(right)
        if x is None or y is None:
            return failed
        if x.size == y.size:
            failed += unify(x, y)
            continue
        large, rest, small = (x, left, y) if x.size > y.size else (y, right, x)
        if large.size % small.size:
            return failed + _match_inner([x, *left], [y, *right])
        head, tail, problem = _halve(large, small.size, outer=True)
        failed += problem
        rest.appendleft(tail)
        failed += unify(head, small)


def _match_inner(left: list[Axis], right: list[Axis]) -> list[Mismatch]:
    """Unify the innermost factors of two products as far as they have common divisors."""
    failed: list[Mismatch] = []
    while True:
        left, right = ([f for axis in side for f in factors(axis)] for side in (left, right))
        if not left or not right:
            return failed
        x, y = left.pop(), right.pop()
        common = gcd(x.size, y.size)
        if common == 1:
            a, b = product([*left, x]), product([*right, y])
            return [*failed, (a, b, f"factors {x.size} and {y.size} do not divide")]
        tails: list[Axis] = []
        for side, axis in ((left, x), (right, y)):
            head, tail, problem = (
                _halve(axis, common, outer=False) if axis.size != common else (leaf(1), axis, [])
            )
            failed += problem
            side.append(head)
            tails.append(tail)
        failed += unify(*tails)


def _halve(axis: Axis, size: int, *, outer: bool) -> tuple[Axis, Axis, list[Mismatch]]:
    """Split a factor in two, of which the outer or the inner one has `size`."""
    other = axis.size // size
    pair = (leaf(size), leaf(other)) if outer else (leaf(other), leaf(size))
    return *pair, unify(axis, Axis(axis.size, Form.PRODUCT, pair))


def _next_factor(terms: deque[Axis]) -> Axis | None:
    """Take the outermost factor, or None at the end."""
    while terms:
        found = factors(terms.popleft())
        terms.extendleft(reversed(found[1:]))
        if found:
            return found[0]
    return None


def split(axis: Axis, at: int) -> tuple[Axis, Axis]:
    """Cut `axis` in two at position `at` (0 < at < size), refining its leaves where the cut falls."""
    left: list[Axis] = []
    terms = deque(stretches(axis))
    while terms:
        term = _next_term(terms)
        if term.size > at:
            head, tail = _split_term(term, at) if at else (leaf(0), term)
            return total([*left, head]), total([tail, *terms])
        left.append(term)
        at -= term.size
    return total(left), leaf(0)


def _split_term(term: Axis, at: int) -> tuple[Axis, Axis]:
    if term.form is Form.LEAF:
        head, tail = leaf(at), leaf(term.size - at)
        term.form, term.parts = Form.SUM, (head, tail)
        return head, tail
    outer, *inner = factors(term)
    block = prod(axis.size for axis in inner)
    row, column = divmod(at, block)
    if column == 0:
        above, below = split(outer, row)
        return product([above, *inner]), product([below, *inner])
    # The cut falls inside one row of the outer factor: that row becomes a stretch of its own.
    above, row_and_below = split(outer, row) if row else (leaf(0), outer)
    below = split(row_and_below, 1)[1] if row_and_below.size > 1 else leaf(0)
    head, tail = split(product(inner), column)
    return (
        total([product([above, *inner]), head]) if above.size else head,
        total([tail, product([below, *inner])]) if below.size else tail,
    )
