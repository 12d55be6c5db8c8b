"""Is a model valid, does it run, and how far are its outputs from another's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

Arrays = list[NDArray[Any]]


def read(path: Path) -> onnx.ModelProto:
    """The model in a file of one piece."""
    model: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    return model


def first_line(error: Exception) -> str:
    """The first line of what an error says, at most 300 characters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def valid(model: onnx.ModelProto) -> str:
    """ "yes", or what onnx.checker says against it, shapes included."""
    try:
        onnx.checker.check_model(model, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        return f"no: {first_line(error)}"
    return "yes"


def feeds(model: onnx.ModelProto, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Standard normal arrays for the model's float inputs; dims without a value are 1."""
    rng = np.random.default_rng(seed)
    shapes = {i.name: [d.dim_value or 1 for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def outputs(model: onnx.ModelProto | Path, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    """What ONNX Runtime computes with its graph optimisations off; raises what it raises."""
    settings = ort.SessionOptions()
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 4
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = ort.InferenceSession(source, settings, providers=["CPUExecutionProvider"])
    return [np.asarray(value) for value in session.run(None, dict(inputs))]


def runs(model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]) -> str:
    """ "yes" where ONNX Runtime runs the model and every output is finite, otherwise why not."""
    try:
        found = outputs(model, inputs)
    except Exception as error:  # noqa: BLE001  ONNX Runtime's errors share no base class but this
        return f"no: {first_line(error)}"
    return "yes" if all(np.isfinite(value).all() for value in found) else "no: output is not finite"


def distance(found: Arrays, expected: Arrays) -> float:
    """The largest relative L2 distance of any output; infinite where the shapes differ."""
    if [a.shape for a in found] != [b.shape for b in expected]:
        return float("inf")
    pairs = [(a.astype(np.float64), b.astype(np.float64)) for a, b in zip(found, expected, strict=True)]
    return max(float(np.linalg.norm(a - b) / max(float(np.linalg.norm(b)), 1e-30)) for a, b in pairs)
