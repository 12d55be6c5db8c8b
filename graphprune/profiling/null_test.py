"""A model timed against itself: what a machine calls a difference where there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

from graphprune.errors import Usage
from graphprune.profiling.paired import Interval
from graphprune.profiling.profile import Request, profile
from graphprune.profiling.result import Batch, Profile
from graphprune.profiling.summary import compare

Finding = Literal["same", "inconclusive", "different"]


@dataclass(frozen=True)
class NullTest:
    """What came of timing a model against itself.

    Attributes:
        profile: the times.
        intervals: of the ratio, for each batch.
        findings: `different` where the machine tells a model from itself, for each batch.
    """

    profile: Profile
    intervals: tuple[Interval, ...]
    findings: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        """The worst of the findings."""
        ranks: tuple[Finding, ...] = ("different", "inconclusive", "same")
        return next(finding for finding in ranks if finding in self.findings)

    @property
    def floor(self) -> float:
        """The noise floor: how far an interval reaches from 1. Smaller differences cannot be told here."""
        return max(noise_floor(interval) for interval in self.intervals)

    def to_dict(self) -> dict[str, object]:
        """As JSON values, without the times."""
        return {
            "finding": self.finding,
            "noise_floor": self.floor,
            "intervals": [asdict(interval) for interval in self.intervals],
            "findings": list(self.findings),
        }


def noise_floor(interval: Interval) -> float:
    """Return how far an interval of a model against itself reaches from 1.

    >>> round(noise_floor(Interval(1.001, 0.995, 1.008)), 3)
    0.008
    """
    return max(abs(interval.low - 1), abs(interval.high - 1))


def null_test(request: Request) -> NullTest:
    """Open the one model of `request` twice and time it against itself.

    Raises:
        Usage: there is not one model; and as for `profile`.
    """
    if len(request.models) != 1:
        raise Usage(f"a null test takes one model, not {len(request.models)}", "name one")
    return judged(profile(replace(request, models=request.models * 2, reference=0)))


def judged(profile: Profile) -> NullTest:
    """Return what a profile of twice the same model says of the machine."""
    found = [_judged(profile, batch) for batch in profile.batches]
    return NullTest(profile, tuple(each[0] for each in found), tuple(each[1] for each in found))


def _judged(profile: Profile, batch: Batch) -> tuple[Interval, Finding]:
    comparison = compare(profile, batch, 1)
    assert comparison is not None
    verdict = comparison.verdict
    if verdict == "same" or verdict == "inconclusive":
        return comparison.interval, verdict
    return comparison.interval, "different"
