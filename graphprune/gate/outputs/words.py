"""The sentences about a gate that all its outputs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graphprune.gate.outcome import ClassChange, Finding, Outcome
from graphprune.gate.outputs.figures import Kind, Scale, against, figure, kind_of, scale_of, with_unit

Mark = Literal["fail", "warn", "inconclusive", "skipped", "pass", "off"]
MARKS: tuple[Mark, ...] = ("fail", "warn", "inconclusive", "skipped", "pass", "off")
"""The words for what came of a limit, the worst first; `warn` is a broken one that does not fail the gate."""
LONGEST = 400
"""Characters of a name or a reason that are shown; what comes from a model may have any length."""
NAMED_CLASSES = 10
"""Classes that are shown, of those that change most for the worse."""
_STATUS = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}


@dataclass(frozen=True)
class Cells:
    """A finding in pieces, for a table; each is empty where there is nothing to say.

    Attributes:
        original: the metric of the original.
        candidate: and of the candidate.
        measured: what is compared with the limit.
        interval: its 95 % interval.
        allowed: the limit.
        note: why it was skipped, what is the worst, how many samples are missing.
    """

    original: str
    candidate: str
    measured: str
    interval: str
    allowed: str
    note: str


def clipped(text: str, longest: int = LONGEST) -> str:
    """Return `text`, cut where it is longer than anybody reads.

    >>> clipped("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def mark(finding: Finding) -> Mark:
    """Return the word for what came of a limit."""
    if finding.status == "fail" and finding.assertion.level != "error":
        return "warn"
    return finding.status


def to_blame(outcome: Outcome, finding: Finding) -> bool:
    """Whether the gate exits with another code than 0 for this limit: it is broken; or where none is, it is
    open; or where none is open either, it has no figure."""
    if not outcome.exit_code or finding.assertion.level != "error":
        return False
    errors = {each.status for each in outcome.findings if each.assertion.level == "error"}
    worst = next((status for status in ("fail", "inconclusive", "skipped") if status in errors), None)
    return finding.status == worst


def headline(outcome: Outcome) -> str:
    """Return what came of a gate, and of which models."""
    return "; ".join(part for part in (verdict(outcome), names(outcome)) if part)


def verdict(outcome: Outcome) -> str:
    """Return what came of a gate, in one line."""
    counts = [sum(mark(each) == word for each in outcome.findings) for word in MARKS]
    failed, warned, open_, skipped, passed, _ = counts
    judged = failed + warned + open_ + skipped + passed
    parts = [f"{passed} of {_many(judged, 'limit')} {'holds' if passed == 1 else 'hold'}"]
    parts += [f"{failed} broken"] * bool(failed) + [_many(warned, "warning")] * bool(warned)
    parts += [f"{open_} inconclusive"] * bool(open_) + [f"{skipped} skipped"] * bool(skipped)
    return f"gate {_STATUS[outcome.status]}: {', '.join(parts)}"


def names(outcome: Outcome) -> str:
    """Return the names of what was compared; empty where only saved results were judged."""
    given = [clipped(name) for name in (outcome.candidate, outcome.original) if name]
    return " beside ".join(given)


def subject(finding: Finding) -> str:
    """Return what was limited, with the device and the batch where they play a part."""
    batch = f"batch {finding.batch}" if finding.batch is not None else ""
    on = ", ".join(part for part in (clipped(finding.device), batch) if part)
    joined = f"{clipped(finding.assertion.metric)} on {on}" if finding.device else ""
    return joined or ", ".join(part for part in (clipped(finding.assertion.metric), batch) if part)


def sentence(finding: Finding) -> str:
    """Return all that there is to say of a limit, as one sentence without a full stop."""
    cells = cells_of(finding)
    if finding.assertion.metric == "exact" and finding.status in ("pass", "fail"):
        first = f"{subject(finding)} {'holds' if finding.status == 'pass' else 'does not hold'}"
    elif finding.value is None:
        said = {"skipped": "was not measured", "off": "is off"}.get(finding.status, "has no figure to judge")
        first = f"{subject(finding)} {said}, allowed: {cells.allowed}"
    else:
        within = f" (95 % interval {cells.interval})" if cells.interval else ""
        first = f"{subject(finding)} {cells.measured}{within}, allowed: {cells.allowed}"
    both = [f"original {cells.original}"] if cells.original else []
    if cells.candidate and not first.startswith(f"{subject(finding)} is {cells.candidate}"):
        both.append(f"candidate {cells.candidate}")
    at = "at" if finding.assertion.where.file else "of"
    return "; ".join(
        part for part in (first, ", ".join(both), cells.note, f"limit {at} {where(finding)}") if part
    )


def where(finding: Finding) -> str:
    """Return where a limit is written."""
    return clipped(str(finding.assertion.where))


def cells_of(finding: Finding) -> Cells:
    """Return a finding in pieces."""
    kind = kind_of(finding.assertion.bound)
    value = finding.value
    absolute = scale_of(finding.unit, "value", _given(finding.original, finding.candidate))
    original = "" if finding.original is None else figure(finding.original, absolute)
    candidate = "" if finding.candidate is None else figure(finding.candidate, absolute)
    note = _note(finding)
    if value is None:
        return Cells(original, candidate, "", "", _bounded(finding, finding.assertion.written), note)
    low, high = (value if end is None else end for end in (finding.low, finding.high))
    limit = finding.assertion.limit
    scale = scale_of(finding.unit, kind, (value, limit))
    (text, low_text, high_text), limit_text = against((value, low, high), limit, scale)
    measured, interval = _moved(text, (low_text, high_text), finding, scale, kind)
    if low == high == value:
        interval = ""
    return Cells(
        original, candidate, measured, interval, _bounded(finding, with_unit(limit_text, scale)), note
    )


def change_of(change: ClassChange) -> tuple[str, str, str, str, str]:
    """Return a class in words: its name, both shares, the change in points, its interval."""
    percent, points = scale_of("share", "value", ()), scale_of("share", "difference", ())
    (text, low, high), _ = against((change.candidate - change.original, change.low, change.high), 0.0, points)
    name = f"{change.label} ({clipped(change.name)})" if change.name else str(change.label)
    return (
        name,
        figure(change.original, percent),
        figure(change.candidate, percent),
        with_unit(text, points),
        f"{low} to {high}",
    )


def named_classes(outcome: Outcome) -> tuple[Sequence[ClassChange], str]:
    """Return the classes to show, and how many others there are, in words; empty where there are none."""
    left = len(outcome.classes) - NAMED_CLASSES
    others = f"{left} more {'class' if left == 1 else 'classes'}" if left > 0 else ""
    return outcome.classes[:NAMED_CLASSES], others


def _moved(text: str, ends: tuple[str, str], finding: Finding, scale: Scale, kind: Kind) -> tuple[str, str]:
    """What a value says, and its interval; a fall below 0 is told as a rise."""
    low, high = ends
    if kind == "value":
        return f"is {with_unit(text, scale)}", f"{low} to {high}"
    if kind == "ratio":
        return f"is {text} times the original's", f"{low} to {high}"
    falls, rises = ("fell", "rose") if finding.assertion.bound == "max-drop" else ("rose", "fell")
    if not text.strip("-0.,"):
        return "did not change", f"{low} to {high}"
    if not text.startswith("-"):
        return f"{falls} by {with_unit(text, scale)}", f"{low} to {high}"
    return f"{rises} by {with_unit(text[1:], scale)}", f"{_negated(high)} to {_negated(low)}"


def _negated(text: str) -> str:
    if text.startswith("-"):
        return text[1:]
    return f"-{text}" if text.strip("0.,") else text


def _bounded(finding: Finding, limit: str) -> str:
    """The limit in words; what it is a limit of is said where the sentence might speak of the opposite."""
    bound, value = finding.assertion.bound, finding.value
    least = "at most" if finding.assertion.upper else "at least"
    told = f"{least} {limit}"
    if bound in ("max-drop", "max-increase") and (value is None or value <= 0):
        return f"a {'fall' if bound == 'max-drop' else 'rise'} of {told}"
    if bound in ("max-ratio", "min-ratio") and value is None:
        return f"{told} of the original's"
    return told


def _note(finding: Finding) -> str:
    """The reason, and what would decide where it is open."""
    parts = [clipped(finding.reason)] if finding.reason else []
    if finding.status == "inconclusive" and finding.value is not None:
        timed = finding.assertion.metric.startswith(("latency", "throughput"))
        one = "pair of blocks" if timed else "sample"
        many = "pairs of blocks" if timed else "samples"
        now = "" if finding.count is None else f" (now {finding.count:,})"
        if finding.missing is not None:
            told = f"{finding.missing:,} more {one if finding.missing == 1 else many}"
            parts.append(f"needs about {told}{now}")
        else:
            parts.append(f"the interval holds the limit{now}")
    return "; ".join(parts)


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _given(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]
