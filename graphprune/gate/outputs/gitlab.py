"""What a gate found, as OpenMetrics text: the metrics report of GitLab, or any collector of metrics.

GitLab compares the text of each value with that of the target branch, by name and labels, so neither holds
anything that changes by itself: no path, no time. It takes `#` for the start of a comment even in a label.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.words import clipped
from graphprune.printable import printable

Labels = tuple[tuple[str, str], ...]
FAMILIES = {
    "graphprune_seconds": "Times of the original and of the candidate.",
    "graphprune_bytes": "Sizes of the original and of the candidate.",
    "graphprune_share": "Shares, from 0 to 1, of the original and of the candidate.",
    "graphprune_per_second": "Rates of the original and of the candidate.",
    "graphprune_number": "Counts and other numbers of the original and of the candidate.",
    "graphprune_gate_value": "What is compared with a limit: seconds, bytes, shares, ratios, numbers.",
    "graphprune_gate_limit": "The limit.",
    "graphprune_gate_passed": "1 within the limit, 0 beyond it; nothing where it is not decided.",
}
"""The families of metrics, all gauges, and what they are."""
_FAMILY = {
    "s": "graphprune_seconds",
    "B": "graphprune_bytes",
    "share": "graphprune_share",
    "1/s": "graphprune_per_second",
}
_UNITS = {"graphprune_seconds": "seconds", "graphprune_bytes": "bytes"}


def as_metrics(outcome: Outcome) -> str:
    """Return an outcome as OpenMetrics text."""
    samples: dict[str, dict[Labels, float]] = {family: {} for family in FAMILIES}
    for finding in outcome.findings:
        for family, labels, value in _samples(finding):
            samples[family].setdefault(labels, value)
    lines: list[str] = []
    for family, values in samples.items():
        if values:
            lines += [f"# TYPE {family} gauge"]
            lines += [f"# UNIT {family} {_UNITS[family]}"] if family in _UNITS else []
            lines += [f"# HELP {family} {FAMILIES[family]}"]
            lines += [f"{family}{_labelled(labels)} {_number(value)}" for labels, value in values.items()]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _samples(finding: Finding) -> Iterator[tuple[str, Labels, float]]:
    assertion = finding.assertion
    batch = "" if finding.batch is None else str(finding.batch)
    place = (("metric", assertion.metric), ("device", finding.device), ("batch", batch))
    family = _FAMILY.get(finding.unit, "graphprune_number")
    for model, value in (("original", finding.original), ("candidate", finding.candidate)):
        if value is not None:
            yield family, _kept((*place, ("model", model))), value
    if finding.status in ("off", "skipped"):
        return
    limit = _kept((*place, ("bound", assertion.bound), ("level", assertion.level)))
    if finding.value is not None:
        yield "graphprune_gate_value", limit, finding.value
    yield "graphprune_gate_limit", limit, assertion.limit
    if finding.status != "inconclusive":
        yield "graphprune_gate_passed", limit, float(finding.status == "pass")


def _kept(labels: Labels) -> Labels:
    return tuple((name, value) for name, value in labels if value)


def _labelled(labels: Labels) -> str:
    """Labels in braces; what a reader would take for syntax is escaped.

    >>> print(_labelled((("device", 'a "b" #1'),)))
    {device="a \\"b\\" %231"}
    """
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{','.join(pairs)}}}"


def _escaped(text: str) -> str:
    shown = printable(clipped(text)).replace("#", "%23")
    return shown.replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    """Six digits of what was measured, all of a whole number.

    >>> _number(0.00712345678), _number(25557032.0), _number(float("inf"))
    ('0.00712346', '25557032', '+Inf')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"
