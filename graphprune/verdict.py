"""From what was compared to yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.errors import Negative

if TYPE_CHECKING:
    from graphprune.checks import Verification


def demand_equal(verification: Verification, reference: str) -> None:
    """Raise `Negative` unless every output is within its limit of `reference`, and this proves something."""
    if verification.passed:
        return
    if all(check.passed for check in verification.checks):
        raise Negative(
            f"nothing is proved: every tensor that was compared with {reference} is constant",
            "try other inputs with --seed or --shape, or remove less",
        )
    if verification.vacuous:
        raise Negative(
            "nothing is proved: every output is the same for all inputs that were tried",
            "give shapes on which the model answers with --shape",
        )
    failed = [check for check in verification.checks if not check.passed]
    worst = verification.worst
    raise Negative(
        f"output {worst.output} differs from {reference} by {worst.error:.2g} at {worst.shape or 'nothing'}, "
        f"the limit is {worst.limit:.2g} ({len(failed)} of {len(verification.checks)} comparisons failed)",
        "widen --rtol or --atol only where you know why",
    )
