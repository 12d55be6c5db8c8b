"""A gate on the terminal: the verdict first, at most 100 columns, names as they are."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from graphprune.cli.common import WIDTH
from graphprune.cli.gate_tables import tables
from graphprune.gate.outcome import Outcome
from graphprune.gate.outputs.words import names, verdict
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


def shown(made: Outcome, colour: bool = False) -> str:
    """What the terminal shows, as `graphprune.cli.common.emit` prints it."""
    text = io.StringIO()
    system = "truecolor" if colour else None
    console = Console(
        file=text,
        width=WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
        color_system=system,  # type: ignore[arg-type]
        force_terminal=colour,
    )
    for part in tables(made):
        console.print(part)
    return text.getvalue()


@pytest.mark.parametrize("made", OUTCOMES.values(), ids=OUTCOMES)
def test_the_verdict_is_first_and_lines_are_short(made: Outcome) -> None:
    text = shown(made)
    assert text.splitlines()[0] == verdict(made)
    assert "".join(printable(names(made)).split()) in "".join(text.split())
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_shown_and_steers_nothing(name: str) -> None:
    text = shown(hostile(HOSTILE[name]))
    assert not {char for char in text if not char.isprintable()} - {"\n"}
    told = "".join(printable(HOSTILE[name]).split())[:300]
    assert f"accuracy.{told}" in "".join(text.split())


def test_limits_stand_in_their_order_and_what_is_wrong_is_told() -> None:
    text = shown(outcome(RATIO, FALL, SKIPPED, OPEN, classes=classes(12), notes=("busy",)))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[4].startswith("pass latency.p50")
    said = " ".join(lines)
    order = (
        "gate failed: 1 of 4 limits holds, 1 broken, 1 inconclusive, 1 skipped",
        "fail accuracy.top1 91.0 % 87.9 % down 3.1 points 2.2 to 4.0 ≤ 1 point",
        "fail accuracy.top1 fell by 3.1 points (95 % interval 2.2 to 4.0), allowed: at most 1 point",
        "skipped latency.p99 was not measured",
        "inconclusive accuracy.top1 fell by 1.2 points",
        "needs about 1,200 more samples (now 300)",
        "class samples original candidate change 95 % interval",
        "0 100 91.0 % 12.0 % -79.0 points -85.0 to -70.0",
        "2 more classes not shown",
        "note: busy",
    )
    places = [said.find(words) for words in order]
    assert -1 not in places
    assert places == sorted(places)


def test_colours_only_colour() -> None:
    made = outcome(FALL, RATIO, replace(OPEN, device="[red]x[/]"))
    coloured = shown(made, colour=True)
    assert "\x1b[1;31m" in coloured
    assert "[red]x[/]" in coloured


def test_the_last_column_stays_whole_beside_long_figures() -> None:
    allowed = replace(limit("accuracy.class.min"), limit=0.15, written="15%")
    open_class = replace(OPEN, assertion=allowed, value=0.122, low=0.082, high=0.163)
    timed = replace(RATIO, status="fail", value=1.158, low=1.155, high=1.159, device="AMD EPYC (ort:cpu)")
    rows = [line.rstrip() for line in shown(outcome(open_class, timed)).splitlines()]
    assert any(row.endswith("8.2 to 16.3     ≤ 15 points") for row in rows)
