"""From onnx-graphsurgeon's graph back to ONNX, with what it does not carry taken from the source model.

That is: metadata, doc strings, producer, versions, functions, quantization annotations, overloads, the exact
inputs and outputs. Intermediate shapes (`value_info`) go: a cut makes them wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import onnx_graphsurgeon as gs
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from graphprune import elements
from graphprune.attributes import write_attribute
from graphprune.errors import GraphpruneError, Refused
from graphprune.ir import dimensions
from graphprune.order import bodies, is_ordered, sort
from graphprune.weights import SparseWeight, stored
from graphprune.wire import put

# (constant, whether it is an initializer of the outermost graph) -> the tensor, with its data or without.
Packer = Callable[[gs.Constant, bool], TensorProto]

_DEFAULT = ("", "ai.onnx")
_OWN = (
    "node",
    "initializer",
    "sparse_initializer",
    "value_info",
    "input",
    "output",
    "name",
    "doc_string",
    "quantization_annotation",
)


def export_model(graph: gs.Graph, source: ModelProto, pack: Packer) -> ModelProto:
    """Return `graph` as a model, nodes in order, with everything else as `source` has it.

    Raises:
        GraphpruneError: the graph is broken: two constants of one name, a value that nothing defines.
    """
    model = ModelProto()
    _copy(source, model, ("graph", "opset_import"))
    _write_graph(model.graph, graph, source.graph, pack, None)
    _write_versions(model, graph, source)
    try:
        if not is_ordered(model.graph):
            sort(model.graph)
    except Refused as error:
        what = f"the graph to be written is broken: {error.what}"
        raise GraphpruneError(what, "please report this") from error
    return model


def _write_versions(model: ModelProto, graph: gs.Graph, source: ModelProto) -> None:
    """Declare the operator sets: the source's, ONNX's own at the graph's version, and added ones."""
    model.opset_import.extend(source.opset_import)
    for entry in model.opset_import:
        if entry.domain in _DEFAULT:
            entry.version = graph.opset
    declared = {"" if entry.domain in _DEFAULT else entry.domain for entry in source.opset_import}
    used = {"" if node.domain in _DEFAULT else node.domain for node in _all_nodes(model.graph)}
    for domain in sorted(used - declared):
        model.opset_import.add(domain=domain, version=1 if domain else graph.opset)


def _write_graph(
    out: GraphProto, graph: gs.Graph, source: GraphProto, pack: Packer, outer: frozenset[int] | None
) -> None:
    """Fill `out`; `outer` is the identities of the constants that graphs around own (None: outermost)."""
    _copy(source, out, _OWN)
    out.name = graph.name
    if graph.doc_string or source.HasField("doc_string"):
        out.doc_string = graph.doc_string
    originals = _Originals(source)
    owned = _owned(graph, originals, outer or frozenset())
    for constant in owned:
        held = stored(constant)
        if isinstance(held, SparseWeight):
            out.sparse_initializer.append(held.tensor)
            if held.proto.values.name != constant.name:
                out.sparse_initializer[-1].values.name = constant.name
        else:
            out.initializer.append(pack(constant, outer is None))
            _copy_notes(originals.tensors.get(constant.name), out.initializer[-1])
    inside = (outer or frozenset()) | {id(constant) for constant in owned}
    for node in graph.nodes:
        _write_node(out.node.add(), node, originals.node(node), pack, inside)
    constants = {constant.name: constant for constant in owned}
    if outer is None:
        _declare_interface(out, graph, source, constants)
    else:
        _declare_ends(out, graph, source, constants)
    names = {name for node in out.node for name in node.output} | constants.keys()
    names.update(value.name for value in out.input)
    for note in source.quantization_annotation:
        if {note.tensor_name, *(entry.value for entry in note.quant_parameter_tensor_names)} <= names:
            out.quantization_annotation.append(note)


def _declare_interface(
    out: GraphProto, graph: gs.Graph, source: GraphProto, constants: Mapping[str, gs.Constant]
) -> None:
    inputs = {tensor.name: tensor for tensor in graph.inputs}
    for value in source.input:
        if value.name in inputs:
            out.input.append(value)
            inputs.pop(value.name)
        elif value.name in constants:
            # An initializer that was listed as an input, too, follows its cut.
            out.input.append(_value_info(constants[value.name]))
    out.input.extend(_value_info(tensor) for tensor in inputs.values())
    values = {value.name: value for value in source.output}
    out.output.extend(values.get(tensor.name) or _value_info(tensor) for tensor in graph.outputs)


def _declare_ends(
    out: GraphProto, body: gs.Graph, source: GraphProto, constants: Mapping[str, gs.Constant]
) -> None:
    """Declare the inputs and outputs of a body as the source has them at their places, with other sizes."""
    given = [value for value in source.input if value.name not in constants]
    for values, tensors, made in ((given, body.inputs, out.input), (source.output, body.outputs, out.output)):
        for place, tensor in enumerate(tensors):
            value = made.add()
            value.CopyFrom(values[place] if len(values) == len(tensors) else _value_info(tensor))
            value.name = tensor.name
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, dimensions(tensor), strict=False):
                if isinstance(size, int) and dim.HasField("dim_value"):
                    dim.dim_value = size
    listed = [constants[value.name] for value in source.input if value.name in constants]
    out.input.extend(_value_info(constant) for constant in listed)


