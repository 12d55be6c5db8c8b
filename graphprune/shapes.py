"""Concrete sizes for every tensor: the concretised twin on which axes are solved.

Every symbolic dimension gets a prime of its own, so that chains of Shape, Gather, Concat and Reshape fold to
numbers and sizes that are equal by chance stay apart. onnx's shape inference runs once over a copy without
weights; what it leaves open is filled in node by node with the values known by then. Dimensions that depend
on data (NonZero, TopK with a computed k ...) get a prime as well and are `open`: never pruned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto, shape_inference

from graphprune import evaluate, rules
from graphprune.body_shapes import walk_bodies
from graphprune.ir import (
    constants,
    dimensions,
    element_type,
    is_default_domain,
    names_are_apart,
    node_proto,
    read,
    read_by_bodies,
    shape_of,
    subgraphs,
)
from graphprune.neighbours import Partial, untold

Sizes = tuple[int, ...]
_BATCH_PRIMES = (61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157)
_OPEN_PRIMES = 10007
_SAME_SHAPE = {"FusedConv": ("Conv", 3), "FusedGemm": ("Gemm", 3)}
"""Operators without a schema, with the one whose inference fits and how many operands it takes."""
Derive = Callable[[gs.Node, "Shapes", int], Sequence[Sizes | None]]


@dataclass
class Shapes:
    """Sizes, small values and origins of the tensors of one graph, by tensor name.

    Attributes:
        sizes: concrete sizes; a tensor of unknown rank is missing.
        types: onnx element types.
        values: the small tensors that are known, with symbols replaced by their primes.
        open: dimensions whose size depends on data.
        fixed: tensors computed from constants alone.
        symbols: the prime of each symbolic dimension.
        named_apart: whether no name in a body stands for anything else; what is in bodies is known only then.
    """

    sizes: dict[str, Sizes] = field(default_factory=dict[str, Sizes])
    types: dict[str, int] = field(default_factory=dict[str, int])
    values: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    open: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    fixed: set[str] = field(default_factory=set[str])
    symbols: dict[str, int] = field(default_factory=dict[str, int])
    named_apart: bool = True

    def note(self, tensor: gs.Constant) -> None:
        """Say of a constant what is known: its sizes, its type, and its values where they are few."""
        self.sizes[tensor.name] = shape_of(tensor)
        self.types[tensor.name] = element_type(tensor)
        self.fixed.add(tensor.name)
        if prod(shape_of(tensor)) <= evaluate.LIMIT and evaluate.is_small_type(tensor):
            self.values[tensor.name] = read(tensor)

    def leave_open(self, name: str, position: int) -> int:
        """Note that a dimension depends on data, and return a size that stands for it."""
        self.open.setdefault(name, set()).add(position)
        return _OPEN_PRIMES + 2 * (sum(map(len, self.open.values())) - 1)


def infer(graph: gs.Graph, inputs: Mapping[str, Sizes] | None = None, derive: Derive | None = None) -> Shapes:
    """Return the concrete sizes of every tensor of `graph`.

    Args:
        graph: the graph; nothing in it is changed.
        inputs: sizes to use for graph inputs; symbolic dimensions of the others get primes.
        derive: tells the sizes of the outputs of an operator that onnx has no schema for.
    """
    best: Shapes | None = None
    for scale in (1, 32):
        shapes = _infer(graph, inputs or {}, scale, derive)
        missing = _missing(graph, shapes)
        if best is None or missing < _missing(graph, best):
            best = shapes
        if not missing or not shapes.symbols:
            break
    assert best is not None
    return best


def _missing(graph: gs.Graph, shapes: Shapes) -> int:
    return sum(
        bool(tensor.name) and (tensor.name not in shapes.sizes or tensor.name in shapes.open)
        for node in graph.nodes
        for tensor in node.outputs
    )


def _infer(graph: gs.Graph, inputs: Mapping[str, Sizes], scale: int, derive: Derive | None) -> Shapes:
    shapes = Shapes(named_apart=names_are_apart(graph))
    primes = iter(_BATCH_PRIMES)
    for tensor in graph.inputs:
        if tensor.name in inputs:
            shapes.sizes[tensor.name] = inputs[tensor.name]
            continue
        sizes: list[int] = []
        for position, size in enumerate(dimensions(tensor)):
            symbol = size if isinstance(size, str) and size else f"{tensor.name}.{position}"
            if not isinstance(size, int) or size < 0:
                if symbol not in shapes.symbols:
                    shapes.symbols[symbol] = next(primes, 163 + 2 * len(shapes.symbols)) * (
                        scale if position > 1 else 1
                    )
                size = shapes.symbols[symbol]
            sizes.append(size)
        if tensor.shape is not None:
            shapes.sizes[tensor.name] = tuple(sizes)
    _tell_inputs(graph, shapes, primes, scale)
    for tensor in constants(graph):
        shapes.note(tensor)
    _infer_whole(graph, shapes)
    _walk(graph, shapes, derive)
    return shapes


def _tell_inputs(graph: gs.Graph, shapes: Shapes, primes: Iterator[int], scale: int) -> None:
    """Give inputs without a shape the sizes that their readers tell, and symbols for the others."""
    told = untold(graph, shapes.sizes) if any(t.name not in shapes.sizes for t in graph.inputs) else {}
    for tensor in graph.inputs:
        if tensor.name in shapes.sizes or tensor.name not in told:
            continue
        sizes: list[int] = []
        for position, size in enumerate(told[tensor.name]):
            if size is None:
                size = next(primes, 163 + 2 * len(shapes.symbols)) * (scale if position > 1 else 1)
                shapes.symbols[f"{tensor.name}.{position}"] = size
            sizes.append(size)
        shapes.sizes[tensor.name] = tuple(sizes)


def _infer_whole(graph: gs.Graph, shapes: Shapes) -> None:
    """Run onnx's shape inference over a copy in which large weights are inputs without values."""
    inputs: list[onnx.ValueInfoProto] = []
    initializers: list[TensorProto] = []
    for tensor in graph.inputs:
        shapes.types[tensor.name] = element_type(tensor)
        inputs.append(
            onnx.helper.make_tensor_value_info(
                tensor.name, shapes.types[tensor.name], shapes.sizes.get(tensor.name)
            )
        )
    names: set[str] = {tensor.name for tensor in graph.inputs}
    bodies = read_by_bodies(graph)
    for tensor in [*constants(graph), *_body_constants(graph, bodies)]:
        if tensor.name in names:
            continue
        names.add(tensor.name)
        shapes.types[tensor.name] = element_type(tensor)
        values = shapes.values.get(tensor.name)
        if values is not None and values.dtype.kind in "iubf" and values.dtype.itemsize > 0:
            try:
                initializers.append(onnx.numpy_helper.from_array(np.asarray(values), tensor.name))
                continue
            except (ValueError, TypeError):
                pass
        inputs.append(
            onnx.helper.make_tensor_value_info(tensor.name, shapes.types[tensor.name], shape_of(tensor))
        )
    outputs = [onnx.helper.make_empty_tensor_value_info(tensor.name) for tensor in graph.outputs]
    lean = onnx.helper.make_graph(
        [node_proto(node) for node in graph.nodes if not any(subgraphs(node)) or _handles_sequences(node)],
        "lean",
        inputs,
        outputs,
        initializers,
    )
    model = onnx.helper.make_model(lean, opset_imports=list(graph.import_domains or []))
    try:
        inferred = shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001 - many kinds are raised; what stays open is filled in node by node
        return
    for info in [*inferred.graph.value_info, *inferred.graph.output]:
        kind = info.type.tensor_type
        if not info.type.HasField("tensor_type"):
            continue
        if kind.elem_type:
            shapes.types[info.name] = kind.elem_type
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
            shapes.sizes.setdefault(info.name, tuple(dim.dim_value for dim in kind.shape.dim))


