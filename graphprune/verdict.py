"""From what was compared to yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.errors import Negative

if TYPE_CHECKING:
    from graphprune.verify import Verification


def demand_equal(verification: Verification, reference: str) -> None:
    """Raise `Negative` where an output differs by more than its limit; `reference` is what it must equal."""
    if verification.passed:
        return
    failed = [check for check in verification.checks if not check.passed]
    worst = verification.worst
    raise Negative(
        f"output {worst.output} differs from {reference} by {worst.error:.2g} at {worst.shape or 'nothing'}, "
        f"the limit is {worst.limit:.2g} ({len(failed)} of {len(verification.checks)} comparisons failed)",
        "widen --rtol or --atol only where you know why",
    )
