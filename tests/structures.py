"""Random structures of axes, and what they mean position by position, worked out by brute force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

import numpy as np
from hypothesis import strategies as st

from graphprune.axes import Axis, Form, find, leaf, leaves, product, total
from graphprune.positions import Index, keep

Kept = dict[int, Index]
"""What stays of each leaf, by its identity."""


@dataclass(frozen=True, eq=False)
class Leaf:
    """A plain axis of a structure; the same one may stand in several places."""

    size: int
    axis: Axis = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", leaf(self.size))


@dataclass(frozen=True, eq=False)
class Product:
    """Factors, outermost first."""

    parts: tuple[Structure, ...]


@dataclass(frozen=True, eq=False)
class Sum:
    """Consecutive stretches."""

    parts: tuple[Structure, ...]


Structure = Leaf | Product | Sum


@st.composite
def structures(draw: st.DrawFn, size: int, pool: dict[int, list[Leaf]], depth: int = 3) -> Structure:
    """A structure of `size`; leaves are taken from `pool` now and then, and new ones are put there."""
    divisors = [n for n in range(2, size) if size % n == 0]
    choices = ["leaf"]
    if depth and divisors:
        choices.append("product")
    if depth and size > 1:
        choices.append("sum")
    choice = draw(st.sampled_from(choices))
    if choice == "product":
        outer = draw(st.sampled_from(divisors))
        return Product(tuple(draw(structures(n, pool, depth - 1)) for n in (outer, size // outer)))
    if choice == "sum":
        first = draw(st.integers(1, size - 1))
        return Sum(tuple(draw(structures(n, pool, depth - 1)) for n in (first, size - first)))
    known = pool.setdefault(size, [])
    number = draw(st.integers(0, len(known)))
    if number == len(known):
        known.append(Leaf(size))
    return known[number]


def built(structure: Structure) -> Axis:
    """The axis of a structure."""
    if isinstance(structure, Leaf):
        return structure.axis
    parts = map(built, structure.parts)
    return product(parts) if isinstance(structure, Product) else total(parts)


def units_at(axis: Axis) -> list[list[tuple[int, int]]]:
    """For every position the units that lie there: (leaf, index), outermost first; none of size 1."""
    axis = find(axis)
    if axis.form is Form.LEAF:
        return [[(id(axis), unit)] if axis.size > 1 else [] for unit in range(axis.size)]
    parts = [units_at(part) for part in axis.parts]
    if axis.form is Form.SUM:
        return [position for part in parts for position in part]
    positions: list[list[tuple[int, int]]] = [[]]
    for part in parts:
        positions = [outer + inner for outer in positions for inner in part]
    return positions


def random_keep(axes: Iterable[Axis], random: Random, pinned: Iterable[Axis] = ()) -> Kept:
    """Choose at random what stays of each leaf, and in what order; all stays of what is pinned."""
    fixed = {id(part) for axis in pinned for part in leaves(axis)}
    kept: Kept = {}
    for axis in axes:
        for part in leaves(axis):
            if part.size > 1 and id(part) not in fixed and id(part) not in kept:
                order = random.sample(range(part.size), random.randint(1, part.size))
                kept[id(part)] = np.array(order, np.int64)
    return kept


def kept_by(axis: Axis, kept: Kept) -> Index:
    """The positions that stay of an axis, as the axis algebra says."""
    index = keep(axis, lambda part: kept.get(id(part)))
    return np.arange(axis.size) if index is None else index


def original(structure: Structure, kept: Kept) -> Index:
    """The positions that stay of a structure, by brute force from what stays of the leaves it was made of."""
    if isinstance(structure, Leaf):
        return kept_by(structure.axis, kept)
    parts = [(size_of(part), original(part, kept).tolist()) for part in structure.parts]
    if isinstance(structure, Sum):
        result: list[int] = []
        offset = 0
        for size, positions in parts:
            result += [offset + position for position in positions]
            offset += size
        return np.array(result, np.int64)
    result = [0]
    for size, positions in parts:
        result = [outer * size + inner for outer in result for inner in positions]
    return np.array(result, np.int64)


def size_of(structure: Structure) -> int:
    """How many positions a structure has."""
    if isinstance(structure, Leaf):
        return structure.size
    sizes = [size_of(part) for part in structure.parts]
    return int(np.prod(sizes)) if isinstance(structure, Product) else sum(sizes)
