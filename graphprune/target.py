"""What a pruned model is to come down to: `macs=0.5x`, `params=0.5x`, `size=20MB`, `latency=0.7x@ort:cpu`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from graphprune.backends import BACKENDS
from graphprune.cost import Cost
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

What = Literal["macs", "params", "size"]
_TARGET = re.compile(r"(macs|params|size)\s*=\s*([0-9.]+)\s*(x|%|[kKMGT]?B?)$")
_LATENCY = re.compile(r"latency\s*=\s*([0-9.]+)\s*(x|%|us|ms|s)(?:\s*@\s*(\S+))?$")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_HINT = "write macs=0.5x, params=0.5x, size=20MB or latency=0.7x@ort:cpu"
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
        raise Usage(f"target '{text}' cannot be read", _HINT)
    name: What = found[1]  # type: ignore[assignment]
    number, unit = found[2], found[3]
    try:
        value = float(number)
    except ValueError as error:
        raise Usage(f"target '{text}' has no number", _HINT) from error

    def measure(price: Cost) -> int:
        return {"macs": price.macs, "params": price.params, "size": price.bytes}[name]

    if unit in ("x", "%"):
        limit = value * measure(before) / (100 if unit == "%" else 1)
    else:
        limit = value * _BYTES[unit.rstrip("B") if unit != "B" else "B"]
    if limit <= 0:
        raise Usage(f"target '{text}' leaves nothing", _HINT)
    return measure, limit, name


@dataclass(frozen=True)
class LatencyTarget:
    """A share of the original's latency, or seconds; and the backend that it is measured with."""

    share: float | None
    seconds: float | None
    backend: str

    def limit(self, original: float) -> float:
        """Return the share of the original's latency, which is `original` seconds, that is allowed."""
        return self.share if self.share is not None else (self.seconds or 0.0) / original


def read_latency(text: str) -> LatencyTarget | None:
    """Read a target of latency, or return None where it is one of another kind.

    Example:
        >>> read_latency("latency=70%")
        LatencyTarget(share=0.7, seconds=None, backend='ort:cpu')
        >>> read_latency("latency=2.5ms@trt")
        LatencyTarget(share=None, seconds=0.0025, backend='trt')
        >>> read_latency("macs=0.5x")

    Raises:
        Usage: it cannot be read, or names no backend.
    """
    if not text.strip().startswith("latency"):
        return None
    found = _LATENCY.match(text.strip())
    if not found:
        raise Usage(f"target '{text}' cannot be read", _HINT)
    backend = found[3] or BACKENDS[0]
    if backend not in BACKENDS:
        raise Usage(f"target '{text}': there is no backend {backend}", did_you_mean(backend, BACKENDS))
    try:
        value = float(found[1])
    except ValueError as error:
        raise Usage(f"target '{text}' has no number", _HINT) from error
    if value <= 0:
        raise Usage(f"target '{text}' leaves nothing", _HINT)
    if found[2] in _SECONDS:
        return LatencyTarget(None, value * _SECONDS[found[2]], backend)
    return LatencyTarget(value / (100 if found[2] == "%" else 1), None, backend)
