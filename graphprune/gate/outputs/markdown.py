"""What a gate found, as Markdown: for the summary of a job, or a comment of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.gate.outcome import Finding, Outcome
from graphprune.gate.outputs.words import (
    MARKS,
    Mark,
    cells_of,
    change_of,
    clipped,
    headline,
    mark,
    named_classes,
    subject,
    where,
)
from graphprune.markdown import code, escaped, table

SIGNS: dict[Mark, str] = {
    "fail": "❌ fail",
    "warn": "⚠️ warn",
    "inconclusive": "❔ inconclusive",
    "skipped": "➖ skipped",
    "pass": "✅ pass",
}
_HEADS = ("", "metric", "original", "candidate", "measured", "95 % interval", "allowed", "limit at", "")
_CLASS_HEADS = ("class", "samples", "original", "candidate", "change", "95 % interval")


def as_markdown(outcome: Outcome, room: int | None = None) -> str:
    """Return an outcome as Markdown: the verdict, the limits, the worst first, the classes, the notes.

    Args:
        outcome: what a gate found.
        room: at most so many bytes of UTF-8: as many of the last rows are left out as must be, and counted.
    """
    judged = [finding for finding in outcome.findings if finding.status != "off"]
    rows = [_row(finding) for finding in sorted(judged, key=lambda each: MARKS.index(mark(each)))]
    made = _page(outcome, rows, 0)
    if room is None or _bytes(made) <= room:
        return made
    fitting, least = len(rows), 0
    while least < fitting:
        middle = (least + fitting + 1) // 2
        if _bytes(_page(outcome, rows[:middle], len(rows) - middle)) <= room:
            least = middle
        else:
            fitting = middle - 1
    made = _page(outcome, rows[:least], len(rows) - least)
    return made if _bytes(made) <= room else f"### {escaped(headline(outcome))}\n"


def _page(outcome: Outcome, rows: Sequence[Sequence[str]], left_out: int) -> str:
    parts = [f"### {escaped(headline(outcome))}"]
    parts += [table(_HEADS, rows, range(2, 6))] * bool(rows)
    parts += [f"{left_out} more {'row is' if left_out == 1 else 'rows are'} left out."] * bool(left_out)
    shown, others = named_classes(outcome)
    if shown:
        classes = [
            [code(name), f"{change.count:,}", *map(escaped, words)]
            for change in shown
            for name, *words in [change_of(change)]
        ]
        parts += [table(_CLASS_HEADS, classes, range(1, len(_CLASS_HEADS)))]
        parts += [f"{others} not shown."] * bool(others)
    parts += ["\n".join(f"- {escaped(clipped(note))}" for note in outcome.notes)] * bool(outcome.notes)
    return "\n\n".join(parts) + "\n"


def _row(finding: Finding) -> list[str]:
    cells = cells_of(finding)
    return [
        SIGNS[mark(finding)],
        code(subject(finding)),
        *map(escaped, (cells.original, cells.candidate, cells.measured, cells.interval, cells.allowed)),
        code(where(finding)),
        escaped(cells.note),
    ]


def _bytes(text: str) -> int:
    return len(text.encode())
