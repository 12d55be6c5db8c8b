"""An interval against its limit, as a picture that needs no script."""

from __future__ import annotations

import math
from dataclasses import dataclass

from graphprune.report.markup import Html, el

WIDTH, HEIGHT = 280, 46
_LEFT, _RIGHT, _MIDDLE = 12, 12, 18
_LETTER = 6.3
"""Pixels that a letter takes, about."""


@dataclass(frozen=True)
class Span:
    """What is drawn.

    Attributes:
        value: the estimate.
        low: the lower end of its interval.
        high: the upper end.
        limit: what it is compared with.
        upper: whether the limit is a largest value.
        neutral: what means no change, as 1 of a ratio; None for none.
        status: `pass`, `fail`, `warn` or `inconclusive`.
        limit_text: the limit as people read it.
        label: what the picture says, in words.
    """

    value: float
    low: float
    high: float
    limit: float
    upper: bool
    neutral: float | None
    status: str
    limit_text: str
    label: str


def interval_chart(span: Span) -> Html:
    """Return the picture: the shaded part is beyond the limit, the bar is the interval."""
    at = _scale(span)
    if at is None:
        return Html("")
    limit, bottom = at(span.limit), HEIGHT - 17
    beyond = (limit, WIDTH - limit) if span.upper else (0.0, limit)
    children = [
        el("title", None, span.label),
        el("rect", {"class": "track", "x": 0, "y": 4, "width": WIDTH, "height": bottom - 4, "rx": 3}),
        el(
            "rect",
            {"class": "beyond", "x": _n(beyond[0]), "y": 4, "width": _n(beyond[1]), "height": bottom - 4},
        ),
    ]
    if span.neutral is not None:
        x = _n(at(span.neutral))
        children.append(el("line", {"class": "neutral", "x1": x, "x2": x, "y1": 4, "y2": bottom}))
    x = _n(limit)
    children.append(el("line", {"class": "limit", "x1": x, "x2": x, "y1": 1, "y2": bottom + 3}))
    children += [*_bar(span, at), *_words(span, limit)]
    attributes = {
        "class": f"interval {span.status}",
        "viewBox": f"0 0 {WIDTH} {HEIGHT}",
        "role": "img",
        "aria-label": span.label,
    }
    return el("svg", attributes, *children)


class _Scale:
    """Maps values to pixels."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _LEFT + min(1.0, max(0.0, share)) * (WIDTH - _LEFT - _RIGHT)


def _scale(span: Span) -> _Scale | None:
    marks = [span.value, span.low, span.high, span.limit]
    if span.neutral is not None:
        marks.append(span.neutral)
    finite = [mark for mark in marks if math.isfinite(mark)]
    if not math.isfinite(span.limit) or not math.isfinite(span.value):
        return None
    low, high = min(finite), max(finite)
    room = 0.15 * (high - low) or 0.1 * abs(high) or 1.0
    return _Scale(low - room, high + room)


def _bar(span: Span, at: _Scale) -> list[Html]:
    low, high, value = (at(mark) for mark in (span.low, span.high, span.value))
    made: list[Html] = []
    if high - low > 0.5:
        made.append(el("line", {"class": "bar", "x1": _n(low), "x2": _n(high), "y1": _MIDDLE, "y2": _MIDDLE}))
        made += [
            el("line", {"class": "end", "x1": _n(end), "x2": _n(end), "y1": _MIDDLE - 5, "y2": _MIDDLE + 5})
            for end in (low, high)
        ]
    made.append(_mark(span.status, value))
    return made


def _mark(status: str, x: float) -> Html:
    """A shape of its own for each status: a disc passes, a square fails, a diamond is open."""
    y = _MIDDLE
    if status in ("fail", "warn"):
        return el("rect", {"class": "mark", "x": _n(x - 5), "y": y - 5, "width": 10, "height": 10})
    if status == "inconclusive":
        points = f"{_n(x)},{y - 7} {_n(x + 7)},{y} {_n(x)},{y + 7} {_n(x - 7)},{y}"
        return el("polygon", {"class": "mark", "points": points})
    return el("circle", {"class": "mark", "cx": _n(x), "cy": y, "r": "5.5"})


def _words(span: Span, limit: float) -> list[Html]:
    words = span.limit_text
    half = _LETTER * len(words) / 2
    anchor = "start" if limit < half else "end" if limit > WIDTH - half else "middle"
    x = {"start": 1.0, "end": WIDTH - 1.0}.get(anchor, limit)
    return [el("text", {"x": _n(x), "y": HEIGHT - 4, "text-anchor": anchor}, words)]


def _n(number: float) -> str:
    """Two digits after the point: enough for a screen, the same on every machine."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
