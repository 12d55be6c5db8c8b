"""A small model in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

TEXT = """<ir_version: 8, opset_import: ["" : 17]>
g (float[batch, 8] x) => (float[batch, 3] y) {
  [first] h = Gemm(x, w, b) r = Relu(h) [last] y = MatMul(r, v)
}"""


def write_model(path: Path, ends: str = "y") -> Path:
    draw = np.random.default_rng(0)
    model = parser.parse_model(TEXT)
    for name, shape in {"w": (8, 16), "b": (16,), "v": (16, 3)}.items():
        model.graph.initializer.append(
            numpy_helper.from_array(draw.normal(size=shape).astype(np.float32), name)
        )
    model.graph.node[-1].output[0] = model.graph.output[0].name = ends
    onnx.save(model, path)
    return path
