"""Axes that are unified agree at every position, and what cannot be lined up is reported, never guessed."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import prod
from operator import mul
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune.axes import MOST_STRETCHES, Axis, find, leaf, leaves, product, split, total, unify
from graphprune.positions import Index, keep
from tests.structures import Leaf, Structure, built, kept_by, original, random_keep, structures, units_at

SIZES = [4, 6, 8, 12, 16, 24, 30]


def same(a: Axis, b: Axis) -> bool:
    return find(a) is find(b)


def sizes(axis: Axis) -> list[int]:
    return [part.size for part in leaves(axis)]


@st.composite
def programs(draw: st.DrawFn, most: int = 4) -> list[tuple[Structure, Structure]]:
    """Pairs of structures, each pair of one size; leaves are shared within and between pairs."""
    pool: dict[int, list[Leaf]] = {}
    chosen = draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=most))
    return [(draw(structures(size, pool)), draw(structures(size, pool))) for size in chosen]


pairs = programs(most=1).map(lambda program: program[0])


@given(pairs)
def test_two_axes_that_are_unified_say_the_same_of_every_position(pair: tuple[Structure, Structure]) -> None:
    a, b = built(pair[0]), built(pair[1])
    if not unify(a, b):
        assert units_at(a) == units_at(b)


@given(pairs, st.randoms(use_true_random=False))
def test_what_stays_of_an_axis_is_what_stays_of_its_parts(
    pair: tuple[Structure, Structure], random: Random
) -> None:
    """A cut found through the unified axis is the cut that the structure it was made of gives."""
    a, b = built(pair[0]), built(pair[1])
    failed = unify(a, b)
    kept = random_keep([a, b], random, pinned=[axis for x, y, _ in failed for axis in (x, y)])
    for structure, axis in zip(pair, (a, b), strict=True):
        assert kept_by(axis, kept).tolist() == original(structure, kept).tolist()
    assert kept_by(a, kept).tolist() == kept_by(b, kept).tolist()


@given(programs(), st.randoms(use_true_random=False))
def test_what_was_unified_stays_unified_whatever_comes_later(
    program: list[tuple[Structure, Structure]], random: Random
) -> None:
    axes: list[tuple[Axis, Axis]] = []
    pinned: list[Axis] = []
    for left, right in program:
        a, b = built(left), built(right)
        pinned += [axis for x, y, _ in unify(a, b) for axis in (x, y)]
        axes.append((a, b))
    kept = random_keep([axis for pair in axes for axis in pair], random, pinned)
    for pair, (a, b) in zip(program, axes, strict=True):
        assert kept_by(a, kept).tolist() == kept_by(b, kept).tolist()
        for structure, axis in zip(pair, (a, b), strict=True):
            assert kept_by(axis, kept).tolist() == original(structure, kept).tolist()


@st.composite
def factorisations(draw: st.DrawFn, size: int) -> list[int]:
    factors: list[int] = []
    while size > 1:
        factor = draw(st.sampled_from([n for n in range(2, size + 1) if size % n == 0]))
        factors.append(factor)
        size //= factor
    return factors


@st.composite
def two_factorisations(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    size = draw(st.sampled_from([12, 16, 24, 30, 36, 48, 60, 72]))
    return draw(factorisations(size)), draw(factorisations(size))


@given(two_factorisations())
def test_products_line_up_exactly_where_their_boundaries_divide_each_other(
    factors: tuple[list[int], list[int]],
) -> None:
    a, b = (product(map(leaf, side)) for side in factors)
    boundaries = sorted({*accumulate(factors[0], mul), *accumulate(factors[1], mul)})
    divide = all(large % small == 0 for small, large in pairwise(boundaries))
    failed = unify(a, b)
    assert (failed == []) is divide
    if divide:
        steps = [large // small for small, large in pairwise([1, *boundaries])]
        assert sizes(a) == sizes(b) == steps
        assert units_at(a) == units_at(b)


@given(two_factorisations())
def test_a_mismatch_names_axes_that_hold_every_leaf_that_does_not_agree(
    factors: tuple[list[int], list[int]],
) -> None:
    a, b = (product(map(leaf, side)) for side in factors)
    pinned = {id(part) for x, y, _ in unify(a, b) for axis in (x, y) for part in leaves(axis)}
    free = [[entry for entry in position if entry[0] not in pinned] for position in units_at(a)]
    assert free == [[entry for entry in position if entry[0] not in pinned] for position in units_at(b)]


partitions = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@given(st.lists(partitions, min_size=2, max_size=4), st.data())
def test_sums_are_cut_into_exactly_the_classes_of_indices_that_are_equal(
    parts: list[list[int]], data: st.DataObject
) -> None:
    """Every sum is unified with another; the oracle is union-find over single indices."""
    size = max(map(sum, parts))
    pool = [leaf(n) for n in range(1, size + 1)]
    sums = [[*map(leaf, side)] for side in parts]
    for side in sums:
        missing = size - sum(axis.size for axis in side)
        if missing:
            # Some of the rest is shared between the sums.
            side.append(pool[missing - 1] if data.draw(st.booleans()) else leaf(missing))
        side[:] = data.draw(st.permutations(side))
    indices = [[(id(axis), unit) for axis in side for unit in range(axis.size)] for side in sums]
    parent = {index: index for side in indices for index in side}

    def root(index: tuple[int, int]) -> tuple[int, int]:
        while parent[index] != index:
            index = parent[index]
        return index

    for row in indices[1:]:
        for x, y in zip(indices[0], row, strict=True):
            parent[root(x)] = root(y)
    axes = [total(side) for side in sums]
    for axis in axes[1:]:
        assert unify(axes[0], axis) == []
    classes: dict[tuple[int, int], tuple[int, int]] = {}
    for row, axis in zip(indices, axes, strict=True):
        for index, units in zip(row, units_at(axis), strict=True):
            for unit in units:  # none where the stretch has size 1: it is never cut
                assert classes.setdefault(root(index), unit) == unit
    assert len(set(classes.values())) == len(classes)


def test_a_plain_axis_takes_the_place_of_a_product() -> None:
    channels, heads, dims = leaf(768), leaf(12), leaf(64)
    assert unify(channels, product([heads, dims])) == []
    assert leaves(channels) == [heads, dims]


def test_an_axis_of_size_1_broadcasts_and_is_left_alone() -> None:
    one, many = leaf(1), leaf(5)
    assert unify(one, many) == []
    assert not same(one, many)


def test_sizes_that_differ_are_reported() -> None:
    ((a, b, why),) = unify(leaf(4), leaf(6))
    assert (a.size, b.size, why) == (4, 6, "sizes 4 and 6 differ")


def test_a_product_over_a_sum_is_distributed() -> None:
    q, k, d = leaf(2), leaf(3), leaf(4)
    first, second = leaf(8), leaf(12)
    assert unify(product([total([q, k]), d]), total([first, second])) == []
    assert leaves(first) == [q, d]
    assert leaves(second) == [k, d]


def test_packed_queries_keys_and_values_are_one_set_of_heads() -> None:
    q, k, v = leaf(24), leaf(24), leaf(24)
    heads, dims = leaf(4), leaf(6)
    assert unify(total([q, k, v]), product([leaf(3), heads, dims])) == []
    assert leaves(q) == leaves(k) == leaves(v) == [heads, dims]


def test_heads_of_their_own_stay_apart_when_queries_keys_and_values_are_split_first() -> None:
    q, k, v = leaf(24), leaf(8), leaf(8)
    packed = leaf(40)
    assert unify(packed, total([q, k, v])) == []
    assert unify(q, product([leaf(2), leaf(3), leaf(4)])) == []
    assert sizes(packed) == [2, 3, 4, 8, 8]


def test_a_channel_shuffle_leaves_groups_and_channels_free() -> None:
    groups, inner = leaf(3), leaf(4)
    before, after = leaf(12), leaf(12)
    assert unify(before, product([groups, inner])) == []
    assert unify(after, product([inner, groups])) == []
    assert leaves(before) == [groups, inner]
    assert leaves(after) == [inner, groups]


def test_a_channel_shuffle_that_returns_to_its_start_makes_one_axis_of_equal_factors() -> None:
    groups, inner = leaf(4), leaf(4)
    assert unify(product([groups, inner]), product([inner, groups])) == []
    assert same(groups, inner)


def test_the_innermost_factor_is_shared_where_the_outer_ones_do_not_divide() -> None:
    a, b = product([leaf(2), leaf(24)]), product([leaf(3), leaf(16)])
    ((x, y, why),) = unify(a, b)
    assert (x.size, y.size) == (6, 6)
    assert "do not divide" in why
    assert leaves(a)[-1] is leaves(b)[-1]
    assert leaves(a)[-1].size == 8


def test_a_boundary_inside_a_row_makes_that_row_a_stretch_of_its_own() -> None:
    rows, columns = leaf(4), leaf(5)
    head, tail = leaf(7), leaf(13)
    assert unify(product([rows, columns]), total([head, tail])) == []
    assert units_at(product([rows, columns])) == units_at(head) + units_at(tail)
    assert sizes(columns) == [2, 3]


@pytest.mark.parametrize(
    ("parts", "result"),
    [((), 1), ((1, 1), 1), ((1, 5), 5), ((2, 3), 6)],
)
def test_factors_of_size_1_vanish(parts: tuple[int, ...], result: int) -> None:
    axis = product(map(leaf, parts))
    assert axis.size == result
    assert len(leaves(axis)) == max(1, sum(part > 1 for part in parts))


def test_empty_parts_vanish() -> None:
    part = leaf(3)
    assert total([leaf(0), part]) is part
    assert total([]).size == 0


@given(st.data())
def test_both_sides_of_a_split_make_up_the_whole(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(SIZES))
    axis = built(data.draw(structures(size, {})))
    at = data.draw(st.integers(1, size - 1))
    head, tail = split(axis, at)
    assert (head.size, tail.size) == (at, size - at)
    assert units_at(head) + units_at(tail) == units_at(axis)


def test_an_axis_shows_what_it_is_made_of() -> None:
    assert repr(product([total([leaf(2), leaf(3)]), leaf(4)])) == "((2 + 3) 4)"


def test_unification_of_many_layers_stays_flat() -> None:
    """A chain of ten thousand residual additions has one axis, found without deep recursion."""
    width = [leaf(64) for _ in range(10_000)]
    for a, b in pairwise(width):
        assert unify(a, b) == []
    assert all(same(width[0], axis) for axis in width)


def test_keep_is_none_where_all_stays() -> None:
    axis = product([leaf(2), total([leaf(3), leaf(4)])])
    nothing: Index | None = keep(axis, lambda _: None)
    assert nothing is None
    assert prod(sizes(axis)) == 2 * 3 * 4


def test_an_axis_that_meets_itself_shifted_falls_into_positions_however_long_it_is() -> None:
    whole = leaf(6000)
    front, last = split(whole, 5998)
    first, rest = split(whole, 2)
    assert unify(front, rest) == []
    assert {id(part) for part in leaves(whole)} == {id(find(first))} == {id(find(last))}


def test_an_axis_that_would_fall_into_too_many_stretches_is_reported() -> None:
    whole = leaf(3 * MOST_STRETCHES)
    front, _ = split(whole, whole.size - 1)
    ((a, b, why),) = unify(front, split(whole, 1)[1])
    assert a.size == b.size == whole.size - 1
    assert str(MOST_STRETCHES) in why


def test_axes_that_are_nested_a_thousand_times_are_walked() -> None:
    axis = leaf(2000)
    rest = axis
    for _ in range(1500):
        rest = split(rest, 1)[1]
    assert len(leaves(axis)) == 1501
    assert kept_by(axis, {id(leaves(axis)[0]): np.zeros(0, np.int64)}).tolist() == list(range(1, 2000))
