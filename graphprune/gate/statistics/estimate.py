"""A figure with its 95 % interval, and what it says of a limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BEYOND = 0.025
"""The probability that an interval leaves to either side: intervals are of 95 %."""

Decision = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval.

    Attributes:
        value: the estimate; not a number where a model answers with such.
        low: the lower end; minus infinity where too few samples bound it from below.
        high: the upper end.
        count: the samples (or pairs of blocks) behind it.
    """

    value: float
    low: float
    high: float
    count: int


def decide(low: float, high: float, limit: float, upper: bool) -> Decision:
    """Return `pass` where the whole interval is within the limit, `fail` where all of it is beyond.

    Args:
        low: the lower end.
        high: the upper end.
        limit: what is still allowed.
        upper: whether the limit is a largest value, not a least one.

    An interval that is not a number fails: a model that answers with such may not pass.

    Example:
        >>> decide(0.001, 0.008, 0.01, upper=True), decide(0.90, 0.94, 0.92, upper=False)
        ('pass', 'inconclusive')
    """
    if low != low or high != high:
        return "fail"
    if not upper:
        low, high, limit = -high, -low, -limit
    if high <= limit:
        return "pass"
    return "fail" if low > limit else "inconclusive"
