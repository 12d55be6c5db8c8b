"""Positions that stay and units that lie at them are two views of one axis, and agree."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphprune.axes import Axis, leaf, leaves, product, total
from graphprune.positions import Index, keep, terms, units
from tests.structures import built, random_keep, structures, units_at

axes = st.sampled_from([4, 6, 8, 12, 16, 24]).flatmap(lambda size: structures(size, {})).map(built)


def stays(axis: Axis, group: Axis, *kept: int) -> Index | None:
    return keep(axis, lambda part: np.array(kept, np.int64) if part is group else None)


@given(axes, st.randoms(use_true_random=False))
def test_the_units_at_the_positions_that_stay_are_those_that_are_kept(axis: Axis, random: Random) -> None:
    for group in leaves(axis):
        assume(not any([key for key, _ in place].count(id(group)) > 1 for place in units_at(axis)))
        if group.size < 2:
            continue
        kept = random_keep([group], random)[id(group)]
        at = units(axis, group)
        expected = [place for place, unit in enumerate(at) if unit == -1 or unit in kept]
        found = stays(axis, group, *kept)
        assert sorted(range(axis.size) if found is None else found.tolist()) == expected


@given(axes)
def test_units_say_what_the_structure_says(axis: Axis) -> None:
    for group in leaves(axis):
        assume(not any([key for key, _ in place].count(id(group)) > 1 for place in units_at(axis)))
        if group.size > 1:
            found = [dict(place).get(id(group), -1) for place in units_at(axis)]
            assert units(axis, group).tolist() == found


@given(axes)
def test_the_terms_of_an_axis_make_up_its_size(axis: Axis) -> None:
    assert sum(int(np.prod([part.size for part in term])) for term in terms(axis)) == axis.size


@given(axes, st.randoms(use_true_random=False))
def test_as_many_positions_stay_as_the_terms_say(axis: Axis, random: Random) -> None:
    kept = random_keep([axis], random)
    counts = {id(part): len(kept.get(id(part), range(part.size))) for part in leaves(axis)}
    found = keep(axis, lambda part: kept.get(id(part)))
    count = axis.size if found is None else found.size
    assert count == sum(int(np.prod([counts[id(part)] for part in term])) for term in terms(axis))


def test_a_product_keeps_the_outer_product_of_what_its_factors_keep() -> None:
    heads, dims = leaf(3), leaf(4)
    axis = product([heads, dims])
    kept = {id(heads): np.array([2, 0]), id(dims): np.array([1, 3])}
    found = keep(axis, lambda part: kept.get(id(part)))
    assert found is not None
    assert found.tolist() == [9, 11, 1, 3]


def test_a_sum_keeps_the_order_within_each_stretch() -> None:
    first, second = leaf(3), leaf(4)
    found = stays(total([first, second]), second, 3, 0)
    assert found is not None
    assert found.tolist() == [0, 1, 2, 6, 3]


def test_an_axis_that_stands_twice_is_cut_twice() -> None:
    part = leaf(3)
    found = stays(total([part, part]), part, 2)
    assert found is not None
    assert found.tolist() == [2, 5]
    found = stays(product([part, part]), part, 0, 2)
    assert found is not None
    assert found.tolist() == [0, 2, 6, 8]


def test_what_no_group_touches_stays_whole() -> None:
    axis, other = product([leaf(2), leaf(3)]), leaf(5)
    assert stays(axis, other, 0) is None
    assert units(axis, other).tolist() == [-1] * 6


@pytest.mark.parametrize("group", [0, 1])
def test_units_repeat_over_the_other_factor(group: int) -> None:
    parts = leaf(2), leaf(3)
    assert units(product(parts), parts[group]).tolist() == [[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]][group]
