"""Numbers as people read them."""

from __future__ import annotations

import math

MINUS = "\u2212"
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def three(number: float) -> str:
    """Three significant digits and no exponent where that can be read.

    >>> three(12345.6), three(0.034567), three(12.0), three(2.5e-9), three(-0.5)
    ('12346', '0.0346', '12', '2.5e-09', '−0.5')
    """
    if not math.isfinite(number):
        return {math.inf: "∞", -math.inf: f"{MINUS}∞"}.get(number, "not a number")
    size = abs(number)
    text = f"{size:.0f}" if size >= 1000 else f"{size:.3g}"
    return f"{MINUS}{text}" if number < 0 and float(text) else text


def scaled(number: float) -> str:
    """A number with the letter of its thousands.

    >>> scaled(25557032), scaled(4089184256), scaled(9300), scaled(12)
    ('25.6 M', '4.09 G', '9300', '12')
    """
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= max(scale, 1e4):
            return f"{three(number / scale)} {unit}"
    return three(number)


def size(number: float) -> str:
    """A number of bytes.

    >>> size(102442450), size(900)
    ('102 MB', '900 B')
    """
    for scale, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(number) >= scale:
            return f"{three(number / scale)} {unit}"
    return f"{number:.0f} B"


def duration(seconds: float) -> str:
    """A time.

    >>> duration(0.00016088), duration(1.5), duration(0.0), duration(200.0)
    ('161 µs', '1.5 s', '0 s', '3 min 20 s')
    """
    if abs(seconds) >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    for scale, unit in _TIMES:
        if abs(seconds) >= scale:
            return f"{three(seconds / scale)} {unit}"
    return "0 s" if seconds == 0 else f"{three(seconds / 1e-9)} ns"


def percent(share: float, digits: int = 1) -> str:
    """A share of 1.

    >>> percent(0.7574), percent(-0.004)
    ('75.7 %', '−0.4 %')
    """
    text = f"{abs(100 * share):.{digits}f} %"
    return f"{MINUS}{text}" if share < 0 and float(text[:-2]) else text


def points(share: float) -> str:
    """A difference of shares, in points of 100, with its sign.

    >>> points(0.0123), points(-0.145), points(0.0)
    ('+1.2 points', '−14.5 points', '0.0 points')
    """
    text = f"{abs(100 * share):.1f}"
    sign = "" if not float(text) else MINUS if share < 0 else "+"
    return f"{sign}{text} points"


def ratio(number: float) -> str:
    """A multiple of the original.

    >>> ratio(0.7149), ratio(1.0), ratio(12.34)
    ('0.715×', '1.000×', '12.3×')
    """
    if not math.isfinite(number):
        return three(number)
    return f"{number:.3f}×" if number < 9.9995 else f"{three(number)}×"


def signed(text: str, number: float) -> str:
    """`text` with a plus where the number that it shows is above 0."""
    return f"+{text}" if number > 0 and any(digit in text for digit in "123456789") else text


def changed(number: float, fewer: str, more: str) -> str:
    """How a ratio reads in words.

    >>> changed(0.49, "less", "more"), changed(1.3, "less time", "more time"), changed(1.0, "less", "more")
    ('51 % less', '30 % more time', 'the same')
    >>> changed(2.04, "less time", "more time")
    "2.04 times the original's"
    """
    if not math.isfinite(number):
        return ""
    if number >= 2:
        return f"{three(number)} times the original's"
    share = abs(1 - number)
    text = f"{100 * share:.0f} %" if share >= 0.02 else f"{100 * share:.1f} %"
    if not float(text[:-2]):
        return "the same"
    return f"{text} {fewer if number < 1 else more}"


def plural(count: int, one: str, several: str = "") -> str:
    """A count and its noun.

    >>> plural(1, "class", "classes"), plural(3, "group")
    ('1 class', '3 groups')
    """
    return f"{count} {one if count == 1 else several or one + 's'}"


def shortened(name: str, most: int = 28) -> str:
    """A name with its middle left out where it is long.

    >>> shortened("/model/backbone/stage.4/block.2/conv3/Conv", 20)
    '/model/bac…nv3/Conv'
    """
    if len(name) <= most:
        return name
    first = most // 2
    return f"{name[:first]}…{name[len(name) - (most - first - 2) :]}"
