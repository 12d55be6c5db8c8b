"""What a terminal shows on stderr while work goes on: the step, how far it is, and how long it takes."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

from graphprune.cli.failures import printable
from graphprune.pipeline import Hook, Step
from graphprune.progress import shown_by


@contextmanager
def progress_bar(quiet: bool, still: bool = False) -> Generator[Hook]:
    """Show a bar until the block ends, unless `quiet` or there is no terminal.

    Yields the hook that tells it which pass runs; how far a pass is, it hears from `graphprune.progress`.
    A `still` bar is drawn only when it hears something: a thread that redraws it would disturb what is timed.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not (sys.stderr.isatty() and console.is_interactive):
        yield _ignore
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("so far,", markup=False),
        TimeRemainingColumn(),
        TextColumn("left", markup=False),
    )
    with Progress(*columns, console=console, transient=True, auto_refresh=not still) as bar:
        current, task = "load", bar.add_task("load", total=None)

        def begin(name: str, words: str) -> None:
            nonlocal current, task
            bar.remove_task(task)
            current, task = name, bar.add_task(printable(words), total=None)

        def show(step: Step) -> None:
            if step.seconds is None:
                begin(step.ran.name, f"{step.index}/{step.count} {step.ran.name}")

        def tell(name: str, done: int, count: int) -> None:
            if name != current:
                begin(name, name)
            bar.update(task, completed=done, total=count, refresh=still)

        token = shown_by.set(tell)
        try:
            yield show
        finally:
            shown_by.reset(token)


def _ignore(_: Step) -> None:
    pass
