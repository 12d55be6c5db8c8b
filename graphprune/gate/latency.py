"""Both models timed until every limit on a latency is decided, or time is up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from graphprune import runs
from graphprune.backends import Setup
from graphprune.errors import Usage
from graphprune.gate.catalogue import Metric
from graphprune.gate.evidence import Evidence, Timing
from graphprune.gate.outcome import Assertion
from graphprune.gate.settings import Settings
from graphprune.gate.statistics import settled
from graphprune.gate.timed import is_device, limit_on_time
from graphprune.model import Model
from graphprune.profiling.cases import Wanted
from graphprune.profiling.paired import Blocks, Rounds
from graphprune.profiling.profile import Request, prepare, run

LONGEST = 4
"""Models are timed at most so many times as long as is asked for, while a limit is open."""
_USUAL = 1
"""Samples of an inference, where a limit does not say and other limits do."""
log = logging.getLogger(__name__)
Limits = Sequence[tuple[Assertion, Metric]]


def latency(
    found: Evidence, original: Model, candidate: Model, settings: Settings, wanted: Limits
) -> Evidence:
    """Return the evidence with times, where a limit is on them that is for this device.

    Raises:
        Usage: a limit is on a batch that is not measured; a size is open.
        Environment: the runtime or the device is missing.
    """
    limits = [pair for pair in wanted if pair[1].source == "timing"]
    if not limits:
        return found
    batches = _batches(settings, [assertion for assertion, _ in limits])
    request = Request(
        models=(original, candidate),
        backend=settings.backend,
        setup=Setup(threads=settings.threads, gpu=settings.gpu),
        rounds=Rounds(
            duration=settings.duration, rounds=settings.rounds, longest=LONGEST * settings.duration
        ),
        wanted=Wanted(batches, settings.shape, None, settings.seed),
    )
    prepared = prepare(request)
    here = [pair for pair in limits if is_device(pair[0].device, prepared.device)]
    if not here:
        name = f"{prepared.device.name} ({prepared.device.backend})"
        why = f"no limit is for this device, {name}: nothing was timed"
        return replace(found, missing={**found.missing, "timing": why})
    request = replace(request, settled=_settled(here, settings.seed))
    profile = run(replace(prepared, request=request))
    runs.attach("profile", lambda: _values(profile))
    return replace(found, timings=(*found.timings, Timing(profile, 0, 1)))


def _values(profile: object) -> dict[str, object]:
    from dataclasses import asdict
    from typing import Any, cast

    from graphprune.json_values import plain

    return cast("dict[str, object]", plain(asdict(cast(Any, profile))))


def _settled(limits: Limits, seed: int) -> Callable[[int | None], Callable[[Blocks], bool]]:
    """The question whether every limit that is on a batch is decided."""

    def of(batch: int | None) -> Callable[[Blocks], bool]:
        here = [pair for pair in limits if pair[0].batch in (None, batch)]
        return settled([limit_on_time(assertion, metric, batch) for assertion, metric in here], seed)

    return of


def _batches(settings: Settings, limits: Sequence[Assertion]) -> tuple[int, ...]:
    """The batches that are measured: those of the settings, or else those that limits are on."""
    asked = [assertion for assertion in limits if assertion.batch is not None]
    if settings.batch:
        for assertion in asked:
            if assertion.batch not in settings.batch:
                measured = ", ".join(map(str, settings.batch))
                raise Usage(
                    f"{assertion.where}: nothing is measured at a batch of {assertion.batch}, but {measured}",
                    "add it to batch, or leave batch out: what the limits ask for is then measured",
                )
        return settings.batch
    found = {assertion.batch for assertion in asked if assertion.batch is not None}
    if found and len(asked) < len(limits):
        found.add(_USUAL)
    return tuple(sorted(found))
