"""The groups across the graph: what lives and dies together."""

from __future__ import annotations

from collections.abc import Mapping

from graphprune.graph_view.picture import Cell, Picture
from graphprune.report.charts import style
from graphprune.report.numbers import plural, shortened
from graphprune.report.parts import Figure

_ROLES: Mapping[str, tuple[str, str]] = {
    "makes": ("makes the units", "square"),
    "uses": ("sums over them", "circle"),
    "both": ("both", "diamond"),
    "holds": ("holds a value for each", "line-ns-open"),
}
_NAMED = 45
"""Up to so many rows, or columns, have their names beside them."""


def graph_picture(made: Picture) -> Figure:
    """Columns are nodes in order, rows are groups; a line joins the nodes that one group stands in."""
    traces = [_reaches(made)]
    size = max(5.0, min(13.0, 720 / max(1, len(made.columns))))
    shown_scale = False
    for role, (words, symbol) in _ROLES.items():
        cells = [cell for cell in made.cells if cell.role == role]
        if cells:
            trace = _cells(made, cells, words, symbol, size)
            if made.planned and not shown_scale:
                trace["marker"]["showscale"] = shown_scale = True
            traces.append(trace)
    x = style.axis(
        "nodes, from input to output",
        range=[-0.6, len(made.columns) - 0.4],
        **_names([column.label for column in made.columns]),
    )
    y = style.axis(
        "", range=[len(made.rows) - 0.4, -0.6], **_names([row.label for row in made.rows]), showgrid=False
    )
    return style.figure(traces, {**x, "showgrid": False, "tickangle": -90}, y)


def picture_height(made: Picture) -> int:
    """Pixels: rows stay apart, whatever their number."""
    return 190 + max(8, min(24, 900 // max(1, len(made.rows)))) * len(made.rows)


def _reaches(made: Picture) -> style.Trace:
    xs: list[float | None] = []
    ys: list[float | None] = []
    for number, row in enumerate(made.rows):
        xs += [row.first, row.last, None]
        ys += [number, number, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"color": style.ORIGINAL, "width": 1.5},
        "opacity": 0.6,
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _cells(made: Picture, cells: list[Cell], words: str, symbol: str, size: float) -> style.Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": words,
        "x": [cell.column for cell in cells],
        "y": [cell.row for cell in cells],
        "text": [_hover(made, cell, words) for cell in cells],
        "hovertemplate": "%{text}<extra></extra>",
        "meta": {"fit": True},
        "marker": {
            "symbol": symbol,
            "size": size,
            "color": [cell.kept for cell in cells] if made.planned else style.CALM,
            "cmin": 0,
            "cmax": 1,
            "colorscale": [list(stop) for stop in style.KEPT_SCALE],
            "line": {"width": 2 if symbol.endswith("open") else 0},
            "colorbar": {
                "title": {"text": "units kept", "side": "right"},
                "tickformat": ".0%",
                "thickness": 12,
                "outlinewidth": 0,
            },
        },
    }


def _hover(made: Picture, cell: Cell, words: str) -> str:
    row, column = made.rows[cell.row], made.columns[cell.column]
    more = f" and {len(column.nodes) - 1} behind it" if len(column.nodes) > 1 else ""
    units = plural(row.before, row.kind.removesuffix("s"), row.kind)
    lines = (
        f"{shortened(row.name, 60)}: {row.after} of {units}",
        f"{column.label} ({column.ops}){more} {words}",
    )
    return "<br>".join(map(style.escaped, lines))


def _names(labels: list[str]) -> dict[str, object]:
    """Names beside an axis, or where there are too many, none: the pointer tells them."""
    if len(labels) > _NAMED:
        return {"showticklabels": False, "ticks": ""}
    ticks = [style.escaped(shortened(label, 22)) for label in labels]
    return {"tickmode": "array", "tickvals": list(range(len(labels))), "ticktext": ticks}
