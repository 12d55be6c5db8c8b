"""What saved times say of a limit on a latency or a throughput."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from graphprune.backends import Device, Numbers
from graphprune.gate.catalogue import Metric
from graphprune.gate.evidence import Evidence, Timing
from graphprune.gate.outcome import Assertion, Finding
from graphprune.gate.settings import FEWEST
from graphprune.gate.statistics import (
    Estimate,
    LatencyLimit,
    Statistic,
    decide,
    latency_estimate,
    missing,
    too_few,
)
from graphprune.profiling.labels import DISTURBED, facts
from graphprune.profiling.paired import Blocks
from graphprune.profiling.result import Batch, Timed

_ORIGINAL, _CANDIDATE = 0, 1
_PASSING = frozenset({DISTURBED, "seed"})
"""What may differ between times that are put together."""


@dataclass(frozen=True)
class Pairs:
    """The times of both models on one device at one batch.

    Attributes:
        device: its name and the backend.
        batch: samples of an inference; None where they are not counted.
        blocks: seconds of the original and of the candidate.
        wrong: what the candidate's engine computes wrongly, in words; empty where it does not.
    """

    device: str
    batch: int | None
    blocks: Blocks
    wrong: str


def device_of(timing: Timing) -> str:
    """Return how findings name what was measured on."""
    return f"{timing.profile.device.name} ({timing.profile.device.backend})"


def statistic_of(metric: Metric) -> Statistic:
    """Return what of the times a metric is."""
    return "mean" if metric.key == "mean" else float(metric.key)


def limit_on_time(assertion: Assertion, metric: Metric, batch: int | None) -> LatencyLimit:
    """Return the limit on a latency that a limit on a latency or a throughput comes to, in seconds."""
    statistic = statistic_of(metric)
    if metric.name != "throughput":
        return LatencyLimit(statistic, assertion.bound, assertion.limit, _CANDIDATE, _ORIGINAL)
    if assertion.bound == "min":
        limit = (batch or 1) / assertion.limit if assertion.limit else float("inf")
        return LatencyLimit(statistic, "max", limit, _CANDIDATE, _ORIGINAL)
    limit = 1 / assertion.limit if assertion.limit else float("inf")
    return LatencyLimit(statistic, "max-ratio", limit, _CANDIDATE, _ORIGINAL)


def timed(assertion: Assertion, metric: Metric, evidence: Evidence) -> list[Finding]:
    """Return what came of a limit, once for every device and batch that it is for."""
    if not evidence.timings:
        why = evidence.missing.get("timing", "no latency was measured")
        return [Finding(assertion, "skipped", reason=why)]
    here = [timing for timing in evidence.timings if is_on(assertion.device, timing)]
    if not here:
        names = ", ".join(dict.fromkeys(device_of(timing) for timing in evidence.timings))
        why = f"no device fits {assertion.device!r}; measured on {names}"
        return [Finding(assertion, "skipped", reason=why)]
    chosen = [pair for pair in pairs(here) if assertion.batch in (None, pair.batch)]
    if not chosen:
        known = ", ".join(dict.fromkeys(str(pair.batch) for pair in pairs(here)))
        why = f"no batch of {assertion.batch} was measured, but {known}"
        return [Finding(assertion, "skipped", reason=why, batch=assertion.batch)]
    return [_judged(assertion, metric, pair, evidence.seed) for pair in chosen]


def is_on(pattern: str, timing: Timing) -> bool:
    """Whether a pattern fits what was measured on, as `is_device` says."""
    return is_device(pattern, timing.profile.device)


def is_device(pattern: str, device: Device) -> bool:
    """Whether a pattern fits the name of a device, the backend, or both as findings show them."""
    names = (device.name, device.backend, f"{device.name} ({device.backend})")
    return any(fnmatchcase(name.lower(), pattern.lower()) for name in names)


def pairs(timings: Iterable[Timing]) -> list[Pairs]:
    """Return the times by device and batch; those that were taken alike are put together."""
    found: dict[object, Pairs] = {}
    for timing in timings:
        for batch in timing.profile.batches:
            pair = _pair(timing, batch)
            said = facts(timing.profile, batch).items()
            key = frozenset((name, text) for name, text in said if name not in _PASSING)
            found[key] = _together(found[key], pair) if key in found else pair
    return list(found.values())


def _together(one: Pairs, other: Pairs) -> Pairs:
    both = zip(one.blocks.seconds, other.blocks.seconds, strict=True)
    return replace(one, blocks=Blocks(tuple(a + b for a, b in both)), wrong=one.wrong or other.wrong)


def _pair(timing: Timing, batch: Batch) -> Pairs:
    models = batch.models[timing.original], batch.models[timing.candidate]
    blocks = Blocks(tuple(_seconds(model) for model in models))
    return Pairs(device_of(timing), batch.batch, blocks, _wrong(*models))


def _seconds(model: Timed) -> tuple[Numbers, ...]:
    return tuple(np.array(block, np.float64) / 1000 for block in model.blocks)


def _wrong(original: Timed, candidate: Timed) -> str:
    """Say that the engine that was timed computes something else than its model."""
    if candidate.deviation is None or candidate.limit is None or candidate.deviation <= candidate.limit:
        return ""
    if (
        original.deviation is not None
        and original.limit is not None
        and not original.deviation <= original.limit
    ):
        return ""  # so does the original's: it is the device or the inputs, and not the candidate
    return (
        f"the outputs of what was timed are off by {candidate.deviation:.2g}, "
        f"more than {candidate.limit:.2g}: its latency means nothing"
    )


def _judged(assertion: Assertion, metric: Metric, pair: Pairs, seed: int) -> Finding:
    statistic = statistic_of(metric)
    limit = limit_on_time(assertion, metric, pair.batch)
    values = [_figure(pair.blocks, model, statistic) for model in (_ORIGINAL, _CANDIDATE)]
    rate = metric.name == "throughput"
    if rate:
        values = [(pair.batch or 1) / value for value in values]
    finding = Finding(
        assertion,
        "inconclusive",
        original=values[_ORIGINAL],
        candidate=values[_CANDIDATE],
        unit="1/s" if rate else "s",
        device=pair.device,
        batch=pair.batch,
    )
    found = latency_estimate(pair.blocks, limit, seed)
    count = len(pair.blocks.seconds[_CANDIDATE])
    if found is None or count < FEWEST:
        few = f"{count} pairs of blocks are too few for an interval"
        why = few if found is not None else too_few(pair.blocks, statistic, _CANDIDATE)
        return replace(finding, count=count, reason=why or few)
    status = decide(found.low, found.high, limit.limit, assertion.upper or rate)
    more = missing(found, limit.limit) if status == "inconclusive" else None
    shown = _inverse(found, pair.batch if assertion.bound == "min" else 1) if rate else found
    return replace(
        finding,
        status="fail" if pair.wrong else status,
        value=shown.value,
        low=shown.low,
        high=shown.high,
        count=found.count,
        missing=more,
        reason=pair.wrong,
    )


def _figure(blocks: Blocks, model: int, statistic: Statistic) -> float:
    times = blocks.all(model)
    return float(np.mean(times)) if statistic == "mean" else float(np.percentile(times, statistic))


def _inverse(found: Estimate, batch: int | None) -> Estimate:
    samples = batch or 1
    most = samples / found.low if found.low > 0 else float("inf")
    return Estimate(samples / found.value, samples / found.high, most, found.count)


def disturbed(timings: Sequence[Timing]) -> list[str]:
    """Return what disturbed the measurements, one sentence a device."""
    said: dict[str, None] = {}
    for timing in timings:
        for batch in timing.profile.batches[:1]:
            if why := facts(timing.profile, batch)[DISTURBED]:
                said[f"{device_of(timing)} was disturbed: {why}"] = None
    return list(said)
