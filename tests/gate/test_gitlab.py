"""GitLab's reports of a gate: metrics, as Prometheus' parser and GitLab's rules read them; code quality."""

from __future__ import annotations

import json
import math
import re
import shlex
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from graphprune.gate.outcome import Outcome
from graphprune.gate.outputs.codequality import as_code_quality
from graphprune.gate.outputs.gitlab import as_metrics
from tests.gate.outcomes import FALL, HOSTILE, OPEN, RATIO, at, every_kind, hostile, limit, outcome

OUTCOMES = {
    "every kind": every_kind(),
    "nothing": outcome(),
    **{name: hostile(text) for name, text in HOSTILE.items()},
}


def families(text: str) -> dict[str, dict[frozenset[tuple[str, str]], float]]:
    """What `prometheus_client` reads: the values by family and labels."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        samples = {frozenset(sample.labels.items()): sample.value for sample in family.samples}
        assert len(samples) == len(family.samples)
        found[family.name] = samples
    return found


def as_gitlab_reads(text: str) -> dict[str, str]:
    """Names and values as GitLab takes them from a metrics report: words of a shell, without comments.

    The rules of `Gitlab::Ci::Parsers::Metrics::Generic`.
    """
    words = [shlex.split(re.sub("#.*$", "", line)) for line in text.splitlines()]
    return {name: value for name, value, *_ in filter(None, words)}


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_another_parser_reads_every_sample(made: Outcome) -> None:
    text = as_metrics(made)
    read = families(text)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert sum(map(len, read.values())) == len(lines)
    assert text.endswith("# EOF\n")


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_gitlab_reads_as_many_and_the_same_values(made: Outcome) -> None:
    text = as_metrics(made)
    read = [value for samples in families(text).values() for value in samples.values()]
    seen = [float(value) for value in as_gitlab_reads(text).values()]
    assert sorted(map(float, read)) == sorted(seen)


def test_values_are_in_base_units() -> None:
    made = families(as_metrics(outcome(FALL, RATIO)))
    place = {"metric": "latency.p50", "device": "ort:cpu Xeon", "batch": "8"}
    assert made["graphprune_seconds"][frozenset({**place, "model": "candidate"}.items())] == 0.0066
    limited = frozenset({**place, "bound": "max-ratio", "level": "error"}.items())
    assert made["graphprune_gate_value"][limited] == 0.652
    assert made["graphprune_gate_limit"][limited] == 0.7
    assert made["graphprune_gate_passed"][limited] == 1
    fall = frozenset({"metric": "accuracy.top1", "bound": "max-drop", "level": "error"}.items())
    assert made["graphprune_gate_passed"][fall] == 0


def test_what_is_open_has_neither_passed_nor_failed() -> None:
    assert "graphprune_gate_passed" not in families(as_metrics(outcome(OPEN)))


def test_an_infinite_value_is_read_as_one() -> None:
    made = families(as_metrics(outcome(replace(RATIO, value=math.inf, status="fail"))))
    assert list(made["graphprune_gate_value"].values()) == [math.inf]


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_an_issue_has_what_gitlab_asks_for(made: Outcome) -> None:
    issues = json.loads(as_code_quality(made))
    for issue in issues:
        assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["description"]
        assert isinstance(issue["location"]["path"], str)
        assert issue["location"]["lines"]["begin"] >= 1
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


def test_an_issue_keeps_its_fingerprint_when_its_line_and_its_figure_change() -> None:
    moved = replace(FALL, value=0.05, assertion=limit(where=at(99)))
    first, second = (json.loads(as_code_quality(outcome(finding))) for finding in (FALL, moved))
    assert first[0]["fingerprint"] == second[0]["fingerprint"]
    assert (first[0]["location"], second[0]["location"]) == tuple(
        {"path": "graphprune.toml", "lines": {"begin": line}} for line in (14, 99)
    )


def test_only_what_is_wrong_is_an_issue() -> None:
    made = outcome(FALL, RATIO, OPEN, replace(FALL, assertion=limit(level="warn")))
    assert [issue["severity"] for issue in json.loads(as_code_quality(made))] == ["critical", "info", "minor"]