def _copy_notes(source: TensorProto | None, out: TensorProto) -> None:
    if source is not None:
        if source.HasField("doc_string"):
            out.doc_string = source.doc_string
        if source.HasField("name") and not source.name:
            out.name = ""
        out.metadata_props.extend(source.metadata_props)


def _write_node(
    out: NodeProto, node: gs.Node, source: NodeProto, pack: Packer, inside: frozenset[int]
) -> None:
    _copy(source, out, ("input", "output", "attribute", "op_type", "name", "domain"))
    out.op_type = node.op
    if node.name or source.HasField("name"):
        out.name = node.name
    if node.domain is not None:
        out.domain = node.domain
    out.input.extend(tensor.name for tensor in node.inputs)
    out.output.extend(tensor.name for tensor in node.outputs)
    before = {attribute.name: attribute for attribute in source.attribute}
    for name, value in node.attrs.items():
        attribute = out.attribute.add()
        original = before.get(name)
        if isinstance(value, gs.Graph):
            body = original.g if original is not None else GraphProto()
            attribute.name, attribute.type = name, AttributeProto.GRAPH
            _write_graph(attribute.g, value, body, pack, inside)
            continue
        if isinstance(value, gs.Constant):
            value = pack(value, False)
            _copy_notes(original.t if original is not None else None, value)
        write_attribute(attribute, name, value, original)


class _Originals:
    """The parts of a source graph by name: nodes by their outputs, initializers by theirs."""

    def __init__(self, source: GraphProto) -> None:
        self.tensors = {tensor.name: tensor for tensor in source.initializer}
        self.sparse = {sparse.values.name for sparse in source.sparse_initializer}
        self.nodes: dict[tuple[str, str], NodeProto] = {}
        for node in source.node:
            for name in node.output:
                if name:
                    self.nodes[node.op_type, name] = node

    def node(self, node: gs.Node) -> NodeProto:
        """Return what `node` was in the source, or an empty proto."""
        for tensor in node.outputs:
            found = self.nodes.get((node.op, tensor.name))
            if found is not None:
                return found
        return NodeProto()

    def body(self, node: gs.Node, name: str) -> _Originals:
        """Return the parts of the graph that attribute `name` of `node` was."""
        found = [a.g for a in self.node(node).attribute if a.name == name]
        return _Originals(found[0] if found else GraphProto())

    def lists(self, constant: gs.Constant) -> bool:
        """Whether `constant` was an initializer of this graph."""
        return constant.name in self.tensors or constant.name in self.sparse


def _owned(graph: gs.Graph, originals: _Originals, outer: Collection[int]) -> list[gs.Constant]:
    """Return the constants that `graph` itself must list, in the source's order, new ones last.

    A constant that only bodies use belongs to the graph that listed it in the source, else to the innermost
    graph around all of its users.
    """
    owned = {id(constant): constant for constant in _used(graph)}
    free = [list(_free(body, inner)) for body, inner in _bodies(graph, originals)]
    users = Counter(key for body in free for key in {id(constant) for constant in body})
    for constant in (constant for body in free for constant in body):
        if originals.lists(constant) or users[id(constant)] > 1:
            owned.setdefault(id(constant), constant)
    rank = {name: i for i, name in enumerate([*originals.tensors, *sorted(originals.sparse)])}
    found = [constant for key, constant in owned.items() if key not in outer]
    return sorted(found, key=lambda constant: rank.get(constant.name, len(rank)))


def _used(graph: gs.Graph) -> Iterator[gs.Constant]:
    for node in graph.nodes:
        for tensor in node.inputs:
            if isinstance(tensor, gs.Constant):
                yield tensor
    for tensor in graph.outputs:
        if isinstance(tensor, gs.Constant):
            yield tensor


def _bodies(graph: gs.Graph, originals: _Originals) -> Iterator[tuple[gs.Graph, _Originals]]:
    for node in graph.nodes:
        for name, value in node.attrs.items():
            if isinstance(value, gs.Graph):
                yield value, originals.body(node, name)


def _free(graph: gs.Graph, originals: _Originals) -> Iterator[gs.Constant]:
    """Yield the constants that a body uses, or one inside it, and that none of these lists."""
    inside = (each for body, inner in _bodies(graph, originals) for each in _free(body, inner))
    for constant in (*_used(graph), *inside):
        if not originals.lists(constant):
            yield constant


def _value_info(tensor: gs.Tensor) -> ValueInfoProto:
    """Return how an input or output that the source did not have is declared."""
    if tensor.dtype is None:
        return ValueInfoProto(name=tensor.name)
    shape: Any = tensor.shape
    return helper.make_tensor_value_info(tensor.name, elements.number_of(tensor.dtype), shape)


def _all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from _all_nodes(body)


def _copy(source: Message, out: Message, without: Collection[str]) -> None:
    """Copy the fields of `source` that are not `without` to `out`."""
    for descriptor, value in source.ListFields():
        if descriptor.name not in without:
            put(out, descriptor.name, value)
