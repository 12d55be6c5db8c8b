"""The folder of exported graphs that GRAPHPRUNE_ZOO names, through the loader `zoo.py` that lies in it."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import onnx

FOLDER = Path(os.environ.get("GRAPHPRUNE_ZOO", Path(__file__).resolve().parents[2] / "shared" / "zoo"))


@cache
def loader() -> Any:
    """The loader's module; FileNotFoundError where the folder is absent. Nothing is written beside it."""
    path = FOLDER / "zoo.py"
    if not path.exists():
        raise FileNotFoundError("the folder of exported graphs is not there: set GRAPHPRUNE_ZOO")
    spec = spec_from_file_location("graph_zoo", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


def load(name: str) -> onnx.ModelProto:
    """A graph with its weights filled in."""
    model: onnx.ModelProto = loader().load(name)
    return model
