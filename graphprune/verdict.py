"""From what was compared to yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphprune.errors import Negative

if TYPE_CHECKING:
    from graphprune.checks import Verification


def demand_equal(verification: Verification, reference: str, hint: str = "") -> None:
    """Raise `Negative` unless every output is within its limit of `reference`, and this proves something.

    `hint` is what to do where they differ, if more is known than that they do.
    """
    if verification.passed:
        return
    failed = [check for check in verification.checks if not check.passed]
    if not failed:
        raise Negative(
            f"nothing is proved: no output changed with the inputs that were tried, beside {reference}",
            "give inputs on which the model answers with --shape or --seed, or smaller tolerances",
        )
    worst, count = verification.worst, verification.compared
    outputs = {check.output for check in verification.checks if not check.inside}
    tensor = f"{'output' if worst.output in outputs else 'tensor'} {worst.output}"
    raise Negative(
        f"{tensor} differs from {reference} by {worst.error:.2g} at {worst.shape or 'nothing'}, "
        f"the limit is {worst.limit:.2g} ({len(failed)} of {count} comparisons failed)",
        hint or "widen --rtol or --atol only where you know why",
    )
