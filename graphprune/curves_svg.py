"""Curves as an SVG picture, light or dark as the reader's system is; nothing is needed to draw it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

NAMED = 10
"""How many curves, the first ones, have a colour and stand in the legend."""
COLOURS = ("#1170aa", "#d95f02", "#2a9d5c", "#c2265b", "#7b52ab", "#a8780b", "#1fa2b8", "#8c564b", "#e06fb5", "#5f6b7a")  # fmt: skip  # noqa: E501

_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 660, 48, 484
_MOST_LETTERS = 38
_STYLE = """
svg { background: #ffffff; font: 13px system-ui, sans-serif; }
text { fill: #1c1f24; } .title { font-size: 16px; font-weight: 600; }
.grid { stroke: #d9dde3; } .axis { stroke: #6b7280; } .other { stroke: #b4bac4; fill: #b4bac4; }
polyline { fill: none; stroke-width: 2; } polyline.other { stroke-width: 1; fill: none; }
@media (prefers-color-scheme: dark) {
  svg { background: #14171c; } text { fill: #e6e8ec; }
  .grid { stroke: #2c323b; } .axis { stroke: #9aa3b0; } .other { stroke: #566070; fill: #566070; }
  polyline.other { fill: none; }
}
"""


@dataclass(frozen=True)
class Curve:
    """Points (x, y) by ascending x."""

    name: str
    points: tuple[tuple[float, float], ...]


def draw(
    title: str, x_label: str, y_label: str, curves: Sequence[Curve], *, log: bool, level: float | None = None
) -> str:
    """Return a picture of `curves`: the first ten named, the others grey behind them.

    Args:
        title: what is shown.
        x_label: what x is; it goes from 0 to 1 and is written in percent.
        y_label: what y is.
        curves: the curves; points that are not finite are left out.
        log: whether the y axis is logarithmic; values that are not positive then lie on its lower end.
        level: a value of y that is marked.
    """
    values = [y for curve in curves for _, y in curve.points if math.isfinite(y)]
    ticks = _decades(values) if log else _steps([*values, *([] if level is None else [level])])
    place = _place(ticks[0], ticks[-1], log)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style>",
        f'<text class="title" x="{_LEFT}" y="28">{_text(title)}</text>',
        *_axes(ticks, place, x_label, y_label),
    ]
    if level is not None and not log:
        y = place(level)
        ends = f'x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="axis" stroke-dasharray="6 4" {ends}/>')
    for number in reversed(range(len(curves))):
        parts += _curve(curves[number], number, place)
    parts += _legend(curves)
    return "\n".join([*parts, "</svg>"]) + "\n"


def page(title: str, picture: str) -> str:
    """Return an HTML page that holds a picture."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{_text(title)}</title>\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<style>body {{ margin: 1rem; }} svg {{ max-width: 75rem; }}</style></head>\n"
        f"<body>\n{picture}</body>\n</html>\n"
    )


def _text(value: str) -> str:
    """`value` as XML text: no markup, no characters that XML does not know."""
    return escape("".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value))


def _across(x: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * x


def _place(low: float, high: float, log: bool) -> Callable[[float], float]:
    """Return what gives the height in the picture of a value of y."""

    def share(y: float) -> float:
        if log:
            return math.log(max(y, low) / low) / math.log(high / low)
        return (y - low) / (high - low)

    return lambda y: _BOTTOM - (_BOTTOM - _TOP) * min(1.0, max(0.0, share(y)))


def _decades(values: Sequence[float]) -> list[float]:
    positive = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    high = max(high, low + 1)
    every = -(-(high - low) // 8)
    return [10.0**power for power in range(high - every * -(-(high - low) // every), high + 1, every)]


def _steps(values: Sequence[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    step = 10.0 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 8)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * number for number in range(first, last + 1)]


def _axes(ticks: Sequence[float], place: Callable[[float], float], x_label: str, y_label: str) -> list[str]:
    parts: list[str] = []
    for tick in ticks:
        y = place(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for tenth in range(0, 11, 2):
        x = _across(tenth / 10)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_BOTTOM}"/>')
        parts.append(f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{10 * tenth} %</text>')
    middle, height = (_LEFT + _RIGHT) / 2, (_TOP + _BOTTOM) / 2
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{_RIGHT}" y1="{_BOTTOM}" y2="{_BOTTOM}"/>')
    parts.append(f'<text x="{middle}" y="{_BOTTOM + 42}" text-anchor="middle">{_text(x_label)}</text>')
    turned = f'transform="rotate(-90 18 {height})"'
    parts.append(f'<text x="18" y="{height}" text-anchor="middle" {turned}>{_text(y_label)}</text>')
    return parts


def _curve(curve: Curve, number: int, place: Callable[[float], float]) -> list[str]:
    points = [(_across(x), place(y)) for x, y in curve.points if math.isfinite(y)]
    if not points:
        return []
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    title = f"<title>{_text(curve.name)}</title>"
    if number >= NAMED:
        dots = [f'<circle class="other" cx="{x:.1f}" cy="{y:.1f}" r="2"/>' for x, y in points]
        return [f'<polyline class="other" points="{line}">{title}</polyline>', *dots]
    colour = COLOURS[number]
    dots = [f'<circle fill="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points]
    return [f'<polyline stroke="{colour}" points="{line}">{title}</polyline>', *dots]


def _legend(curves: Sequence[Curve]) -> list[str]:
    parts: list[str] = []
    x = _RIGHT + 20
    for number, curve in enumerate(curves[:NAMED]):
        y = _TOP + 8 + 24 * number
        name = curve.name if len(curve.name) <= _MOST_LETTERS else "…" + curve.name[1 - _MOST_LETTERS :]
        parts.append(f'<circle fill="{COLOURS[number]}" cx="{x}" cy="{y}" r="5"/>')
        parts.append(f'<text x="{x + 12}" y="{y + 4}">{_text(name)}<title>{_text(curve.name)}</title></text>')
    if len(curves) > NAMED:
        y = _TOP + 8 + 24 * NAMED
        parts.append(f'<circle class="other" cx="{x}" cy="{y}" r="5"/>')
        parts.append(f'<text x="{x + 12}" y="{y + 4}">{len(curves) - NAMED} others, less sensitive</text>')
    return parts
