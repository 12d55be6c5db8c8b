"""Where it was measured, and what disturbed that."""

from __future__ import annotations

from collections.abc import Iterator

from graphprune.profiling.conditions import disturbances
from graphprune.profiling.result import Conditions, Profile
from graphprune.profiling.summary import UNSTEADY, summarise
from graphprune.report import numbers
from graphprune.report.facts import Facts, device_label
from graphprune.report.markup import el
from graphprune.report.parts import Cell, Part, Section, Table


def section(facts: Facts) -> Section | None:
    """The devices, machines and versions of all files."""
    profiles = [(source.file, each) for source in facts.sources for each in source.profiles]
    machines = [source for source in facts.sources if source.run is not None and source.run.machine]
    if not profiles and not machines:
        return None
    told = list(dict.fromkeys(warnings(facts)))
    disturbed = bool(told)
    parts: list[Part] = []
    if told:
        parts.append(el("ul", {"class": "note warning"}, *(el("li", None, text) for text in told)))
    if profiles:
        parts.append(_devices(profiles))
    rows: dict[tuple[str, str], None] = {}
    for source in machines:
        assert source.run is not None
        rows |= dict.fromkeys(source.run.machine.items())
        rows |= {(f"version of {name}", text): None for name, text in source.run.versions.items()}
    for _, profile in profiles:
        rows |= {(f"version of {name}", text): None for name, text in profile.versions.items()}
        rows |= {(f"version of {name}", text): None for name, text in profile.device.versions.items()}
    if rows:
        shown = tuple((Cell(name), Cell(_sized(text))) for name, text in rows)
        parts.append(Table("The machines and the software", ("what", "which"), shown))
    lead = (
        "Something disturbed the measurement: read the figures with that in mind."
        if disturbed
        else "Nothing that is known to disturb a measurement was seen."
        if profiles
        else "No latency was measured."
    )
    return Section("environment", "Environment", lead, tuple(parts))


def warnings(facts: Facts) -> Iterator[str]:
    """What disturbed a measurement, and what else to know before a figure is believed."""
    for source in facts.sources:
        for profile in source.profiles:
            name = profile.device.name
            yield from (f"{name}: {text}." for text in disturbances(profile.before, profile.after))
            for batch in profile.batches:
                for timed in batch.models:
                    summary = summarise(timed, batch.batch)
                    if summary.unsteady:
                        yield (
                            f"{name}: the runs of {timed.name} vary by {100 * summary.variation:.1f} % "
                            f"(standard deviation over mean), more than {100 * UNSTEADY:g} %."
                        )
        if source.outcome is not None:
            yield from (f"{note.rstrip('.')}." for note in source.outcome.notes)
        if source.run is not None and source.run.error:
            yield f"{source.file}: {source.run.verb} ended with: {source.run.error.rstrip('.')}."


def _sized(text: str) -> str:
    """A number of bytes as people read it; another text as it is."""
    number, _, unit = text.partition(" ")
    return numbers.size(float(number)) if unit == "B" and number.isdigit() else text


def _devices(profiles: list[tuple[str, Profile]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for file, profile in profiles:
        setup = profile.setup
        details = {key: text for key, text in profile.device.details.items() if key != "threads"}
        facts = [f"{name} {text}" for name, text in details.items()]
        if not setup.spin:
            facts.append("waiting threads block")
        if setup.transfers:
            facts.append("transfers timed")
        before, after = (_moment(moment) for moment in (profile.before, profile.after))
        moments = f"{before} before, {after} after" if before != after else before
        rows.append(
            (
                Cell(device_label(profile, None)),
                Cell(", ".join(facts)),
                Cell(moments),
                Cell(profile.before.at.replace("T", " ").replace("+00:00", " UTC")),
                Cell(file, code=True),
            )
        )
    return Table("Devices", ("device", "details", "conditions", "when", "file"), tuple(rows))


def _moment(moment: Conditions) -> str:
    words: list[str] = []
    if moment.load is not None:
        words.append(f"load {moment.load:.2f} a core")
    if moment.clocks:
        rates = sorted(moment.clocks.values())
        spread = f"{rates[0]:.0f}" if rates[0] == rates[-1] else f"{rates[0]:.0f} to {rates[-1]:.0f}"
        words.append(f"{spread} MHz")
    if moment.governor:
        words.append(f"governor {moment.governor}")
    if moment.temperature is not None:
        words.append(f"{moment.temperature:.0f} °C")
    return ", ".join(words)
