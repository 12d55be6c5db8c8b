"""Tables of measured latency."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphprune.cli.tables import Renderable, table, text
from graphprune.profiling.report import Line, Report, outputs_agree
from graphprune.profiling.widths import Width

if TYPE_CHECKING:
    from graphprune.cli.profile_request import Exports
    from graphprune.profiling.layers import Row
    from graphprune.profiling.null_test import NullTest
    from graphprune.profiling.profile import Prepared
    from graphprune.profiling.result import Batch, Profile

LAYERS = 25
"""At most so many layers are shown."""


def tables(report: Report, null: NullTest | None, exports: Exports) -> Iterator[Renderable]:
    """What was measured: latency and verdicts, then figures, layers, and what to beware of."""
    yield text(_title(report.profile))
    several = len(report.profile.batches) > 1
    yield _latency(report, several)
    if null is not None:
        yield text(_said(null))
    yield text("")
    yield _figures(report, several)
    for line in report.lines:
        if line.layers:
            yield text("")
            yield from _layers(line, report.profile, several)
    if report.warnings or report.notes or exports.paths:
        yield text("")
    for warning in report.warnings:
        yield text(f"warning: {warning}")
    for note in report.notes:
        yield text(f"note: {note}")
    for path in exports.paths:
        yield text(f"Written to {path}.")


def plan(prepared: Prepared, exports: Exports) -> dict[str, Any]:
    """What would be timed, as JSON values."""
    request = prepared.request
    rounds, count = request.rounds, len(prepared.subjects) * len(prepared.cases)
    return {
        "backend": prepared.device.backend,
        "device": prepared.device.name,
        "models": [subject.name for subject in prepared.subjects],
        "reference": prepared.subjects[request.reference].name,
        "batches": [
            {"batch": case.batch, "shapes": {name: list(shape) for name, shape in case.shapes.items()}}
            for case in prepared.cases
        ],
        "rounds": rounds.rounds,
        "iterations": request.iterations,
        "seconds": [count * (rounds.warmup + rounds.duration), count * (rounds.warmup + rounds.longest)],
        "per_layer": request.per_layer,
        "writes": [str(path) for path in exports.paths],
    }


def plan_tables(plan: Mapping[str, Any]) -> Iterator[Renderable]:
    """The same as a table."""
    shortest, longest = plan["seconds"]
    batches = ((batch["batch"], _shapes(batch["shapes"])) for batch in plan["batches"])
    rows = [
        ("on", f"{plan['device']} ({plan['backend']})"),
        *(("model", f"{name}{_role(name, plan)}") for name in plan["models"]),
        *((f"batch {batch}" if batch is not None else "inputs", shapes) for batch, shapes in batches),
        ("for", f"{shortest:.0f} s or more, {longest:.0f} s at most where verdicts stay open"),
        *(("into", path) for path in plan["writes"]),
    ]
    yield table(("", ""), rows)
    yield text("Nothing was timed.")


def _role(name: str, plan: Mapping[str, Any]) -> str:
    return " (reference)" if name == plan["reference"] and len(plan["models"]) > 1 else ""


def _title(profile: Profile) -> str:
    setup, device = profile.setup, profile.device
    if device.backend == "ort:cpu":
        how = f"{setup.threads} thread{'s' if setup.threads > 1 else ''}" if setup.threads else "all threads"
    else:
        how = "CUDA graph where it can be" if setup.cuda_graph else "no CUDA graph"
        how += ", with transfers" if setup.transfers else ""
    shapes = _inputs(profile.batches[0]) if len(profile.batches) == 1 else "several batches"
    return f"Latency on {device.name} ({device.backend}, {how}), {shapes}"


def _inputs(batch: Batch) -> str:
    return _shapes(batch.shapes) or "no inputs"


def _shapes(shapes: Mapping[str, Sequence[int]]) -> str:
    return ", ".join(f"{name}:{'x'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes.items())


def _latency(report: Report, several: bool) -> Renderable:
    """The result: how long it takes, in terms of the reference, and what that means."""
    alone = len(report.lines) == len(report.profile.batches)
    heading = ["batch#"] if several else []
    heading += (
        ["model", "median ms#", "95 % interval="]
        if alone
        else ["model", "median ms#", "ratio#", "95 % interval=", "verdict="]
    )
    rows = [([line.batch.batch] if several else []) + _latency_cells(line, alone) for line in report.lines]
    if any(outputs_agree(line.timed) is not None for line in report.lines):
        heading.append("outputs")
        rows = [[*row, _agreement(line)] for row, line in zip(rows, report.lines, strict=True)]
    return table(heading, rows, keys=1 + several)


def _latency_cells(line: Line, alone: bool) -> list[Any]:
    cells: list[Any] = [line.timed.name, milliseconds(line.summary.median)]
    if alone:
        low, high = milliseconds(line.median.low), milliseconds(line.median.high)
        return [*cells, f"{low} to {high}"]
    if line.comparison is None:
        return [*cells, "1", "", "reference"]
    found = line.comparison.interval
    return [*cells, f"{found.ratio:.3f}", f"{found.low:.3f} to {found.high:.3f}", line.comparison.verdict]


def _agreement(line: Line) -> str:
    """Whether the engine computes what the model does."""
    deviation = line.timed.deviation
    if deviation is None:
        return "not checked"
    if math.isnan(deviation):
        return "NaN"
    return "agree" if outputs_agree(line.timed) else f"WRONG BY {deviation:.1g}"


def _said(null: NullTest) -> str:
    words = {
        "same": "The machine calls the model the same as itself.",
        "inconclusive": "The machine cannot call the model the same as itself: it is too noisy.",
        "different": "The machine calls the model different from itself: do not trust what it measures.",
    }
    return f"{words[null.finding]} Noise floor: {100 * null.floor:.1f} %; smaller differences are not seen."


def _figures(report: Report, several: bool) -> Renderable:
    heading = ["batch#"] if several else []
    shown = [f"p{percentile:g}#" for percentile in report.percentiles]
    heading += ["model", "runs#", "min#", "mean#", *shown, "samples/s#", "varies#"]
    rows: list[list[Any]] = []
    for line in report.lines:
        summary = line.summary
        rows.append(
            [
                *([line.batch.batch] if several else []),
                line.timed.name,
                summary.runs,
                milliseconds(summary.minimum),
                milliseconds(summary.mean),
                *(milliseconds(value) for value in summary.percentiles.values()),
                f"{summary.throughput:.4g}",
                f"{100 * summary.variation:.1f} %{' !' if summary.unsteady else ''}",
            ]
        )
    return table(heading, rows, keys=1 + several)


def _layers(line: Line, profile: Profile, several: bool) -> Iterator[Renderable]:
    rows = line.layers
    where = f", batch {line.batch.batch}" if several else ""
    if not any(row.after is not None for row in rows) and len(line.batch.models) == 1:
        yield text(f"Layers of {line.timed.name}{where}, the longest first (ms)")
        yield from _cut_short(rows, ("layer", "step", "ms#", "channels", ""), _alone)
        return
    reference = line.batch.models[profile.reference].name
    worse = sorted((row for row in rows if row.slower), key=lambda row: row.saved)
    heading = ("layer", "step", "before#", "after#", "ratio#", "channels", "")
    if worse:
        yield text(f"Layers that take longer in {line.timed.name} than in {reference}{where} (ms)")
        yield from _cut_short(worse, heading, _beside)
        yield text("")
    yield text(f"Layers of {reference} and {line.timed.name}{where}, most time saved or lost first (ms)")
    yield from _cut_short(rows, heading, _beside)
    lone = sum(not row.matched for row in rows)
    if lone:
        yield text(f"{lone} of {len(rows)} have no counterpart: they stand on one side only.")


def _cut_short(
    rows: Sequence[Row], heading: Sequence[str], cells: Callable[[Row], list[Any]]
) -> Iterator[Renderable]:
    yield table(heading, [cells(row) for row in rows[:LAYERS]])
    if len(rows) > LAYERS:
        yield text(f"and {len(rows) - LAYERS} more; --output-format json has them all")


def _alone(row: Row) -> list[Any]:
    width = row.widths[0]
    return [_name(row), row.ops[0], milliseconds(row.before and 1000 * row.before), width or "", row.note]


def _beside(row: Row) -> list[Any]:
    ratio = f"{row.after / row.before:.2f}" if row.before and row.after else ""
    return [
        _name(row),
        row.ops[1] or row.ops[0],
        milliseconds(row.before and 1000 * row.before),
        milliseconds(row.after and 1000 * row.after),
        ratio,
        _widths(*row.widths),
        row.note,
    ]


def _widths(first: Width | None, last: Width | None) -> str:
    """Channels before and after.

    >>> _widths(Width(64, 32, 4), Width(48, 32, 4)), _widths(Width(8, 8, 4, 8), Width(6, 6, 4, 6))
    ('64x32 → 48x32', '8 → 6 depthwise')
    """
    if first is None or last is None or first == last:
        return str(last or first or "")
    return f"{str(first).removesuffix(' depthwise') if 'depthwise' in str(last) else first} → {last}"


def _name(row: Row) -> str:
    return row.outputs[-1] if row.outputs else "(none of the model's)"


def milliseconds(value: float | None) -> str:
    """Milliseconds in four digits or so; a dash where there are none.

    >>> [milliseconds(value) for value in (123.456, 12.3456, 0.01234, 0.00056, None)]
    ['123.5', '12.35', '0.012', '0.0006', '-']
    """
    if value is None:
        return "-"
    if value >= 10:
        return f"{value:.4g}" if value < 1000 else f"{value:.0f}"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.4f}"
