"""What a gate is run on, and how: the keys of `[gate]` beside the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from graphprune.errors import Usage
from graphprune.nearest import did_you_mean
from graphprune.profiling.words import read_batches, read_duration
from graphprune.shape_text import Shapes, parse_shapes

Inconclusive = Literal["warn", "fail", "exit"]
INCONCLUSIVE: Mapping[str, Inconclusive] = {"warn": "warn", "fail": "fail", "exit": "exit"}
FEWEST = 6
"""Pairs of blocks: of fewer, no interval holds a median with 95 % confidence."""


@dataclass(frozen=True)
class Settings:
    """What a gate is run on, and how.

    Attributes:
        original: the model to compare with.
        candidate: the model that is judged.
        plan: what was cut out of the original: the candidate must equal it with that masked.
        run: the record of the run that has written the candidate.
        data: labelled data to judge on.
        label_key: the key of the labels in it.
        class_names: a file of the names of the classes, one a line.
        samples: at most so many samples of the data.
        output: the output that is judged, counted from 0.
        backend: where latencies are measured.
        batch: samples of an inference, several one after another; without any, what the limits ask for.
        threads: of one inference on the CPU; 0 for all.
        gpu: the number of the GPU.
        shape: shapes of inputs that the models leave open.
        duration: seconds that each model is timed, at least; up to 4 times that while a limit is open.
        rounds: pairs of blocks, at least.
        seed: of random inputs and of the bootstrap.
        inconclusive: what an interval that straddles an error's limit does: warn, fail, or exit with 5.
        warn_only: whether nothing that is broken fails the gate.
        only: patterns of metrics; the others are not looked at.
        results: saved results to judge in place of measuring.
    """

    original: Path | None = None
    candidate: Path | None = None
    plan: Path | None = None
    run: Path | None = None
    data: str | None = None
    label_key: str = "labels"
    class_names: Path | None = None
    samples: int | None = None
    output: int = 0
    backend: str = "ort:cpu"
    batch: tuple[int, ...] = ()
    threads: int = 1
    gpu: int = 0
    shape: Shapes = field(default_factory=Shapes)
    duration: float = 3.0
    rounds: int = 30
    seed: int = 0
    inconclusive: Inconclusive = "warn"
    warn_only: bool = False
    only: tuple[str, ...] = ()
    results: tuple[Path, ...] = ()


def read_settings(values: Mapping[str, Any], folder: Path | None, where: Callable[[str], str]) -> Settings:
    """Return the settings that options or keys in kebab case give.

    Args:
        values: by name; None stands for what is not given.
        folder: what paths are relative to; None for the working directory.
        where: how messages call a key, as `gate.toml:3: batch`.

    Raises:
        Usage: a key is unknown, or its value is not what it should be.
    """
    made: dict[str, object] = {}
    for key, value in values.items():
        if key not in READERS:
            raise Usage(f"{where(key)} is no key of [gate]", did_you_mean(key, (*READERS, "assert")))
        if value is None:
            continue
        name, reader = READERS[key]
        try:
            made[name] = reader(value)
        except Usage as error:
            raise Usage(f"{where(key)}: {error.what}", error.hint) from error
        if folder is not None:
            made[name] = _inside(folder, key, made[name])
    return Settings(**cast("dict[str, Any]", made))


def _inside(folder: Path, key: str, value: object) -> object:
    if isinstance(value, Path):
        return folder / value
    if key == "data" and isinstance(value, str) and value != "random":
        return str(folder / value)
    return tuple(folder / path for path in cast("tuple[Path, ...]", value)) if key == "from" else value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise Usage(f"it is {value!r} and no text", "write a text")
    return value


def _path(value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(value))


def _whole(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise Usage(f"it is {value!r}", f"write a whole number from {least} on")
        return value

    return read


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Usage(f"it is {value!r}", "write true or false")
    return value


def _texts(value: object) -> tuple[str, ...]:
    items = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
    return tuple(_text(item) for item in items)


def _paths(value: object) -> tuple[Path, ...]:
    items = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
    return tuple(_path(item) for item in items)


def _batch(value: object) -> tuple[int, ...]:
    items = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
    return read_batches(",".join(str(item) for item in items))


def _duration(value: object) -> float:
    seconds = read_duration(str(value), "it")
    if seconds <= 0:
        raise Usage(f"it is {value!r}", "measure for some time, as 3s")
    return seconds


def _inconclusive(value: object) -> Inconclusive:
    if not isinstance(value, str) or value not in INCONCLUSIVE:
        raise Usage(f"it is {value!r}", did_you_mean(str(value), INCONCLUSIVE))
    return INCONCLUSIVE[value]


READERS: Mapping[str, tuple[str, Callable[[object], object]]] = {
    "original": ("original", _path),
    "candidate": ("candidate", _path),
    "plan": ("plan", _path),
    "run": ("run", _path),
    "data": ("data", _text),
    "label-key": ("label_key", _text),
    "class-names": ("class_names", _path),
    "samples": ("samples", _whole(1)),
    "output": ("output", _whole(0)),
    "backend": ("backend", _text),
    "batch": ("batch", _batch),
    "threads": ("threads", _whole(0)),
    "gpu": ("gpu", _whole(0)),
    "shape": ("shape", lambda value: parse_shapes(_texts(value))),
    "duration": ("duration", _duration),
    "rounds": ("rounds", _whole(FEWEST)),
    "seed": ("seed", _whole(0)),
    "inconclusive": ("inconclusive", _inconclusive),
    "warn-only": ("warn_only", _flag),
    "only": ("only", _texts),
    "from": ("results", _paths),
}
"""Keys of `[gate]`: the fields that they set, and how they are read."""
