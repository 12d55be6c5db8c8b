"""The steps of one inference as a trace that Perfetto and chrome://tracing open."""

from __future__ import annotations

import json
from pathlib import Path

from graphprune.errors import Refused
from graphprune.profiling.result import Batch, Profile, Timed
from graphprune.text_file import write_text


def to_trace(profile: Profile) -> str:
    """Return a trace in Chrome's format: a process for each model and batch, its steps one after another.

    Times are medians: steps are laid end to end in the order in which they run. Format: Duffy, *Trace Event
    Format*, complete events; microseconds.

    Raises:
        Refused: no steps were timed.
    """
    if not any(timed.layers for batch in profile.batches for timed in batch.models):
        raise Refused("there are no layers to draw", "the runtime does not say what its steps take")
    events: list[dict[str, object]] = []
    number = 0
    for batch in profile.batches:
        for timed in batch.models:
            number += 1
            events += _events(timed, batch, number)
    device = f"{profile.device.name} ({profile.device.backend})"
    whole = {"traceEvents": events, "displayTimeUnit": "ms", "otherData": {"device": device}}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def write_trace(profile: Profile, path: Path) -> None:
    """Write the trace to `path`, whole or not at all; raises `Environment` where it cannot be written."""
    write_text(to_trace(profile), path)


def _events(timed: Timed, batch: Batch, process: int) -> list[dict[str, object]]:
    title = timed.name if batch.batch is None else f"{timed.name}, batch {batch.batch}"
    events: list[dict[str, object]] = [
        {"ph": "M", "name": "process_name", "pid": process, "tid": 1, "args": {"name": title}},
        {"ph": "M", "name": "thread_name", "pid": process, "tid": 1, "args": {"name": "one inference"}},
    ]
    at = 0.0
    for step in timed.layers:
        lasts = 1e6 * step.seconds
        events.append(
            {
                "ph": "X",
                "name": step.outputs[-1] if step.outputs else step.name,
                "cat": step.op,
                "pid": process,
                "tid": 1,
                "ts": round(at, 3),
                "dur": round(lasts, 3),
                "args": {"step": step.name, "kind": step.op, "outputs": list(step.outputs)},
            }
        )
        at += lasts
    return events
