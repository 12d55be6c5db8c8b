"""What options of a profile say: durations, shares, lists of numbers."""

from __future__ import annotations

import math
import re

from graphprune.errors import Usage

_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0}
_DURATION = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([a-zµ]*)\s*")


def read_duration(text: str, option: str, bare: str = "s") -> float:
    """Return seconds; a number without a unit is in the unit `bare`. Raises `Usage` for anything else.

    >>> read_duration("200ms", "--warmup"), read_duration("3", "--duration")
    (0.2, 3.0)
    """
    found = _DURATION.fullmatch(text)
    unit = (found[2] or bare) if found else ""
    if found is None or unit not in _UNITS or not math.isfinite(float(found[1])):
        raise Usage(f"{option} is {text!r}", "write a duration, as 200ms, 3s or 1.5m")
    return round(float(found[1]) * _UNITS[unit], 9)


def read_share(text: str, option: str) -> float:
    """Return a share of 1 from a percentage or a fraction. Raises `Usage` for anything else.

    >>> read_share("2%", "--margin"), read_share("0.02", "--margin")
    (0.02, 0.02)
    """
    number, percent, rest = text.strip().partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = math.nan
    if rest or not 0 <= share < 1:
        raise Usage(f"{option} is {text!r}", "write a share, as 2% or 0.02")
    return share


def read_batches(text: str) -> tuple[int, ...]:
    """Return numbers of samples, each once. Raises `Usage` where one is no whole number from 1 on.

    >>> read_batches("1,8,32")
    (1, 8, 32)
    """
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise Usage(f"--batch is {text!r}", "write whole numbers from 1 on, as 1,8,32")
    return tuple(dict.fromkeys(int(word) for word in words))


def read_percentiles(text: str) -> tuple[float, ...]:
    """Return percentiles in ascending order, each once. Raises `Usage` where one is not between 0 and 100.

    >>> read_percentiles("99,50")
    (50.0, 99.0)
    """
    try:
        found = sorted({float(word.strip().removesuffix("%")) for word in text.split(",")})
    except ValueError:
        found = [math.nan]
    if not all(0 < percentile < 100 for percentile in found):
        raise Usage(f"--percentile is {text!r}", "write numbers between 0 and 100, as 50,90,99")
    if any(min(percentile, 100 - percentile) < 1e-3 for percentile in found):
        raise Usage(f"--percentile is {text!r}", "no measurement has the runs for more than 99.999")
    return tuple(found)
