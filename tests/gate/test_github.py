"""A gate in a job of GitHub: commands as the toolkit of GitHub writes them, and nothing else that is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from graphprune.errors import Environment
from graphprune.gate.outcome import Finding, Location, Outcome
from graphprune.gate.outputs.github import SUMMARY_ROOM, as_github, publish
from graphprune.gate.outputs.markdown import as_markdown
from graphprune.gate.outputs.words import mark, sentence, subject
from graphprune.printable import printable
from tests.gate.outcomes import FALL, HOSTILE, OPEN, RATIO, SKIPPED, every_kind, hostile, limit, outcome
from tests.gate.prepare import TOOLKIT, fetch

OUTCOMES = {
    "every kind": every_kind(),
    "nothing": outcome(),
    **{name: hostile(text) for name, text in HOSTILE.items()},
}
ANNOTATIONS = ("error", "warning", "notice")


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands in a log, by the rules of GitHub's runner (`ActionCommand` of actions/runner).

    A line is a command where it starts with `::` after spaces, and, of the older form, where it holds `##[`.
    """
    found: list[tuple[str, dict[str, str], str]] = []
    for line in re.split(r"\r\n|\r|\n", text):
        if line.lstrip().startswith("::"):
            head, _, data = line.lstrip()[2:].partition("::")
            name, _, told = head.partition(" ")
            pairs = dict(part.split("=", 1) for part in told.split(",") if part)
            found.append((name, {key: unescaped(value) for key, value in pairs.items()}, unescaped(data)))
        else:
            assert "##[" not in line
    return found


