"""What the dimensions of tensors are made of, and when two of them are the same.

An `Axis` is a plain factor, a *product* `(h d)` of axes from the outermost to the innermost, a *sum*
`(q + k + v)` of consecutive stretches, or a *pick* of positions of others in any order. Two dimensions whose
indices must line up are unified, as types are in type inference (Robinson 1965; Hindley 1969); a plain axis
takes the other's place, and structures are refined until both consist of the same leaves. What cannot be
lined up is reported, never guessed.

Example:
    >>> channels, heads, dims = leaf(768), leaf(12), leaf(64)
    >>> unify(channels, product([heads, dims]))
    []
    >>> [axis.size for axis in leaves(channels)]
    [12, 64]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from math import gcd, prod

import numpy as np
from numpy.typing import NDArray


class Form(Enum):
    """How an axis is put together."""

    LEAF = "leaf"
    PRODUCT = "product"
    SUM = "sum"
    PICK = "pick"


class Axis:
    """One node of the term graph; `link` points to the axis that took this one's place.

    Of a pick, `at` says which position of its parts, put side by side, each of its positions is. Picks are
    made by `graphprune.picks` when all else is unified; their parts are plain, and they hold each unit of a
    part equally often.
    """

    __slots__ = ("at", "form", "link", "parts", "size")

    def __init__(
        self,
        size: int,
        form: Form = Form.LEAF,
        parts: tuple[Axis, ...] = (),
        at: NDArray[np.int64] | None = None,
    ) -> None:
        self.size = size
        self.form = form
        self.parts = parts
        self.at = at
        self.link: Axis | None = None

    def __repr__(self) -> str:
        axis = find(self)
        if axis.form is Form.LEAF:
            return f"{axis.size}"
        if axis.form is Form.PICK:
            return f"{axis.size} of {' + '.join(map(repr, axis.parts))}"
        return f"({(' ' if axis.form is Form.PRODUCT else ' + ').join(map(repr, parts(axis)))})"


Mismatch = tuple[Axis, Axis, str]
"""Two axes that ought to be the same and cannot be, and why."""
MOST_STRETCHES = 4096
"""Into how many stretches one unification may cut: an axis that meets itself shifted falls into positions."""


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


def parts(axis: Axis) -> tuple[Axis, ...]:
    """Return what a structured axis is made of, with sums in a sum and products in a product unfolded.

    The axis keeps it, as `find` keeps where a link ends. So a sum has no sum inside, a product no product,
    and a walk over parts of parts is no deeper than twice the number of factors that a size has.
    """
    axis = find(axis)
    if axis.form is Form.PICK or all(p.link is None and p.form is not axis.form for p in axis.parts):
        return axis.parts
    unfolded: list[Axis] = []
    waiting = list(reversed(axis.parts))
    while waiting:
        part = find(waiting.pop())
        if part.form is axis.form:
            waiting.extend(reversed(part.parts))
        else:
            unfolded.append(part)
    axis.parts = tuple(unfolded)
    return axis.parts


def factors(axis: Axis) -> list[Axis]:
    """Return the factors of `axis`, outermost first: leaves and sums."""
    axis = find(axis)
    found = parts(axis) if axis.form is Form.PRODUCT else (axis,)
    return [factor for factor in found if factor.size != 1]


def stretches(axis: Axis) -> list[Axis]:
    """Return the consecutive terms of `axis`: leaves and products whose outermost factor is a leaf.

    A product over a sum is distributed: `((q + k) d)` is `(q d) + (k d)`.
    """
    axis = find(axis)
    if axis.form is Form.SUM:
        return [term for part in parts(axis) for term in stretches(part)]
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
            for part in parts(axis):
                walk(part)

    walk(axis)
    return list(found.values())


def counted(axis: Axis, count: Callable[[Axis], int]) -> int:
    """Return the size that `axis` has where each leaf has the size that `count` gives it.

    Example:
        >>> counted(product([leaf(12), leaf(64)]), lambda part: part.size // 2)
        192
    """
    axis = find(axis)
    if axis.form is Form.LEAF:
        return count(axis)
    sizes = [counted(part, count) for part in parts(axis)]
    if axis.form is Form.PRODUCT:
        return prod(sizes)
    if axis.form is Form.SUM:
        return sum(sizes)
    return sum(size * often for size, often in zip(sizes, _often(axis), strict=True))


def _often(pick: Axis) -> list[int]:
    """Return how often a pick holds each unit of each of its parts."""
    assert pick.at is not None
    ends = np.cumsum([part.size for part in pick.parts])
    held = np.bincount(np.searchsorted(ends, pick.at, side="right"), minlength=len(ends))
    return [int(count) // part.size for count, part in zip(held, pick.parts, strict=True)]


def unify(a: Axis, b: Axis) -> list[Mismatch]:
    """Make `a` and `b` the same axis, refining both; return what could not be lined up.

    An axis of size 1 broadcasts and is left alone.
    """
    failed: list[Mismatch] = []
    waiting: list[_Pair] = [(a, b, -1)]
    cuts = 0
    while waiting:
        a, b, done = waiting.pop()
        a, b = find(a), find(b)
        if a is b or a.size == 1 or b.size == 1:
            continue
        if a.size != b.size:
            failed.append((a, b, f"sizes {a.size} and {b.size} differ"))
        elif a.form is Form.LEAF:
            a.link = b
        elif b.form is Form.LEAF:
            b.link = a
        elif done >= 0:  # what they are made of is the same, where nothing has failed since
            a.link = b if done == len(failed) else None
        elif cuts > MOST_STRETCHES:
            failed.append((a, b, f"it would fall into more than {MOST_STRETCHES} stretches"))
        else:
            terms_a, terms_b = stretches(a), stretches(b)
            single = len(terms_a) == len(terms_b) == 1
            same = _match(a, b) if single else _align(a, b, terms_a, terms_b)
            failed += same.failed
            cuts += len(same.pairs)
            waiting.append((a, b, len(failed)))
            waiting += [(x, y, -1) for x, y in reversed(same.pairs)]
    return failed


_Pair = tuple[Axis, Axis, int]
"""Two axes that are to be the same; where what they are made of is, the number of failures before it."""


@dataclass
class _Same:
    """What must be the same so that two structures are, and what of them cannot be."""

    pairs: list[tuple[Axis, Axis]] = field(default_factory=list[tuple[Axis, Axis]])
    failed: list[Mismatch] = field(default_factory=list[Mismatch])


def _align(a: Axis, b: Axis, terms_a: list[Axis], terms_b: list[Axis]) -> _Same:
    """Line up two lists of stretches of equal total size, cutting where a boundary of the other falls."""
    left, right = deque(terms_a), deque(terms_b)
    same = _Same()
    while left and right:
        if len(same.pairs) > MOST_STRETCHES:
            return _Same(failed=[(a, b, f"it would fall into more than {MOST_STRETCHES} stretches")])
        x, y = _next_term(left), _next_term(right)
        if x.size != y.size:
            long, rest, short = (x, left, y) if x.size > y.size else (y, right, x)
            head, tail = split(long, short.size)
            rest.appendleft(tail)
            x, y = head, short
        same.pairs.append((x, y))
    if left or right:
        same.failed.append((a, b, "their stretches do not line up"))
    return same


def _next_term(terms: deque[Axis]) -> Axis:
    """Take the first stretch; a term that was refined meanwhile is unfolded first."""
    expanded = stretches(terms.popleft())
    terms.extendleft(reversed(expanded[1:]))
    return expanded[0]


def _match(a: Axis, b: Axis) -> _Same:
    """Match two products factor by factor, splitting a factor that is a multiple of the other.

    Outermost first; where factors do not divide each other, the rest is matched from the innermost, so that
    `(2 24)` and `(3 16)` still share their innermost 8.
    """
    left, right = deque([a]), deque([b])
    same = _Same()
    while True:
        x, y = _next_factor(left), _next_factor(right)
        if x is None or y is None:
            return same
        if x.size != y.size:
            large, rest, small = (x, left, y) if x.size > y.size else (y, right, x)
            if large.size % small.size:
                _match_inner([x, *left], [y, *right], same)
                return same
            head, tail = _halve(large, small.size, same, outer=True)
            rest.appendleft(tail)
            x, y = head, small
        same.pairs.append((x, y))


def _match_inner(left: list[Axis], right: list[Axis], same: _Same) -> None:
    """Match the innermost factors of two products as far as they have common divisors."""
    while True:
        left, right = ([f for axis in side for f in factors(axis)] for side in (left, right))
        if not left or not right:
            return
        x, y = left.pop(), right.pop()
        common = gcd(x.size, y.size)
        if common == 1:
            a, b = product([*left, x]), product([*right, y])
            same.failed.append((a, b, f"factors {x.size} and {y.size} do not divide"))
            return
        tails: list[Axis] = []
        for side, axis in ((left, x), (right, y)):
            head, tail = _halve(axis, common, same, outer=False) if axis.size != common else (leaf(1), axis)
            side.append(head)
            tails.append(tail)
        same.pairs.append((tails[0], tails[1]))


def _halve(axis: Axis, size: int, same: _Same, *, outer: bool) -> tuple[Axis, Axis]:
    """Split a factor in two, of which the outer or the inner one has `size`."""
    other = axis.size // size
    head, tail = (leaf(size), leaf(other)) if outer else (leaf(other), leaf(size))
    whole = Axis(axis.size, Form.PRODUCT, (head, tail))
    if axis.form is Form.LEAF:
        axis.link = whole
    else:
        same.pairs.append((axis, whole))
    return head, tail


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
