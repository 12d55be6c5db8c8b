"""Models on devices: every ratio, with its interval."""

from __future__ import annotations

from graphprune.report import answers, numbers
from graphprune.report.charts.devices import devices
from graphprune.report.facts import Facts, Speed
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Section, Table


def section(facts: Facts) -> Section | None:
    """A chart and a matrix, where more than one device or batch was measured."""
    speeds = [(each.name, speed) for each in facts.candidates for speed in each.speeds]
    names = list(dict.fromkeys(speed.device for _, speed in speeds))
    models = list(dict.fromkeys(name for name, _ in speeds))
    if len(names) < 2:
        return None
    by_place: dict[tuple[str, str], Speed] = {}
    for name, speed in speeds:
        by_place.setdefault((name, speed.device), speed)
    rows = tuple(
        (Cell(device), *(_cell(by_place.get((model, device))) for model in models)) for device in names
    )
    slower = [
        f"{name} on {device}" for (name, device), speed in by_place.items() if answers.tone_of(speed) == "bad"
    ]
    summary = (
        f"Slower than the original: {', '.join(slower[:3])}{' and more' if len(slower) > 3 else ''}."
        if slower
        else "No candidate is slower than its original beyond doubt on any device."
    )
    chart = Chart(
        "devices",
        "Ratio to the original on each device",
        summary,
        {"": devices(names, [(name, speed) for (name, _), speed in by_place.items()])},
        height=130 + len(names) * max(44, 22 * len(models)),
    )
    columns = ("device", *(f"{model}#" for model in models))
    table = Table("Ratio with its 95 % interval, and the median time", columns, rows)
    lead = (
        f"{plural(len(models), 'candidate')} on {len(names)} devices and batches. Ratios are taken within "
        "one process; times in different rows are never set in ratio to each other."
    )
    return Section("devices", "Devices", lead, (chart, table))


def _cell(speed: Speed | None) -> Cell:
    if speed is None:
        return Cell("")
    text = f"{answers.interval_words(speed)}, {numbers.duration(speed.seconds[1])}"
    return Cell(text, speed.ratio.ratio, answers.tone_of(speed))
