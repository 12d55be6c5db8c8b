"""The picture of what groups and layers may lose."""

from __future__ import annotations

from graphprune.curves_svg import Curve, draw, page
from graphprune.sensitivity_report import Report


def picture(report: Report, model: str, *, html: bool = False) -> str:
    """Return the curves of a report as SVG, or as a page that holds it; a layer is a point at 100 %."""
    curves = [
        Curve(
            row.name, tuple((x, y) for x, y in zip(report.ratios, row.values, strict=True) if y is not None)
        )
        for row in report.groups
    ]
    curves += [Curve(f"layer {layer.name}", ((1.0, layer.value),)) for layer in report.layers]
    title = f"{model}: {report.measure} when one group loses units"
    drawn = draw(
        title,
        "units of the group that went",
        report.measure,
        [curve for curve in curves if curve.points],
        log=not report.higher_is_better,
        level=report.original,
    )
    return page(title, drawn) if html else drawn
