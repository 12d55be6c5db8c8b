"""What each layer of an engine takes, and which of the model's tensors it makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from graphprune.backends import LayerTime
from graphprune.backends.trt_names import Names, made_by
from graphprune.engines import api
from graphprune.engines.libraries import TensorRT


def layer_times(
    trt: TensorRT,
    engine: api.ICudaEngine,
    context: api.IExecutionContext,
    run: Callable[[], None],
    runs: int,
    names: Names,
) -> tuple[LayerTime, ...]:
    """Return the median seconds of each layer over `runs` calls of `run`, in the order in which they run."""
    taken: dict[str, list[float]] = {}

    def report(_: api.IProfiler, name: str, milliseconds: float) -> None:
        taken.setdefault(name, []).append(milliseconds / 1e3)

    profiler = cast("api.IProfiler", type("Profiler", (trt.IProfiler,), {"report_layer_time": report})())
    run()  # what is only done once is no layer's time
    context.profiler = profiler
    for _ in range(runs):
        run()
    inspector = engine.create_engine_inspector()
    inspector.execution_context = context
    layers = described(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
    return tuple(_layer(name, seconds, runs, layers.get(name, {}), names) for name, seconds in taken.items())


def described(text: str) -> dict[str, Mapping[str, Any]]:
    """Return what an engine's inspector tells of each layer, by name; a layer may be no more than its name.

    >>> described('{"Layers": ["a", {"Name": "b", "LayerType": "gemm"}], "Bindings": ["x"]}')
    {'a': {}, 'b': {'Name': 'b', 'LayerType': 'gemm'}}
    """
    try:
        layers = cast("list[str | dict[str, Any]]", json.loads(text).get("Layers", []))
    except (ValueError, AttributeError):
        return {}
    return {
        str(each.get("Name", "")) if isinstance(each, dict) else each: each if isinstance(each, dict) else {}
        for each in layers
    }


def kernels(trt: TensorRT, engine: api.ICudaEngine, context: api.IExecutionContext) -> dict[str, str]:
    """Return the kernel of each layer by the layer's name, as far as the inspector tells."""
    inspector = engine.create_engine_inspector()
    inspector.execution_context = context
    layers = described(inspector.get_engine_information(trt.LayerInformationFormat.JSON))
    return {name: str(layer["TacticName"]) for name, layer in layers.items() if "TacticName" in layer}


def _layer(name: str, seconds: list[float], runs: int, layer: Mapping[str, Any], names: Names) -> LayerTime:
    """A layer that is told of several times in a run takes the sum of them."""
    each = max(1, len(seconds) // runs)
    sums = np.array(seconds[: each * (len(seconds) // each)]).reshape(-1, each).sum(axis=1)
    kind = str(layer.get("LayerType", ""))
    return LayerTime(name, kind, made_by(layer, names), float(np.median(sums)))
