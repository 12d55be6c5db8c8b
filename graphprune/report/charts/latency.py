"""Latencies: how they spread, and how the ratio of pairs goes over time."""

from __future__ import annotations

import numpy as np

from graphprune.backends import Numbers
from graphprune.profiling.paired import Interval
from graphprune.profiling.result import Batch, Profile
from graphprune.profiling.summary import blocks_of
from graphprune.report.charts import style
from graphprune.report.parts import Figure

_POINTS = 201
_ROUNDS = 1500
_TAIL = 99.0
_FAR = 2.5
"""The axis ends at this percentile, or at so many medians: an inference that was interrupted takes many times
as long as the others, and would press them into a corner."""


def unit_of(milliseconds: float) -> tuple[float, str]:
    """What to multiply milliseconds with, and the unit, so that the figures are neither tiny nor huge."""
    return (1000.0, "µs") if milliseconds < 1 else (1.0, "ms") if milliseconds < 1000 else (0.001, "s")


def spread(profile: Profile, batch: Batch) -> Figure:
    """The share of inferences that take at most so long, for each model."""
    blocks = blocks_of(batch)
    times = [blocks.all(number) for number in range(len(batch.models))]
    factor, unit = unit_of(float(np.median(times[profile.reference])))
    shares = np.linspace(0, 1, _POINTS)
    traces: list[style.Trace] = []
    for number, model in enumerate(batch.models):
        values = np.quantile(times[number], shares) * factor
        look = _look(number, profile.reference)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": style.escaped(model.name),
                "x": _list(values),
                "y": _list(shares * 100),
                "line": {**look, "width": 2.5},
                "hovertemplate": f"%{{y:.0f}} % take at most %{{x:.4g}} {unit}",
            }
        )
        median = float(np.median(times[number])) * factor
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "showlegend": False,
                "x": [median],
                "y": [50],
                "marker": {"color": look["color"], "size": 10, "symbol": _symbol(number, profile.reference)},
                "hovertemplate": f"{style.escaped(model.name)}: median %{{x:.4g}} {unit}<extra></extra>",
            }
        )
    low = min(float(np.min(each)) for each in times) * factor
    high = max(min(float(np.percentile(each, _TAIL)), _FAR * float(np.median(each))) for each in times)
    high *= factor
    room = 0.04 * (high - low)
    x = style.axis(f"time of an inference ({unit})", range=[max(0.0, low - room), high + room])
    y = style.axis("share of inferences (%)", range=[0, 101], dtick=25)
    return style.figure(traces, x, y)


def over_time(profile: Profile, batch: Batch) -> Figure:
    """The ratio of each pair of blocks, round by round, with the interval of their median."""
    blocks = blocks_of(batch)
    traces: list[style.Trace] = []
    bands: list[dict[str, object]] = [style.line_at(1.0, across="y", dashes="solid")]
    every: list[Numbers] = []
    for number, model in enumerate(batch.models):
        if number == profile.reference:
            continue
        ratios = blocks.ratios(number, profile.reference)
        every.append(ratios)
        step = max(1, len(ratios) // _ROUNDS)
        shown = ratios[::step]
        found: Interval = blocks.interval(number, profile.reference, profile.seed)
        colour = str(_look(number, profile.reference)["color"])
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": style.escaped(model.name),
                "x": list(range(1, len(ratios) + 1, step))[: len(shown)],
                "y": _list(shown),
                "marker": {"color": colour, "size": 6, "symbol": _symbol(number, profile.reference)},
                "hovertemplate": "round %{x}: %{y:.3f}×",
            }
        )
        bands.append(
            {
                "type": "rect",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": found.low,
                "y1": found.high,
                "fillcolor": colour,
                "opacity": 0.3,
                "line": {"width": 0},
                "layer": "below",
            }
        )
    low, high = _range(np.concatenate(every))
    x = style.axis("round")
    y = style.axis("candidate over original (×)", range=[low, high])
    made = style.figure(traces, x, y, shapes=bands)
    return {**made, "layout": {**made["layout"], "showlegend": len(traces) > 1}}


def _range(ratios: Numbers) -> tuple[float, float]:
    """A range that holds 1 and all but what is far off."""
    low, high = (float(edge) for edge in np.percentile(ratios, [1, 99]))
    low, high = min(low, 1.0), max(high, 1.0)
    room = 0.08 * (high - low) or 0.05
    return low - room, high + room


def _look(number: int, reference: int) -> dict[str, object]:
    if number == reference:
        return {"color": style.ORIGINAL, "dash": "solid"}
    place = number - (number > reference)
    return {"color": style.colour(place), "dash": style.dash(place)}


def _symbol(number: int, reference: int) -> str:
    return "circle-open" if number == reference else style.symbol(number - (number > reference))


def _list(values: Numbers) -> list[float]:
    return [float(value) for value in values]
