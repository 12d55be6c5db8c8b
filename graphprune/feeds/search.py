"""Sizes for free symbols: the first, in order of preference, at which all that the graph asks for holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from heapq import heappop, heappush

from graphprune.symbols.expression import Atom, Expr, symbol
from graphprune.symbols.facts import Facts

Assignment = dict[str, int]
Wanted = Sequence[tuple[Expr, Sequence[int | None]]]
"""Expressions with the values that they should have, the best first; None for any."""
_RISING = {
    *range(3, 66),
    *range(66, 130, 2),
    *range(132, 260, 4),
    *range(264, 520, 8),
    *range(528, 1060, 16),
    *(224, 299, 384, 480, 512, 518, 640, 720, 768, 1024),
    *(int(1100 * 1.12**step) for step in range(38)),
    *(1600, 2048, 4000, 4096, 8000, 16000, 32000, 48000),
}
LADDER: tuple[int, ...] = (*sorted(_RISING), 2, 1)
"""Sizes for what nothing else is known of: from small to large, and those at which little is seen last."""
TRIES, FEW_TRIES = 3000, 300
_DATA = 4
"""What stands for a size that depends on data."""


@dataclass(frozen=True)
class Constraints:
    """What an assignment of free symbols must meet.

    Attributes:
        facts: what the graph says.
        pasts: the lengths of caches, which may be zero, and with them what is as long.
    """

    facts: Facts
    pasts: tuple[Expr, ...]

    @cached_property
    def sizes(self) -> tuple[Expr, ...]:
        """All sizes that are no numbers and do not depend on data, each once."""
        found = {size for shape in self.facts.shapes.values() for size in shape if not size.is_number}
        return tuple(size for size in found if not size.symbols & self.facts.data)

    @cached_property
    def free(self) -> tuple[str, ...]:
        """The free symbols that something depends on."""
        used = set[str]().union(*(size.symbols for size in self.sizes))
        for asked in (*self.facts.pending, *(each for group in self.facts.oneof for each in group)):
            used |= asked.symbols
        for bound in self.facts.atmost:
            used |= bound.high.symbols | bound.low.symbols
        for shape in self.facts.inputs.values():
            used |= set[str]().union(*(size.symbols for size in shape))
        return tuple(name for name in self.facts.free if name in used)

    def whole(self, assignment: Mapping[str, int]) -> Assignment:
        """Return an assignment with the symbols that follow from it, and those that depend on data."""
        found = {**dict.fromkeys(self.facts.data, _DATA), **assignment}
        for name, value in self.facts.solved.items():
            try:
                found.setdefault(name, value.value(found))
            except (KeyError, ZeroDivisionError):
                continue
        return found

    def meets(self, assignment: Mapping[str, int]) -> bool:
        """Whether the model fits together where symbols are `assignment`."""
        known = self.whole(assignment)
        try:
            return self._equal(known) and self._below(known) and self._sized(known)
        except (KeyError, ZeroDivisionError):
            return False

    def _equal(self, known: Mapping[str, int]) -> bool:
        facts = self.facts
        return all(each.value(known) == 0 for each in facts.pending if not each.symbols & facts.data) and all(
            any(each.value(known) == 0 for each in group) for group in facts.oneof
        )

    def _below(self, known: Mapping[str, int]) -> bool:
        return all(
            bound.low.value(known) <= bound.high.value(known)
            for bound in self.facts.atmost
            if not (bound.low.symbols | bound.high.symbols) & self.facts.data
        )

    def _sized(self, known: Mapping[str, int]) -> bool:
        empty = frozenset[str]().union(*(past.symbols for past in self.pasts if past.value(known) == 0))
        for size in self.sizes:
            value = size.value(known)
            if value < 0 or (value == 0 and not size.symbols & empty):
                return False
        return True


Equations = Sequence[tuple[Expr, int]]


def solved(constraints: Constraints, equations: Equations, climbing: Mapping[str, int]) -> Assignment | None:
    """Return what equations make of symbols, `climbing` for what they leave open; None where they clash."""
    found: Assignment = {}
    left = _propagate(equations, found)
    for name in constraints.free:
        if left is None:
            return None
        if name in climbing and name not in found:
            found[name] = climbing[name]
            left = _propagate(left, found)
    if left or left is None or any(value < 0 for value in found.values()):
        return None
    return found if all(name in found for name in constraints.free) else None


def _propagate(equations: Equations, found: Assignment) -> Equations | None:
    """Solve equations of one unknown one by one, into `found`; return the others, None for a clash."""
    while True:
        left: list[tuple[Expr, int]] = []
        known = len(found)
        for expr, value in equations:
            unknown = [name for name in expr.symbols if name not in found]
            if not unknown:
                if expr.value(found) != value:
                    return None
            elif len(unknown) > 1 or not _is_linear(expr, unknown[0]):
                left.append((expr, value))
            else:
                rest = value - expr.value({**found, unknown[0]: 0})
                factor = expr.value({**found, unknown[0]: 1}) - value + rest
                if not factor or rest % factor:
                    return None
                found[unknown[0]] = rest // factor
        if len(found) == known:
            return left
        equations = left


@lru_cache(maxsize=4096)
def _is_linear(expr: Expr, name: str) -> bool:
    """Whether a symbol occurs in an expression as a plain factor, once in a product."""
    return all(
        monomial.count(name) < 2
        and not any(name in part.symbols for atom in monomial for part in _parts(atom))
        for monomial in expr.terms
    )


def _parts(atom: Atom) -> tuple[Expr, ...]:
    return () if isinstance(atom, str) else (atom.left, atom.right)


def combinations(wanted: Wanted) -> Iterator[tuple[tuple[Expr, int], ...]]:
    """Yield the choices of a value for each expression, the most preferred first; None leaves one open."""
    start = tuple(0 for _ in wanted)
    heap, seen = [(0, start)], {start}
    while heap:
        _, places = heappop(heap)
        chosen = [(expr, values[place]) for (expr, values), place in zip(wanted, places, strict=True)]
        yield tuple((expr, value) for expr, value in chosen if value is not None)
        for at, (_, values) in enumerate(wanted):
            after = (*places[:at], places[at] + 1, *places[at + 1 :])
            if after[at] < len(values) and after not in seen:
                seen.add(after)
                heappush(heap, (sum(after), after))


@dataclass(frozen=True)
class Ladders:
    """The sizes that each free symbol climbs through where nothing else fixes it."""

    steps: Mapping[str, Sequence[int]]

    def at(self, step: int) -> dict[str, int]:
        """Return the sizes at one height of all ladders."""
        return {name: steps[min(step, len(steps) - 1)] for name, steps in self.steps.items() if steps}

    @property
    def height(self) -> int:
        """How many steps the highest has."""
        return max((len(steps) for steps in self.steps.values()), default=1)


def feasible(
    constraints: Constraints, wanted: Wanted, ladders: Ladders, *, thorough: bool = True
) -> Iterator[tuple[Equations, Iterator[Assignment]]]:
    """Yield the choices of `wanted` with the assignments of each that meet `constraints`.

    Symbols that a choice leaves open climb together; where that finds nothing at all and the search is to be
    thorough, each by itself.
    """
    tries, found = 0, False

    def climb(equations: Equations) -> Iterator[Assignment]:
        nonlocal tries, found
        for assignment in _climb(constraints, equations, ladders):
            tries += 1
            if assignment is not None and constraints.meets(assignment):
                found = True
                yield assignment

    for equations in combinations(wanted):
        yield equations, climb(equations)
        if tries > (TRIES if thorough else FEW_TRIES):
            break
    if not found and thorough:
        yield (), _apart(constraints, wanted, ladders)


def _climb(constraints: Constraints, equations: Equations, ladders: Ladders) -> Iterator[Assignment | None]:
    last: Assignment | None = None
    if _propagate(equations, {}) is None:
        return
    for step in range(ladders.height):
        assignment = solved(constraints, equations, ladders.at(step))
        if assignment is not None and assignment == last:
            return  # nothing climbs
        last = assignment or last
        yield assignment


def _apart(constraints: Constraints, wanted: Wanted, ladders: Ladders) -> Iterator[Assignment]:
    names = [name for name in constraints.free if name in ladders.steps]
    if len(names) < 2:
        return
    climbing: Wanted = [(symbol(name), ladders.steps[name]) for name in names]
    for tries, choice in enumerate(combinations([*wanted, *climbing])):
        if tries > TRIES:
            return
        assignment = solved(constraints, choice, {})
        if assignment is not None and constraints.meets(assignment):
            yield assignment
