"""What graphprune says to the process in which TensorRT builds, and hears from it: lines of JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

from graphprune.engines.options import Range
from graphprune.engines.sparsity import Sparsity

Failure = Literal["parse", "build", "usage", "environment"]


class Job(msgspec.Struct, frozen=True):
    """One engine to build; the words are those of `BuildOptions`.

    Attributes:
        backend: `trt` or `trt-rtx`.
        model: the ONNX file.
        engine: where the engine goes; None parses and configures, and builds nothing.
        flags: the switches of the builder to set, by their names in `configure.FLAGS`.
        timing_cache: the file of the timing cache to use and to extend; None for none.
    """

    backend: str
    model: str
    engine: str | None
    ranges: dict[str, Range]
    flags: list[str] = []
    level: int | None = None
    workspace: int | None = None
    hardware_compatible: bool = False
    capability: int | None = None
    timing_cache: str | None = None


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """How much of the build is done, in percent."""

    percent: int


class Said(msgspec.Struct, tag="said", frozen=True):
    """A message of TensorRT: `VERBOSE`, `INFO`, `WARNING`, `ERROR` or `INTERNAL_ERROR`, and its text."""

    severity: str
    text: str


class Fault(msgspec.Struct, tag="fault", frozen=True):
    """What the parser has against a node: its number, name and operator as the parser knows them."""

    node: int
    name: str
    operator: str
    code: str
    text: str


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """The build has failed."""

    kind: Failure
    text: str
    hint: str = ""
    faults: list[Fault] = []


class Done(msgspec.Struct, tag="done", frozen=True):
    """The engine is there, built within so many seconds; what TensorRT said of sparsity, if anything."""

    seconds: float
    sparsity: Sparsity | None = None


Event = Progress | Said | Failed | Done
