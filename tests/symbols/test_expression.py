"""Expressions over symbols: one form, evaluation where forms differ, and the texts of dimensions."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphprune.symbols import expression as e
from graphprune.symbols.expression import Expr, number, parse, symbol

NAMES = ("a", "b", "c")


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> Expr:
    if depth == 0 or draw(st.booleans()):
        return draw(st.one_of(st.sampled_from(NAMES).map(symbol), st.integers(-9, 9).map(number)))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    kind = draw(st.sampled_from(["+", "-", "*", "floor", "mod", "max", "min"]))
    if kind in ("floor", "mod"):
        right = number(draw(st.integers(1, 7)))
        return e.floordiv(left, right) if kind == "floor" else e.mod(left, right)
    return {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "max": lambda: e.maximum(left, right),
        "min": lambda: e.minimum(left, right),
    }[kind]()


SIZES = st.fixed_dictionaries({name: st.integers(0, 5000) for name in NAMES})


@given(expressions(), expressions(), SIZES)
def test_an_operation_and_then_numbers_is_numbers_and_then_the_operation(
    left: Expr, right: Expr, sizes: dict[str, int]
) -> None:
    first, second = left.value(sizes), right.value(sizes)
    assert (left + right).value(sizes) == first + second
    assert (left - right).value(sizes) == first - second
    assert (left * right).value(sizes) == first * second
    assert (-left).value(sizes) == -first
    assert e.maximum(left, right).value(sizes) == max(first, second)
    assert e.minimum(left, right).value(sizes) == min(first, second)
    if second:
        assert e.floordiv(left, right).value(sizes) == first // second
        assert e.mod(left, right).value(sizes) == first % second


@given(expressions(), expressions(2), SIZES)
def test_substituting_is_the_same_before_and_after_evaluation(
    outer: Expr, inner: Expr, sizes: dict[str, int]
) -> None:
    assert outer.substitute({"a": inner}).value(sizes) == outer.value({**sizes, "a": inner.value(sizes)})


@given(expressions(), SIZES)
def test_the_text_of_an_expression_reads_as_the_expression(made: Expr, sizes: dict[str, int]) -> None:
    if not made.is_number:
        assert parse(str(made), NAMES).value(sizes) == made.value(sizes)


def test_two_forms_of_one_expression_are_equal_and_hash_alike() -> None:
    a, b = symbol("a"), symbol("b")
    assert a * b + b * a == 2 * (b * a)
    assert hash((a + b) * (a + b)) == hash(a * a + 2 * a * b + b * b)
    assert len({e.maximum(a, b), e.maximum(b, a)}) == 1


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("floor((s-1)/2) + 1", "floor((s+1)/2)", True),
        ("Max(0, s + p)", "s + p", True),
        ("Max(0, s + p - Max(0, p - 4095)) + Max(0, p - 4095)", "s + p", True),
        ("s - Mod(s, 2)", "2*floor(s/2)", True),
        ("Min(s, 1000)", "s", False),
        ("Min(s, 123456)", "s", False),
        ("Max(0, s - 123456)", "0*s", False),
        ("Mod(s, 2)", "1 + 0*s", False),
        ("2*floor(s/2)", "s", False),
        ("Max(s, 1)", "s", False),
        ("s", "p", False),
        ("s*p", "p*s", True),
    ],
)
def test_equality_is_that_of_all_sizes(left: str, right: str, same: bool) -> None:
    assert e.equal(parse(left), parse(right)) is same


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("past_sequence_length + sequence_length", "past_sequence_length + sequence_length"),
        ("Max(0, s1)", "max(0, s1)"),
        ("floor(x/2)", "(x//2)"),
        ("encoder_sequence_length / 2", "(encoder_sequence_length//2)"),
        ("x//4 + Mod(x, 4)", "(x % 4) + (x//4)"),
        ("ceiling(x/2)", "x - (x//2)"),
        ("Min(s, 3, t)", "min(min(3, s), t)"),
        ("s**2", "s*s"),
        ("-s + 9", "-s + 9"),
        ("batch-size", "batch-size"),
        ("unk__12", "unk__12"),
        ("seq.len", "seq.len"),
        ("sin(x)", "sin(x)"),
        ("x if y else z", "x if y else z"),
        ("__import__('os')", "__import__('os')"),
        ("7", "7"),
        ("x//0", "x//0"),
        ("(" * 200, "(" * 200),
        ("*".join(["(a+b+c+d)"] * 40), "*".join(["(a+b+c+d)"] * 40)),
        ("Größe", "Größe"),
    ],
)
def test_a_dimension_is_read_as_arithmetic_or_as_one_name(text: str, shown: str) -> None:
    assert str(parse(text)) == shown
    assert not parse(text).is_number


def test_a_hyphen_is_a_minus_only_between_names_of_other_dimensions() -> None:
    assert parse("total-past", {"total", "past"}) == symbol("total") - symbol("past")
    assert parse("total-past", {"total"}) == symbol("total-past")
    assert parse("total - past") == symbol("total") - symbol("past")


def test_a_division_by_zero_is_an_error_and_never_makes_expressions_equal() -> None:
    s = symbol("s")
    with pytest.raises(ZeroDivisionError):
        e.floordiv(s, number(0))
    never = e.floordiv(s, e.mod(s * 2, number(2)) + e.maximum(s, number(1)) - e.maximum(s, number(1)) + s)
    assert never == number(1)
    assert not e.equal(e.floordiv(number(7), e.minimum(s - 9000, number(0)) * 0 + s), number(7))


def test_an_expression_that_grows_is_refused_before_it_costs_anything() -> None:
    grown = symbol("s")
    for _ in range(3):
        grown = e.maximum(grown + 1, e.floordiv(grown * 3, number(2)))
    with pytest.raises(e.TooLarge):
        reduce(lambda made, _: e.maximum(made + 1, e.floordiv(made * 3, number(2))), range(200), grown)


def test_an_expression_is_neither_true_nor_false() -> None:
    with pytest.raises(TypeError):
        bool(symbol("s"))
