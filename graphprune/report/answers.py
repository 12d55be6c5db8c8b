"""The figures that decide: what a reader sees first, in the page and in the Markdown summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from graphprune.report import estimates, numbers
from graphprune.report.facts import Candidate, Exactness, Pair, Speed


@dataclass(frozen=True)
class Figure:
    """One figure of a candidate beside its original.

    Attributes:
        name: what it is.
        after: of the candidate.
        before: of the original; empty where it has none.
        change: in words.
        tone: `good`, `bad`, `open` or empty.
        more: the interval, the device; empty where there is none.
    """

    name: str
    after: str
    before: str
    change: str
    tone: str
    more: str = ""


def figures(candidate: Candidate) -> Iterator[Figure]:
    """What decides, the most important first."""
    known = {speed.device: speed for speed in reversed(candidate.speeds)}
    for speed in list(reversed(known.values()))[:2]:
        yield _latency(speed)
    for metric in _metrics(candidate):
        yield _score(candidate, metric)
    for name, pair, form in (
        ("MACs", candidate.macs, numbers.scaled),
        ("parameters", candidate.params, numbers.scaled),
        ("bytes", candidate.bytes, numbers.size),
    ):
        if pair[0] and pair[1] is not None:
            change = share_words(pair)
            yield Figure(name, form(pair[1]), form(pair[0]), change, "good" if pair[1] < pair[0] else "")
    if candidate.exact is not None:
        yield exactness(candidate.exact)


def share_words(pair: Pair) -> str:
    """How a count has changed, in words; empty where a side is not known."""
    before, after = pair
    if not before or after is None:
        return ""
    return numbers.changed(after / before, "fewer", "more")


def tone_of(speed: Speed) -> str:
    """`good` where it is faster beyond doubt, `bad` where slower."""
    if speed.ratio.high < 1:
        return "good"
    return "bad" if speed.ratio.low > 1 else "open"


def interval_words(speed: Speed) -> str:
    """A ratio with its interval.

    >>> from graphprune.profiling.paired import Interval
    >>> interval_words(Speed("cpu", (2.0, 1.0), Interval(0.5, 0.49, 0.52)))
    '0.500× (0.490 to 0.520)'
    """
    ends = " to ".join(numbers.ratio(end).rstrip("×") for end in (speed.ratio.low, speed.ratio.high))
    return f"{numbers.ratio(speed.ratio.ratio)} ({ends})"


def exactness(exact: Exactness) -> Figure:
    """Whether the surgery was exact."""
    if exact.passed:
        return Figure("surgery", "exact", "", "equals the masked original", "good", exact.words)
    return Figure("surgery", "not exact", "", "is not what it should be", "bad", exact.words)


def _metrics(candidate: Candidate) -> list[str]:
    first = estimates.first_metric(candidate.scores)
    rest = [metric for metric in candidate.scores if metric != first]
    return [first, *rest][:2] if first else []


def _latency(speed: Speed) -> Figure:
    before, after = speed.seconds
    change = numbers.changed(speed.ratio.ratio, "less time", "more time")
    if tone_of(speed) == "open":
        change = "no difference found"
    more = f"{interval_words(speed)} on {speed.device}"
    return Figure("latency", numbers.duration(after), numbers.duration(before), change, tone_of(speed), more)


def _score(candidate: Candidate, metric: str) -> Figure:
    scored = candidate.scores[metric]
    found = estimates.change(scored)
    after = estimates.shown(metric, scored.value)
    samples = f"{scored.count:,} samples"
    if found is None or scored.reference is None:
        return Figure(metric, after, "", "with the original", "", samples)
    better = estimates.higher_is_better(metric, scored)
    worst, best = (found.low, found.high) if better else (-found.high, -found.low)
    tone = "bad" if best < 0 else "good" if worst > 0 else "open"
    before = estimates.shown(metric, scored.reference)
    change = estimates.shown_change(metric, found.value)
    more = samples
    if found.low < found.high:
        ends = [
            estimates.shown_change(metric, end).removesuffix(" points") for end in (found.low, found.high)
        ]
        more = f"{ends[0]} to {ends[1]}, {samples}"
    return Figure(metric, after, before, change, tone, more)