def _body_constants(graph: gs.Graph, names: set[str]) -> list[gs.Constant]:
    return [
        tensor
        for tensor in (graph.tensors().values() if names else ())
        if isinstance(tensor, gs.Constant) and tensor.name in names
    ]


def _handles_sequences(node: gs.Node) -> bool:
    """Whether a body takes or gives something else than tensors, which only onnx's inference follows."""
    ends = (tensor for body in subgraphs(node) for tensor in (*body.inputs, *body.outputs))
    return any(isinstance(tensor, gs.Variable) and tensor.type != "tensor_type" for tensor in ends)


def _walk(graph: gs.Graph, shapes: Shapes, derive: Derive | None) -> None:
    """Evaluate small tensors and fill in what the whole-graph inference left open, in node order."""
    told = untold(graph, shapes.sizes)
    for node in graph.nodes:
        if any(subgraphs(node)) and walk_bodies(
            node, shapes, graph.opset, lambda body: _walk(body, shapes, derive)
        ):
            _believe(node, shapes, told)
            continue
        used = [tensor for tensor in node.inputs if tensor.name]
        if all(tensor.name in shapes.fixed for tensor in used) and not any(subgraphs(node)):
            shapes.fixed.update(tensor.name for tensor in node.outputs)
        if _evaluate(node, shapes, graph.opset):
            continue
        if any(tensor.name and tensor.name not in shapes.sizes for tensor in node.outputs):
            _infer_node(node, shapes, graph)
            if derive is not None:
                _derive(node, shapes, graph, derive)
            _believe(node, shapes, told)


