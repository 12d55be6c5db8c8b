"""How an engine is built."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built; the defaults are TensorRT's.

    Attributes:
        level: the builder's optimisation level, 0 to 5; None leaves TensorRT's default.
        workspace: bytes of workspace at most; None leaves it to TensorRT.
        sparse: whether 2:4 sparse weights may be used as such.
    """

    level: int | None = None
    workspace: int | None = None
    sparse: bool = False
