"""JUnit XML of a gate: valid by the schema of Jenkins' xUnit plugin, and read as it is meant."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from lxml import etree

from graphprune.gate.outcome import Outcome
from graphprune.gate.outputs.junit import as_junit
from graphprune.gate.outputs.words import mark, to_blame
from graphprune.printable import printable
from tests.gate.outcomes import FALL, HOSTILE, OPEN, RATIO, SKIPPED, every_kind, hostile, limit, outcome

XSD = Path(__file__).parent / "schemas" / "junit-10.xsd"
OUTCOMES = {
    "every kind": every_kind(),
    "nothing": outcome(),
    **{name: hostile(text) for name, text in HOSTILE.items()},
}


def cases(text: str) -> list[tuple[str, str, str]]:
    """Of each case the suite, the name, and what came of it, as Python's own parser reads them."""
    root = ET.fromstring(text)
    found: list[tuple[str, str, str]] = []
    for suite in root.iter("testsuite"):
        for case in suite.iter("testcase"):
            outcomes = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
            found.append((suite.attrib["name"], case.attrib["name"], "".join(outcomes) or "passed"))
    return found


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_it_is_valid_and_holds_a_case_for_each_limit(made: Outcome) -> None:
    text = as_junit(made)
    schema = etree.XMLSchema(etree.parse(XSD))
    schema.assertValid(etree.fromstring(text.encode()))
    found = cases(text)
    assert len(found) == len(made.findings) == len(set(found))


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_the_counts_of_a_suite_are_those_of_its_cases(made: Outcome) -> None:
    text = as_junit(made)
    for suite in ET.fromstring(text).iter("testsuite"):
        counted = Counter(child.tag for case in suite.iter("testcase") for child in case)
        assert suite.attrib["tests"] == str(len(suite.findall("testcase")))
        for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert suite.attrib[count] == str(counted[tag])


WARNED = replace(FALL, assertion=limit(level="warn"))
WHAT_CAME = {
    "broken": (outcome(FALL, RATIO), ["failure", "passed"]),
    "a warning": (outcome(WARNED, RATIO), ["skipped", "passed"]),
    "open, and the gate passes": (outcome(OPEN, RATIO), ["skipped", "passed"]),
    "open, and the gate exits with 5": (
        outcome(OPEN, SKIPPED, status="inconclusive", exit_code=5),
        ["failure", "skipped"],
    ),
    "nothing could be judged": (outcome(SKIPPED, status="inconclusive", exit_code=5), ["error"]),
}


@pytest.mark.parametrize("name", WHAT_CAME)
def test_cases_fail_just_where_the_process_does(name: str) -> None:
    made, expected = WHAT_CAME[name]
    by_name = Counter(what for _, _, what in cases(as_junit(made)))
    assert by_name == Counter(expected)
    failing = by_name["failure"] + by_name["error"]
    assert bool(failing) == bool(made.exit_code)
    assert failing == sum(to_blame(made, finding) for finding in made.findings)


def test_each_device_has_a_suite() -> None:
    other = replace(RATIO, device="trt NVIDIA L4")
    suites = Counter(suite for suite, _, _ in cases(as_junit(outcome(FALL, RATIO, other, RATIO))))
    assert suites == {"models": 1, "ort:cpu Xeon": 2, "trt NVIDIA L4": 1}


def test_a_message_says_what_the_sentence_says() -> None:
    (failure,) = ET.fromstring(as_junit(outcome(FALL))).iter("failure")
    assert failure.attrib["message"] == failure.text
    assert (failure.text or "").startswith("accuracy.top1 fell by 3.1 points (95 % interval 2.2 to 4.0)")
    assert failure.attrib["type"] == mark(FALL)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_read_back_as_it_is_printed(name: str) -> None:
    root = ET.fromstring(as_junit(hostile(HOSTILE[name])))
    shown = printable(HOSTILE[name])[:300]
    properties = {item.attrib["name"]: item.attrib["value"] for item in root.iter("property")}
    assert properties["original"][:300] == shown
    assert any((failure.text or "").startswith(f"accuracy.{shown}") for failure in root.iter("failure"))
