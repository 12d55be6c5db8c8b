"""Figures as people read them: rounded, yet never so that a broken limit looks met."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from graphprune.gate.outcome import Bound

Kind = Literal["difference", "ratio", "value"]
_LARGEST = 1e15
_MORE_DIGITS = 17


@dataclass(frozen=True)
class Scale:
    """How figures of one sort are written.

    Attributes:
        factor: what they are multiplied with.
        one: the unit behind a single one, with a space before it where one belongs there.
        many: behind others.
        places: decimals of a rounded figure; None for four significant digits.
    """

    factor: Decimal
    one: str
    many: str
    places: int | None


_POINTS = Scale(Decimal(100), " point", " points", 1)
_PERCENT = Scale(Decimal(100), " %", " %", 1)
_TIMES = Scale(Decimal(1), "", "", 3)
_SCALES = {
    "s": Scale(Decimal(1000), " ms", " ms", None),
    "1/s": Scale(Decimal(1), "/s", "/s", None),
    "share": _PERCENT,
}
_THOUSANDS = (("G", 9), ("M", 6), ("k", 3))


def kind_of(bound: Bound) -> Kind:
    """What sort of figure a bound limits."""
    if bound in ("max-ratio", "min-ratio"):
        return "ratio"
    return "difference" if bound in ("max-increase", "max-drop") else "value"


def scale_of(unit: str, kind: Kind, figures: Iterable[float]) -> Scale:
    """Return how figures of a unit (see `Finding.unit`) are written together.

    >>> scale_of("B", "value", [19_000_000, 20_000_000]).many
    ' MB'
    """
    if kind == "ratio":
        return _TIMES
    if unit == "share" and kind == "difference":
        return _POINTS
    if unit in _SCALES:
        return _SCALES[unit]
    if unit not in ("B", "count"):
        return Scale(Decimal(1), "", "", None)
    largest = max((abs(figure) for figure in figures if math.isfinite(figure)), default=0)
    for letter, power in _THOUSANDS:
        if largest >= 10**power and (unit == "B" or largest >= 1e4):
            name = f" {letter}B" if unit == "B" else f" {letter}"
            return Scale(Decimal(1).scaleb(-power), name, name, None)
    return Scale(Decimal(1), " B", " B", 0) if unit == "B" else Scale(Decimal(1), "", "", 0)


def against(figures: Sequence[float], limit: float, scale: Scale) -> tuple[tuple[str, ...], str]:
    """Return figures and their limit without a unit, each on the same side of the limit as it is.

    >>> against([0.7004, 0.69996], 0.7, scale_of("", "ratio", []))
    (('0.70040', '0.69996'), '0.7')
    >>> against([0.70004], 0.7, scale_of("", "ratio", []))
    (('0.70004',), '0.7')
    """
    exact = Decimal(repr(limit)) * scale.factor if math.isfinite(limit) else Decimal(repr(limit))
    told = _shortest(exact)
    scaled = [_scaled(figure, scale) for figure in figures]
    first = _places(scaled, scale)
    for places in range(first, first + _MORE_DIGITS):
        texts = tuple(_rounded(figure, places) for figure in scaled)
        if all(_side(_read(text), told) == _side(figure, exact) for text, figure in zip(texts, scaled)):
            return texts, plain(told)
    return tuple(map(plain, scaled)), plain(exact)


def figure(number: float, scale: Scale) -> str:
    """Return one figure with its unit.

    >>> figure(0.0071234, scale_of("s", "value", [])), figure(25_557_032, scale_of("count", "value", [2.6e7]))
    ('7.123 ms', '25.56 M')
    """
    scaled = _scaled(number, scale)
    return with_unit(_rounded(scaled, _places([scaled], scale)), scale)


def with_unit(text: str, scale: Scale) -> str:
    """Return a figure that is a text already with its unit.

    >>> with_unit("1", scale_of("share", "difference", []))
    '1 point'
    """
    if text == "0" and scale.many.strip() in ("k", "M", "G"):
        return text
    return text + (scale.one if text in ("1", "-1") else scale.many)


def plain(number: Decimal) -> str:
    """Return a decimal number with all its digits, and no more.

    >>> plain(Decimal("20.0")), plain(Decimal("1E+3")), plain(Decimal("1E-9"))
    ('20', '1,000', '1e-9')
    """
    if not number.is_finite():
        return str(number).lower().replace("infinity", "inf")
    short = number.normalize()
    if short and not -7 <= short.adjusted() <= 15:
        return f"{short:e}".replace("e+", "e")
    return f"{short:,f}"


def _read(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _scaled(number: float, scale: Scale) -> Decimal:
    exact = Decimal(repr(number))
    return exact * scale.factor if exact.is_finite() else exact


def _shortest(limit: Decimal) -> Decimal:
    """Without the dust that a unit leaves: `2.9 %` is 0.028999999999999998."""
    return Decimal(f"{limit:.12g}") if limit.is_finite() else limit


def _places(scaled: Iterable[Decimal], scale: Scale) -> int:
    if scale.places is not None:
        return scale.places
    sizes = [number.adjusted() for number in scaled if number.is_finite() and number]
    return max(0, 3 - max(sizes, default=0))


def _rounded(number: Decimal, places: int) -> str:
    if not number.is_finite():
        return plain(number)
    if number and (abs(number) >= Decimal(_LARGEST) or number.adjusted() < -6):
        return f"{number:.{max(3, places + number.adjusted())}e}".replace("e+", "e")
    text = f"{number:,.{places}f}"
    return text if text.strip("-0.,") else text.lstrip("-")


def _side(number: Decimal, limit: Decimal) -> int:
    """-1 below the limit, 1 above it, 0 on it; 2 for what is no number."""
    if number.is_nan() or limit.is_nan():
        return 2
    return (number > limit) - (number < limit)
