"""Before and after, side by side: a line from one to the other, in the colour and shape of the change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphprune.report.charts import style
from graphprune.report.numbers import shortened
from graphprune.report.parts import Figure


@dataclass(frozen=True)
class Change:
    """What is drawn in one row.

    Attributes:
        name: of it.
        before: the original; None where it has no such thing.
        after: the candidate; None likewise.
        low: the lower end of the interval of `after`; equal to it where there is none.
        high: the upper end.
        verdict: `worse`, `better`, or empty where the interval holds no change, or one side is missing.
        words: what the pointer shows.
    """

    name: str
    before: float | None
    after: float | None
    low: float
    high: float
    verdict: str
    words: str


def changes(rows: Sequence[Change], title: str, words: tuple[str, str, str]) -> Figure:
    """Rows from top to bottom; `words` name what is worse, better and neither."""
    traces: list[style.Trace] = [_links(rows), _befores(rows)]
    looks = (
        ("worse", words[0], style.BAD, "square"),
        ("better", words[1], style.GOOD, "circle"),
        ("", words[2], style.CALM, "diamond"),
    )
    for verdict, name, colour, symbol in looks:
        members = [
            (number, row)
            for number, row in enumerate(rows)
            if row.verdict == verdict and row.after is not None
        ]
        if members:
            traces.append(_afters(members, name, colour, symbol))
    ticks = [style.escaped(shortened(row.name, 30)) for row in rows]
    y = style.axis(
        "",
        range=[len(rows) - 0.4, -0.6],
        tickmode="array",
        tickvals=list(range(len(rows))),
        ticktext=ticks,
        showgrid=False,
    )
    return style.figure(traces, style.axis(title, rangemode="tozero"), y)


def changes_height(count: int) -> int:
    """Pixels for so many rows."""
    return 110 + 24 * count


def _links(rows: Sequence[Change]) -> style.Trace:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for number, row in enumerate(rows):
        if row.before is not None and row.after is not None:
            xs += [row.before, row.after, None]
            ys += [number, number, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"color": style.ORIGINAL, "width": 2},
        "opacity": 0.5,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _befores(rows: Sequence[Change]) -> style.Trace:
    members = [(number, row) for number, row in enumerate(rows) if row.before is not None]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "original",
        "x": [row.before for _, row in members],
        "y": [number for number, _ in members],
        "marker": {"color": style.ORIGINAL, "size": 9, "symbol": "circle-open", "line": {"width": 2}},
        "text": [style.escaped(row.words) for _, row in members],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _afters(members: Sequence[tuple[int, Change]], name: str, colour: str, symbol: str) -> style.Trace:
    made: style.Trace = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [row.after for _, row in members],
        "y": [number for number, _ in members],
        "marker": {"color": colour, "size": 10, "symbol": symbol},
        "text": [style.escaped(row.words) for _, row in members],
        "hovertemplate": "%{text}<extra></extra>",
    }
    if any(row.high > row.low for _, row in members):
        rows = [row for _, row in members]
        bars = style.error_bars(
            [row.after or 0.0 for row in rows], [row.low for row in rows], [row.high for row in rows]
        )
        made["error_x"] = {**bars, "color": colour}
    return made
