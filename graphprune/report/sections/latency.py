"""How long inferences take: all of them, and round by round."""

from __future__ import annotations

from collections.abc import Iterator

from graphprune.profiling.result import Batch, Profile
from graphprune.profiling.summary import compare, summarise
from graphprune.report import numbers
from graphprune.report.charts.latency import over_time, spread
from graphprune.report.facts import Facts, device_label
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Section, Table, folded, name_cell, number_cell

MOST = 6
"""Charts of at most so many devices and batches; the matrix has all."""
VERDICTS = {"faster": "good", "slower": "bad", "same": "", "inconclusive": "open"}


def section(facts: Facts) -> Section | None:
    """A chart of all times and one of all ratios, for each device and batch."""
    found = [
        (source.file, profile, batch)
        for source in facts.sources
        for profile in source.profiles
        for batch in profile.batches
    ]
    if not found:
        return None
    parts = folded(
        [
            (f"{device_label(profile, batch.batch)}, from {file}", list(_charts(number, profile, batch)))
            for number, (file, profile, batch) in enumerate(found[:MOST], 1)
        ]
    )
    left = len(found) - MOST
    more = (
        f" Charts of {left} more are left out; the matrix of devices has their figures." if left > 0 else ""
    )
    lead = (
        "Models are timed in turn, in short blocks, so that a disturbance meets them alike. Every ratio is "
        f"taken within a pair of blocks.{more}"
    )
    return Section("latency", "Latency", lead, tuple(parts))


def _charts(number: int, profile: Profile, batch: Batch) -> Iterator[Chart]:
    label = device_label(profile, batch.batch)
    yield Chart(
        f"latency-{number}",
        f"Time of an inference on {label}",
        _summary(profile, batch),
        {"": spread(profile, batch)},
        table=_table(profile, batch),
    )
    if len(batch.models) > 1:
        rounds = len(batch.models[0].blocks)
        yield Chart(
            f"rounds-{number}",
            f"Ratio of each pair on {label}",
            f"{plural(rounds, 'round')}; the band is the 95 % interval of their median, the line at 1 the "
            "original. A trend or a step means that the machine changed meanwhile.",
            {"": over_time(profile, batch)},
            height=280,
            table=_rounds(profile, batch),
        )


def _summary(profile: Profile, batch: Batch) -> str:
    words: list[str] = []
    for number, timed in enumerate(batch.models):
        found = compare(profile, batch, number)
        if found is not None:
            change = numbers.changed(found.interval.ratio, "less time", "more time")
            verdict = change if found.verdict in ("faster", "slower") else found.verdict
            words.append(f"{timed.name}: {verdict}")
    base = summarise(batch.models[profile.reference], batch.batch)
    first = (
        f"{batch.models[profile.reference].name} takes {numbers.duration(base.median / 1000)} in the median"
    )
    if len(words) > 3:
        words = [*words[:3], f"{len(words) - 3} more"]
    return f"{first}. {'; '.join(words)}{'.' if words else ''}"


def _table(profile: Profile, batch: Batch) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for number, timed in enumerate(batch.models):
        summary, found = summarise(timed, batch.batch), compare(profile, batch, number)
        ratio = Cell("the original", 1.0)
        if found is not None:
            inside = found.interval
            text = f"{numbers.ratio(inside.ratio)} ({inside.low:.3f} to {inside.high:.3f})"
            ratio = Cell(f"{text} {found.verdict}", inside.ratio, VERDICTS[found.verdict])
        rows.append(
            (
                name_cell(timed.name),
                _time(summary.median),
                *(_time(summary.percentiles.get(percentile)) for percentile in (90.0, 99.0)),
                _time(summary.minimum),
                number_cell(numbers.scaled(summary.throughput), summary.throughput),
                Cell(str(summary.runs), summary.runs),
                ratio,
            )
        )
    columns = ("model", "median#", "p90#", "p99#", "fastest#", "samples/s#", "inferences#", "ratio#")
    return Table("Times of an inference", columns, tuple(rows))


def _time(milliseconds: float | None) -> Cell:
    if milliseconds is None:
        return Cell("too few runs", float("inf"))
    return Cell(numbers.duration(milliseconds / 1000), milliseconds)


def _rounds(profile: Profile, batch: Batch) -> Table:
    from graphprune.profiling.summary import blocks_of

    blocks = blocks_of(batch)
    others = [number for number in range(len(batch.models)) if number != profile.reference]
    ratios = [blocks.ratios(number, profile.reference) for number in others]
    count = len(ratios[0])
    step = -(-count // 200)
    caption = "Ratio of each pair" if step == 1 else f"Ratio of every {step}th pair"
    rows = tuple(
        (
            Cell(str(at + 1), at + 1),
            *(Cell(numbers.ratio(float(each[at])), float(each[at])) for each in ratios),
        )
        for at in range(0, count, step)
    )
    columns = ("round#", *(f"{batch.models[number].name}#" for number in others))
    return Table(caption, columns, rows)
