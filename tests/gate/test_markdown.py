"""Markdown of a gate, as another parser reads it: names stay in their cells."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from graphprune.gate.outcome import Outcome
from graphprune.gate.outputs.markdown import as_markdown
from graphprune.printable import printable
from tests.gate.outcomes import (
    FALL,
    HOSTILE,
    OPEN,
    RATIO,
    SKIPPED,
    classes,
    every_kind,
    hostile,
    limit,
    outcome,
)

OUTCOMES = {
    "every kind": every_kind(),
    "nothing": outcome(),
    **{name: hostile(text) for name, text in HOSTILE.items()},
}
ALLOWED = {"text", "code_inline", "html_inline", "softbreak"}


def tokens(text: str) -> list[Token]:
    return MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a page, row by row, with the text that each cell shows."""
    found: list[list[list[str]]] = []
    in_cell = False
    for token in tokens(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type in ("th_open", "td_open"):
            in_cell = True
        elif token.type == "inline" and in_cell:
            shown = "".join(child.content for child in token.children or () if child.type != "html_inline")
            found[-1][-1].append(shown)
            in_cell = False
    return found


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_every_row_has_every_cell(made: Outcome) -> None:
    read = tables(as_markdown(made))
    judged = [finding for finding in made.findings if finding.status != "off"]
    assert [len(table) - 1 for table in read] == [
        count for count in (len(judged), min(10, len(made.classes))) if count
    ]
    assert all(len(row) == len(table[0]) for table in read for row in table)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_as_it_is_and_formats_nothing(name: str) -> None:
    text = as_markdown(hostile(HOSTILE[name]))
    shown = printable(HOSTILE[name])[:300].strip()
    limits, changes = tables(text)
    assert all(row[1].startswith(f"accuracy.{shown}") for row in limits[1:])
    assert shown in changes[1][0]
    inline = [child for token in tokens(text) for child in token.children or ()]
    assert {child.type for child in inline} <= ALLOWED
    # the one tag that is written keeps an @ from calling anybody; code of a bar behind a backslash is HTML
    assert {child.content for child in inline if child.type == "html_inline"} <= {
        "<!-- -->",
        "<code>",
        "</code>",
    }


def test_what_is_worst_stands_first() -> None:
    warned = replace(FALL, assertion=limit(level="warn"))
    (read,) = tables(as_markdown(outcome(RATIO, SKIPPED, OPEN, warned, FALL)))
    assert [row[0].split()[-1] for row in read[1:]] == ["fail", "warn", "inconclusive", "skipped", "pass"]


def test_ten_classes_are_shown_and_the_others_counted() -> None:
    text = as_markdown(outcome(FALL, classes=classes(12)))
    _, read = tables(text)
    assert read[1] == ["0", "100", "91.0 %", "12.0 %", "-79.0 points", "-85.0 to -70.0"]
    assert "2 more classes not shown." in text
    assert "not shown" not in as_markdown(outcome(FALL, classes=classes(10)))


@pytest.mark.parametrize("room", [100, 2_000, 20_000, 100_000])
def test_a_page_that_is_too_long_is_cut_at_a_row(room: int) -> None:
    made = outcome(*(replace(RATIO, batch=number) for number in range(500)), FALL)
    text = as_markdown(made, room)
    assert len(text.encode()) <= room
    if room > 1000:
        (read,) = tables(text)
        left = 501 - (len(read) - 1)
        assert read[1][0].endswith("fail")
        assert f"{left} more rows are left out." in text if left else "left out" not in text
        row = max(len("|".join(row)) for row in read)
        assert left == 0 or room - len(text.encode()) < 3 * row


def test_a_name_of_any_length_leaves_the_page_short() -> None:
    made = hostile("x" * 10_000_000)
    assert len(as_markdown(made).encode()) < 50_000
