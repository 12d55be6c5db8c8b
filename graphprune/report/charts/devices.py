"""How long candidates take beside their originals, device by device."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.report.charts import style
from graphprune.report.facts import Speed
from graphprune.report.numbers import shortened
from graphprune.report.parts import Figure


def devices(names: Sequence[str], speeds: Sequence[tuple[str, Speed]]) -> Figure:
    """A row for each device, in it a point with an interval for each candidate.

    Args:
        names: the devices, from top to bottom.
        speeds: candidates and what was measured of them.
    """
    models = list(dict.fromkeys(name for name, _ in speeds))
    traces: list[style.Trace] = []
    for number, model in enumerate(models):
        rows = [speed for name, speed in speeds if name == model]
        ratios = [speed.ratio.ratio for speed in rows]
        offset = 0.5 * ((number + 1) / (len(models) + 1) - 0.5)
        bars = style.error_bars(
            ratios, [speed.ratio.low for speed in rows], [speed.ratio.high for speed in rows]
        )
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": style.escaped(shortened(model)),
                "x": ratios,
                "y": [names.index(speed.device) + offset for speed in rows],
                "marker": {"color": style.colour(number), "symbol": style.symbol(number), "size": 10},
                "error_x": {**bars, "color": style.colour(number)},
                "hovertemplate": "%{x:.3f}×",
            }
        )
    y = style.axis(
        "",
        range=[len(names) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[style.escaped(shortened(name, 34)) for name in names],
        showgrid=False,
    )
    shapes = [style.line_at(1.0, across="x", name="as fast as the original", dashes="solid")]
    return style.figure(traces, style.axis("time, candidate over original (×)"), y, shapes=shapes)
