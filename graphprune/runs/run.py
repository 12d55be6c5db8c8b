"""The record of a run, as it is kept in a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

VERSION = 1
"""The version of the file; a reader refuses one that it does not know."""


@dataclass(frozen=True)
class File:
    """A file that a run read or wrote.

    Attributes:
        option: the option or argument that names it, as `model`, `--data`, `--output`.
        path: as the user gave it.
        bytes: of the file, and of the files of weights beside it for a model.
        hash: of a model the hash of what it computes (`model_hash`), of another file `sha256:...`.
        written: whether the run wrote it.
    """

    option: str
    path: str
    bytes: int
    hash: str
    written: bool


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        verb: what was run, as `prune`.
        command: the words after `graphprune`, as they were given.
        options: every option and argument of the verb by its name in kebab case, defaults included.
        sources: where each of them came from: `command line`, `environment`, `config`, `run`, `default`.
        config: the path of the config file; empty where there was none.
        files: what was read and written.
        versions: of graphprune, Python and the packages that a figure may depend on.
        machine: what it ran on: `processor`, `cores`, `memory`, `system`.
        started: the time, ISO 8601 in UTC.
        seconds: from start to end.
        peak_memory: bytes of the process at its largest; None where this is not known.
        exit_code: of the process.
        error: what a refusal said; empty where there was none.
        result: what `--output-format json` prints; None where nothing was.
        raw: what was measured, whole: `profile` (graphprune.profiling.result.Profile), `evidence` (of a
            gate), `groups` (graphprune.graph_view.groups), by these names.
        version: of this layout.
    """

    verb: str
    command: tuple[str, ...]
    options: Mapping[str, object]
    sources: Mapping[str, str]
    config: str
    files: tuple[File, ...]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    started: str
    seconds: float
    peak_memory: int | None
    exit_code: int
    error: str = ""
    result: Mapping[str, object] | None = None
    raw: Mapping[str, object] = field(default_factory=dict[str, object])
    version: int = VERSION
