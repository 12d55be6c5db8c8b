"""A rule applied to axes: what it names alike becomes one axis, and what contradicts it is reported."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune.axes import Axis, find, leaf, leaves
from graphprune.bind import Bound, DoesNotFit, Sizes, bind, sizes_of
from graphprune.notation import parse


def axes(*sizes: int) -> list[Axis]:
    return [leaf(size) for size in sizes]


def bound(text: str, inputs: list[list[Axis] | None], *outputs: Sizes | None) -> Bound:
    return bind(parse(text), inputs, outputs)


def same(a: Axis, b: Axis) -> bool:
    return find(a) is find(b)


def pinned(found: Bound) -> set[int]:
    """The leaves that are pinned, by identity."""
    return {id(part) for axis, _ in found.pins for part in leaves(axis)}


def is_pinned(found: Bound, axis: Axis) -> bool:
    return all(id(part) in pinned(found) for part in leaves(axis))


def test_the_same_name_is_the_same_axis() -> None:
    a, b = axes(3, 4), axes(4, 5)
    found = bound("m k, k n -> m n", [a, b], (3, 5))
    assert same(a[1], b[0])
    assert same(found.outputs[0][0], a[0])
    assert same(found.outputs[0][1], b[1])
    assert not found.pins


def test_a_name_in_inputs_alone_is_contracted_wherever_it_enters() -> None:
    found = bound("m k, k n -> m n", [axes(3, 4), axes(4, 5)], (3, 5))
    assert found.consumed == [("k", 0, 1), ("k", 1, 0)]


def test_a_name_with_a_tilde_is_contracted_although_it_reaches_an_output() -> None:
    found = bound("(4 h) h~ -> h", [axes(20, 5)], (5,))
    assert ("h", 0, 1) in found.consumed
    assert ("h", 0, 0) not in found.consumed


def test_a_mark_inside_a_product_is_noted() -> None:
    a = axes(2, 12)
    found = bound("n (g c!) -> n (g c!) | g=3", [a], (2, 12))
    assert [axis.size for axis in found.mixed] == [4]
    assert [part.size for part in leaves(a[1])] == [3, 4]


@pytest.mark.parametrize(
    ("sizes", "result"),
    [
        (((2, 3, 4), (4,)), (2, 3, 4)),
        (((4,), (2, 3, 4)), (2, 3, 4)),
        (((2, 1, 4), (3, 1)), (2, 3, 4)),
        (((1,), (2, 3)), (2, 3)),
        (((), (2, 3)), (2, 3)),
        (((2, 3), (2, 1), (3,)), (2, 3)),
    ],
    ids=str,
)
def test_an_ellipsis_broadcasts_from_the_right(sizes: tuple[Sizes, ...], result: Sizes) -> None:
    inputs = [axes(*operand) for operand in sizes]
    found = bound(f"{', '.join(['...'] * len(sizes))} -> ...", [*inputs], result)
    for operand in inputs:
        for offset in range(1, len(operand) + 1):
            axis = operand[-offset]
            assert axis.size == 1 or same(axis, found.outputs[0][-offset])
    assert not found.pins


def test_dimensions_around_an_ellipsis_are_named() -> None:
    a, b = axes(2, 1, 3, 4), axes(6, 4, 5)
    found = bound("... m k, ... k n -> ... m n", [a, b], (2, 6, 3, 5))
    assert same(a[3], b[1])
    assert [axis.size for axis in found.rest["..."]] == [2, 6]


def test_sizes_that_do_not_broadcast_are_pinned_on_both_sides() -> None:
    a, b = axes(2, 3), axes(4)
    found = bind(parse("..., ... -> -"), [a, b], [(2, 3)])
    assert is_pinned(found, a[1])
    assert is_pinned(found, b[0])
    assert not is_pinned(found, a[0])


def test_a_star_pins_and_a_star_with_a_mark_mixes() -> None:
    a = axes(2, 3, 4, 5)
    found = bound("n c * -> n c *", [a], (2, 3, 4, 5))
    assert [is_pinned(found, axis) for axis in a] == [False, False, True, True]
    a = axes(2, 3, 4, 5)
    found = bound("n c *! -> n c *!", [a], (2, 3, 4, 5))
    assert not found.pins
    assert found.mixed == a[2:]
    assert found.outputs[0][2:] == a[2:]


def test_pooled_axes_are_new_and_pinned() -> None:
    found = bound("n c * -> n c *", [axes(2, 3, 8)], (2, 3, 4))
    assert is_pinned(found, found.outputs[0][2])


def test_a_named_pinned_axis_gives_its_size_to_an_output() -> None:
    a = axes(2, 7, 15)
    found = bound("b s_ (h d) -> b s_ h | h=3", [a], (2, 7, 3))
    assert is_pinned(found, a[1])
    assert same(found.outputs[0][1], a[1])


def test_a_sum_binds_consecutive_stretches() -> None:
    a, b, c = axes(2, 3), axes(2, 5), axes(8)
    bound("n p, n q, (p + q) -> n (p + q)", [a, b, c], (2, 8))
    assert [part.size for part in leaves(c[0])] == [3, 5]
    assert same(leaves(c[0])[0], a[1])
    assert same(leaves(c[0])[1], b[1])


def test_the_one_open_part_of_a_sum_takes_what_is_left() -> None:
    a = axes(10)
    found = bound("(p + q + r) -> q | p=2 r=5", [a], (3,))
    assert [part.size for part in leaves(a[0])] == [2, 3, 5]
    assert same(found.outputs[0][0], leaves(a[0])[1])


def test_the_one_open_factor_of_a_product_takes_what_is_left() -> None:
    a = axes(30)
    bound("(g c) -> g c | g=5", [a], (5, 6))
    assert [part.size for part in leaves(a[0])] == [5, 6]


def test_a_literal_factor_is_pinned_and_its_neighbour_is_not() -> None:
    a = axes(12)
    found = bound("(c 4) -> c", [a], (3,))
    outer, inner = leaves(a[0])
    assert (outer.size, inner.size) == (3, 4)
    assert is_pinned(found, inner)
    assert not is_pinned(found, outer)


def test_an_operand_that_is_absent_or_not_looked_at_binds_nothing() -> None:
    a, c = axes(2, 3), axes(9)
    found = bound("n c, c, - -> n c", [a, None, c], (2, 3))
    assert not found.pins
    assert set(found.names) == {"n", "c"}


def test_an_output_that_nobody_looks_at_is_new_and_pinned() -> None:
    found = bound("n c -> -", [axes(2, 3)], (4, 5))
    assert all(is_pinned(found, axis) for axis in found.outputs[0])


def test_an_output_of_unknown_rank_has_no_axes() -> None:
    assert bound("n c -> n c, c", [axes(2, 3)], (2, 3), None).outputs[1] == []


@pytest.mark.parametrize(
    ("text", "inputs", "outputs", "complaint"),
    [
        ("m k -> m k", [(2, 3), (4,)], [(2, 3)], "2 operands, the rule has 1"),
        ("m k -> m k", [(2, 3, 4)], [(2, 3, 4)], "rank 3, the rule has 2 dimensions"),
        ("... m k -> m", [(3,)], [(3,)], "rank 1, the rule needs 2"),
        ("m 4 -> m", [(2, 3)], [(2,)], "size 3, the rule has 4"),
        ("(g c) -> c | g=5", [(12,)], [(2,)], "is 10, the dimension is 12"),
        ("(p + q) -> p | p=7", [(5,)], [(7,)], "exceed 5"),
        ("(a b) -> a", [(12,)], [(3,)], "more than one size of (a b) is open"),
        ("c -> c | c=3", [(4,)], [(4,)], "'c' is 4, not 3"),
        ("m k -> m", [(2, 3)], [(5,)], "an output of sizes (5,)"),
        ("m k -> m k", [(2, 3)], [(2,)], "an output of"),
        ("m k -> m", [(2, 3)], [(2, 3)], "an output of"),
        ("m k -> m", [(2, 3)], [(2,), (3,)], "2 outputs, the rule has 1"),
    ],
)
def test_what_contradicts_the_rule_does_not_fit(
    text: str, inputs: list[Sizes], outputs: list[Sizes], complaint: str
) -> None:
    with pytest.raises(DoesNotFit) as caught:
        bind(parse(text), [axes(*sizes) for sizes in inputs], outputs)
    assert complaint in str(caught.value)


def test_sizes_that_differ_under_one_name_are_pinned_with_the_reason() -> None:
    a, b = axes(2, 3), axes(4, 5)
    found = bound("m k, k n -> m n", [a, b], (2, 5))
    assert is_pinned(found, a[1])
    assert is_pinned(found, b[0])
    assert {why for _, why in found.pins} == {"sizes 3 and 4 differ"}


@pytest.mark.parametrize(
    ("text", "inputs", "outputs"),
    [
        ("... m k, ... k n -> ... m n", [(2, 3, 4), (4, 5)], [(2, 3, 5)]),
        ("b s_ (h d) -> b h s_ d, b 1 | h=3", [(2, 7, 15)], [(2, 3, 7, 5), (2, 1)]),
        ("n (g c!) *! -> n (g c!) *! | g=2", [(2, 6, 4, 4)], [(2, 6, 4, 4)]),
        ("n c * -> n c *", [(2, 3, 4)], [None]),
        ("n c -> n _", [(2, 3)], [None]),
        ("n c, - -> -, n", [(2, 3), (4,)], [None, (2,)]),
        ("p, q -> (p + q + 2)", [(2,), (3,)], [(7,)]),
        ("k, k -> ", [(3,), (3,)], [()]),
    ],
)
def test_sizes_of_outputs_follow_where_the_rule_says_them(
    text: str, inputs: list[Sizes], outputs: list[Sizes | None]
) -> None:
    assert sizes_of(parse(text), inputs) == outputs


sizes = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@given(sizes, st.data())
def test_axes_that_broadcast_give_the_sizes_that_numpy_gives(shape: Sizes, data: st.DataObject) -> None:
    shapes = [shape]
    for _ in range(data.draw(st.integers(1, 2))):
        cut = shape[data.draw(st.integers(0, len(shape))) :]
        shapes.append(tuple(data.draw(st.sampled_from([1, size])) for size in cut))
    inputs = [axes(*operand) for operand in shapes]
    found = bound(f"{', '.join(['...'] * len(shapes))} -> ...", [*inputs], shape)
    assert tuple(axis.size for axis in found.outputs[0]) == shape
    assert not found.pins
