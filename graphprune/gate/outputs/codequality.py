"""What is wrong, as GitLab's report of code quality: merge requests show it at the line of the limit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.words import Mark, clipped, mark, sentence
from graphprune.printable import printable

SEVERITIES: Mapping[Mark, str] = {
    "fail": "critical",
    "warn": "minor",
    "inconclusive": "info",
    "skipped": "info",
}
"""GitLab's words for what came of a limit; what passes, or is off, is not reported."""


def as_code_quality(outcome: Outcome) -> str:
    """Return the limits that are not met, open, or without a figure, as a JSON list."""
    seen: dict[str, int] = {}
    issues: list[dict[str, object]] = []
    for finding in outcome.findings:
        severity = SEVERITIES.get(mark(finding))
        if severity is not None:
            issues.append(_issue(outcome, finding, severity, seen))
    return json.dumps(issues, indent=2, ensure_ascii=False) + "\n"


def _issue(outcome: Outcome, finding: Finding, severity: str, seen: dict[str, int]) -> dict[str, object]:
    where = finding.assertion.where
    path = where.file or outcome.candidate or "graphprune"
    return {
        "description": printable(sentence(finding)),
        "check_name": printable(f"graphprune/{clipped(finding.assertion.metric)}"),
        "fingerprint": _fingerprint(finding, seen),
        "severity": severity,
        "location": {"path": printable(path), "lines": {"begin": max(1, where.line)}},
    }


def _fingerprint(finding: Finding, seen: dict[str, int]) -> str:
    """The same for a limit from run to run, whatever was measured and wherever its line has moved."""
    assertion = finding.assertion
    parts = (assertion.metric, assertion.bound, assertion.level, assertion.where.file)
    text = "\0".join((*parts, finding.device, str(finding.batch)))
    seen[text] = seen.get(text, 0) + 1
    return hashlib.sha256(f"{text}\0{seen[text]}".encode("utf-8", "surrogatepass")).hexdigest()
