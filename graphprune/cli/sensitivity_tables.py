"""Tables of what groups and layers may lose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphprune.cli.tables import Renderable, table, text
from graphprune.sensitivity_report import OUTPUT_ERROR, Report

COLUMNS = 9
"""At most so many ratios are shown."""


def tables(report: Report, output: Path | None, plot: Path | None) -> Iterator[Renderable]:
    """What was measured, the most sensitive first."""
    yield text(_title(report))
    if report.groups:
        at = _shown(len(report.ratios))
        rows = [(row.name, row.units, *(number(row.values[i]) for i in at)) for row in report.groups]
        yield table(("group", "units#", *(f"{100 * report.ratios[i]:g} %#" for i in at)), rows)
        if len(at) < len(report.ratios):
            yield text(f"{len(at)} of {len(report.ratios)} ratios are shown; JSON has them all.")
    if report.layers:
        yield table(("layer", "without it#"), [(layer.name, number(layer.value)) for layer in report.layers])
    for path in (output, plot):
        if path is not None:
            yield text(f"Written to {path}.")


def number(value: float | None) -> str:
    """A measured value in at most five characters or so; nothing where nothing was measured.

    >>> [number(value) for value in (0.5123, 0.0421, 0.00042, 12.34, 3e6, 0.0, -0.25, None, float("inf"))]
    ['0.512', '0.042', '4e-4', '12', '3e6', '0', '-0.25', '', 'inf']
    """
    if value is None:
        return ""
    if 0.01 <= abs(value) < 10:
        return f"{round(value, 3):.3g}"
    if 10 <= abs(value) < 1e4 or value == 0 or value != value or abs(value) == float("inf"):
        return f"{value:.0f}"
    digits, _, power = f"{value:.0e}".partition("e")
    return f"{digits}e{int(power)}"


def _title(report: Report) -> str:
    others = "the other weights make up for it" if report.made_up else "the other weights stay as they are"
    if report.measure == OUTPUT_ERROR:
        what = "Squared error of the outputs over their variance (0: the original, 1: as bad as the mean)"
    else:
        better = "higher" if report.higher_is_better else "lower"
        what = f"{report.measure} ({better} is better; the original has {report.original:.4g})"
    return f"{what} on {report.data} when a group loses a share of its units; {others}. Most sensitive first."


def _shown(count: int) -> list[int]:
    """The positions of the ratios that are shown, evenly spread."""
    if count <= COLUMNS:
        return list(range(count))
    return [round(number * (count - 1) / (COLUMNS - 1)) for number in range(COLUMNS)]
