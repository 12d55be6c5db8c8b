"""The Markdown summary: the answer, for a pull request, a summary of a job, or a chat."""

from __future__ import annotations

from collections.abc import Iterator

from graphprune.gate.outputs.markdown import as_markdown
from graphprune.markdown import code, escaped, table
from graphprune.report import answers, estimates, numbers
from graphprune.report.facts import Candidate, Facts
from graphprune.report.numbers import plural, shortened
from graphprune.report.sections import classes, environment, layers, repeat, tradeoff

_CANDIDATES = 20
_STEPS = 5
_CLASSES = 5
_COMMANDS = 10
_LONGEST = 60
"""Characters of a name."""


def markdown(facts: Facts) -> str:
    """Return the summary; it fits in a comment, however large the files are."""
    parts = [f"## {escaped(shortened(facts.title, 120))}"]
    outcomes = [source.outcome for source in facts.sources if source.outcome is not None]
    parts += [as_markdown(outcome, _ROOM).strip() for outcome in outcomes]
    main = facts.main
    if main is not None:
        parts.append(_figures(main))
    elif facts.candidates:
        parts += _candidates(facts)
    parts += _slower(facts)
    if not any(outcome.classes for outcome in outcomes):
        parts += _classes(facts)
    parts += _notes(facts)
    parts += _commands(facts)
    return "\n\n".join(parts) + "\n"


_ROOM = 20_000
"""Bytes of what a gate found; a comment on GitHub holds 65,536 characters."""


def _figures(candidate: Candidate) -> str:
    rows = [
        (
            escaped(each.name),
            escaped(each.before),
            f"**{escaped(each.after)}**",
            escaped(each.change),
            escaped(each.more),
        )
        for each in answers.figures(candidate)
    ]
    return table(("", "original", "candidate", "change", ""), rows, (1, 2))


def _candidates(facts: Facts) -> Iterator[str]:
    made = tradeoff.candidates_table(facts)
    heads = [escaped(column.removesuffix("#")) for column in made.columns]
    rows = [
        [code(shortened(row[0].text, _LONGEST)), *(escaped(cell.text) for cell in row[1:])]
        for row in made.rows[:_CANDIDATES]
    ]
    numeric = [at for at, column in enumerate(made.columns) if column.endswith("#")]
    yield escaped(tradeoff.best(facts)) or "The candidates side by side:"
    yield table(heads, rows, numeric)
    left = len(made.rows) - _CANDIDATES
    if left > 0:
        yield f"{plural(left, 'more candidate')} not shown."


def _slower(facts: Facts) -> Iterator[str]:
    """What got slower, though something was removed: nobody looks for that unless told."""
    for name, steps in list(layers.of_candidates(facts))[:3]:
        slow = [step for step in steps if step.slower]
        if not slow:
            continue
        rows = [
            (
                code(shortened(step.name, _LONGEST)),
                escaped(shortened(step.ops, _LONGEST)),
                escaped(numbers.duration(step.before or 0.0)),
                escaped(numbers.duration(step.after or 0.0)),
                escaped(step.note),
            )
            for step in slow[:_STEPS]
        ]
        more = f", {_STEPS} of them here" if len(slow) > _STEPS else ""
        yield f"{plural(len(slow), 'step')} of {code(name)} got slower{more}:"
        yield table(("makes", "runtime's operator", "before", "after", ""), rows, (2, 3))


def _classes(facts: Facts) -> Iterator[str]:
    for name, metric, found in list(classes.of_candidates(facts))[:1]:
        lost = [each for each in found if each.high < 0]
        if not lost:
            continue
        rows = [
            (
                escaped(classes.class_name(each)),
                str(each.count),
                escaped(numbers.percent(each.original)),
                escaped(numbers.percent(each.candidate)),
                escaped(estimates.shown_change(metric, each.candidate - each.original)),
            )
            for each in lost[:_CLASSES]
        ]
        yield f"{plural(len(lost), 'class', 'classes')} of {len(found)} lost beyond doubt in {code(name)}:"
        yield table(("class", "samples", "original", "candidate", "change"), rows, (1, 2, 3, 4))


def _notes(facts: Facts) -> Iterator[str]:
    notes = list(dict.fromkeys(environment.warnings(facts)))
    if notes:
        yield "\n".join(f"- {escaped(shortened(note, 300))}" for note in notes[:_STEPS])


def _commands(facts: Facts) -> Iterator[str]:
    found = list(dict.fromkeys(command for _, command in repeat.commands(facts)))[:_COMMANDS]
    if found:
        lines = "\n".join(f"- {code(shortened(command, 600))}" for command in found)
        yield f"<details><summary>How to repeat it</summary>\n\n{lines}\n\n</details>"
