"""Groups: how many units of each stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphprune.report.charts import style
from graphprune.report.numbers import shortened
from graphprune.report.parts import Figure

NAMED = 40
"""Up to so many bars have their names beside them."""


@dataclass(frozen=True)
class Bar:
    """A group: its name, and how many units it had and has."""

    name: str
    before: int
    after: int


def bars(groups: Sequence[Bar], *, shares: bool) -> Figure:
    """Kept and removed units of each group, in the graph's order; as shares or as counts."""
    kept = [100 * bar.after / bar.before if shares else bar.after for bar in groups]
    gone = [
        100 * (bar.before - bar.after) / bar.before if shares else bar.before - bar.after for bar in groups
    ]
    lying = len(groups) <= NAMED
    at = list(range(1, len(groups) + 1))
    hover = [f"{style.escaped(bar.name)}: {bar.after} of {bar.before} kept" for bar in groups]
    traces: list[style.Trace] = []
    for name, values, colour, pattern in (("kept", kept, style.CALM, ""), ("removed", gone, style.BAD, "/")):
        traces.append(
            {
                "type": "bar",
                "name": name,
                "orientation": "h" if lying else "v",
                ("y" if lying else "x"): at,
                ("x" if lying else "y"): values,
                "marker": {
                    "color": colour,
                    "opacity": 0.55 if pattern else 1,
                    "pattern": {"shape": pattern, "size": 6, "solidity": 0.35},
                    "line": {"width": 0},
                },
                "customdata": hover,
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    units = style.axis(
        "units (%)" if shares else "units", **({"range": [0, 101], "dtick": 25} if shares else {})
    )
    if lying:
        names = [style.escaped(shortened(bar.name, 24)) for bar in groups]
        ticks = {"tickmode": "array", "tickvals": at, "ticktext": names}
        edge = [len(groups) + 0.6, 0.4]
        return style.figure(traces, units, style.axis("", range=edge, **ticks), barmode="stack")
    x = style.axis("groups, in the order of the graph", range=[0.4, len(groups) + 0.6])
    return style.figure(traces, x, units, barmode="stack", bargap=0.1)


def bars_height(count: int) -> int:
    """Pixels for so many bars."""
    return 110 + 24 * count if count <= NAMED else 340
