"""How all charts look: colours that colour-blind people tell apart, shapes beside them, no decoration.

Texts, grids and axes get their colours from the page's style sheet, so that a chart is right in light, dark
and print without being drawn again. The colours here have a contrast of 3 to 1 with both backgrounds, but
for the last ones, which the shapes tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphprune.report.parts import Figure

Trace = dict[str, Any]

ORIGINAL = "#7d7d7d"
GOOD = "#009E73"
BAD = "#D55E00"
CALM = "#0072B2"
COLOURS = (CALM, "#CC79A7", GOOD, "#E69F00", BAD, "#56B4E9")
"""Okabe and Ito 2008, *Color Universal Design*, without black and yellow, which one background hides."""
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
KEPT_SCALE = ((0.0, "#D55E00"), (0.5, "#A45C9E"), (1.0, "#0072B2"))
"""From nothing kept to all of it."""


def colour(number: int) -> str:
    """The colour of the candidate with this number."""
    return COLOURS[number % len(COLOURS)]


def dash(number: int) -> str:
    """The dashes of its line: others when colours come again."""
    return DASHES[number % len(DASHES)]


def symbol(number: int) -> str:
    """The shape of its points."""
    return SYMBOLS[number % len(SYMBOLS)]


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis; the title says the unit."""
    return {
        "title": {"text": escaped(title), "standoff": 8, "font": {"size": 13}},
        "automargin": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        **more,
    }


def figure(data: Sequence[Trace], x: Mapping[str, Any], y: Mapping[str, Any], **layout: Any) -> Figure:
    """A chart of `data` with two axes."""
    legend = sum(bool(trace.get("showlegend", True)) for trace in data) > 1
    return {
        "data": list(data),
        "layout": {
            "xaxis": dict(x),
            "yaxis": dict(y),
            "showlegend": legend,
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
            "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
            "hovermode": "closest",
            "bargap": 0.25,
            **layout,
        },
    }


def escaped(text: str) -> str:
    """`text` for Plotly, which reads some HTML in its texts.

    >>> escaped("a<b> & c")
    'a&lt;b&gt; &amp; c'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def line_at(value: float, *, across: str, name: str = "", dashes: str = "dot") -> dict[str, Any]:
    """A line through the whole chart at a value of the axis `across`."""
    other = "y" if across == "x" else "x"
    shape: dict[str, Any] = {
        "type": "line",
        f"{across}0": value,
        f"{across}1": value,
        f"{other}0": 0,
        f"{other}1": 1,
        f"{other}ref": "paper",
        "line": {"color": ORIGINAL, "width": 1.5, "dash": dashes},
        "layer": "below",
    }
    if name:
        shape["label"] = {"text": escaped(name), "textposition": "end", "yanchor": "bottom"}
    return shape


def error_bars(values: Sequence[float], lows: Sequence[float], highs: Sequence[float]) -> dict[str, Any]:
    """Intervals around values."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - value for value, high in zip(values, highs, strict=True)],
        "arrayminus": [value - low for value, low in zip(values, lows, strict=True)],
        "thickness": 1.5,
        "width": 4,
    }
