"""One node after another: sizes, values and bounds of what it makes, and the bodies of If, Loop and Scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune.ir import dimensions, is_default_domain, node_proto, subgraphs
from graphprune.symbols import operators
from graphprune.symbols.expression import Expr, TooLarge, number
from graphprune.symbols.rows import by_row
from graphprune.symbols.system import Kind
from graphprune.symbols.tops import top
from graphprune.symbols.values import objects, plain, value
from graphprune.symbols.walk import Shape, Walk, constant, constants_into, element_type

_SYMBOL = "@"


def step(walk: Walk, node: gs.Node) -> None:
    """Note what is known of the outputs of `node`."""
    known = value(walk, node)
    kinds = operators.types(walk, node)
    if known is not None:
        for tensor, array in zip(node.outputs, known):
            walk.values[tensor.name] = array
            walk.shapes[tensor.name] = tuple(map(number, array.shape))
            symbolic = array.dtype == object
            walk.types[tensor.name] = kinds[0] if symbolic else element_type(array.dtype)
        if node.op not in _ASK_ALSO:
            return
    for tensor, kind in zip(node.outputs, kinds):
        walk.types[tensor.name] = kind
    for tensor, shape in zip(node.outputs, _shapes(walk, node)):
        if tensor.name and shape is not None and tensor.name not in walk.values:
            walk.shapes[tensor.name] = tuple(map(walk.system.reduced, shape))
    greatest = top(walk, node)
    if greatest is not None:
        walk.tops[node.outputs[0].name] = greatest


_ASK_ALSO = frozenset(["Gather", "Slice", "Reshape"])
"""Operators that ask something of their operands also where their result is known."""


def _shapes(walk: Walk, node: gs.Node) -> list[Shape | None]:
    """The sizes of the outputs, from the most exact source that has them."""
    count = len(node.outputs)
    if any(subgraphs(node)):
        return _of_bodies(walk, node)
    # Others may call an operator of their own Split or Attention.
    told = node.op in operators.TABLE and (is_default_domain(node) or node.domain == "com.microsoft")
    try:
        rule = operators.TABLE[node.op] if told else None
        found = list(rule(walk, node)) if rule is not None else []
    except (TooLarge, ValueError, TypeError, LookupError, ZeroDivisionError, AttributeError):
        found = []
    found += [None] * (count - len(found))
    if not told or node.op in operators.BY_ROW:
        try:
            rowed = by_row(walk, node)
        except (TooLarge, ZeroDivisionError):
            rowed = []
        found = [a if a is not None else b for a, b in zip(found, [*rowed, *[None] * count])]
    if any(shape is None and tensor.name for tensor, shape in zip(node.outputs, found)):
        asked = _ask_onnx(walk, node)
        found = [a if a is not None else asked.get(t.name) for a, t in zip(found, node.outputs)]
    return [
        shape if shape is not None else _declared(walk, tensor) for shape, tensor in zip(found, node.outputs)
    ]


def _ask_onnx(walk: Walk, node: gs.Node) -> dict[str, Shape]:
    """Infer with onnx, each expression as a symbol of its own; types are taken over as well."""
    texts: dict[str, Expr] = {}
    types: dict[str, onnx.TypeProto] = {}
    data: dict[str, TensorProto] = {}
    for tensor in node.inputs:
        shape = walk.shapes.get(tensor.name) if tensor.name else None
        if shape is None:
            continue
        dims: list[int | str] = []
        for size in map(walk.system.reduced, shape):
            text = f"{_SYMBOL}{size}"
            texts[text] = size
            dims.append(size.as_int() if size.is_number and size.as_int() >= 0 else text)
        types[tensor.name] = onnx.helper.make_tensor_type_proto(walk.types.get(tensor.name, 1), dims)
        array = walk.values.get(tensor.name)
        if array is not None and array.dtype.kind in "iubf":
            data[tensor.name] = onnx.numpy_helper.from_array(array.copy(), tensor.name)
    proto = node_proto(node)
    if is_default_domain(node):
        proto.domain = ""
    versions = {item.domain: item.version for item in walk.graph.import_domains or []}
    version = walk.opset if not proto.domain else versions.get(proto.domain, 1)
    imports = [onnx.helper.make_opsetid("", walk.opset), onnx.helper.make_opsetid(proto.domain, version)]
    try:
        schema = onnx.defs.get_schema(proto.op_type, version, proto.domain)
        inferred = onnx.shape_inference.infer_node_outputs(
            schema, proto, types, data, opset_imports=imports[: 2 if proto.domain else 1], ir_version=10
        )
    except Exception:  # noqa: BLE001 - no schema, or sizes that do not fit
        return {}
    found: dict[str, Shape] = {}
    for name, kind in inferred.items():
        if not kind.HasField("tensor_type"):
            continue
        walk.types[name] = kind.tensor_type.elem_type or walk.types.get(name, 1)
        if kind.tensor_type.HasField("shape"):
            found[name] = tuple(
                number(dim.dim_value)
                if dim.HasField("dim_value")
                else texts[dim.dim_param]
                if dim.dim_param in texts
                else walk.system.fresh()
                for dim in kind.tensor_type.shape.dim
            )
    return found


def _declared(walk: Walk, tensor: gs.Tensor) -> Shape | None:
    """What neighbours tell or the model declares of a tensor, where nothing else tells the rank."""
    told = walk.told().get(tensor.name) if tensor.name else None
    if told is None:
        return None
    walk.types[tensor.name] = element_type(tensor.dtype)
    declared = dict(enumerate(dimensions(tensor)))
    sizes: list[Expr] = []
    for position, known in enumerate(told):
        size = known if known is not None else declared.get(position)
        if isinstance(size, int) and size >= 0:
            sizes.append(number(size))
        elif isinstance(size, str) and walk.system.kinds.get(size) is Kind.NAMED:
            sizes.append(walk.system.reduced(walk.system.name(size, Kind.NAMED)))
        else:
            sizes.append(walk.system.fresh())
    return tuple(sizes)


def _of_bodies(walk: Walk, node: gs.Node) -> list[Shape | None]:
    """The sizes of the outputs of an If, a Loop or a Scan as far as its bodies agree on them."""
    count = len(node.outputs)
    bodies = list(subgraphs(node))
    if node.op == "If":
        found = [_come_out(walk, body, _body(walk, body, {})) for body in bodies]
        return [_agreed(walk, [shapes[i] for shapes in found]) for i in range(count)]
    if node.op not in ("Loop", "Scan") or len(bodies) != 1:
        return [_declared(walk, tensor) for tensor in node.outputs]
    body = bodies[0]
    if node.op == "Scan":
        scanned = int(node.attrs.get("num_scan_inputs", 0))
        first = len(node.inputs) - scanned
        usual = not (node.attrs.get("scan_input_axes") or node.attrs.get("scan_output_axes"))
        if not usual or walk.opset < 9:
            return [None] * count
        states = [walk.shape(node, slot) for slot in range(first)]
        wholes = [walk.shape(node, slot) for slot in range(first, len(node.inputs))]
        steps = next((whole[0] for whole in wholes if whole), None)
        given = [*states, *(whole[1:] if whole else None for whole in wholes)]
        offset = 0
    else:
        states = [walk.shape(node, slot) for slot in range(2, len(node.inputs))]
        given, steps, offset = [(), (), *states], None, 1
    inner = _body(walk, body, dict(zip((tensor.name for tensor in body.inputs), given)))
    made = _come_out(walk, body, inner, keep=False)[offset:]
    # A state that has the size it came with after one pass has it after every pass.
    kept = [a if a is not None and a == b else None for a, b in zip(states, made)]
    if any(shape is None for shape in kept) and len(kept) == len(states):
        made = [None if shape is None else tuple(_blurred(walk, shape)) for shape in made]
        kept = [a if a is not None else _rank(walk, b) for a, b in zip(kept, made)]
        return [*kept, *(_rank(walk, shape, 1) for shape in made[len(states) :])][:count]
    _remember(walk, inner)
    long = steps if steps is not None else walk.system.fresh()
    return [*kept, *(None if s is None else (long, *s) for s in made[len(states) :])][:count]


def _rank(walk: Walk, shape: Shape | None, more: int = 0) -> Shape | None:
    return None if shape is None else walk.fresh(len(shape) + more)


def _blurred(walk: Walk, shape: Shape) -> Sequence[Expr]:
    return [size if size.is_number else walk.system.fresh() for size in shape]


def _agreed(walk: Walk, shapes: Sequence[Shape | None]) -> Shape | None:
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({len(shape) for shape in known}) != 1:
        return None
    return tuple(
        sizes[0]
        if all(walk.system.same(sizes[0], size) for size in sizes[1:]) and not walk.by_data(sizes[0])
        else walk.system.fresh()
        for sizes in zip(*known, strict=True)
    )


def _body(walk: Walk, body: gs.Graph, inputs: Mapping[str, Shape | None]) -> Walk:
    """Walk a body. What it asks of sizes only holds where it runs: it is forgotten outside."""
    inner = Walk(
        walk.graph,
        walk.opset,
        walk.system.copy(),
        dict(walk.shapes),
        dict(walk.values),
        dict(walk.types),
        dict(walk.tops),
        outer=walk,
    )
    for tensor in body.inputs:
        shape = inputs.get(tensor.name)
        inner.types[tensor.name] = element_type(tensor.dtype)
        inner.shapes.pop(tensor.name, None)
        inner.values.pop(tensor.name, None)
        if shape is not None:
            inner.shapes[tensor.name] = shape
    constants_into(inner, body)
    for node in body.nodes:
        step(inner, node)
    for tensor in body.outputs:
        if isinstance(tensor, gs.Constant):
            constant(inner, tensor.name, tensor)
    return inner


def _come_out(walk: Walk, body: gs.Graph, inner: Walk, keep: bool = True) -> list[Shape | None]:
    """The sizes of the outputs of a body in symbols that are known outside."""
    if keep:
        _remember(walk, inner)
    known = set(walk.system.kinds)
    found: list[Shape | None] = []
    for tensor in body.outputs:
        shape = inner.shapes.get(tensor.name)
        if shape is not None:
            reduced = map(inner.system.reduced, shape)
            shape = tuple(size if size.symbols <= known else walk.system.fresh() for size in reduced)
        found.append(shape)
    return found


def _remember(walk: Walk, inner: Walk) -> None:
    """Keep the values inside of a body, with what it knows of symbols put in."""
    walk.within.update(inner.within)
    for name, array in inner.values.items():
        if name in walk.values:
            continue
        if array.dtype == object:
            items = [inner.system.reduced(item) for item in array.reshape(-1)]
            array = plain(objects(items, array.shape), np.int64)
        walk.within[name] = array
