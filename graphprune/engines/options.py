"""How an engine is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

Sizes = tuple[int, ...]


class Range(NamedTuple):
    """The smallest shape of an input, the one that is tuned for, and the largest."""

    least: Sizes
    best: Sizes
    most: Sizes


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built; the defaults are TensorRT's. There is no precision: it is the model's own.

    Attributes:
        level: the builder's optimisation level, 0 to 5; None leaves TensorRT's default.
        workspace: bytes of workspace at most; None leaves it to TensorRT.
        sparse: whether 2:4 sparse weights may be used as such.
        hardware_compatible: whether it is to run on every GPU from Ampere on (TensorRT only).
        version_compatible: whether later versions of TensorRT are to load it (TensorRT only).
        refit: whether its weights can be exchanged.
        strip: whether it is written without the weights that a refit would bring.
        capability: the compute capability that is built for, as 86 (TensorRT-RTX only, which needs no GPU
            then); None builds for the GPU at hand, and in TensorRT-RTX for all from Ampere on.
        min_shapes: the smallest shapes of inputs that it takes, by name; the optimum where none are given.
        opt_shapes: the shapes that it is tuned for.
        max_shapes: the largest shapes that it takes; the optimum where none are given.
        number: which of several builds of the same engine this is; tactics differ from build to build.
        timing_cache: a timing cache to use and to extend in place of our own (TensorRT only).
        engine: a file to run in place of building one.
        trusted: whether that file may come from elsewhere than our own cache.
    """

    level: int | None = None
    workspace: int | None = None
    sparse: bool = False
    hardware_compatible: bool = False
    version_compatible: bool = False
    refit: bool = False
    strip: bool = False
    capability: int | None = None
    min_shapes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])
    opt_shapes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])
    max_shapes: Mapping[str, Sizes] = field(default_factory=dict[str, Sizes])
    number: int = 0
    timing_cache: Path | None = None
    engine: Path | None = None
    trusted: bool = False
