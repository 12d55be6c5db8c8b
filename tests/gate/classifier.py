"""A classifier that is right by construction, and copies of it that are broken in one place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

CLASSES = 10
TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[batch, 10] x) => (float[batch, 10] y) {
  h = Gemm(x, w, b) r = Relu(h) y = MatMul(r, v)
}"""


def write_classifier(path: Path, *, dead: int | None = None) -> Path:
    """Write a model that answers with the largest of 10 inputs; class `dead` it never answers with."""
    w = np.repeat(np.eye(CLASSES, dtype=np.float32), 2, axis=1)
    w[:, 1::2] *= 0.01  # half of the units matter little: pruning takes them
    v = w.T.copy()
    if dead is not None:
        v[:, dead] = -1
    model = parser.parse_model(TEXT)
    tensors = {"w": w, "b": np.full(2 * CLASSES, 0.01, np.float32), "v": v}
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in tensors.items())
    onnx.save(model, path)
    return path


def write_samples(path: Path, *, rare: int = 7, count: int = 3000) -> Path:
    """Write inputs whose largest value stands at their label; class `rare` has 1 % of the samples."""
    draw = np.random.default_rng(0)
    others = [label for label in range(CLASSES) if label != rare]
    labels = np.where(draw.random(count) < 0.01, rare, draw.choice(others, count))
    x = draw.uniform(0, 0.5, (count, CLASSES)).astype(np.float32)
    x[np.arange(count), labels] = 1
    np.savez(path, x=x, labels=labels)
    return path


def rename_weights(path: Path, to: Path) -> None:
    """Copy a model with other names for its weights."""
    model = onnx.load(path)
    names = {tensor.name: f"renamed_{number}" for number, tensor in enumerate(model.graph.initializer)}
    for tensor in model.graph.initializer:
        tensor.name = names[tensor.name]
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    onnx.save(model, to)


def change_weight(path: Path, to: Path, *, name: str = "", by: float = 2.0) -> str:
    """Copy a model with one number of one weight multiplied; returns the weight's name."""
    model = onnx.load(path)
    tensors = [tensor for tensor in model.graph.initializer if len(tensor.dims) == 2]
    tensor = next((one for one in tensors if one.name == name), tensors[0])
    values = numpy_helper.to_array(tensor).copy()
    place = np.unravel_index(int(np.abs(values).argmax()), values.shape)
    values[place] *= np.float32(by)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, to)
    return str(tensor.name)
