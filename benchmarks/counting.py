"""Parameters and multiply-accumulates of a model, counted apart from graphprune's own counts."""

from __future__ import annotations

import math

import onnx
from onnx import numpy_helper, shape_inference

FLOATS = frozenset(
    {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.BFLOAT16,
    }
)


def parameters(model: onnx.ModelProto) -> int:
    """Elements of all floating-point initializers and Constant nodes of the main graph."""
    constants = [a.t for node in model.graph.node if node.op_type == "Constant" for a in node.attribute]
    tensors = [*model.graph.initializer, *constants]
    return sum(math.prod(t.dims) for t in tensors if t.data_type in FLOATS)


def macs(model: onnx.ModelProto) -> int | None:
    """Multiply-accumulates of Conv, Gemm and MatMul; None where a shape that it takes is not static."""
    shapes = _shapes(model)
    total = 0
    for node in model.graph.node:
        if node.op_type not in {"Conv", "Gemm", "MatMul"}:
            continue
        out, left, right = (shapes.get(name) for name in (node.output[0], node.input[0], node.input[1]))
        if out is None or left is None or right is None:
            return None
        if node.op_type == "Conv":
            depth = math.prod(right[1:])
        elif node.op_type == "Gemm":
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            depth = left[0] if transposed else left[1]
        else:
            depth = left[-1]
        total += math.prod(out) * depth
    return total


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    inferred = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {t.name: tuple(t.dims) for t in inferred.initializer}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        dims = value.type.tensor_type.shape.dim
        if all(d.HasField("dim_value") for d in dims):
            shapes[value.name] = tuple(d.dim_value for d in dims)
    for node in inferred.node:
        if node.op_type == "Constant":
            shapes.update(
                (node.output[0], numpy_helper.to_array(a.t).shape)
                for a in node.attribute
                if a.name == "value"
            )
    return shapes
