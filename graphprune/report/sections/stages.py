"""What each stage of the compression made of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphprune.compression import Stage
from graphprune.report import numbers
from graphprune.report.charts import style
from graphprune.report.facts import Facts, base_name
from graphprune.report.load import Source
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Part, Section, Table, number_cell


def section(facts: Facts) -> Section | None:
    """A chart of bytes and a table for each record with stages, and how long its passes took."""
    parts: list[Part] = []
    for number, source in enumerate((each for each in facts.sources if each.record is not None), 1):
        record = source.record
        assert record is not None
        name = base_name(source.models[1]) or source.file
        if record.stages:
            parts.append(_chart(number, name, record.stages))
    times = _times(facts)
    if times is not None:
        parts.append(times)
    if not parts:
        return None
    staged = sum(isinstance(part, Chart) for part in parts)
    lead = f"{plural(staged, 'model')} went through several stages." if staged else "How long each pass took."
    return Section("stages", "Stages", lead, tuple(parts))


def staged(source: Source) -> bool:
    """Whether a file knows stages."""
    return source.record is not None and bool(source.record.stages)


def _chart(number: int, name: str, stages: tuple[Stage, ...]) -> Chart:
    first, last = stages[0], stages[-1]
    labels = [style.escaped(stage.name) for stage in stages]
    trace: style.Trace = {
        "type": "bar",
        "x": [stage.bytes / 1e6 for stage in stages],
        "y": list(range(len(stages))),
        "orientation": "h",
        "marker": {"color": [style.ORIGINAL, *[style.CALM] * (len(stages) - 1)]},
        "text": [
            f"{numbers.size(stage.bytes)}, {first.bytes / stage.bytes:.2g}× smaller" for stage in stages
        ],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }
    trace["text"][0] = numbers.size(first.bytes)
    y = style.axis(
        "",
        range=[len(stages) - 0.4, -0.6],
        tickmode="array",
        tickvals=list(range(len(stages))),
        ticktext=labels,
        showgrid=False,
    )
    figure = style.figure(
        [trace],
        style.axis("bytes of weights (MB)", range=[0, 1.3 * max(stage.bytes for stage in stages) / 1e6]),
        y,
    )
    rows = tuple(
        (
            Cell(stage.name),
            Cell(numbers.size(stage.bytes), stage.bytes),
            Cell(f"{first.bytes / stage.bytes:.2f}×", first.bytes / stage.bytes),
            Cell(numbers.scaled(stage.params), stage.params),
            number_cell(numbers.scaled(stage.macs or 0), stage.macs),
        )
        for stage in stages
    )
    columns = ("stage", "bytes#", "smaller than the original#", "parameters#", "MACs#")
    return Chart(
        f"stages-{number}",
        f"Bytes of {name} after each stage",
        f"From {numbers.size(first.bytes)} to {numbers.size(last.bytes)}: "
        f"{first.bytes / last.bytes:.2g} times smaller in {plural(len(stages) - 1, 'stage')}.",
        {"": figure},
        height=110 + 42 * len(stages),
        table=Table("Stages", columns, rows),
    )


def _times(facts: Facts) -> Table | None:
    """Passes down, models across."""
    made: dict[str, Mapping[str, float]] = {}
    for source in facts.sources:
        given: list[Mapping[str, Any]] = list(source.result.get("seconds") or ())
        if source.record is not None and given:
            name = base_name(source.models[1]) or source.file
            name = f"{name} ({base_name(source.file)})" if name in made else name
            made[name] = {str(each["pass"]): float(each["seconds"]) for each in given}
    passes = list(dict.fromkeys(each for times in made.values() for each in times))
    if not passes:
        return None
    rows = tuple(
        (
            Cell(each),
            *(
                number_cell(numbers.duration(times.get(each, 0.0)), times.get(each))
                for times in made.values()
            ),
        )
        for each in passes
    )
    return Table("How long each pass took", ("pass", *(f"{name}#" for name in made)), rows)
