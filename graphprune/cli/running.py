"""What `prune` and `run` share: run the passes, write what came of it, print the record."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from graphprune import hooks, pipeline
from graphprune.cli.common import emit
from graphprune.cli.failures import printable
from graphprune.errors import Usage
from graphprune.pipeline import Hook, Step
from graphprune.pruning import start
from graphprune.record import record
from graphprune.state import Pass, State


@dataclass(frozen=True)
class Job:
    """What is to be done: the model, the passes, and where the results go (None: nowhere)."""

    model: Path
    passes: Sequence[Pass]
    output: Path | None
    plan: Path | None
    force: bool
    quiet: bool
    output_format: str
    time_passes: bool = False


def execute(job: Job, *more: Hook) -> None:
    """Run the passes, then write the results, then print the record."""
    for path in (job.output, job.plan):
        _check_target(path, job.force)
    if job.output is not None and job.output == job.plan:
        raise Usage(f"the model and the plan both go to {job.output}", "give them two names")
    times = hooks.Times()
    with _progress(job.quiet) as watch:
        state = pipeline.run(job.passes, start(job.model), (hooks.tell, times, watch, *more))
    _write(job, state)
    made = record(job.passes, state)
    result = {
        **made.to_dict(),
        "model": str(job.model),
        "output": str(job.output) if job.output else None,
        "seconds": [{"pass": name, "seconds": round(seconds, 6)} for name, seconds in times.seconds],
    }
    if job.quiet and job.output_format != "json":
        return

    def tables() -> Iterator[object]:
        from graphprune.cli import before_after

        yield from before_after.tables(made, job.output, job.plan)
        if job.time_passes:
            yield before_after.times(times.seconds)

    emit(result, job.output_format, tables)


def _check_target(path: Path | None, force: bool) -> None:
    """Refuse before any work is done what could not be written after it."""
    if path is None:
        return
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a plain file"
        raise Usage(f"{path} is {kind}", "name a file")
    if path.exists() and not force:
        raise Usage(f"{path} exists", "give --force to overwrite it, or another name")
    if not path.parent.is_dir():
        raise Usage(f"there is no folder {path.parent}", "make it first")


def _write(job: Job, state: State) -> None:
    """Write the plan and, last, the model."""
    if job.plan is not None:
        from graphprune.plan_file import write_plan
        from graphprune.state import made

        write_plan(made(state.plan, "plan"), job.plan)
    if job.output is not None:
        from graphprune.model import save

        save(state.result, job.output, force=job.force)


@contextmanager
def _progress(quiet: bool) -> Generator[Hook]:
    """A hook that shows on a terminal which pass is running."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield _ignore
        return
    with console.status("load") as status:

        def show(step: Step) -> None:
            status.update(f"{step.index}/{step.count} {printable(step.ran.name)}")

        yield show


def _ignore(_: Step) -> None:
    pass
