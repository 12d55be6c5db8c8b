"""How many more samples would decide."""

from __future__ import annotations

import math
from collections.abc import Callable

from graphprune.gate.outcome import Bound
from graphprune.gate.statistics.estimate import Estimate
from graphprune.gate.statistics.quantiles import normal
from graphprune.gate.statistics.shares import Ends
from graphprune.gate.statistics.tables import Table, fall, relation, share, whole
from graphprune.metrics.paired import Paired

_POWER = 0.8
_MOST = 10**8
"""More samples than this are never there."""


def missing(what: Paired | Estimate, limit: float, bound: Bound = "max-drop") -> int | None:
    """Return about how many more samples (or pairs of blocks) decide with a probability of 80 %.

    Args:
        what: what is known so far. Of counts in `Paired`, the interval itself is computed for more samples;
            an `Estimate` is taken to narrow with the square root of their number.
        limit: what is allowed.
        bound: what of `Paired` is limited; an `Estimate` is compared with the limit as it is.

    Rounded up to two digits; 0 where the interval does not hold the limit. None where the estimate is so near
    the limit that no reasonable number would do, or `Paired` has no such figure.

    Example:
        >>> missing(Estimate(0.008, 0.003, 0.013, 1000), 0.01)
        12000
    """
    if isinstance(what, Estimate):
        return _by_width(what, limit)
    from graphprune.gate.statistics.scores import estimate

    found = estimate(what, bound)
    if found is None or what.form != "share":
        return None if found is None else _by_width(found, limit)
    if found.high < limit or limit < found.low:
        return 0
    table = whole(what)
    if bound in ("max", "min"):
        return more(table, share, found.value, limit)
    if bound in ("max-ratio", "min-ratio"):
        return more(table, relation, found.value, limit)
    sign = 1 if bound == "max-drop" else -1
    return more(table, fall, sign * found.value, sign * limit)


def more(
    table: Table, interval: Callable[[Table, float], Ends], value: float, limit: float, beyond: float = 0.025
) -> int | None:
    """Return how many more samples of a table of one entry bring the interval clear of the limit.

    The interval is taken as wide as makes up for the chance that those samples come out worse.
    """
    if not math.isfinite(value) or value == limit:
        return None
    further = 1 - _normal_below(normal(1 - beyond) + normal(_POWER))

    def clear(times: float) -> bool:
        low, high = interval(table.scaled(times), further)
        return bool(float(low[0]) > limit or float(high[0]) < limit)

    least, most = 1.0, 2.0
    while not clear(most):
        least, most = most, 2 * most
        if most * float(table.samples[0]) > _MOST:
            return None
    for _ in range(20):
        middle = (least + most) / 2
        least, most = (least, middle) if clear(middle) else (middle, most)
    return _rounded((most - 1) * float(table.samples[0]))


def _by_width(found: Estimate, limit: float) -> int | None:
    if found.high < limit or limit < found.low:
        return 0
    side = found.high - found.value if found.value < limit else found.value - found.low
    distance = abs(found.value - limit)
    if not math.isfinite(side) or not distance > 0:
        return None
    times = ((1 + normal(_POWER) / normal(0.975)) * side / distance) ** 2
    needed = found.count * (times - 1)
    return _rounded(needed) if needed <= _MOST else None


def _rounded(number: float) -> int:
    """A whole number of two digits, not smaller."""
    whole_number = max(1, math.ceil(number - 1e-9))
    unit = int(10 ** max(0, len(str(whole_number)) - 2))
    return -(-whole_number // unit) * unit


def _normal_below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
