"""graphprune: a structured pruning compiler for ONNX models.

The functions are the verbs of the command line and the steps of the pipeline:

    import graphprune

    state = graphprune.prune("model.onnx", ratio=0.5)
    graphprune.save(state.result, "smaller.onnx")

Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphprune.custom_ops import custom_ops
    from graphprune.cut import cut
    from graphprune.importance import score
    from graphprune.inspection import inspect
    from graphprune.model import load, save
    from graphprune.pruning import prune, run
    from graphprune.select import select
    from graphprune.solve import solve
    from graphprune.verify import verify

    __version__: str

__all__ = [
    "custom_ops",
    "cut",
    "inspect",
    "load",
    "prune",
    "run",
    "save",
    "score",
    "select",
    "solve",
    "verify",
]


class _Function:
    """A function that is imported from its module when it is asked for.

    `graphprune.cut` is the function, and `graphprune/cut.py` the module that it lives in. The import system
    binds a submodule to its package under the same name; a descriptor that ignores this keeps the function.
    """

    def __init__(self, home: str) -> None:
        self.home = home

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: ModuleType | None, owner: type) -> Any:
        return getattr(importlib.import_module(self.home), self.name)

    def __set__(self, module: ModuleType, value: object) -> None:
        pass


class _Package(ModuleType):
    """The type of this module."""

    load = _Function("graphprune.model")
    save = _Function("graphprune.model")
    solve = _Function("graphprune.solve")
    score = _Function("graphprune.importance")
    select = _Function("graphprune.select")
    cut = _Function("graphprune.cut")
    verify = _Function("graphprune.verify")
    prune = _Function("graphprune.pruning")
    run = _Function("graphprune.pruning")
    inspect = _Function("graphprune.inspection")
    custom_ops = _Function("graphprune.custom_ops")

    @property
    def __version__(self) -> str:
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("graphprune")
        except PackageNotFoundError:
            return "unknown (not installed)"


sys.modules[__name__].__class__ = _Package

# Nothing leaves the machine: ONNX Runtime reads this when it is imported, wherever that is, and never again.
telemetry_off = "onnxruntime" not in sys.modules or os.environ.get("ORT_DISABLE_TELEMETRY") == "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