def _evaluate(node: gs.Node, shapes: Shapes, opset: int) -> bool:
    results = evaluate.small_values(node, shapes.values, shapes.sizes, opset)
    if results is None:
        return False
    for tensor, array in zip(node.outputs, results, strict=False):
        shapes.values[tensor.name] = array
        shapes.sizes[tensor.name] = tuple(array.shape)
        shapes.types[tensor.name] = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return True


def _derive(node: gs.Node, shapes: Shapes, graph: gs.Graph, derive: Derive) -> None:
    for tensor, sizes in zip(node.outputs, derive(node, shapes, graph.opset), strict=False):
        if tensor.name and sizes is not None:
            shapes.sizes.setdefault(tensor.name, sizes)
    for slot, tensor in enumerate(node.outputs):
        element = rules.element(node, slot, shapes.types)
        if tensor.name and element is not None:
            shapes.types.setdefault(tensor.name, element)


def _believe(node: gs.Node, shapes: Shapes, told: Mapping[str, Partial]) -> None:
    """Take the sizes that neighbours tell or the model declares for outputs that nothing else tells."""
    for tensor in node.outputs:
        if not tensor.name or tensor.name in shapes.sizes or tensor.name not in told:
            continue
        symbols = dict(enumerate(dimensions(tensor)))
        sizes: list[int] = []
        for position, size in enumerate(told[tensor.name]):
            symbol = symbols.get(position)
            if size is None and isinstance(symbol, str) and symbol in shapes.symbols:
                size = shapes.symbols[symbol]
            sizes.append(size if size is not None else shapes.leave_open(tensor.name, position))
        shapes.sizes[tensor.name] = tuple(sizes)
        shapes.types.setdefault(tensor.name, element_type(tensor))


def _infer_node(node: gs.Node, shapes: Shapes, graph: gs.Graph) -> None:
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, TensorProto] = {}
    for tensor in node.inputs:
        if tensor.name and tensor.name in shapes.sizes:
            element = shapes.types.get(tensor.name, TensorProto.FLOAT)
            types[tensor.name] = onnx.helper.make_tensor_type_proto(element, shapes.sizes[tensor.name])
            if tensor.name in shapes.values and shapes.values[tensor.name].dtype.kind in "iubf":
                data[tensor.name] = onnx.numpy_helper.from_array(
                    np.ascontiguousarray(shapes.values[tensor.name]), tensor.name
                )
    inferred = _infer_outputs(node, types, data, graph)
    for tensor in node.outputs:
        kind = inferred.get(tensor.name)
        if kind is None or not kind.HasField("tensor_type"):
            continue
        shapes.types[tensor.name] = kind.tensor_type.elem_type
        if tensor.name in shapes.sizes or not kind.tensor_type.HasField("shape"):
            continue
        sizes: list[int] = []
        for position, dim in enumerate(kind.tensor_type.shape.dim):
            if dim.HasField("dim_value"):
                sizes.append(dim.dim_value)
            else:
                sizes.append(shapes.leave_open(tensor.name, position))
        shapes.sizes[tensor.name] = tuple(sizes)


def _infer_outputs(
    node: gs.Node, types: dict[str, onnx.TypeProto], data: dict[str, TensorProto], graph: gs.Graph
) -> dict[str, onnx.TypeProto]:
    proto = node_proto(node)
    if is_default_domain(node):
        proto.domain = ""
    elif node.op in _SAME_SHAPE:
        proto.domain = ""
        proto.op_type, operands = _SAME_SHAPE[node.op]
        del proto.input[operands:]
        known = set(onnx.defs.get_schema(proto.op_type, graph.opset).attributes)
        kept = [attribute for attribute in proto.attribute if attribute.name in known]
        del proto.attribute[:]
        proto.attribute.extend(kept)
    imports = [item for item in graph.import_domains or [] if item.domain in ("", "ai.onnx", proto.domain)]
    try:
        schema = onnx.defs.get_schema(proto.op_type, graph.opset, proto.domain)
        return shape_inference.infer_node_outputs(
            schema, proto, types, data, opset_imports=imports or None, ir_version=10
        )
    except Exception:  # noqa: BLE001 - no schema, or sizes that do not fit: the outputs are pinned
        return {}
