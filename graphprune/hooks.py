"""Hooks between passes: the log, the times, the models in between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from graphprune.errors import Usage
from graphprune.nearest import did_you_mean
from graphprune.pipeline import Hook, Step
from graphprune.state import Pass

log = logging.getLogger(__name__)


def tell(step: Step) -> None:
    """Say on the log what is about to run and how long it took."""
    where = f"{step.index}/{step.count} {step.ran.name}"
    if step.seconds is None:
        log.debug("%s ...", where)
    else:
        log.info("%s: %.3f s", where, step.seconds)


class Times:
    """Collects the seconds of every pass, in order."""

    def __init__(self) -> None:
        self.seconds: list[tuple[str, float]] = []

    def __call__(self, step: Step) -> None:
        if step.seconds is not None:
            self.seconds.append((step.ran.name, step.seconds))


def dump_after(
    names: Iterable[str],
    passes: Iterable[Pass],
    output: Path,
    force: bool,
    check: Callable[[Path, bool], None] | None = None,
) -> Hook:
    """A hook that writes the model as it is after each of the passes called `names`.

    It goes beside `output`: `small.onnx` after `cut` is `small.5-cut.onnx`. `check` looks at each path before
    anything runs. Raises `Usage` for a name that is not in the pipeline.
    """
    wanted, known = set(names), [step.name for step in passes]

    def place(index: int, name: str) -> Path:
        return output.with_name(f"{output.stem}.{index}-{name}{output.suffix}")

    for name in sorted(wanted.difference(known)):
        raise Usage(f"--dump-after {name}: no such pass in the pipeline", did_you_mean(name, known))

    for index, name in enumerate(known, 1):
        if check is not None and name in wanted:
            check(place(index, name), force)

    def dump(step: Step) -> None:
        if step.seconds is not None and step.ran.name in wanted:
            from graphprune.model import save

            path = place(step.index, step.ran.name)
            save(step.state.result, path, force=force)
            log.info("wrote %s", path)

    return dump
