"""Ratios as text: `0.25,0.5,0.75`, or `0.1:0.9:0.1` for first, last and step."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from graphprune.errors import Usage

MOST = 99
_HINT = "write 0.25,0.5,0.75, or 0.1:0.9:0.1 for first:last:step"


def read_ratios(text: str, label: str = "--ratios") -> tuple[float, ...]:
    """Return the ratios that `text` says, ascending, each once, between 0 and 1.

    >>> read_ratios("0.5,0.25"), read_ratios("0.1:0.4:0.1")
    ((0.25, 0.5), (0.1, 0.2, 0.3, 0.4))

    Args:
        text: ratios, or first:last:step.
        label: how messages name the option.

    Raises:
        Usage: it says something else, or more than 99 ratios.
    """
    try:
        numbers = [Decimal(piece.strip()) for piece in text.replace(":", ",").split(",")]
    except InvalidOperation:
        raise Usage(f"{label} is '{text}', which is no list of ratios", _HINT) from None
    for number in numbers:
        if not number.is_finite() or not 0 < number < 1:
            raise Usage(f"{label} has {number}, which is not between 0 and 1", _HINT)
    if ":" in text:
        numbers = _range(numbers, text, label)
    if len(numbers) > MOST:
        raise Usage(f"{label} has {len(numbers)} ratios, more than {MOST}", _HINT)
    return tuple(sorted({float(number) for number in numbers}))


def _range(numbers: list[Decimal], text: str, label: str) -> list[Decimal]:
    if len(numbers) != 3 or text.count(":") != 2:
        raise Usage(f"{label} is '{text}', which is no range", _HINT)
    first, last, step = numbers
    if first > last:
        raise Usage(f"{label} is '{text}', whose first is larger than its last", _HINT)
    count = int((last - first) / step) + 1
    return [first + step * number for number in range(min(count, MOST + 1))]
