"""What a gate found, as JUnit XML: a suite for each device, a case for each limit.

A case fails where its limit is what the process exits for, so that a job and its report never disagree: a
broken limit of level `error`, and one that is open where the gate is told to fail on those. A limit that
should have failed the gate and has no figure is an error. What is broken without failing the gate
(`level = "warn"`), open, or without a figure is skipped, with the sentence that says why: JUnit knows no
warnings, and a case that passes is not shown to anybody.
"""

from __future__ import annotations

from collections.abc import Iterable

from junitparser import Error, Failure, JUnitXml, Properties, Property, Skipped, TestCase, TestSuite

from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.words import clipped, headline, mark, sentence, subject, to_blame
from graphprune.printable import printable

MODELS = "models"
"""The suite of the limits that no device plays a part in."""


def as_junit(outcome: Outcome) -> str:
    """Return an outcome as JUnit XML, in UTF-8 where it is written to a file."""
    document = JUnitXml("graphprune gate")
    devices = dict.fromkeys(finding.device for finding in outcome.findings) or {"": None}
    for device in devices:
        document.add_testsuite(_suite(outcome, device))
    text = document.tostring()
    return (text if isinstance(text, str) else text.decode()) + "\n"


def _suite(outcome: Outcome, device: str) -> TestSuite:
    suite = TestSuite(_shown(device) or MODELS)
    properties = Properties()
    for name, value in _properties(outcome):
        properties.add_property(Property(name, _shown(value)))
    suite.append(properties)
    seen: dict[str, int] = {}
    for finding in outcome.findings:
        if finding.device == device:
            name = _name(finding)
            seen[name] = seen.get(name, 0) + 1
            again = f" ({seen[name]})" if seen[name] > 1 else ""
            suite.add_testcase(_case(outcome, finding, name + again))
    suite.update_statistics()
    return suite


def _properties(outcome: Outcome) -> Iterable[tuple[str, str]]:
    yield "original", outcome.original
    yield "candidate", outcome.candidate
    yield "status", outcome.status
    yield "exit-code", str(outcome.exit_code)
    yield "verdict", headline(outcome)
    for note in outcome.notes:
        yield "note", note


def _name(finding: Finding) -> str:
    """The limit as people would name it; the same whatever was measured, so that histories line up."""
    limited = f"{finding.assertion.bound} {finding.assertion.written}"
    batch = f", batch {finding.batch}" if finding.batch is not None else ""
    return _shown(f"{clipped(finding.assertion.metric)} {limited}{batch}")


def _case(outcome: Outcome, finding: Finding, name: str) -> TestCase:
    case = TestCase(name, f"graphprune.gate.{_shown(finding.assertion.metric.partition('.')[0])}")
    told, kind = _shown(sentence(finding)), mark(finding)
    made: Failure | Error | Skipped | None = None
    if to_blame(outcome, finding):
        made = Error(told, kind) if finding.status == "skipped" else Failure(told, kind)
    elif kind == "off":
        made = Skipped(f"{_shown(subject(finding))} is off", kind)
    elif kind != "pass":
        made = Skipped(told, kind)
    if made is not None:
        made.text = told
        case.result = [made]
    else:
        case.system_out = told
    return case


def _shown(text: str) -> str:
    return printable(clipped(text, 2000))
