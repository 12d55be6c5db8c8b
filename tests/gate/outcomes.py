"""Outcomes of gates for tests: every status and level, devices, classes, and names that mean harm."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any, get_args

from graphprune.gate.outcome import Assertion, ClassChange, Finding, Level, Location, Outcome, Status

HOSTILE = {
    "markup": "[red]x[/]",
    "html": "<script>alert(1)</script>&amp;<!-- ]]>",
    "table": "a|b\\|c`d``e",
    "lines": "a\nb\r\nc\td\u2028e",
    "percent": "%0A::error::x%25",
    "command": "::error file=x::y",
    "older command": "##[error]x",
    "not first": "\U0001f600 \U00010348",
    "controls": "\x00\x07\x1b[31m\x7f\x9b",
    "surrogate": "\ud800 \ufffe",
    "quotes": "\"'{}=,:;#@all *_~ [a](b) ![c](d)",
    "right to left": "\u202etxt.exe",
    "long": "n" * 5000,
}
"""Names that mean something to the readers of one format or another."""


def limit(
    metric: str = "accuracy.top1", bound: Any = "max-drop", number: float = 0.01, **more: Any
) -> Assertion:
    """A limit in line 14 of a file."""
    given = {"written": f"{number:g}", "level": "error", "where": at(), **more}
    return Assertion(metric, bound, number, **given)


def at(line: int = 14, file: str = "graphprune.toml") -> Location:
    return Location(file, line, "max-drop = 0.01")


FALL = Finding(limit(), "fail", 0.031, 0.022, 0.04, 0.91, 0.879, "share", 3000)
RATIO = Finding(
    limit("latency.p50", "max-ratio", 0.7),
    "pass",
    0.652,
    0.641,
    0.66,
    0.0101,
    0.0066,
    "s",
    60,
    device="ort:cpu Xeon",
    batch=8,
)
SKIPPED = Finding(limit("latency.p99", device="*T4*"), "skipped", reason="no device fits '*T4*'")
OPEN = replace(FALL, status="inconclusive", value=0.012, low=0.002, high=0.022, count=300, missing=1200)


def outcome(*findings: Finding, **more: Any) -> Outcome:
    """An outcome as a gate would make it of these findings."""
    broken = any(finding.broken for finding in findings)
    given: dict[str, Any] = {"status": "fail" if broken else "pass", "exit_code": int(broken), **more}
    return Outcome("model.onnx", "small.onnx", findings=findings, **given)


def classes(count: int) -> tuple[ClassChange, ...]:
    """Classes, the worst first."""
    return tuple(
        ClassChange(number, "cat" if number == 3 else "", 100, 0.91, 0.12 + 0.01 * number, -0.85, -0.7)
        for number in range(count)
    )


def every_kind() -> Outcome:
    """An outcome with every status at every level, with and without devices, batches and figures."""
    made: list[Finding] = []
    levels: tuple[Level, ...] = get_args(Level)
    statuses: tuple[Status, ...] = get_args(Status)
    for number, (base, level, status) in enumerate(product((FALL, RATIO, OPEN), levels, statuses)):
        if (level == "off") != (status == "off"):
            continue
        assertion = replace(base.assertion, level=level, where=at(number + 1))
        given = replace(base, assertion=assertion, status=status)
        if status in ("skipped", "off"):
            given = Finding(assertion, status, reason="no data", device=base.device)
        made.append(given)
    made.append(
        Finding(
            limit("exact", "max", 1.0, where=Location("", 0, "--plan p.json")), "fail", reason="y differs"
        )
    )
    made.append(replace(RATIO, value=float("inf"), high=float("inf"), status="fail", original=0.0))
    return outcome(*made, classes=classes(12), notes=("the machine was busy",))


def hostile(name: str) -> Outcome:
    """An outcome that holds `name` wherever a name can be."""
    where = Location(name, 3, name)
    assertion = replace(limit(f"accuracy.{name}", where=where, written=name), device=name)
    bad = replace(FALL, assertion=assertion, reason=name, device=name)
    lone = replace(bad, assertion=replace(assertion, where=Location("", 0, name)), device="")
    made = outcome(bad, replace(bad, status="inconclusive"), replace(bad, status="skipped"), lone)
    good = replace(bad, status="pass")
    change = ClassChange(7, name, 50, 0.9, 0.1, -0.9, -0.7)
    findings = (*made.findings, good)
    return replace(made, original=name, candidate=name, findings=findings, classes=(change,), notes=(name,))
