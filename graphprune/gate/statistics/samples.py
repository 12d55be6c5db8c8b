"""How many more samples would decide."""

from __future__ import annotations

from graphprune.gate.outcome import Bound
from graphprune.gate.statistics.estimate import Estimate
from graphprune.metrics.paired import Paired


def missing(what: Paired | Estimate, limit: float, bound: Bound = "max-drop") -> int | None:
    """Return about how many more samples (or pairs of blocks) decide with a probability of 80 %.

    Args:
        what: what is known so far. Of `Paired`, the interval itself is computed for more samples; an
            `Estimate` is taken to narrow with the square root of their number.
        limit: what is allowed.
        bound: what of `Paired` is limited; an `Estimate` is compared with the limit as it is.

    None where the estimate is at the limit, or no reasonable number would do.
    """
    raise NotImplementedError(what, limit, bound)
