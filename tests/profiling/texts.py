"""Small models in files, from onnx's text form, with drawn weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

MLP = """
mlp (float[batch, 8] x) => (float[batch, 3] y) {
  h = Gemm (x, w, b)
  r = Relu (h)
  y = MatMul (r, v)
}"""
MLP_WEIGHTS = {"w": (8, 16), "b": (16,), "v": (16, 3)}
CNN = """
cnn (float[n, 3, 16, 16] x) => (float[n, 4] y) <int64[2] flat = {0, -1}> {
  a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, k)
  b = Relu (a)
  d = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], group = 16> (b, g)
  p = GlobalAveragePool (d)
  f = Reshape (p, flat)
  y = Gemm <transB = 1> (f, h)
}"""
CNN_WEIGHTS = {"k": (16, 3, 3, 3), "g": (16, 1, 3, 3), "h": (4, 16)}


def proto(
    text: str, weights: dict[str, tuple[int, ...]] | None = None, dtype: str = "float32", opset: int = 18
) -> onnx.ModelProto:
    """The model that `text` describes; weights are drawn, the same for the same shapes."""
    made = parser.parse_model(f'<ir_version: 9, opset_import: ["": {opset}, "com.microsoft": 1]>{text}')
    draw = np.random.default_rng(0)
    for name, shape in (weights or {}).items():
        values = draw.normal(size=shape).astype(dtype)
        made.graph.initializer.append(numpy_helper.from_array(values, name))
    return made


def write(path: Path, text: str, weights: dict[str, tuple[int, ...]] | None = None) -> Path:
    """The same in a file."""
    onnx.save(proto(text, weights), path)
    return path
