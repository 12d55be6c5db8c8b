"""The figures of a profile as tables for other programs: CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from graphprune.profiling.result import Batch, Profile
from graphprune.profiling.summary import PERCENTILES, compare, summarise

Value = str | int | float | None


def figures(profile: Profile, percentiles: Sequence[float] = PERCENTILES) -> list[dict[str, Value]]:
    """Return one row for each model and batch; None where there is no such figure.

    Times are milliseconds; `ratio`, `low` and `high` are the time in terms of the reference and its 95 %
    interval.
    """
    return [
        _row(profile, batch, number, percentiles)
        for batch in profile.batches
        for number in range(len(batch.models))
    ]


def to_csv(profile: Profile, percentiles: Sequence[float] = PERCENTILES) -> str:
    """Return the figures as CSV (RFC 4180 but for plain line feeds), with a heading."""
    rows = figures(profile, percentiles)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def to_markdown(profile: Profile, percentiles: Sequence[float] = PERCENTILES) -> str:
    """Return the figures as a Markdown table."""
    names = [f"p{percentile:g}" for percentile in percentiles]
    heading = [
        "model",
        "batch",
        *(f"{name} [ms]" for name in names),
        "samples/s",
        "ratio",
        "95 % interval",
        "",
    ]
    lines = [heading, [":---", *["---:"] * (len(heading) - 2), ":---"]]
    for row in figures(profile, percentiles):
        reference = row["ratio"] is None
        lines.append(
            [
                _cell(str(row["model"])),
                "" if row["batch"] is None else str(row["batch"]),
                *(_number(row[f"{name}_ms"], "{:.3f}") for name in names),
                _number(row["samples_per_second"], "{:.1f}"),
                "1" if reference else _number(row["ratio"], "{:.3f}"),
                "" if reference else f"{row['low']:.3f} to {row['high']:.3f}",
                "reference" if reference else str(row["verdict"]),
            ]
        )
    device = f"{profile.device.name} ({profile.device.backend})"
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\nMeasured on {_cell(device)}, {profile.before.at}.\n"


def _row(profile: Profile, batch: Batch, number: int, percentiles: Sequence[float]) -> dict[str, Value]:
    timed = batch.models[number]
    summary = summarise(timed, batch.batch, percentiles)
    comparison = compare(profile, batch, number)
    shown: Mapping[str, Value] = {f"p{p:g}_ms": value for p, value in summary.percentiles.items()}
    interval = comparison.interval if comparison else None
    return {
        "model": timed.name,
        "hash": timed.hash,
        "batch": batch.batch,
        "bytes": timed.bytes,
        "runs": summary.runs,
        "min_ms": summary.minimum,
        "mean_ms": summary.mean,
        **shown,
        "samples_per_second": summary.throughput,
        "variation": summary.variation,
        "ratio": interval.ratio if interval else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "verdict": comparison.verdict if comparison else None,
        "deviation": timed.deviation,
        "backend": profile.device.backend,
        "device": profile.device.name,
        "measured": profile.before.at,
    }


def _number(value: Value, form: str) -> str:
    return "" if value is None else form.format(value)


def _cell(text: str) -> str:
    """Text that stays in its cell: no bars, no line feeds, no HTML."""
    for character, escaped in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`"), ("*", "\\*")):
        text = text.replace(character, escaped)
    return " ".join(text.split())
