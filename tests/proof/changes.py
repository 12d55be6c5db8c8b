"""Models that are wrong in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.cut import Cut
from graphprune.duplicate import duplicate
from graphprune.ir import constants, read
from graphprune.model import Model

Change = Callable[[NDArray[Any]], NDArray[Any]]


def changed(model: Model, name: str, change: Change) -> Model:
    """The model with the constant called `name`, or cut from it, changed."""
    graph = duplicate(model.graph)
    (weight,) = [tensor for tensor in constants(graph) if tensor.name in (name, f"{name}_cut")]
    weight._values = np.ascontiguousarray(change(read(weight).copy()))
    return replace(model, graph=graph)


def rewired(model: Model, change: Callable[[gs.Graph], None]) -> Model:
    """The model with its graph changed in place."""
    graph = duplicate(model.graph)
    change(graph)
    return replace(model, graph=graph)


def with_model(cut: Cut, model: Model) -> Cut:
    """The cut with another model in its place, as where a file is verified."""
    return replace(cut, model=model)
