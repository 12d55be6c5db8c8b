"""A rule's text reads as it prints, and what is no rule says what is wrong with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune import rules
from graphprune.notation import (
    Dim,
    Factors,
    Name,
    NotationError,
    Operand,
    Parts,
    Pinned,
    Rest,
    Rule,
    Size,
    names,
    parse,
)

CONSTANT_ROWS = {
    f"{domain}.{operator}".strip("."): row.rule
    for domain, table in rules.TABLE.items()
    for operator, row in table.items()
    if isinstance(row.rule, str)
}

words = st.from_regex(r"\A[A-Za-z][A-Za-z0-9]{0,2}\Z")
plain: st.SearchStrategy[Dim] = st.one_of(
    st.builds(Name, words, st.sampled_from(["", "!", "~", "_"])),
    st.builds(Size, st.integers(1, 4096)),
    st.just(Pinned()),
)
dims = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.builds(Factors, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Parts, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
operands: st.SearchStrategy[Operand] = st.one_of(
    st.none(),
    st.lists(st.one_of(dims, st.sampled_from(["...", "*", "*!"]).map(Rest)), max_size=4).map(tuple),
)
rule_values = st.builds(
    Rule,
    st.lists(operands, min_size=1, max_size=3).map(tuple),
    st.lists(operands, min_size=1, max_size=3).map(tuple),
    st.dictionaries(words, st.integers(1, 4096), max_size=3),
)


@given(rule_values)
def test_what_is_printed_reads_back_as_the_same_rule(rule: Rule) -> None:
    assert parse(str(rule)) == rule


@pytest.mark.parametrize("operator", CONSTANT_ROWS)
def test_every_constant_row_of_the_table_prints_as_it_is_written(operator: str) -> None:
    text = CONSTANT_ROWS[operator]
    assert str(parse(text)) == text


def test_blanks_do_not_matter() -> None:
    assert parse("n(g i)*,-->n * |g=2").inputs == parse("n (g i) *, - -> n * | g=2").inputs
    assert str(parse("  n   ( g  i ) ->  n|g=2 ")) == "n (g i) -> n | g=2"


def test_a_side_without_dimensions_is_one_scalar() -> None:
    assert parse("k, k -> ").outputs == ((),)
    assert parse(" -> k").inputs == ((),)
    assert parse("a, , b -> a").inputs[1] == ()


def test_marks_belong_to_the_name_before_them() -> None:
    (dims,) = parse("a! b~ c_ _ d -> a").inputs
    assert dims == (Name("a", "!"), Name("b", "~"), Name("c", "_"), Pinned(), Name("d"))


def test_names_are_found_inside_products_and_sums_in_order() -> None:
    (dims,) = parse("a ((b! c) + 3) _ d -> a").inputs
    assert [str(name) for name in names(dims)] == ["a", "b!", "c", "d"]
    assert names(None) == []


def test_the_names_that_reach_an_output_are_known() -> None:
    assert parse("m k, (k n) -> m (n 3), -").output_names == {"m", "n"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("m k, k n", "no '->'"),
        ("a -> b | g", "sizes read name=number"),
        ("a -> b | g=two", "sizes read name=number"),
        ("(a b -> a", "not closed"),
        ("(a + b -> a", "not closed"),
        ("(a + -> a", "not closed"),
        ("a -> (", "not closed"),
        ("(a + b c) -> a", "between all its parts"),
        ("a ) -> a", "does not start a dimension"),
        ("a + b -> a", "does not start a dimension"),
        ("a - b -> a", "does not start a dimension"),
        ("a $ -> a", "cannot read"),
    ],
)
def test_what_is_no_rule_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(NotationError, match=complaint.replace("(", r"\(")):
        parse(text)


@given(st.text(alphabet="ab1 ()+-_*!~.,", max_size=12), st.text(alphabet="ab1 ()+-_*!~.,|=", max_size=8))
def test_no_text_does_worse_than_a_notation_error(left: str, right: str) -> None:
    try:
        rule = parse(f"{left}->{right}")
    except NotationError:
        return
    assert parse(str(rule)) == rule
