"""The conditions of a measurement: how hot, how busy, how fast the device was, and who else used it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from graphprune.backends.gpu import GpuState, state
from graphprune.errors import Environment
from graphprune.processors import usable
from graphprune.profiling.processor import Processors, look
from graphprune.profiling.result import Conditions

Disturbance = Literal["busy", "other processes", "throttled"]

BUSY = 0.2
"""A process that takes more than this share of a processor disturbs a measurement."""
LOADED = 0.5
"""So does a load average above this share of the processors, before anything was started."""
_STOLEN = 0.01
"""So does a hypervisor that gives more than this share of the time to others."""
_WINDOW = 0.2
"""Seconds over which the first look is taken: /proc counts in hundredths."""


@dataclass
class Watch:
    """Looks at the device between two moments; starting it takes a fifth of a second.

    Args:
        gpu: the number of the GPU that is measured on; None for the processor.
        looked: how the processors are looked at.
    """

    gpu: int | None = None
    looked: Callable[[], Processors] = look
    _last: Processors = field(init=False)

    def __post_init__(self) -> None:
        self._last = self.looked()
        time.sleep(_WINDOW)

    def conditions(self) -> Conditions:
        """Return the conditions of this moment, and what happened since the last one or the start."""
        before, self._last = self._last, self.looked()
        return conditions(before, self._last, None if self.gpu is None else _gpu(self.gpu))


def conditions(before: Processors, after: Processors, gpu: GpuState | None = None) -> Conditions:
    """Return the conditions at the moment `after`, with what happened since `before`.

    On a GPU, clocks, temperature, throttling and other processes are those of the GPU; the load is that of
    the processors in any case.
    """
    at = datetime.now(UTC).isoformat(timespec="seconds")
    governor = ", ".join(after.governors)
    if gpu is not None:
        return Conditions(at, after.load, gpu.clocks, governor, gpu.temperature, gpu.throttled, gpu.others)
    return Conditions(
        at,
        after.load,
        after.clocks,
        governor,
        after.temperature,
        _throttled(before, after),
        _others(before, after),
    )


def disturbances(before: Conditions, after: Conditions) -> tuple[str, ...]:
    """Say in words what disturbed a measurement between two moments; nothing where nothing is known to."""
    return tuple(disturbed_by(before, after).values())


def disturbed_by(before: Conditions, after: Conditions) -> dict[Disturbance, str]:
    """Return the same by kind."""
    found: dict[Disturbance, str] = {}
    if before.load is not None and before.load > LOADED:
        found["busy"] = f"the machine was busy before: load {before.load:.2f} per core"
    others = tuple(dict.fromkeys((*before.others, *after.others)))
    if others:
        found["other processes"] = f"other processes were busy: {', '.join(others)}"
    throttled = tuple(dict.fromkeys((*before.throttled, *after.throttled)))
    if throttled:
        found["throttled"] = f"the device was held down: {', '.join(throttled)}"
    return found


def _throttled(before: Processors, after: Processors) -> tuple[str, ...]:
    found = [
        reason for reason, count in after.throttles.items() if count > before.throttles.get(reason, count)
    ]
    passed = (after.at - before.at) * len(usable())
    if passed > 0 and (after.stolen - before.stolen) / passed > _STOLEN:
        share = (after.stolen - before.stolen) / passed
        found.append(f"{100 * share:.0f} % of the time went to other virtual machines")
    return tuple(found)


def _others(before: Processors, after: Processors) -> tuple[str, ...]:
    """Other processes that were busy, the busiest first."""
    passed = after.at - before.at
    taken: dict[str, float] = {}
    for number, process in after.processes.items():
        known = before.processes.get(number)
        since = process.seconds - (known.seconds if known and known.born == process.born else 0.0)
        if passed > 0 and not process.own and since / passed > BUSY:
            taken[f"{process.name} ({number})"] = since
    return tuple(sorted(taken, key=taken.__getitem__, reverse=True))


def _gpu(number: int) -> GpuState | None:
    """What the GPU says of itself; None where it cannot be asked, which is no reason not to measure."""
    try:
        return state(number)
    except Environment:
        return None
