"""Positions that stay and units that lie at them are two views of one axis, and agree."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphprune.axes import Axis, leaf, leaves, product, total
from graphprune.errors import Refused
from graphprune.positions import Apart, Index, Stay, keep, terms, units
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


def apart(axis: Axis, outer: Axis, inner: Axis, rows: Index, *, heads: Index | None = None) -> Stay:
    return keep(axis, lambda part: Apart(outer, rows) if part is inner else heads if part is outer else None)


ROWS = np.array([[1, 3], [0, 2], [3, 0]])


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("hd", [9, 11, 1, 3]),
        ("dh", [2 + 3 * 3, 0 + 3 * 1, 2 + 3 * 0, 0 + 3 * 3]),
        ("xhd", [9, 11, 1, 3, 21, 23, 13, 15]),
        ("hxd", [17, 19, 21, 23, 1, 3, 5, 7]),
    ],
)
def test_every_block_keeps_its_own_units(order: str, expected: list[int]) -> None:
    heads, dims = leaf(3), leaf(4)
    rows = np.array([[1, 3], [0, 2], [1, 3]])
    if order == "dh":
        rows = np.array([[1, 3], [0, 2], [3, 0]])
    axis = product({"h": heads, "d": dims, "x": leaf(2)}[letter] for letter in order)
    found = apart(axis, heads, dims, rows, heads=np.array([2, 0]))
    assert isinstance(found, np.ndarray)
    assert found.tolist() == expected


def test_stretches_whose_blocks_lie_elsewhere_keep_rows() -> None:
    heads, dims, other = leaf(3), leaf(4), leaf(2)
    found = apart(total([other, dims, dims]), heads, dims, ROWS)
    assert isinstance(found, Apart)
    assert found.outer is heads
    assert found.rows.tolist() == [[0, 1, 3, 5, 7, 9], [0, 1, 2, 4, 6, 8], [0, 1, 5, 2, 9, 6]]


def test_blocks_of_two_factors_that_lie_elsewhere_are_refused() -> None:
    first, second = (leaf(4), leaf(3)), (leaf(5), leaf(3))
    kept = {id(a): Apart(b, np.array([[0], [1], [2]])) for a, b in (first, second)}
    with pytest.raises(Refused, match="blocks of different factors"):
        keep(total([first[0], second[0]]), lambda part: kept.get(id(part)))


@given(axes, st.randoms(use_true_random=False))
def test_the_units_that_stay_in_a_block_are_those_that_it_keeps(axis: Axis, random: Random) -> None:
    places = [dict(place) for place in units_at(axis)]
    sizes = {id(part): part for part in leaves(axis) if part.size > 1}
    pairs = [
        (outer, inner)
        for outer in sizes.values()
        for inner in sizes.values()
        if outer is not inner and all(id(outer) in place for place in places if id(inner) in place)
    ]
    assume(pairs and not any(len(place) > len(dict(place)) for place in units_at(axis)))
    outer, inner = pairs[0]
    count = random.randint(1, inner.size)
    rows = np.array([random.sample(range(inner.size), count) for _ in range(outer.size)])
    found = apart(axis, outer, inner, rows)
    assert isinstance(found, np.ndarray)
    expected = [
        at
        for at, place in enumerate(places)
        if id(inner) not in place or place[id(inner)] in rows[place[id(outer)]]
    ]
    assert sorted(found.tolist()) == expected
