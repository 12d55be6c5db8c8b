"""Sensitivity: what each group loses as more of it goes, the worst ones in colour."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphprune.report.charts import style
from graphprune.report.numbers import shortened
from graphprune.report.parts import Figure
from graphprune.sensitivity_report import Report, Row

WORST = 5
_WIDE = 100.0
"""Where the largest value is so many times the smallest, the axis is logarithmic."""

_LEAST = 1e-5
"""Of the largest value: a loss of less is none."""


def curves(report: Report) -> Figure:
    """A line for each group; rows come with the most sensitive first."""
    shown = [row for row in report.groups if any(value is not None for value in row.values)]
    share = report.higher_is_better and 0 <= report.original <= 1
    scale = 100.0 if share else 1.0
    values = [
        value * scale for row in shown for value in row.values if value is not None and math.isfinite(value)
    ]
    wide = not share and bool(values) and min(values) > 0 and max(values) / min(values) > _WIDE
    traces = [_quiet(shown[WORST:], report.ratios, scale)] if shown[WORST:] else []
    for number, row in reversed(list(enumerate(shown[:WORST]))):
        traces.append(_line(row, report.ratios, number, scale))
    unit = " (%)" if share else " (share of the variance)" if report.measure == "output error" else ""
    y = style.axis(f"{report.measure}{unit}", **(_log(values) if wide else {"rangemode": "tozero"}))
    x = style.axis("units of the group that are removed (%)", range=[0, 102])
    shapes = []
    if share:
        y.pop("rangemode", None)
        shapes = [style.line_at(report.original * scale, across="y", name="the original", dashes="solid")]
    return style.figure(traces, x, y, shapes=shapes, legend={"traceorder": "reversed", **_LEGEND})


def _log(values: Sequence[float]) -> dict[str, object]:
    """A logarithmic axis; what is next to nothing is beyond its end."""
    top = max(values)
    low = max(min(values), top * _LEAST)
    ends = [math.log10(low) - 0.1, math.log10(top) + 0.1]
    return {"type": "log", "dtick": 1, "exponentformat": "power", "range": ends}


_LEGEND = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"}


def _line(row: Row, ratios: Sequence[float], number: int, scale: float) -> style.Trace:
    points = _points(row, ratios, scale)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": style.escaped(shortened(row.name, 32)),
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {"color": style.colour(number), "width": 2.5, "dash": style.dash(number)},
        "marker": {"symbol": style.symbol(number), "size": 8},
        "hovertemplate": "%{x:.0f} % removed: %{y:.4g}",
    }


def _quiet(rows: Sequence[Row], ratios: Sequence[float], scale: float) -> style.Trace:
    """The other groups as one thin trace."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    names: list[str] = []
    for row in rows:
        for x, y in _points(row, ratios, scale):
            xs.append(x)
            ys.append(y)
            names.append(style.escaped(shortened(row.name, 40)))
        xs.append(None)
        ys.append(None)
        names.append("")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": f"{len(rows)} other groups" if len(rows) > 1 else "1 other group",
        "x": xs,
        "y": ys,
        "text": names,
        "line": {"color": style.ORIGINAL, "width": 1},
        "opacity": 0.55,
        "hovertemplate": "%{text}: %{x:.0f} % removed, %{y:.4g}<extra></extra>",
    }


def _points(row: Row, ratios: Sequence[float], scale: float) -> list[tuple[float, float]]:
    return [
        (100 * ratio, value * scale)
        for ratio, value in zip(ratios, row.values, strict=True)
        if value is not None and math.isfinite(value)
    ]
