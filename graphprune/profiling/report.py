"""What is said of a profile: figures, comparisons, layers side by side, and what to beware of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import onnx_graphsurgeon as gs

from graphprune.json_values import plain
from graphprune.profiling.conditions import disturbances
from graphprune.profiling.layers import Row, align, listed
from graphprune.profiling.paired import Interval, interval
from graphprune.profiling.result import Batch, Profile, Timed
from graphprune.profiling.summary import (
    PERCENTILES,
    UNSTEADY,
    Comparison,
    Summary,
    blocks_of,
    compare,
    least_runs,
    summarise,
)

VERSION = 1
"""The version of `Report.to_dict`."""


@dataclass(frozen=True)
class Line:
    """What is said of one model at one batch.

    Attributes:
        batch: where it was timed.
        timed: its times.
        summary: their figures.
        median: milliseconds of the median and their 95 % interval, over blocks.
        comparison: with the reference; None for the reference itself.
        layers: the steps of the reference (`before`) and its own (`after`); of the reference alone where it
            is the only model.
    """

    batch: Batch
    timed: Timed
    summary: Summary
    median: Interval
    comparison: Comparison | None
    layers: tuple[Row, ...] = ()


@dataclass(frozen=True)
class Report:
    """A profile, read.

    Attributes:
        profile: the times.
        percentiles: which ones are wanted.
        lines: what is said of each model, batch by batch.
        warnings: why a figure may be wrong.
        notes: why a figure or a verdict is missing.
    """

    profile: Profile
    percentiles: tuple[float, ...]
    lines: tuple[Line, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """The report as JSON values; the times themselves are left to the profile's own file."""
        profile = self.profile
        return {
            "version": VERSION,
            "device": asdict(profile.device),
            "setup": plain(asdict(profile.setup)),
            "reference": profile.batches[0].models[profile.reference].name,
            "margin": profile.margin,
            "seed": profile.seed,
            "before": asdict(profile.before),
            "after": asdict(profile.after),
            "versions": dict(profile.versions),
            "models": [_entry(line) for line in self.lines],
            "warnings": list(self.warnings),
            "notes": list(self.notes),
        }


def report(
    profile: Profile,
    percentiles: Sequence[float] = PERCENTILES,
    graphs: Mapping[str, gs.Graph] | None = None,
) -> Report:
    """Read a profile.

    Args:
        profile: the times.
        percentiles: which ones are wanted.
        graphs: the models by name, which tell how steps belong together and what their weights are.
    """
    lines = [
        _line(profile, batch, number, percentiles, graphs or {})
        for batch in profile.batches
        for number in range(len(batch.models))
    ]
    return Report(
        profile,
        tuple(percentiles),
        tuple(lines),
        tuple(_warnings(profile, lines)),
        tuple(_notes(profile, lines)),
    )


def outputs_agree(timed: Timed) -> bool | None:
    """Whether the engine that was timed gives what its model says; None where this was not looked at."""
    if timed.deviation is None:
        return None
    return timed.deviation <= (math.inf if timed.limit is None else timed.limit)


def _line(
    profile: Profile, batch: Batch, number: int, percentiles: Sequence[float], graphs: Mapping[str, gs.Graph]
) -> Line:
    timed, first = batch.models[number], batch.models[profile.reference]
    layers: tuple[Row, ...] = ()
    if timed.layers and len(batch.models) == 1:
        layers = listed(timed, graphs.get(timed.name))
    elif timed.layers and first.layers and number != profile.reference:
        layers = align(first, timed, (graphs.get(first.name), graphs.get(timed.name)), profile.margin)
    median = interval(blocks_of(batch).medians(number), profile.seed)
    summary = summarise(timed, batch.batch, percentiles)
    return Line(batch, timed, summary, median, compare(profile, batch, number), layers)


def _warnings(profile: Profile, lines: Sequence[Line]) -> Iterator[str]:
    yield from _wrong_outputs(lines)
    yield from disturbances(profile.before, profile.after)
    unsteady = {line.timed.name: line.summary.variation for line in lines if line.summary.unsteady}
    if unsteady:
        shares = ", ".join(f"{name} {100 * variation:.1f} %" for name, variation in unsteady.items())
        yield f"runs vary by more than {100 * UNSTEADY:g} % (standard deviation over mean): {shares}"


def _notes(profile: Profile, lines: Sequence[Line]) -> Iterator[str]:
    fewest = min(line.summary.runs for line in lines)
    missing = {p for line in lines for p, value in line.summary.percentiles.items() if value is None}
    for percentile in sorted(missing):
        yield (
            f"p{percentile:g} is left out: it needs {least_runs(percentile)} runs, and there were {fewest}; "
            f"ask for them with --iterations {least_runs(percentile)}"
        )
    undecided = [line for line in lines if line.comparison and line.comparison.verdict == "inconclusive"]
    if undecided:
        yield (
            f"inconclusive: an interval reaches over 1 ± {100 * profile.margin:g} %; measure longer with "
            "--duration, or on a quieter machine"
        )


def _wrong_outputs(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        timed = line.timed
        at = "" if line.batch.batch is None else f" at batch {line.batch.batch}"
        if timed.deviation is None or outputs_agree(timed):
            continue
        if math.isnan(timed.deviation):
            yield f"{timed.name}{at} gives NaN, optimised or not: is it made for these inputs?"
        else:
            yield (
                f"{timed.name}{at}: the engine that was timed computes something else than the model: its "
                f"outputs are off by {timed.deviation:.1g} (relative L2; {timed.limit:.0e} is expected)"
            )


def _entry(line: Line) -> dict[str, object]:
    timed, summary, comparison = line.timed, line.summary, line.comparison
    return {
        "name": timed.name,
        "hash": timed.hash,
        "bytes": timed.bytes,
        "batch": line.batch.batch,
        "shapes": {name: list(shape) for name, shape in line.batch.shapes.items()},
        "runs": summary.runs,
        "rounds": len(timed.blocks),
        "median_ms": summary.median,
        "median_interval_ms": [line.median.low, line.median.high],
        "min_ms": summary.minimum,
        "mean_ms": summary.mean,
        "percentiles_ms": {f"{p:g}": value for p, value in summary.percentiles.items()},
        "samples_per_second": summary.throughput,
        "variation": summary.variation,
        "ratio": None
        if comparison is None
        else {**asdict(comparison.interval), "verdict": comparison.verdict},
        "deviation": timed.deviation,
        "deviation_limit": timed.limit,
        "outputs_agree": outputs_agree(timed),
        "build": dict(timed.build),
        "layers": [asdict(row) for row in line.layers],
    }
