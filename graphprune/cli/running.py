"""What `prune` and `run` share: run the passes, write what came of it, print the record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphprune import hooks, pipeline, runs
from graphprune.cli.common import emit
from graphprune.cli.named_files import check_target
from graphprune.cli.progress_bar import progress_bar
from graphprune.cli.score_tables import score_tables
from graphprune.judging import Judged, Judging, open_judging
from graphprune.pipeline import Hook
from graphprune.pruning import start
from graphprune.record import record
from graphprune.state import Pass, State, made

if TYPE_CHECKING:
    from graphprune.data import Data


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
    judging: Judging | None = None
    in_place: bool = False


def execute(job: Job, *more: Hook) -> None:
    """Run the passes, judge the result where this is asked for, write it, then print the record."""
    check_target(job.output, job.force, job.in_place)
    check_target(job.plan, job.force)
    times = hooks.Times()
    with progress_bar(job.quiet) as watch:
        before = start(job.model)
        data = open_judging(job.judging, before.original) if job.judging else None
        state = pipeline.run(job.passes, before, (hooks.tell, times, watch, *more))
        judged = _judge(job.judging, data, state) if job.judging else None
    _write(job, state)
    _keep_groups(state)
    done = record(job.passes, state)
    result = {
        **done.to_dict(),
        "judged": judged.to_dict() if judged else None,
        "model": str(job.model),
        "output": str(job.output) if job.output else None,
        "seconds": [{"pass": name, "seconds": round(seconds, 6)} for name, seconds in times.seconds],
    }

    def tables() -> Iterator[object]:
        from graphprune.cli import before_after

        yield from before_after.tables(done)
        if judged:
            yield from score_tables(judged.scores, f"Judged on {judged.data}:", ("original", "pruned"))
        yield from before_after.places(job.output, job.plan)
        if job.time_passes:
            yield before_after.times(times.seconds)

    emit(result, job.output_format, tables)


def _keep_groups(state: State) -> None:
    from graphprune.graph_view.groups import groups_of

    runs.attach("groups", lambda: groups_of(state))


def _judge(judging: Judging, data: Data | None, state: State) -> Judged:
    from graphprune.fidelity import fidelity

    name = judging.data or "the calibration data"
    samples = data or made(state.calibration, "calibration").data
    return Judged(name, fidelity(state.original, state.result, samples, judging.metrics))


def _write(job: Job, state: State) -> None:
    """Write the plan and, last, the model."""
    if job.plan is not None:
        from graphprune.plan_file import write_plan

        write_plan(made(state.plan, "plan"), job.plan)
    if job.output is not None:
        from graphprune.model import save
        from graphprune.runtime.written import check_opens

        def check(written: Path) -> None:
            check_opens(written, job.model)

        save(state.result, job.output, force=job.force, in_place=job.in_place, check=check)
