"""Facts written by hand, so that the planner is tested on what is said and not on what is found."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from graphprune.model import Model, from_proto
from graphprune.symbols.expression import Expr, number, parse
from graphprune.symbols.facts import Facts, Shape
from graphprune.symbols.system import Bound


def model_of(text: str) -> Model:
    """A model as text; tensors in `<...>` that no node makes are weights with random values."""
    proto = onnx.parser.parse_model(text)
    made = {name for node in proto.graph.node for name in node.output}
    generator = np.random.default_rng(0)
    for info in [info for info in proto.graph.value_info if info.name not in made]:
        kind = info.type.tensor_type
        sizes = [dim.dim_value for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        values = (generator.standard_normal(sizes) / max(1.0, np.sqrt(sizes[-1] if sizes else 1))).astype(
            dtype
        )
        proto.graph.initializer.append(onnx.numpy_helper.from_array(values, info.name))
        proto.graph.value_info.remove(info)
    return from_proto(proto)


def graph_of(text: str) -> gs.Graph:
    """The graph of `model_of`."""
    return model_of(text).graph


def expressions(text: str) -> Shape:
    """`"b, 2*s, 8"` as a shape."""
    return tuple(_expression(each) for each in re.split(r",(?![^(]*\))", text) if each.strip())


def _expression(text: str) -> Expr:
    text = text.strip()
    return number(int(text)) if text.lstrip("-").isdigit() else parse(text)


def known(
    graph: gs.Graph,
    shapes: Mapping[str, str],
    *,
    pending: tuple[str, ...] = (),
    atmost: tuple[tuple[str, str, str], ...] = (),
    oneof: tuple[str, ...] = (),
    lengths: Mapping[str, str] | None = None,
) -> Facts:
    """Facts of `graph`: shapes as text; (low, high, tensor) for bounds; alternatives as `"b - 1, p"`."""
    found = {name: expressions(text) for name, text in shapes.items()}
    names = {tensor.name for tensor in graph.inputs}
    values = {name: expressions(text) for name, text in (lengths or {}).items()}
    symbols = {
        name for shape in (*found.values(), *values.values()) for size in shape for name in size.symbols
    }
    types = {
        tensor.name: onnx.helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))
        for tensor in graph.tensors().values()
        if tensor.dtype is not None
    }
    return Facts(
        shapes=found,
        values={},
        types=types,
        tops={},
        free=tuple(sorted(symbols)),
        solved={},
        pending=tuple(map(_expression, pending)),
        atmost=tuple(
            Bound(_expression(low), _expression(high), "n", tensor, 0) for low, high, tensor in atmost
        ),
        oneof=tuple(expressions(text) for text in oneof),
        data=frozenset(),
        inputs={name: shape for name, shape in found.items() if name in names},
        value_symbols=values,
        conflicts=(),
        fixed={},
        entries={},
        names={},
    )
