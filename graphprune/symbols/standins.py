"""Numbers that stand for symbols while axes are solved: an assignment that the model could run at.

Primes, so that sizes which mean something else are not equal by chance; larger or even ones where the model
asks for that. What these numbers are says nothing: what depends on a symbol is told by the facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from graphprune.symbols.expression import Expr
from graphprune.symbols.facts import Facts

_PRIMES = (61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157)
_SCALES = (
    *((1, scale) for scale in (1, 32, 2, 4, 8, 16, 64, 128)),
    *((scale, scale) for scale in (2, 8, 32, 256, 2048)),
)
"""What primes are multiplied by, on the first two axes of inputs and on those behind (of images)."""
_SMALL = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)


def stand_ins(facts: Facts) -> dict[str, int]:
    """Return a number for each free symbol, the first set at which all that is known of sizes holds.

    Where none does it is the set at which most does.
    """
    if not facts.free:
        return {}
    sizes = list({size: None for shape in facts.shapes.values() for size in shape if size.symbols})
    fixed = {size.as_int() for shape in facts.shapes.values() for size in shape if size.is_number}
    best: tuple[tuple[int, int], dict[str, int]] | None = None
    for numbers in _candidates(facts):
        score = _broken(facts, sizes, numbers), _clashes(sizes, fixed, numbers)
        if best is None or score < best[0]:
            best = score, numbers
        if score == (0, 0) or (best[0][0] == 0 and score[0]):
            break
    assert best is not None
    return best[1]


def impossible(facts: Facts, numbers: Mapping[str, int]) -> tuple[str, int, int] | None:
    """Return tensor, dimension and size of the first size that cannot be at these numbers.

    That is a negative one, and none at all where it follows from sizes of which no one is zero.
    """
    for name, shape in facts.shapes.items():
        for dim, size in enumerate(shape):
            found = _value(size, numbers)
            if found is None or found > 0 or (found == 0 and not _asked(size, numbers)):
                continue
            return name, dim, found
    return None


def broken(facts: Facts, numbers: Mapping[str, int]) -> int:
    """Return how much of what is known of sizes does not hold at these numbers."""
    return _broken(facts, list({s: None for shape in facts.shapes.values() for s in shape}), numbers)


def _asked(size: Expr, numbers: Mapping[str, int]) -> bool:
    """Whether a size of zero is one that follows from symbols that are all larger than that."""
    return bool(size.symbols) and all(numbers.get(name, 1) > 0 for name in size.symbols)


def _candidates(facts: Facts) -> Iterator[dict[str, int]]:
    places: dict[str, int] = {}
    for shape in facts.inputs.values():
        for position, size in enumerate(shape):
            for name in size.symbols:
                places.setdefault(name, position)
    for turn, scales in ((0, _SCALES), (1, _SCALES[:2]), (2, _SCALES[:2])):
        for front, behind in scales:
            yield {
                name: _prime(order + turn) * (behind if places.get(name, 0) > 1 else front)
                for order, name in enumerate(facts.free)
            }
    yield {name: _SMALL[order % len(_SMALL)] for order, name in enumerate(facts.free)}


def _prime(order: int) -> int:
    return _PRIMES[order] if order < len(_PRIMES) else 163 + 2 * order


def _broken(facts: Facts, sizes: list[Expr], numbers: Mapping[str, int]) -> int:
    found = sum(_value(zero, numbers) not in (0, None) for zero in facts.pending)
    for bound in facts.atmost:
        low, high = _value(bound.low, numbers), _value(bound.high, numbers)
        found += low is not None and high is not None and low > high
    return found + sum((_value(size, numbers) or 1) < 1 or _value(size, numbers) == 0 for size in sizes)


def _clashes(sizes: list[Expr], fixed: set[int], numbers: Mapping[str, int]) -> int:
    """How many derived sizes are, by chance, what another size is."""
    values = [value for size in sizes if (value := _value(size, numbers)) is not None]
    return sum(value in fixed and value > 1 for value in values) + len(values) - len(set(values))


def _value(size: Expr, numbers: Mapping[str, int]) -> int | None:
    try:
        return size.value(numbers)
    except (KeyError, ZeroDivisionError):
        return None
