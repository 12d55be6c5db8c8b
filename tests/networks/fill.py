"""Small networks from text: weights that the text declares without values are drawn from their names.

>>> model = fill("g (float[1, 4] x) => (float[1, 2] y) <float[4, 2] w> { y = MatMul(x, w) }")
>>> [(tensor.name, list(tensor.dims)) for tensor in model.graph.initializer]
[('w', [4, 2])]
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray
from onnx import numpy_helper

HEADER = '<ir_version: 10, opset_import: ["" : 18]>\n'


def fill(text: str, seed: int = 0) -> onnx.ModelProto:
    """Parse `text` and give every tensor that is declared without a value one, the same in every run.

    So are those that bodies declare. A text without a header is of opset 18. Matrices and filters are normal
    with variance 1 / fan-in, vectors normal, what is called `var...` or `scale...` positive. Integers
    are within 60 of zero: on x64 processors without VNNI, ONNX Runtime adds two products of bytes in 16 bits,
    and what is larger saturates there.
    """
    text = text.strip()
    model = onnx.parser.parse_model(text if text.startswith("<") else HEADER + text)
    _fill(model.graph, seed)
    return model


def _fill(graph: onnx.GraphProto, seed: int) -> None:
    for info in graph.value_info:
        kind = info.type.tensor_type
        shape = tuple(dim.dim_value for dim in kind.shape.dim)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        values = draw(info.name, shape, np.dtype(dtype), seed)
        graph.initializer.append(numpy_helper.from_array(values, info.name))
    del graph.value_info[:]
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _fill(attribute.g, seed)


def draw(name: str, shape: tuple[int, ...], dtype: np.dtype[Any], seed: int = 0) -> NDArray[Any]:
    """Values for the weight called `name`, the same on every machine."""
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        return generator.integers(max(bounds.min, -60), min(bounds.max, 60), shape).astype(dtype)
    if name.startswith(("var", "scale")):
        return generator.uniform(0.5, 1.5, shape).astype(dtype)
    fan_in = 1.0 if len(shape) < 2 else float(np.prod(shape) / max(shape[0], 1)) ** 0.5
    return (generator.standard_normal(shape) / max(fan_in, 1.0)).astype(dtype)
