"""From evidence and limits to an outcome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from graphprune.gate.catalogue import Metric, find_metric
from graphprune.gate.evidence import Evidence, Figures
from graphprune.gate.outcome import Assertion, ClassChange, Finding, Location, Outcome
from graphprune.gate.scored import classes, scored
from graphprune.gate.settings import Inconclusive
from graphprune.gate.statistics import decide
from graphprune.gate.timed import disturbed, timed

PASS, BROKEN, OPEN = 0, 1, 5
"""Exit codes: within all limits, one is broken, and one could not be decided."""
NOTHING_JUDGED = "nothing could be judged: no limit of level error has a figure"
_COUNTS: Mapping[str, str] = {"size": "bytes", "params": "params", "macs": "macs"}
"""The figures that metrics are read from."""


def judge(
    evidence: Evidence,
    assertions: Sequence[Assertion],
    *,
    inconclusive: Inconclusive = "warn",
    warn_only: bool = False,
) -> Outcome:
    """Judge what was measured by limits.

    Where the evidence holds a verification of the candidate, an assertion `exact` is implied, at the end,
    unless one is given: a candidate that is not what it should be fails whatever the limits say.

    Args:
        evidence: what was measured.
        assertions: the limits.
        inconclusive: what an interval that straddles the limit of an error does to the exit code: nothing
            (`warn`), 1 (`fail`) or 5 (`exit`).
        warn_only: whether errors count as warnings.

    Raises:
        Usage: an assertion speaks of what the metric does not have: a class, a value of the original.
    """
    findings: list[Finding] = []
    for assertion in (*assertions, *_implied(evidence, assertions)):
        found = _findings(assertion, evidence)
        if warn_only and assertion.level == "error":
            found = [replace(each, assertion=replace(assertion, level="warn")) for each in found]
        findings += found
    status, code, notes = _verdict(findings, inconclusive)
    return Outcome(
        evidence.original.name if evidence.original else "",
        evidence.candidate.name if evidence.candidate else "",
        status,
        PASS if warn_only else code,
        tuple(findings),
        _named_first(classes(evidence), findings),
        (*notes, *disturbed(evidence.timings)),
    )


def _named_first(changes: Sequence[ClassChange], findings: Sequence[Finding]) -> tuple[ClassChange, ...]:
    """The classes, those that broken limits name first, then those of open ones.

    What fails by most, beyond chance, need not be what lost most: of a few samples all may be lost by chance.
    """
    place = {"fail": 0, "inconclusive": 1}
    named = {
        finding.label: place[finding.status]
        for finding in reversed(findings)
        if finding.label is not None and finding.status in place
    }
    return tuple(sorted(changes, key=lambda change: named.get(change.label, len(place))))


def _implied(evidence: Evidence, assertions: Sequence[Assertion]) -> tuple[Assertion, ...]:
    if evidence.proof is None or any(assertion.metric == "exact" for assertion in assertions):
        return ()
    proof = evidence.proof
    text = f"--{proof.by} {proof.source}" if proof.source else "--candidate"
    where = proof.where or Location("", 0, text)
    return (Assertion("exact", "max", 1.0, "1", "error", where),)


def _findings(assertion: Assertion, evidence: Evidence) -> list[Finding]:
    if assertion.level == "off":
        return [Finding(assertion, "off")]
    metric = find_metric(assertion.metric)
    if metric.source == "timing":
        return timed(assertion, metric, evidence)
    if metric.source in ("size", "graph"):
        return [_counted(assertion, metric, evidence)]
    if metric.source == "proof":
        return [_exact(assertion, evidence)]
    return [scored(assertion, metric, evidence)]


def _counted(assertion: Assertion, metric: Metric, evidence: Evidence) -> Finding:
    original, candidate = (_count(figures, metric) for figures in (evidence.original, evidence.candidate))
    unit = "B" if metric.name == "size" else "count"
    needs_both = assertion.bound not in ("max", "min")
    finding = Finding(assertion, "skipped", original=original, candidate=candidate, unit=unit)
    if candidate is None or (needs_both and original is None):
        why = evidence.missing.get(metric.source, f"{metric.name} of both models is not known")
        return replace(finding, reason=why)
    value = candidate
    if needs_both and original is not None:
        if assertion.bound == "max-increase":
            value = candidate - original
        elif not original:
            return replace(finding, reason=f"{metric.name} of the original is 0: there is no ratio")
        else:
            value = candidate / original
    status = decide(value, value, assertion.limit, assertion.upper)
    return replace(finding, status=status, value=value, low=value, high=value)


def _count(figures: Figures | None, metric: Metric) -> float | None:
    found = getattr(figures, _COUNTS[metric.name], None)
    return None if found is None else float(found)


def _exact(assertion: Assertion, evidence: Evidence) -> Finding:
    proof = evidence.proof
    if proof is None:
        why = evidence.missing.get("proof", "neither a plan nor the record of a run was given")
        return Finding(assertion, "skipped", reason=why)
    distance = proof.distance
    within = distance is None or distance <= assertion.limit
    status: Literal["pass", "fail"] = "pass" if proof.passed and within else "fail"
    return Finding(assertion, status, distance, distance, distance, reason=proof.reason)


def _verdict(
    findings: Sequence[Finding], inconclusive: Inconclusive
) -> tuple[Literal["pass", "fail", "inconclusive"], int, tuple[str, ...]]:
    """The status, the exit code, and what is to be said beside."""
    if any(finding.broken for finding in findings):
        return "fail", BROKEN, ()
    if not _judged(findings):
        return "inconclusive", OPEN, (NOTHING_JUDGED,)
    if any(each.status == "inconclusive" and each.assertion.level == "error" for each in findings):
        codes: Mapping[Inconclusive, int] = {"warn": PASS, "fail": BROKEN, "exit": OPEN}
        return "inconclusive", codes[inconclusive], ()
    return "pass", PASS, ()


def _judged(findings: Sequence[Finding]) -> bool:
    """Whether anything that was asked for has a figure: of errors one, where there are any."""
    active = [each for each in findings if each.status != "off"]
    asked = [each for each in active if each.assertion.metric != "exact"] or active
    errors = [each for each in asked if each.assertion.level == "error"] or asked
    return any(each.status != "skipped" for each in errors)
