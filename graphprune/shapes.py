"""Numbers for the sizes of every tensor: the concretised twin on which axes are solved.

What a size is in terms of symbols is told by the facts (`graphprune.symbols`), and they are the truth. Here
every symbol gets a number, and sizes follow: from the facts, and from onnx's inference where these do not
know. Dimensions that depend on data (NonZero, TopK with a computed k ...) get a prime and are `open`: never
pruned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto, shape_inference

from graphprune import elements, evaluate, rules
from graphprune.body_shapes import walk_bodies
from graphprune.errors import Refused, Usage
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
from graphprune.symbols.expression import symbol
from graphprune.symbols.facts import GIVEN, NOTHING, Facts, facts
from graphprune.symbols.given import Given
from graphprune.symbols.standins import broken, impossible, stand_ins

Sizes = tuple[int, ...]
_OPEN_PRIMES = 10007
_LONG = 1 << 16
_SAME_SHAPE = {"FusedConv": ("Conv", 3), "FusedGemm": ("Gemm", 3)}
"""Operators without a schema, with the one whose inference fits and how many operands it takes."""
Derive = Callable[[gs.Node, "Shapes", int], Sequence[Sizes | None]]


@dataclass
class Shapes:
    """Sizes, small values and origins of the tensors of one graph, by tensor name.

    Attributes:
        sizes: concrete sizes; a tensor of unknown rank is missing.
        types: onnx element types.
        values: the small tensors that are known, with symbols replaced by their numbers.
        open: dimensions whose size depends on data.
        fixed: tensors computed from constants alone.
        symbols: the number of each symbolic dimension.
        facts: what sizes and values are in terms of symbols, whatever a user gives.
        numbers: the number of each symbol that is free.
        named_apart: whether no name in a body stands for anything else; what is in bodies is known only then.
    """

    sizes: dict[str, Sizes] = field(default_factory=dict[str, Sizes])
    types: dict[str, int] = field(default_factory=dict[str, int])
    values: dict[str, NDArray[Any]] = field(default_factory=dict[str, NDArray[Any]])
    open: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    fixed: set[str] = field(default_factory=set[str])
    symbols: dict[str, int] = field(default_factory=dict[str, int])
    named_apart: bool = True
    facts: Facts = NOTHING
    numbers: dict[str, int] = field(default_factory=dict[str, int])

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

    def shown(self, name: str) -> tuple[int | str, ...]:
        """Return the sizes of a tensor with symbols by name: `(1, 's', 's + 7')`."""
        known, sizes = self.facts.shapes.get(name), self.sizes[name]
        if known is None or len(known) != len(sizes):
            return sizes
        return tuple(
            size if told.is_number or told.symbols & self.facts.data else str(told)
            for told, size in zip(known, sizes, strict=True)
        )

    def sized_by(self, name: str) -> str:
        """Return what a small tensor depends on, where its value here only holds for these numbers.

        Empty where it holds at all sizes, and where it is not known. That is one entry that is no number, or
        a tensor that was cut to a length that is none.
        """
        if name not in self.values or name in self.facts.fixed or name in self.fixed:
            return ""
        entries = self.facts.entries.get(name)
        sizes = self.facts.shapes.get(name, ()) if entries is None else entries.reshape(-1)
        found = dict.fromkeys(symbol for size in sizes for symbol in sorted(size.symbols))
        known = [symbol for symbol in found if symbol not in self.facts.data]
        return ", ".join(known) or "data"


def infer(
    graph: gs.Graph,
    inputs: Mapping[str, Sizes] | None = None,
    derive: Derive | None = None,
    given: Given | None = None,
) -> Shapes:
    """Return the concrete sizes of every tensor of `graph`.

    Args:
        graph: the graph; nothing in it is changed.
        inputs: sizes to use for graph inputs; the symbols of the others get numbers.
        derive: tells the sizes of the outputs of an operator that onnx has no schema for.
        given: what a user says of sizes.

    Raises:
        Usage: what is given contradicts the model, or leaves a tensor no size.
    """
    given = given or Given(shapes=inputs or {})
    known = facts(graph, given.ranks())
    numbers = stand_ins(known)
    if given.symbols or given.shapes:
        known, numbers = _given(graph, known, numbers, given, bool(inputs))
    shapes = Shapes(facts=known, numbers=numbers, named_apart=names_are_apart(graph))
    shapes.symbols = {
        name: size.value(shapes.numbers)
        for name, size in known.names.items()
        if size.symbols and size.symbols <= shapes.numbers.keys()
    }
    shapes.sizes = known.sizes(shapes.numbers)
    _refuse_impossible(shapes)
    for tensor in constants(graph):
        shapes.note(tensor)
    _infer_whole(graph, shapes)
    _walk(graph, shapes, derive)
    return shapes


def _refuse_impossible(shapes: Shapes) -> None:
    """Refuse a tensor that no machine could hold, whatever is chosen for sizes that are open.

    Raises:
        Refused: naming it.
    """
    for name, shape in shapes.facts.shapes.items():
        # The numbers that stand for open sizes are ours: a product of them says nothing of the model.
        if elements.count(size.as_int() for size in shape if size.is_number) > elements.MOST:
            sizes = [size.as_int() if size.is_number else str(size) for size in shape]
            raise Refused(f"'{name}' would have impossible sizes {sizes[:8]}", "is the model damaged?")


def _infer_whole(graph: gs.Graph, shapes: Shapes) -> None:
    """Run onnx's shape inference over a copy in which large weights are inputs without values.

    It keeps an entry for each element of a list whose values it follows, so that where there is a long list
    no values are followed.
    """
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
        long = any(len(sizes) == 1 and sizes[0] > _LONG for sizes in shapes.sizes.values())
        inferred = shape_inference.infer_shapes(model, data_prop=not long)
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


def _given(
    graph: gs.Graph, known: Facts, numbers: dict[str, int], given: Given, as_told: bool
) -> tuple[Facts, dict[str, int]]:
    """Check what a user gives, and return the facts and the numbers for the analysis.

    The numbers are the user's where they must be (`as_told`), and where none of our own let the model run.
    What is given is for this run alone: a table that is read at a length of 8 today is no table of 8 rows.
    """
    there = _named_by(known, given) if as_told else None
    if there is not None:
        return known, there
    told = facts(graph, given)
    wanted = stand_ins(told)
    sizes = {name: size.value(wanted) for name, size in told.names.items() if size.symbols <= wanted.keys()}
    chosen = {name: sizes.get(name, 1) for name in known.free}
    if as_told:
        return known, chosen
    refuse_contradictions(told)
    refuse_impossible(known, chosen)
    return known, chosen if broken(known, chosen) < broken(known, numbers) else numbers


def _named_by(known: Facts, given: Given) -> dict[str, int] | None:
    """Return the free symbols where sizes of inputs name each of them, and clash nowhere; else None."""
    if given.symbols or known.conflicts or not given.shapes.keys() <= known.inputs.keys():
        return None
    found: dict[str, int] = {}
    for name, sizes in given.shapes.items():
        shape = known.inputs[name]
        if len(shape) != len(sizes):
            return None
        for each, size in zip(shape, sizes, strict=True):
            if each.is_number:
                if each.as_int() != size:
                    return None
                continue
            named = next((name for name in each.symbols if each == symbol(name)), None)
            if named is None or found.setdefault(named, size) != size:
                return None
    return found if found.keys() == set(known.free) else None


def refuse_contradictions(told: Facts) -> None:
    """Raise `Usage` where what a user gave contradicts the model."""
    for each in told.conflicts:
        if GIVEN in each.here or GIVEN in each.there:
            raise Usage(
                f"{each.here} and {each.there} contradict each other: {each.left} is not {each.right}",
                "give sizes that the model can have together",
            )


def refuse_impossible(told: Facts, numbers: Mapping[str, int]) -> None:
    """Raise `Usage` where a size that follows from what a user gave cannot be."""
    found = impossible(told, numbers)
    if found is not None:
        name, dim, size = found
        raise Usage(
            f"dimension {dim} of tensor '{name}', {told.shapes[name][dim]}, is {size} at these sizes",
            "the inputs are too small for the model: give larger ones",
        )


def _believe(node: gs.Node, shapes: Shapes, told: Mapping[str, Partial]) -> None:
    """Take the sizes that neighbours tell or the model declares for outputs that nothing else tells."""
    for tensor in node.outputs:
        if not tensor.name or tensor.name in shapes.sizes:
            continue
        known = shapes.facts.shapes.get(tensor.name)
        if known is not None:
            shapes.sizes[tensor.name] = tuple(
                size.value(shapes.numbers)
                if size.symbols <= shapes.numbers.keys()
                else shapes.leave_open(tensor.name, position)
                for position, size in enumerate(known)
            )
            shapes.types.setdefault(tensor.name, shapes.facts.types.get(tensor.name, element_type(tensor)))
            continue
        if tensor.name not in told:
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
        known = shapes.facts.shapes.get(tensor.name, ())
        sizes: list[int] = []
        for position, dim in enumerate(kind.tensor_type.shape.dim):
            size = known[position] if position < len(known) else None
            if dim.HasField("dim_value"):
                sizes.append(dim.dim_value)
            elif size is not None and size.symbols <= shapes.numbers.keys():
                sizes.append(size.value(shapes.numbers))
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
