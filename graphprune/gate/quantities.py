"""Limits as people write them: `20MB`, `5ms`, `1 %`, `0.7x`; a unit that does not fit is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from graphprune.errors import Usage

Quantity = Literal["time", "bytes", "share", "fall", "ratio", "count", "rate", "number"]
"""What a limit is a limit of; `fall` is a difference of shares."""
_NUMBER = re.compile(r"\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*(.*?)\s*")
_THOUSANDS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_PERCENT = {"%": 0.01, "": 1.0}


@dataclass(frozen=True)
class Units:
    """The units of a quantity.

    Attributes:
        scale: what a number is multiplied with, by the unit's spelling; the empty one is a bare number.
        fitting: what to write, for a hint.
        base: the unit that results are in, as `Finding.unit` has it.
    """

    scale: Mapping[str, float]
    fitting: str
    base: str


UNITS: Mapping[Quantity, Units] = {
    "time": Units(
        {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0},
        "write a time with its unit: ns, us, ms or s, as 5ms",
        "s",
    ),
    "bytes": Units(
        {
            "": 1.0,
            "B": 1.0,
            "bytes": 1.0,
            **{f"{letter}B": 1000.0**power for power, letter in enumerate("kMGT", 1)},
            "KB": 1000.0,
            **{f"{letter}iB": 1024.0**power for power, letter in enumerate("KMGT", 1)},
        },
        "write bytes: B, kB, MB, GB, KiB, MiB or GiB, as 20MB",
        "B",
    ),
    "share": Units(_PERCENT, "write a share, as 0.92 or 92%", "share"),
    "fall": Units(
        {**_PERCENT, "pp": 0.01, "point": 0.01, "points": 0.01},
        "write a difference of shares, as 0.01, 1% or 1pp: one point of 100",
        "share",
    ),
    "ratio": Units({"": 1.0, "x": 1.0, "%": 0.01}, "write a share of the original, as 0.7, 0.7x or 70%", ""),
    "count": Units(_THOUSANDS, "write a number, as 1200000 or 1.2M", "count"),
    "rate": Units(
        {"": 1.0, "/s": 1.0, "k/s": 1e3, "M/s": 1e6, "ips": 1.0},
        "write samples a second, as 1000 or 1000/s",
        "1/s",
    ),
    "number": Units({"": 1.0}, "write a number without a unit", ""),
}


def read_quantity(value: object, quantity: Quantity) -> tuple[float, str]:
    """Return a limit in its base unit, and as it was written.

    Args:
        value: a number, or a text of a number and a unit.
        quantity: what it is a limit of.

    Raises:
        Usage: it is no number, negative, or its unit does not fit.

    Example:
        >>> read_quantity("20MB", "bytes"), read_quantity("1 %", "fall"), read_quantity(0.7, "ratio")
        ((20000000.0, '20MB'), (0.01, '1 %'), (0.7, '0.7'))
    """
    units = UNITS[quantity]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Usage(f"a limit is {_kind(value)} and no number", units.fitting)
    written = value.strip() if isinstance(value, str) else f"{value}"
    found = _NUMBER.fullmatch(written)
    if found is None:
        raise Usage(f"the limit {written!r} is no number", units.fitting)
    number, unit = float(found[1]), found[2]
    if unit not in units.scale:
        what = "has no unit" if not unit else f"has the unit {unit!r}, which does not fit"
        raise Usage(f"the limit {written!r} {what}", units.fitting)
    limit = number * units.scale[unit]
    if not math.isfinite(limit):
        raise Usage(f"the limit {written!r} is not finite", units.fitting)
    if limit < 0:
        raise Usage(f"the limit {written!r} is negative", "no limit of this metric can be below 0")
    if quantity in ("share", "fall") and limit > 1:
        raise Usage(f"the limit {written!r} is more than the whole", f"{units.fitting}; 1 is 100 %")
    return limit, written


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if value is None:
        return "empty"
    return {"list": "a list", "dict": "a table"}.get(type(value).__name__, f"a {type(value).__name__}")
