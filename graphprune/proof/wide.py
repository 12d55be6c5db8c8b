"""Parts of a model in float32 where the model is in 16 bits, with its weights as they are.

In 16 bits last digits are a thousandth, and what is rounded depends on how a runtime joins operators. In
float32 the same weights compute the same to some 1e-6. A weight is cast where it is read, so that the file's
own bytes can be mapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune import elements
from graphprune.duplicate import fresh_name
from graphprune.ir import constants, is_default_domain, read, shape_of, subgraphs
from graphprune.rewire import set_input

_FLOAT = int(TensorProto.FLOAT)
LOW = (int(TensorProto.FLOAT16), int(TensorProto.BFLOAT16))
"""Element types that are computed with in float32."""
_LOW_TYPES = frozenset(elements.DTYPES[element] for element in LOW)
_SMALL = 1 << 16
"""Elements up to which a constant is simply another constant."""


def is_low(dtype: Any) -> bool:
    """Whether an element type is one of 16 bits, by numpy's name or ONNX's number."""
    if isinstance(dtype, int):
        return dtype in LOW
    return dtype is not None and np.dtype(dtype) in _LOW_TYPES


def can_widen(graph: gs.Graph) -> bool:
    """Whether something of `graph` is in 16 bits, and no body of control flow is in the way."""
    if any(True for node in graph.nodes for _ in subgraphs(node)):
        return False
    if any(is_low(tensor.dtype) for tensor in (*graph.inputs, *constants(graph))):
        return True
    return any(node.attrs.get("to") in LOW for node in graph.nodes if node.op == "Cast")


def widen(nodes: Sequence[gs.Node], names: set[str]) -> list[gs.Node]:
    """Return `nodes`, which are changed, with what is in 16 bits in float32; `names` are taken, and grow."""
    found: list[gs.Node] = []
    for node in nodes:
        for name in ("to", "dtype", "output_dtype", "stash_type"):
            if is_default_domain(node) and node.attrs.get(name) in LOW:
                node.attrs[name] = _FLOAT
        value = node.attrs.get("value")
        if isinstance(value, gs.Constant) and is_low(value.dtype):
            node.attrs["value"] = gs.Constant(value.name, read(value).astype(np.float32))
        for slot, tensor in enumerate(list(node.inputs)):
            if isinstance(tensor, gs.Constant) and is_low(tensor.dtype):
                cast, wide = _wide(tensor, names)
                found += cast
                set_input(node, slot, wide)
        found.append(node)
    return found


def _wide(tensor: gs.Constant, names: set[str]) -> tuple[list[gs.Node], gs.Tensor]:
    name = fresh_name(f"{tensor.name}_wide", names)
    if elements.count(shape_of(tensor)) <= _SMALL:
        return [], gs.Constant(name, read(tensor).astype(np.float32))
    wide = gs.Variable(name, np.dtype(np.float32))
    return [gs.Node("Cast", name, {"to": _FLOAT}, [tensor], [wide])], wide


def widened(arrays: Iterable[tuple[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return inputs in float32 where they are in 16 bits."""
    return {name: array.astype(np.float32) if is_low(array.dtype) else array for name, array in arrays}
