"""How much each group may lose."""

from __future__ import annotations

from graphprune.report import numbers
from graphprune.report.charts.curves import WORST, curves
from graphprune.report.facts import Facts, base_name
from graphprune.report.parts import Cell, Chart, Part, Section, Table, name_cell
from graphprune.sensitivity_report import Report


def section(facts: Facts) -> Section | None:
    """Curves and a table for each measurement."""
    found = [source for source in facts.sources if source.sensitivity is not None]
    parts: list[Part] = []
    for number, source in enumerate(found, 1):
        report = source.sensitivity
        assert report is not None
        name = base_name(source.models[0]) or source.file
        if report.groups:
            worst = [row.name for row in report.groups[:WORST]]
            parts.append(
                Chart(
                    f"sensitivity-{number}",
                    f"{report.measure.capitalize()} of {name} as one group shrinks",
                    f"The most sensitive: {', '.join(worst[:3])}.",
                    {"": curves(report)},
                    height=420,
                )
            )
            parts.append(_table(report))
        if report.layers:
            parts.append(_layers(report))
    if not parts:
        return None
    first = found[0].sensitivity
    assert first is not None
    made_up = (
        "and the weights that stay make up for what went" if first.made_up else "and nothing made up for it"
    )
    lead = f"One group at a time was cut, {made_up}; measured on {first.data}."
    return Section("sensitivity", "Sensitivity", lead, tuple(parts))


def _table(report: Report) -> Table:
    rows = tuple(
        (
            Cell(str(place), place),
            name_cell(row.name),
            Cell(row.kind),
            Cell(str(row.units), row.units),
            *(Cell("" if value is None else numbers.three(value), value) for value in row.values),
        )
        for place, row in enumerate(report.groups, 1)
    )
    columns = ("rank#", "group", "kind", "units#", *(f"{100 * ratio:g} %#" for ratio in report.ratios))
    caption = f"{report.measure.capitalize()} at each share of units removed; the original: "
    caption += numbers.three(report.original)
    return Table(caption, columns, rows, search="name or kind")


def _layers(report: Report) -> Table:
    rows = tuple(
        (name_cell(each.name), Cell(numbers.three(each.value), each.value)) for each in report.layers
    )
    return Table("Without one layer", ("layer", f"{report.measure}#"), rows)
