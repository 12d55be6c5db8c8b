"""New weights for a linear operator, written into its graph."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.duplicate import fresh_name, names_of
from graphprune.errors import Refused
from graphprune.fitting.linear import Linear, constant, fixed_names, laid_out, linear
from graphprune.ir import shape_of


def put(
    graph: gs.Graph, it: Linear, w: NDArray[np.float64], b: NDArray[np.float64], names: set[str] | None = None
) -> Linear:
    """Let the operator `it` of `graph` compute X w + b, and return it as it is then.

    The weight and the bias become new constants of the old type; arrays and constants that others use stay as
    they are. Where there is no bias yet, one is added unless `b` is zero: an operand of Conv, ConvTranspose
    and Gemm, an `Add` behind MatMul. The tensor `it.target` keeps its name and its readers.

    Args:
        graph: the graph, its nodes in topological order; changed in place.
        it: one of its operators, from `linears(graph)`.
        w: the weight, [blocks, columns, outputs].
        b: the bias, [blocks, outputs].
        names: all names of `graph`, to which new ones are added; gathered where they are not given.

    Raises:
        Refused: a value has no place in the type of the weight. The graph is as it was.
    """
    node = it.node
    weight = it.weight
    matrix = _constant(weight.name, laid_out(it, w), weight)
    names = names if names is not None else names_of(graph)
    flat = b.reshape(-1)
    if it.bias is not None:
        holder, operand = it.bias
        old = constant(holder, operand)
        if holder.op == "Gemm":
            flat = flat / float(holder.attrs.get("beta", 1.0))
        name = old.name if _is_own(old, graph) else fresh_name(f"{it.target}.bias", names)
        holder.inputs[operand] = _constant(name, flat.reshape(shape_of(old)), old)
        node.inputs[it.slot] = matrix
        return it
    shape = (-1, 1) if node.op == "MatMul" and it.slot == 0 else (-1,)
    bias = _constant(f"{it.target}.bias", flat.reshape(shape), weight)
    node.inputs[it.slot] = matrix
    if not flat.any():
        return it
    bias.name = fresh_name(bias.name, names)
    if node.op == "MatMul":
        _add(graph, node, bias, names)
    else:
        if node.op == "Gemm":
            node.attrs["beta"] = 1.0
        for _ in node.inputs[2:]:  # an operand that is left out has an empty name
            node.inputs.pop()
        node.inputs.append(bias)
    found = linear(node)
    assert isinstance(found, Linear)
    return found


def _constant(name: str, values: NDArray[np.float64], like: gs.Constant) -> gs.Constant:
    with np.errstate(over="ignore"):  # float16 ends at 65504
        cast = np.ascontiguousarray(values).astype(like.dtype)
    if not np.isfinite(cast).all():
        what = f"new values of '{like.name}' are not finite as {np.dtype(like.dtype).name}"
        raise Refused(what, "leave its operator as it is")
    return gs.Constant(name, cast)


def _is_own(tensor: gs.Constant, graph: gs.Graph) -> bool:
    """Whether nobody but one operand of one node reads `tensor`."""
    return len(tensor.outputs) == 1 and tensor.name not in fixed_names(graph)


def _add(graph: gs.Graph, node: gs.Node, bias: gs.Constant, names: set[str]) -> None:
    """Put an `Add` behind `node` that takes over its output."""
    seen = node.outputs[0]
    product = gs.Variable(fresh_name(f"{seen.name}.product", names), seen.dtype, seen.shape)
    node.outputs[0] = product
    name = fresh_name(f"{node.name}.add", names) if node.name else ""
    added = gs.Node("Add", name, inputs=[product, bias], outputs=[seen])
    graph.nodes.insert(next(i for i, one in enumerate(graph.nodes) if one is node) + 1, added)
