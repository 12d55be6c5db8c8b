"""Linear operators of every kind, and whether what ONNX Runtime computes fits their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray

from graphprune.fitting.linear import Linear, inputs, linears, matrix, results, row_count
from graphprune.model import Model, from_proto
from graphprune.runtime import run, session
from tests.networks.fill import fill

Array = NDArray[Any]

# id -> (sizes of x, declared weights, the network from x to y)
OPERATORS: dict[str, tuple[str, str, str]] = {}


def convolutions(op: str, table: dict[str, tuple[str, str, str]]) -> None:
    """Add one operator with and without a bias for each line: sizes of x, sizes of w, attributes."""
    for name, (x, w, attributes) in table.items():
        group = next((int(part[-1]) for part in attributes.split(", ") if part.startswith("group")), 1)
        sizes = [int(size) for size in w.split(",")]
        outputs = sizes[0] if op == "Conv" else sizes[1] * group
        line = f"y = {op} <{attributes}> (x, w" if attributes else f"y = {op} (x, w"
        OPERATORS[f"{op}-{name}"] = (x, f"float[{w}] w", f"{line})")
        OPERATORS[f"{op}-{name}-bias"] = (x, f"float[{w}] w, float[{outputs}] b", f"{line}, b)")


convolutions(
    "Conv",
    {
        "1d": ("2,3,9", "4,3,3", ""),
        "1d-all": ("2,4,11", "6,2,3", "strides = [2], dilations = [2], pads = [1, 3], group = 2"),
        "2d": ("2,3,7,8", "5,3,3,2", ""),
        "2d-asymmetric": ("2,3,7,8", "5,3,3,3", "pads = [0, 2, 1, 3], strides = [2, 3]"),
        "2d-dilated": ("2,3,9,8", "5,3,3,2", "dilations = [3, 2], pads = [2, 1, 2, 1]"),
        "2d-pointwise": ("2,3,7,8", "5,3,1,1", "strides = [2, 2]"),
        "2d-groups": ("2,6,5,6", "8,3,3,3", "group = 2, pads = [1, 1, 1, 1]"),
        "2d-depthwise": ("2,4,5,6", "4,1,3,3", "group = 4, pads = [1, 1, 1, 1]"),
        "2d-depthwise-multiplied": ("2,4,5,6", "8,1,3,3", "group = 4"),
        "3d": ("2,2,5,6,4", "3,2,2,3,2", "strides = [2, 1, 1], pads = [1, 0, 0, 0, 2, 1]"),
        "same-upper": ("2,3,7,8", "5,3,2,4", 'auto_pad = "SAME_UPPER", strides = [2, 1]'),
        "same-lower": ("2,3,7,8", "5,3,2,4", 'auto_pad = "SAME_LOWER", strides = [2, 1]'),
        "same-lower-strided": ("2,3,7,9", "5,3,2,2", 'auto_pad = "SAME_LOWER", strides = [3, 4]'),
        "valid": ("2,3,7,8", "5,3,3,2", 'auto_pad = "VALID", strides = [1, 2]'),
    },
)
convolutions(
    "ConvTranspose",
    {
        "1d": ("2,3,5", "3,4,3", ""),
        "1d-all": ("2,4,5", "4,3,3", "strides = [3], dilations = [2], pads = [1, 2], group = 2"),
        "2d": ("2,3,4,5", "3,4,2,3", "strides = [2, 2]"),
        "2d-strided-beyond": ("2,3,4,5", "3,4,2,2", "strides = [3, 4]"),
        "2d-asymmetric": ("2,3,4,5", "3,4,3,3", "strides = [2, 1], pads = [0, 2, 1, 1]"),
        "2d-dilated": ("2,3,4,5", "3,4,3,2", "dilations = [2, 3], strides = [2, 2], pads = [1, 0, 0, 1]"),
        "2d-groups": ("2,6,4,5", "6,2,3,3", "group = 3, strides = [2, 2]"),
        "2d-depthwise": ("2,4,4,5", "4,1,3,3", "group = 4, strides = [2, 2]"),
        "output-padding": (
            "2,3,4,5",
            "3,4,3,3",
            "strides = [2, 3], output_padding = [1, 2], pads = [1, 1, 1, 1]",
        ),
        "output-shape": ("2,3,4,5", "3,4,4,4", "strides = [2, 2], output_shape = [7, 9]"),
        "output-shape-same-upper": (
            "2,3,4,5",
            "3,4,4,4",
            'auto_pad = "SAME_UPPER", strides = [2, 2], output_shape = [7, 9]',
        ),
        "output-shape-same-lower": (
            "2,3,4,5",
            "3,4,4,4",
            'auto_pad = "SAME_LOWER", strides = [2, 2], output_shape = [7, 9]',
        ),
        "same-upper": ("2,3,4,5", "3,4,3,3", 'auto_pad = "SAME_UPPER", strides = [2, 2]'),
        "same-lower": ("2,3,4,5", "3,4,3,3", 'auto_pad = "SAME_LOWER", strides = [2, 2]'),
        "valid": ("2,3,4,5", "3,4,3,3", 'auto_pad = "VALID", strides = [2, 2]'),
        "3d": ("2,2,3,2,3", "2,3,2,2,3", "strides = [2, 1, 2]"),
    },
)
OPERATORS |= {
    "Gemm": ("7,4", "float[4,5] w", "y = Gemm (x, w)"),
    "Gemm-bias": ("7,4", "float[4,5] w, float[5] b", "y = Gemm (x, w, b)"),
    "Gemm-bias-of-two-dimensions": ("7,4", "float[4,5] w, float[1,5] b", "y = Gemm (x, w, b)"),
    "Gemm-bias-of-one-output": ("7,4", "float[4,1] w, float[1] b", "y = Gemm (x, w, b)"),
    "Gemm-transposed": ("4,7", "float[5,4] w, float[5] b", "y = Gemm <transA = 1, transB = 1> (x, w, b)"),
    "Gemm-scaled": (
        "7,4",
        "float[5,4] w, float[5] b",
        "y = Gemm <transB = 1, alpha = 0.5, beta = 3.0> (x, w, b)",
    ),
    "Gemm-scaled-no-bias": ("7,4", "float[4,5] w", "y = Gemm <alpha = 2.0, beta = 0.0> (x, w)"),
    "MatMul": ("7,4", "float[4,5] w", "y = MatMul (x, w)"),
    "MatMul-vector": ("4", "float[4,5] w", "y = MatMul (x, w)"),
    "MatMul-batch": ("2,3,7,4", "float[4,5] w", "y = MatMul (x, w)"),
    "MatMul-batch-Add": ("2,7,4", "float[4,5] w, float[5] b", "m = MatMul (x, w) y = Add (b, m)"),
    "MatMul-Add-of-more-dimensions": (
        "7,4",
        "float[4,5] w, float[1,1,5] b",
        "m = MatMul (x, w) y = Add (m, b)",
    ),
    "MatMul-left": ("4,7", "float[5,4] w", "y = MatMul (w, x)"),
    "MatMul-left-batch-Add": ("2,3,4,7", "float[5,4] w, float[5,1] b", "m = MatMul (w, x) y = Add (m, b)"),
}
EVERY = pytest.mark.parametrize("name", OPERATORS)
# Additions that are no bias of the product, and what the product is then.
APART: dict[str, tuple[str, str, str]] = {
    "a-scalar": ("7,4", "float[4,5] w, float b", "m = MatMul (x, w) y = Add (m, b)"),
    "one-number-for-all": ("7,4", "float[4,5] w, float[1] b", "m = MatMul (x, w) y = Add (m, b)"),
    "one-number-a-row": ("5,4", "float[4,5] w, float[5,1] b", "m = MatMul (x, w) y = Add (m, b)"),
    "one-number-a-column-from-the-left": (
        "4,5",
        "float[5,4] w, float[5] b",
        "m = MatMul (w, x) y = Add (m, b)",
    ),
    "many": ("7,4", "float[4,5] w, float[7,5] b", "m = MatMul (x, w) y = Add (m, b)"),
    "of-itself": ("7,4", "float[4,5] w", "m = MatMul (x, w) y = Add (m, m)"),
    "read-elsewhere": (
        "7,4",
        "float[4,5] w, float[5] b",
        "m = MatMul (x, w) s = Add (m, b) y = Mul (s, m)",
    ),
}


def model_of(case: tuple[str, str, str], more: str = "") -> Model:
    sizes, weights, nodes = case
    return from_proto(fill(f"g (float[{sizes}] x) => (float y{more}) <{weights}> {{ {nodes} }}"))


def values(model: Model, *names: str, dtype: Any = np.float32) -> list[Array]:
    """The tensors `names` of a model on a fixed input; x comes first."""
    graph = model.graph.copy()
    graph.outputs = [gs.Variable(name) for name in names]
    x = np.random.default_rng(1).standard_normal(graph.inputs[0].shape).astype(dtype)
    with session(Model(graph, model.source)) as opened:
        return [x, *run(opened, {"x": x})]


def only(model: Model) -> Linear:
    ((_, it),) = linears(model.graph)
    return it


def spatial(it: Linear, y: Array) -> tuple[int, ...]:
    return y.shape[2:] if it.node.op in ("Conv", "ConvTranspose") else ()


def fit(model: Model, it: Linear, rtol: float = 1e-5) -> None:
    """The equations hold at random rows of what ONNX Runtime computes."""
    assert it.source == "x"
    x, y = values(model, it.target)
    rows = row_count(it, y)
    assert rows == y.size // (it.blocks * it.outputs)
    picks = np.sort(np.random.default_rng(2).choice(rows, max(1, 2 * rows // 3), replace=False))
    left, right = inputs(it, x, spatial(it, y), picks), results(it, y, picks)
    assert left.shape == (it.blocks, picks.size, it.columns)
    assert right.shape == (it.blocks, picks.size, it.outputs)
    w, b = matrix(it)
    np.testing.assert_allclose(left @ w + b[:, None], right, rtol=rtol, atol=rtol)
    assert right.std() > 0.1, "the equations are about something"


BODY = """
g (float[7, 4] x, bool choice) => (float[7, 5] y, float[7, 5] z) <float[4, 5] w, float[5] b>
{{
  m = MatMul (x, w)
  {main}
  z = If (choice) <
    then_branch = yes () => (float[7, 5] p) {{ p = {inner} }},
    else_branch = no () => (float[7, 5] q) {{ q = Neg (x5) }}
  >
}}"""
