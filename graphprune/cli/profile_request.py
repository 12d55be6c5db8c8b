"""What the options of `profile` ask for, and where its results go."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphprune.backends import Setup
from graphprune.cli.named_files import check_target
from graphprune.errors import Environment, Usage
from graphprune.profiling.cases import Wanted
from graphprune.profiling.paired import Rounds
from graphprune.profiling.profile import Request
from graphprune.profiling.result import Profile
from graphprune.profiling.words import read_batches, read_duration, read_share
from graphprune.shape_text import parse_shapes
from graphprune.text_file import write_text

LONGEST = 4
"""Models are timed at most so many times as long as is asked for, while a verdict is open."""


@dataclass(frozen=True)
class Exports:
    """The files that are written, each None where it is not asked for."""

    json: Path | None
    csv: Path | None
    markdown: Path | None
    trace: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that are asked for."""
        return tuple(path for path in (self.json, self.csv, self.markdown, self.trace) if path is not None)

    def write(self, profile: Profile, percentiles: Sequence[float]) -> None:
        """Write the files, each whole or not at all."""
        from graphprune.profiling.exports import to_csv, to_markdown
        from graphprune.profiling.files import to_json
        from graphprune.profiling.trace import to_trace

        texts: tuple[tuple[Path | None, Callable[[], str]], ...] = (
            (self.json, lambda: to_json(profile)),
            (self.csv, lambda: to_csv(profile, percentiles)),
            (self.markdown, lambda: to_markdown(profile, percentiles)),
            (self.trace, lambda: to_trace(profile)),
        )
        for path, text in texts:
            if path is not None:
                write_text(text(), path)


def exports_of(given: Mapping[str, Any]) -> Exports:
    """Read where results go, and refuse before anything is timed what could not be written after it."""
    exports = Exports(given["export_json"], given["export_csv"], given["export_markdown"], given["trace"])
    for path in exports.paths:
        check_target(path, given["force"])
        if not os.access(path.parent, os.W_OK):
            raise Environment(f"{path} cannot be written", "change the permissions, or write it elsewhere")
    return exports


def request_of(models: Sequence[Path], null_test: bool, trace: bool, given: Mapping[str, Any]) -> Request:
    """Read what is to be timed, and how."""
    reference: Path | None = given["reference"]
    named = list(models)
    if reference is not None and reference not in named:
        named.insert(0, reference)
    if null_test and len(named) != 1:
        raise Usage(f"--null-test times one model against itself, not {len(named)}", "name one MODEL")
    duration = read_duration(given["duration"], "--duration")
    if duration <= 0:
        raise Usage(f"--duration is {given['duration']!r}", "measure for some time, as 3s")
    return Request(
        models=tuple(named * 2 if null_test else named),
        backend=given["backend"],
        setup=Setup(
            threads=given["threads"],
            spin=not given["no_spin"],
            cuda_graph=not given["no_cuda_graph"],
            transfers=given["transfers"],
            gpu=given["gpu"],
        ),
        rounds=Rounds(
            warmup=read_duration(given["warmup"], "--warmup", bare="ms"),
            duration=duration,
            rounds=given["rounds"],
            longest=LONGEST * duration,
            margin=read_share(given["margin"], "--margin"),
        ),
        iterations=given["iterations"],
        wanted=Wanted(
            read_batches(given["batch"]) if given["batch"] is not None else (),
            parse_shapes(given["shape"]),
            given["data"],
            given["seed"],
        ),
        reference=0 if reference is None else named.index(reference),
        per_layer=given["per_layer"] or trace,
        check=not given["no_check"],
    )
