"""Whether the engine that was timed computes what its model says: a fast engine may be a wrong one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.checks import difference, limit_of
from graphprune.feeds import Feeds
from graphprune.ir import constants
from graphprune.model import Model
from graphprune.runtime import run, session

Outputs = Mapping[str, NDArray[Any]]
_QUANTISED = 1e-1
"""Integer kernels round where the reference computes with floats, one step in 127 at a time."""
_TF32 = "float16"
"""GPUs multiply floats with the mantissa of a float16 (TensorFloat-32) unless they are told not to."""


def reference(model: Model, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """Run `model` in ONNX Runtime on the CPU with optimisations off and return its tensors by output.

    Raises:
        Refused: ONNX Runtime does not run it.
        Environment: memory ran out.
    """
    with session(model) as opened:
        names = [output.name for output in opened.get_outputs()]
        values = run(opened, feeds)
    # An output that is a sequence gives several arrays, which then have no names of their own.
    return dict(zip(names, values, strict=True)) if len(names) == len(values) else {}


def deviation(expected: Outputs, found: Outputs) -> float | None:
    """Return the largest relative L2 distance of an output from what is expected.

    Infinite where shapes differ or finite numbers became others; not a number where the outputs hold such,
    as the reference's do; None where no output could be compared.
    """
    largest: float | None = None
    empty = False
    for name in expected.keys() & found.keys():
        a, b = _numbers(expected[name]), _numbers(found[name])
        if a is None or b is None:
            continue
        error = difference(a, b)[0] if a.shape == b.shape else float("inf")
        empty = empty or bool(np.isnan(b).any())
        largest = error if largest is None else max(largest, error)
    return float("nan") if empty and largest is not None and np.isfinite(largest) else largest


def limit(model: Model, backend: str) -> float:
    """Return the largest deviation that the element types of `model` explain on a backend.

    The coarsest type decides (see `graphprune.checks.TOLERANCES`): a model of halves may well give floats.
    """
    if any(_is_quantised(node) for node in model.graph.nodes):
        return _QUANTISED
    types = {limit_of(dtype, None) for dtype in _float_types(model.graph)}
    if backend != "ort:cpu":
        types.add(limit_of(np.dtype(_TF32), None))
    return max(types, default=limit_of(np.dtype(np.float32), None))


def _numbers(array: NDArray[Any]) -> NDArray[np.float64] | None:
    """`array` as floats; None for texts."""
    return None if array.dtype.kind in "OSU" else array.astype(np.float64)


def _is_quantised(node: gs.Node) -> bool:
    return any(word in node.op for word in ("Quantize", "QLinear", "Integer", "QGemm", "QAttention", "NBits"))


def _float_types(graph: gs.Graph) -> Iterator[np.dtype[Any]]:
    tensors: Sequence[gs.Tensor] = [*graph.inputs, *graph.outputs, *constants(graph)]
    for tensor in tensors:
        kind = tensor.dtype
        if kind is None:
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind) if isinstance(kind, int) else np.dtype(kind)
        if dtype.kind in "fV":
            yield dtype
