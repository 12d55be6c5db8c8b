"""A case: one operator with its operands, and the axes that its rule must let a cut remove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Case:
    """An operator as a rule sees it: a model, and a value for each of its operands.

    Attributes:
        operator: domain and name, as `domain.name`, without the dot for ONNX's own domain.
        name: what is special about the case.
        model: the model; its graph inputs are the operands.
        operands: the operands' values by name.
        cuts: the sizes of the groups that are prunable, in any order; None where nobody says.
    """

    operator: str
    name: str
    model: onnx.ModelProto
    operands: Mapping[str, Array]
    cuts: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.operator}: {self.name}"


def case(
    name: str,
    text: str,
    *,
    cuts: tuple[int, ...],
    of: str = "",
    opset: int = 21,
    outputs: str = "float y",
    **operands: Array | tuple[int, ...],
) -> Case:
    """Return a case from nodes as `onnx.parser` reads them.

    Args:
        name: what is special about the case.
        text: the nodes.
        cuts: the sizes of the groups that must be found prunable.
        of: the operator that the case is about, where there is more than one node.
        opset: version of ONNX's own operator set.
        outputs: the graph outputs with their element types, as `onnx.parser` reads them.
        operands: the operands by name: values, or sizes to draw float32 values for.
    """
    values = {
        key: draw(value, seed=crc32(f"{name} {text} {key}".encode())) if isinstance(value, tuple) else value
        for key, value in operands.items()
    }
    inputs = ", ".join(f"{_element(array)}[{_sizes(array)}] {key}" for key, array in values.items())
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["": {opset}, "com.microsoft": 1, "ai.onnx.ml": 3]> '
        f"one ({inputs}) => ({outputs}) {{ {text} }}"
    )
    node = model.graph.node[0]
    operator = of or ".".join(filter(None, (node.domain, node.op_type)))
    return Case(operator, name, model, values, tuple(sorted(cuts)))


def _element(array: Array) -> str:
    name: str = onnx.TensorProto.DataType.Name(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
    return name.lower()


def _sizes(array: Array) -> str:
    return ", ".join(map(str, array.shape))


def draw(shape: tuple[int, ...], low: float = -2.0, high: float = 2.0, seed: int = 0) -> Array:
    """Return float32 values of `shape`, evenly between `low` and `high`."""
    return np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)


def whole(shape: tuple[int, ...], low: int, high: int, dtype: DTypeLike = np.int64, seed: int = 0) -> Array:
    """Return integers of `shape` from `low` to below `high`."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def codes(*shape: int) -> Array:
    """Return unsigned bytes of `shape`, as of a quantised tensor."""
    return whole(shape, 0, 200, np.uint8, seed=sum(shape))


def ints(*items: int) -> Array:
    """Return a vector of int64."""
    return np.array(items, np.int64)


def scalar(value: float, dtype: DTypeLike = np.float32) -> Array:
    """Return a tensor of rank 0."""
    return np.array(value, dtype)
