"""What a pruned model is to come down to: `macs=0.5x`, `params=0.5x`, `size=20MB`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from graphprune.cost import Cost
from graphprune.errors import Usage

What = Literal["macs", "params", "size"]
_TARGET = re.compile(r"(macs|params|size)\s*=\s*([0-9.]+)\s*(x|%|[kKMGT]?B?)$")
_BYTES = {"": 1.0, "B": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def read_target(text: str, before: Cost) -> tuple[Callable[[Cost], int], float, What]:
    """Read a target: return what measures a cost, the largest value that is allowed, and its name.

    Example:
        >>> measure, limit, what = read_target("macs=0.5x", Cost(10, 200, 40))
        >>> measure(before := Cost(10, 200, 40)), limit, what
        (200, 100.0, 'macs')
    """
    found = _TARGET.match(text.strip())
    if not found:
        raise Usage(f"target '{text}' cannot be read", "write macs=0.5x, params=0.5x or size=20MB")
    name: What = found[1]  # type: ignore[assignment]
    number, unit = found[2], found[3]
    try:
        value = float(number)
    except ValueError as error:
        raise Usage(f"target '{text}' has no number", "write macs=0.5x, params=0.5x or size=20MB") from error

    def measure(price: Cost) -> int:
        return {"macs": price.macs, "params": price.params, "size": price.bytes}[name]

    if unit in ("x", "%"):
        limit = value * measure(before) / (100 if unit == "%" else 1)
    else:
        limit = value * _BYTES[unit.rstrip("B") if unit != "B" else "B"]
    if limit <= 0:
        raise Usage(f"target '{text}' leaves nothing", "write macs=0.5x, params=0.5x or size=20MB")
    return measure, limit, name
