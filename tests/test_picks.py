"""Axes whose units are picked one by one agree unit by unit, and only what cannot be told is reported."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from graphprune.axes import Axis, counted, find, leaf, leaves, product, total, unify
from graphprune.picks import Pick, settle, transposed
from graphprune.positions import Index, units
from tests.structures import kept_by, random_keep


def pick(base: Axis, *at: int) -> Pick:
    return Pick(base, np.array(at, np.int64), leaf(len(at)))


def unit_names(axis: Axis) -> list[tuple[int, int]]:
    """The unit at each position of an axis that has no factors."""
    found: list[tuple[int, int]] = [(0, 0)] * axis.size
    for number, part in enumerate(leaves(axis)):
        for position, unit in enumerate(units(axis, part).tolist()):
            if unit >= 0:
                found[position] = (id(part), unit) if number >= 0 else (0, 0)
    return found


@st.composite
def chains(draw: st.DrawFn) -> list[Pick]:
    """Picks out of axes and of what was picked before; now and then a result is one of the axes."""
    axes = [leaf(draw(st.integers(2, 9))) for _ in range(draw(st.integers(1, 3)))]
    picks: list[Pick] = []
    for _ in range(draw(st.integers(1, 4))):
        base = draw(st.sampled_from(axes))
        at = draw(st.lists(st.integers(0, base.size - 1), min_size=1, max_size=12))
        picks.append(pick(base, *at))
        axes.append(picks[-1].result)
        if draw(st.booleans()):
            other = draw(st.sampled_from([axis for axis in axes if axis.size == len(at)]))
            picks[-1] = Pick(base, picks[-1].at, other)
    return picks


@given(chains())
def test_what_was_picked_is_the_unit_that_it_was_picked_from(picks: list[Pick]) -> None:
    assert settle(picks) == []
    for each in picks:
        base, result = unit_names(each.base), unit_names(each.result)
        assert result == [base[position] for position in each.at]


@given(chains(), st.randoms(use_true_random=False))
def test_the_size_of_what_stays_is_counted_without_positions(picks: list[Pick], random: Random) -> None:
    settle(picks)
    axes = [axis for each in picks for axis in (each.base, each.result)]
    kept = random_keep(axes, random, pinned=[])
    for axis in axes:
        assert counted(axis, lambda part: len(kept.get(id(part), range(part.size)))) == len(
            kept_by(axis, kept)
        )


def test_an_order_that_is_turned_around_and_added_to_itself_couples_its_ends() -> None:
    axis = leaf(6)
    assert settle([Pick(axis, np.arange(6)[::-1], axis)]) == []
    (pair,) = leaves(axis)
    assert units(axis, pair).tolist() == [0, 1, 2, 2, 1, 0]


def test_units_that_are_not_picked_are_apart_from_those_that_are() -> None:
    axis = leaf(7)
    picks = [pick(axis, 4, 1, 6)]
    settle(picks)
    assert sorted(part.size for part in leaves(axis)) == [3, 4]
    assert [part.size for part in leaves(picks[0].result)] == [3]


def test_a_shuffle_of_an_axis_with_factors_is_a_product_in_another_order() -> None:
    groups, inner = leaf(3), leaf(4)
    axis = product([groups, inner])
    shuffle = Pick(axis, np.arange(12).reshape(3, 4).T.reshape(-1), leaf(12))
    assert settle([shuffle]) == []
    assert [part.size for part in leaves(shuffle.result)] == [4, 3]
    assert {id(part) for part in leaves(shuffle.result)} == {id(find(groups)), id(find(inner))}


def test_blocks_of_an_axis_with_factors_change_places_as_stretches() -> None:
    heads, dims = leaf(6), leaf(4)
    axis = product([heads, dims])
    moved = Pick(axis, np.r_[12:24, 0:12].astype(np.int64), leaf(24))
    assert settle([moved]) == []
    assert [part.size for part in leaves(axis)] == [3, 4, 3]


def test_units_of_an_axis_with_factors_that_go_by_no_order_are_reported() -> None:
    axis = product([leaf(3), leaf(4)])
    odd = pick(axis, 5, 0, 11, 2, 7, 1, 3, 10, 4, 6, 9, 8)
    ((which, (base, result, why)),) = settle([odd])
    assert which is odd
    assert {base.size, result.size} == {12}
    assert "factors" in why


def test_what_gets_factors_by_one_pick_has_them_for_another() -> None:
    first = Pick(leaf(12), np.arange(12)[::-1].copy(), leaf(12))
    second = Pick(first.result, np.arange(12).reshape(3, 4).T.reshape(-1), product([leaf(4), leaf(3)]))
    assert [which for which, _ in settle([first, second])] == [first]


def test_a_pick_of_a_sum_is_a_pick_of_its_parts() -> None:
    left, right = leaf(3), leaf(4)
    mixed = pick(total([left, right]), 6, 0, 3)
    assert settle([mixed]) == []
    kept: dict[int, Index] = {}
    assert kept_by(mixed.result, kept).tolist() == [0, 1, 2]
    assert unit_names(mixed.result) == [unit_names(right)[3], unit_names(left)[0], unit_names(right)[0]]


def test_only_a_product_in_another_order_is_transposed() -> None:
    assert transposed(np.arange(24).reshape(2, 3, 4).transpose(2, 1, 0).reshape(-1), 24) == (
        [2, 3, 4],
        [2, 1, 0],
    )
    assert transposed(np.arange(6), 6) == ([6], [0])
    assert transposed(np.array([0, 2, 1, 3, 5, 4]), 6) is None
    assert transposed(np.array([0, 2, 4]), 6) is None
    assert transposed(np.array([5, 4, 3, 2, 1, 0]), 6) is None


def test_unified_axes_may_be_picked_from() -> None:
    a, b = leaf(5), leaf(5)
    assert unify(a, b) == []
    picks = [pick(a, 4, 3, 2, 1, 0), pick(b, 0, 2)]
    assert settle(picks) == []
    assert unit_names(picks[1].result) == [unit_names(a)[0], unit_names(b)[2]]
