"""The process in which TensorRT builds: `python -m graphprune.engines.worker JOB.json`.

A build may take gigabytes and, as native code on foreign models does, may crash. Here it takes nothing else
with it. Events go to stdout; what the native code prints goes to stderr.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from graphprune.engines import api
from graphprune.engines.configure import Unparsed, builder, configured, parsed
from graphprune.engines.job import Done, Event, Failed, Failure, Job, Progress, Said
from graphprune.engines.libraries import TensorRT, library, load
from graphprune.engines.messages import logger
from graphprune.engines.phases import Phases
from graphprune.engines.sparsity import PREFIX, said
from graphprune.errors import Environment, GraphpruneError, Usage
from graphprune.user_cache import read_bytes, write_bytes

Tell = Callable[[Event], None]


def monitor(trt: TensorRT, tell: Tell) -> api.IProgressMonitor:
    """Return a monitor that tells how far a build is, and ends it where nobody listens any more."""
    phases, last, heard = Phases(), [-1], [True]

    def start(_: api.IProgressMonitor, name: str, parent: str | None, steps: int) -> None:
        phases.start(name, parent, steps)

    def finish(_: api.IProgressMonitor, name: str) -> None:
        phases.finish(name)

    def step(_: api.IProgressMonitor, name: str, number: int) -> bool:
        phases.step(name, number)
        percent = int(100 * phases.share())
        if heard[0] and percent > last[0]:
            last[0] = percent
            try:
                tell(Progress(percent))
            except OSError:
                heard[0] = False
        return heard[0]

    methods = {"phase_start": start, "phase_finish": finish, "step_complete": step}
    return cast("api.IProgressMonitor", type("Monitor", (trt.IProgressMonitor,), methods)())


def work(job: Job, tell: Tell) -> Event:
    """Do a job; return how it ended."""
    errors: list[str] = []
    try:
        trt = load(library(job.backend))
        begun = time.perf_counter()
        told: list[str] = []

        def listen(severity: str, text: str) -> None:
            if text.startswith(PREFIX):
                told.append(text)
            tell(Said(severity, text))

        log = logger(trt, listen, errors)
        build = builder(trt, log)
        network, parser = parsed(trt, build, log, job.model)
        config = configured(trt, build, network, job)
        if job.engine is None:
            return Done(time.perf_counter() - begun)
        watch = monitor(trt, tell)
        config.progress_monitor = watch
        timings = _timings(config, job)
        plan = build.build_serialized_network(network, config)
        del parser  # it had to outlive the build
        if plan is None:
            return Failed("build", "\n".join(errors))
        with Path(job.engine).open("wb") as file:
            file.write(plan)
        if timings is not None and job.timing_cache is not None:
            _keep(config, timings, Path(job.timing_cache), tell)
        return Done(time.perf_counter() - begun, said(told))
    except Unparsed as refusal:
        return Failed("parse", "\n".join(errors), faults=refusal.faults)
    except GraphpruneError as error:
        kinds: dict[type[GraphpruneError], Failure] = {Usage: "usage", Environment: "environment"}
        return Failed(kinds.get(type(error), "parse"), "\n".join([error.what, *errors]), error.hint)
    except MemoryError:
        return Failed("environment", "memory ran out during the build", "use a machine with more")
    except OSError as error:
        return Failed(
            "environment", f"the engine cannot be written: {error.strerror}", "make room on the disk"
        )
    except (RuntimeError, ValueError) as error:
        return Failed("build", "\n".join([*errors, str(error)]))


def _timings(config: api.IBuilderConfig, job: Job) -> api.ITimingCache | None:
    if job.timing_cache is None:
        return None
    cache = config.create_timing_cache(read_bytes(Path(job.timing_cache)) or b"")
    if not config.set_timing_cache(cache, False):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    return cache


def _keep(config: api.IBuilderConfig, timings: api.ITimingCache, path: Path, tell: Tell) -> None:
    """Add `timings` to what lies at `path` by now; another build may have written meanwhile."""
    whole = config.create_timing_cache(read_bytes(path) or b"")
    if not whole.combine(timings, False):
        whole = timings
    try:
        write_bytes(path, bytes(whole.serialize()))
    except OSError as error:
        tell(Said("WARNING", f"the timing cache {path} is not written: {error.strerror}"))


def main() -> None:
    """Read the job that the command line names, and do it."""
    warnings.simplefilter("ignore")
    with os.fdopen(os.dup(1), "wb", buffering=0) as events:
        os.dup2(2, 1)
        job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)

        def tell(event: Event) -> None:
            events.write(msgspec.json.encode(event) + b"\n")

        tell(work(job, tell))


if __name__ == "__main__":
    main()