def unescaped(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_the_only_commands_are_annotations_of_what_does_not_pass(made: Outcome) -> None:
    found = commands(as_github(made, {}))
    assert {name for name, _, _ in found} <= set(ANNOTATIONS)
    shown = [finding for finding in made.findings if finding.status not in ("pass", "off")]
    assert len(found) == sum(min(10, count) for count in Counter(map(level, shown)).values())
    said = {printable(sentence(finding)) for finding in shown}
    assert {data for _, _, data in found} <= said


def level(finding: Finding) -> str:
    """The annotation of a finding of an outcome that fails for what is broken."""
    if finding.broken:
        return "error"
    undecided = finding.status == "inconclusive" and finding.assertion.level == "error"
    return "warning" if finding.status == "fail" or undecided else "notice"


@pytest.fixture(scope="module")
def toolkit() -> Path:
    """The file of @actions/core that writes commands."""
    if shutil.which("node") is None:
        pytest.skip("there is no node to run GitHub's toolkit")
    complaint = fetch()
    if complaint:
        pytest.skip(f"GitHub's toolkit cannot be had: {complaint}")
    return TOOLKIT


def test_githubs_own_toolkit_writes_the_same_lines(toolkit: Path) -> None:
    wanted: list[tuple[str, dict[str, str], str]] = []
    written: list[str] = []
    for name in HOSTILE.values():
        where = Location(name, 3, "")
        assertion = limit(name, where=where, written=name)
        finding = replace(FALL, assertion=assertion, device=name, reason=name)
        (line,) = (line for line in as_github(outcome(finding), {}).split("\n") if line.startswith("::"))
        written.append(line)
        title = printable(f"{mark(finding)}: {subject(finding)}")
        properties = {"title": title, "file": printable(name), "line": "3"}
        wanted.append(("error", properties, printable(sentence(finding))))
    script = (
        f"import {{ issueCommand }} from {json.dumps(toolkit.as_uri())};"
        "for (const [name, properties, message] of JSON.parse(await new Response(process.stdin).text()))"
        " issueCommand(name, properties, message);"
    )
    run = subprocess.run(
        ["node", "--input-type=module", "-e", script],
        input=json.dumps(wanted).encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.decode().split("\n")[:-1] == written


def test_an_annotation_points_at_the_line_of_the_limit() -> None:
    (found,) = commands(as_github(outcome(FALL, RATIO), {}))
    name, properties, data = found
    assert name == "error"
    assert properties == {"title": "fail: accuracy.top1", "file": "graphprune.toml", "line": "14"}
    assert data == sentence(FALL)


def test_a_limit_of_the_command_line_has_no_file_to_point_at() -> None:
    assertion = limit(where=Location("", 0, "top1.drop<=1%"))
    ((_, properties, _),) = commands(as_github(outcome(replace(FALL, assertion=assertion)), {}))
    assert properties == {"title": "fail: accuracy.top1"}


def test_paths_are_relative_to_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ci").mkdir()
    monkeypatch.chdir(tmp_path / "ci")
    for file in ("gate.toml", str(tmp_path / "ci" / "gate.toml"), "../ci/gate.toml"):
        where = Location(file, 2, "")
        made = outcome(replace(FALL, assertion=limit(where=where)))
        ((_, properties, _),) = commands(as_github(made, {"GITHUB_WORKSPACE": str(tmp_path)}))
        assert properties["file"] == "ci/gate.toml"


LEVELS = {
    "broken": (outcome(FALL), ["error"]),
    "a warning": (outcome(replace(FALL, assertion=limit(level="warn"))), ["warning"]),
    "open": (outcome(OPEN), ["warning"]),
    "open, of a warning": (outcome(replace(OPEN, assertion=limit(level="warn"))), ["notice"]),
    "open, and the gate exits for it": (outcome(OPEN, status="inconclusive", exit_code=5), ["error"]),
    "skipped": (outcome(SKIPPED), ["notice"]),
    "within": (outcome(RATIO), []),
}


@pytest.mark.parametrize("name", LEVELS)
def test_annotated_as(name: str) -> None:
    made, levels = LEVELS[name]
    assert [command for command, _, _ in commands(as_github(made, {}))] == levels


def test_what_github_would_drop_stands_in_the_log_and_is_counted() -> None:
    findings = [replace(FALL, batch=number) for number in range(13)]
    text = as_github(outcome(*findings, *[SKIPPED] * 11), {})
    assert Counter(name for name, _, _ in commands(text)) == {"error": 10, "notice": 10}
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("fail: ")] == [
        f"fail: {sentence(finding)}" for finding in findings[10:]
    ]
    assert lines[-1].endswith("3 more errors, 1 more notices stand in this log only")


def test_the_step_gets_a_summary_and_outputs(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    summary.write_text("before\n")
    made = outcome(FALL)
    publish(made, {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)})
    assert summary.read_text(encoding="utf-8") == "before\n" + as_markdown(made)
    assert output.read_text() == "status=fail\nexit-code=1\n"


@pytest.mark.parametrize(
    "taken", [0, 600_000, SUMMARY_ROOM - 400, SUMMARY_ROOM - 90, SUMMARY_ROOM - 10, SUMMARY_ROOM + 10]
)
def test_a_summary_stays_below_what_github_takes(tmp_path: Path, taken: int) -> None:
    summary = tmp_path / "summary"
    summary.write_bytes(b"x" * taken)
    device = "\U0001f600" * 300
    made = outcome(*(replace(RATIO, batch=number, device=device) for number in range(2000)))
    publish(made, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert summary.stat().st_size <= max(SUMMARY_ROOM, taken)
    added = summary.read_bytes()[taken:].decode()
    assert ("rows are left out" in added) == (taken <= SUMMARY_ROOM - 400)
    assert ("gate passed" in added) == (taken <= SUMMARY_ROOM - 90)


def test_outside_of_github_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    publish(outcome(FALL), {"GITHUB_STEP_SUMMARY": "", "HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_a_summary_that_cannot_be_written_is_an_error_of_the_environment(tmp_path: Path) -> None:
    with pytest.raises(Environment, match="cannot be written"):
        publish(outcome(FALL), {"GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "summary")})
