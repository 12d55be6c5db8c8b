"""What a gate found: in which order it is told, in which words, and as which picture."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.words import MARKS, cells_of, clipped, mark
from graphprune.report.charts.intervals import Span
from graphprune.report.numbers import plural

WORDS = {
    "pass": "pass",
    "fail": "fail",
    "warn": "warning",
    "inconclusive": "open",
    "skipped": "skipped",
    "off": "off",
}


def ordered(outcome: Outcome) -> tuple[Finding, ...]:
    """The findings, those that decide first; else as the limits are written."""
    return tuple(sorted(outcome.findings, key=lambda finding: MARKS.index(mark(finding))))


def headline(outcome: Outcome) -> str:
    """The verdict in a sentence that names what decides it."""
    broken = [each for each in outcome.findings if mark(each) == "fail"]
    errors = [each for each in outcome.findings if each.assertion.level == "error"]
    unsure = [each for each in errors if each.status == "inconclusive"]
    held = sum(each.status == "pass" for each in outcome.findings)
    judged = sum(each.status in ("pass", "fail", "inconclusive") for each in outcome.findings)
    total = plural(judged, "budget")
    parts: list[str] = []
    if broken:
        parts.append(
            f"{len(broken)} of {total} {'is' if len(broken) == 1 else 'are'} broken: {_names(broken)}"
        )
    if unsure:
        of = "" if broken else f" of {total}"
        parts.append(f"{len(unsure)}{of} cannot be decided yet: {_names(unsure)}")
    if not parts and judged:
        parts.append(f"{'all' if held == judged else held} of {total} {'holds' if held == 1 else 'hold'}")
    skipped = sum(each.status == "skipped" for each in outcome.findings)
    if skipped:
        parts.append(f"{skipped} could not be measured")
    sentence = "; ".join(parts) or "there was no budget to judge"
    return f"{sentence[0].upper()}{sentence[1:]}."


def allowed(finding: Finding) -> str:
    """The limit on its own: of what it is a limit is said, too."""
    words, bound = cells_of(finding).allowed, finding.assertion.bound
    fall = {"max-drop": "a fall of ", "max-increase": "a rise of "}.get(bound, "")
    of = " times the original's" if bound.endswith("ratio") and "original" not in words else ""
    return f"{'' if words.startswith(fall) else fall}{words}{of}"


def basis(finding: Finding) -> str:
    """On what it was measured, and of how much."""
    words = [clipped(finding.device)] if finding.device else []
    if finding.batch is not None:
        words.append(f"batch {finding.batch}")
    if finding.count is not None:
        timed = finding.assertion.metric.startswith(("latency", "throughput"))
        noun = ("pair of blocks", "pairs of blocks") if timed else ("sample", "samples")
        words.append(plural(finding.count, *noun))
    return ", ".join(words)


def span_of(finding: Finding) -> Span | None:
    """The picture of a finding; None where there is no figure."""
    if finding.value is None or finding.status in ("skipped", "off"):
        return None
    assertion, cells = finding.assertion, cells_of(finding)
    low = finding.value if finding.low is None else finding.low
    high = finding.value if finding.high is None else finding.high
    neutral = finding.original
    if assertion.bound.endswith("ratio"):
        neutral = 1.0
    elif assertion.bound in ("max-increase", "max-drop"):
        neutral = 0.0
    within = f" ({cells.interval})" if cells.interval else ""
    # a fall is drawn to the left, as the figure itself moves
    sign = -1.0 if assertion.bound == "max-drop" else 1.0
    ends = sorted((sign * low, sign * high))
    return Span(
        sign * finding.value,
        ends[0],
        ends[1],
        sign * assertion.limit,
        upper=assertion.upper and sign > 0,
        neutral=None if neutral is None else sign * neutral,
        status=mark(finding),
        limit_text=cells.allowed,
        label=f"{assertion.metric} {cells.measured}{within}, allowed: {cells.allowed}",
    )


def _names(findings: Sequence[Finding]) -> str:
    names = list(dict.fromkeys(clipped(each.assertion.metric, 60) for each in findings))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
