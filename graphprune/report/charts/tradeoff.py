"""Accuracy against cost of all candidates, with those that no other one beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphprune.report.charts import style
from graphprune.report.numbers import shortened
from graphprune.report.parts import Figure


@dataclass(frozen=True)
class Point:
    """A model.

    Attributes:
        name: of it.
        x: its cost, as a share of the original's; `x_low` and `x_high` its interval.
        y: how good it is; `y_low` and `y_high` its interval.
        original: whether it is the original.
    """

    name: str
    x: float
    x_low: float
    x_high: float
    y: float
    y_low: float
    y_high: float
    original: bool = False


def front(points: Sequence[Point], *, higher_is_better: bool = True) -> tuple[Point, ...]:
    """Return the points that no other is at least as good as in both, and better in one; cheapest first.

    >>> a, b, c = (Point(n, x, x, x, y, y, y) for n, x, y in (("a", 1, 3), ("b", 2, 2), ("c", 0.5, 1)))
    >>> [point.name for point in front([a, b, c])]
    ['c', 'a']
    """
    sign = 1.0 if higher_is_better else -1.0
    found: list[Point] = []
    for point in sorted(points, key=lambda each: (each.x, -sign * each.y)):
        if not found or sign * point.y > sign * found[-1].y:
            found.append(point)
    return tuple(found)


def tradeoff(points: Sequence[Point], x: str, y: str, *, higher_is_better: bool, scale: float) -> Figure:
    """The points with their intervals; `scale` is what values of y are multiplied with to be shown."""
    best = front(points, higher_is_better=higher_is_better)
    traces: list[style.Trace] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "Pareto front",
            "x": [point.x for point in best],
            "y": [point.y * scale for point in best],
            "line": {"color": style.ORIGINAL, "width": 2, "dash": "dot", "shape": "hv"},
            "hoverinfo": "skip",
        }
    ]
    others = [point for point in points if point not in best and not point.original]
    groups = (
        ("on the front", [point for point in best if not point.original], style.CALM, "circle"),
        ("beaten by another", others, style.BAD, "x"),
        ("original", [point for point in points if point.original], style.ORIGINAL, "diamond-open"),
    )
    named = len(points) <= 16
    middle = (min(point.x for point in points) + max(point.x for point in points)) / 2
    for name, members, colour, symbol in groups:
        if members:
            trace = _trace(name, members, colour, symbol, scale, named=named)
            traces.append({**trace, **_sides(members, middle)})
    return style.figure(traces, style.axis(x, rangemode="normal"), style.axis(y))


def _trace(
    name: str, members: Sequence[Point], colour: str, symbol: str, scale: float, *, named: bool
) -> style.Trace:
    ys = [point.y * scale for point in members]
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        "name": name,
        "x": [point.x for point in members],
        "y": ys,
        "text": [style.escaped(shortened(point.name)) for point in members],
        "cliponaxis": False,
        "marker": {"color": colour, "size": 11, "symbol": symbol, "line": {"width": 2, "color": colour}},
        **_bars(members, ys, scale, colour),
        "hovertemplate": "%{text}: %{x:.3f}×, %{y:.4g}<extra></extra>",
    }


def _sides(members: Sequence[Point], middle: float) -> dict[str, list[str]]:
    """Names stand on the side where there is room, above the intervals."""
    return {"textposition": ["top right" if point.x <= middle else "top left" for point in members]}


def _bars(members: Sequence[Point], ys: Sequence[float], scale: float, colour: str) -> style.Trace:
    """The intervals, of points that have one."""
    made: style.Trace = {}
    if any(point.x_low < point.x_high for point in members):
        xs = [[getattr(point, name) for point in members] for name in ("x", "x_low", "x_high")]
        made["error_x"] = {**style.error_bars(*xs), "color": colour}
    if any(point.y_low < point.y_high for point in members):
        ends = [[getattr(point, name) * scale for point in members] for name in ("y_low", "y_high")]
        made["error_y"] = {**style.error_bars(ys, *ends), "color": colour}
    return made
