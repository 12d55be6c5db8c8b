"""From evidence and limits to an outcome."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.gate.evidence import Evidence
from graphprune.gate.outcome import Assertion, Outcome


def judge(
    evidence: Evidence,
    assertions: Sequence[Assertion],
    *,
    inconclusive: str = "warn",
    warn_only: bool = False,
) -> Outcome:
    """Judge `evidence` by `assertions`."""
    raise NotImplementedError(evidence, assertions, inconclusive, warn_only)
