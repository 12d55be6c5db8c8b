"""What a gate found, for a job of GitHub: annotations at the lines of the limits, a summary, outputs.

The escapes are those of the workflow commands of actions/toolkit (`packages/core/src/command.ts`). A log line
is a command where it starts with `::`, or where it holds `##[` anywhere (actions/runner, `ActionCommand`):
lines that are no commands hold neither, whatever a model calls its tensors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from graphprune.errors import Environment
from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.markdown import as_markdown
from graphprune.gate.outputs.words import headline, mark, sentence, subject, to_blame
from graphprune.printable import printable

Command = Literal["error", "warning", "notice"]
MOST = 10
"""Annotations of a level that GitHub shows of one step; it drops others without a word."""
SUMMARY_ROOM = 1024 * 1024
"""Bytes of the summary of a step; GitHub drops the whole of a longer one."""


def as_github(outcome: Outcome, environment: Mapping[str, str] | None = None) -> str:
    """Return an outcome as log lines of GitHub: the verdict, and a line for each limit.

    Args:
        outcome: what a gate found.
        environment: where GITHUB_WORKSPACE is looked up, which paths are shown relative to; by default that
            of the process.
    """
    workspace = (os.environ if environment is None else environment).get("GITHUB_WORKSPACE", "")
    lines, used = [_line(headline(outcome))], dict.fromkeys(("error", "warning", "notice"), 0)
    for finding in outcome.findings:
        command = _command(outcome, finding)
        if command is not None:
            used[command] += 1
        if command is None or used[command] > MOST:
            lines.append(_line(f"{mark(finding)}: {sentence(finding)}"))
        else:
            lines.append(_annotation(command, finding, workspace))
    lines += [_line(f"note: {note}") for note in outcome.notes]
    left = [f"{count - MOST} more {level}s" for level, count in used.items() if count > MOST]
    if left:
        lines.append(f"GitHub shows {MOST} annotations of a level: {', '.join(left)} stand in this log only")
    return "\n".join(lines) + "\n"


def publish(outcome: Outcome, environment: Mapping[str, str] | None = None) -> None:
    """Add an outcome to the summary and to the outputs of the step that runs; nothing outside of GitHub.

    `GITHUB_STEP_SUMMARY` gets Markdown, as much as the limit leaves room for, and `GITHUB_OUTPUT` the lines
    `status` and `exit-code`.

    Raises:
        Environment: one of the files cannot be written.
    """
    given = os.environ if environment is None else environment
    if summary := given.get("GITHUB_STEP_SUMMARY"):
        path = Path(summary)
        taken = path.stat().st_size if path.exists() else 0
        _append(path, as_markdown(outcome, max(0, SUMMARY_ROOM - taken)), SUMMARY_ROOM - taken)
    if output := given.get("GITHUB_OUTPUT"):
        _append(Path(output), f"status={outcome.status}\nexit-code={outcome.exit_code}\n")


def _append(path: Path, text: str, room: int | None = None) -> None:
    if room is not None and len(text.encode()) > room:
        return
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise Environment(f"{path} cannot be written: {error.strerror}", "see GITHUB_STEP_SUMMARY") from error


def _command(outcome: Outcome, finding: Finding) -> Command | None:
    """How a limit is annotated: an error where the gate exits for it."""
    if to_blame(outcome, finding):
        return "error"
    if finding.status == "fail":
        return "warning"
    if finding.status == "inconclusive":
        return "warning" if finding.assertion.level == "error" else "notice"
    return "notice" if finding.status == "skipped" else None


def _annotation(command: Command, finding: Finding, workspace: str) -> str:
    where = finding.assertion.where
    properties = {"title": f"{mark(finding)}: {subject(finding)}"}
    if where.file:
        properties |= {"file": relative(where.file, workspace), "line": str(max(1, where.line))}
    told = ",".join(f"{name}={_property(printable(value))}" for name, value in properties.items())
    return f"::{command} {told}::{_data(printable(sentence(finding)))}"


def relative(path: str, workspace: str) -> str:
    """Return a path as annotations need it: relative to the workspace, where it lies within.

    >>> relative("/repo/ci/gate.toml", "/repo"), relative("/elsewhere/gate.toml", "/repo")
    ('ci/gate.toml', '/elsewhere/gate.toml')
    """
    if not workspace:
        return path
    for spelled in (os.path.abspath, os.path.realpath):
        try:
            return Path(spelled(path)).relative_to(spelled(workspace)).as_posix()
        except ValueError:
            continue
    return path


def _line(text: str) -> str:
    """A line of the log that is no command: it starts with a word of ours, and ends the older prefix."""
    return printable(text).replace("##[", "## [")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
