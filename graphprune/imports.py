"""From a checked ONNX graph to onnx-graphsurgeon's, with weights left where they are.

graphsurgeon's own importer forgets the folder of external data, drops attributes of some types and fails on
strings that are no UTF-8; those attributes stay in `node.attrs` as the protos or bytes they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx
import onnx_graphsurgeon as gs
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TensorShapeProto,
    TypeProto,
    ValueInfoProto,
)

from graphprune import elements
from graphprune.errors import Refused
from graphprune.external import Folder, Stretch
from graphprune.intake import OF_TENSORS, weigh, weigh_sparse
from graphprune.order import label

Scope = dict[str, gs.Tensor]


def text(value: bytes) -> str | bytes:
    """Return `value` as a string, or as it is where it is no UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


@dataclass(frozen=True)
class Source:
    """What a graph needs from the model around it."""

    model: ModelProto
    folder: Folder | None
    places: Mapping[int, Stretch] = field(default_factory=dict[int, Stretch])

    def opset(self) -> int:
        """Return the version of ONNX's own operators."""
        versions: dict[str, int] = {entry.domain: entry.version for entry in self.model.opset_import}
        return versions.get("", versions.get("ai.onnx", onnx.defs.onnx_opset_version()))


def import_model(source: Source) -> gs.Graph:
    """Return the graph of a model that `graphprune.intake` and `graphprune.order` have checked.

    Raises:
        Refused: the data of a tensor is not what its type and sizes say.
    """
    return _graph(source.model.graph, source, (), source.places)


def _graph(
    graph: GraphProto, source: Source, outer: tuple[Scope, ...], places: Mapping[int, Stretch]
) -> gs.Graph:
    scope: Scope = {}
    for i, tensor in enumerate(graph.initializer):
        scope[tensor.name] = gs.Constant(tensor.name, weigh(tensor, source.folder, places.get(i)))
    for sparse in graph.sparse_initializer:
        scope[sparse.values.name] = gs.Constant(sparse.values.name, weigh_sparse(sparse, source.folder))
    known = {value.name: value for value in graph.value_info}
    known.update((value.name, value) for value in (*graph.output, *graph.input))

    def local(name: str) -> gs.Tensor:
        tensor = scope.get(name)
        if tensor is None:
            tensor = scope[name] = _variable(name, known.get(name))
        return tensor

    inputs = [local(value.name) for value in graph.input if value.name not in scope]
    scopes = (scope, *outer)
    nodes: list[gs.Node] = []
    for node in graph.node:
        read = [_visible(name, scopes) if name else gs.Variable.empty() for name in node.input]
        attrs = {a.name: _attribute(a, node, source, scopes) for a in node.attribute}
        made = [local(name) if name else gs.Variable.empty() for name in node.output]
        domain = node.domain if node.HasField("domain") else None
        nodes.append(gs.Node(node.op_type, node.name, attrs, read, made, domain))
    return gs.Graph(
        nodes=nodes,
        inputs=inputs,
        outputs=[local(value.name) for value in graph.output],
        name=graph.name,
        doc_string=graph.doc_string,
        opset=source.opset(),
        import_domains=list(source.model.opset_import),
        producer_name=source.model.producer_name,
        producer_version=source.model.producer_version,
        ir_version=source.model.ir_version,
    )


def _visible(name: str, scopes: tuple[Scope, ...]) -> gs.Tensor:
    for scope in scopes:
        if name in scope:
            return scope[name]
    raise Refused(f"'{name}' is read before it is defined", "the model is not valid ONNX; export it again")


def _variable(name: str, value: ValueInfoProto | None) -> gs.Variable:
    if value is None:
        return gs.Variable(name)
    kind = value.type.WhichOneof("value")
    if kind not in ("tensor_type", "sparse_tensor_type"):
        return gs.Variable(name, type=kind or "tensor_type")
    tensor: TypeProto.Tensor | TypeProto.SparseTensor = getattr(value.type, kind)
    shape: list[int | str | None] | None = None
    if tensor.HasField("shape"):
        shape = [_size(dim) for dim in tensor.shape.dim]
    return gs.Variable(name, elements.DTYPES.get(tensor.elem_type), shape, kind)


def _size(dim: TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value
    return dim.dim_param if dim.HasField("dim_param") else None


_READERS: dict[int, Callable[[AttributeProto], Any]] = {
    AttributeProto.FLOAT: lambda a: a.f,
    AttributeProto.INT: lambda a: a.i,
    AttributeProto.STRING: lambda a: text(a.s),
    AttributeProto.FLOATS: lambda a: list(a.floats),
    AttributeProto.INTS: lambda a: list(a.ints),
    AttributeProto.STRINGS: lambda a: [text(s) for s in a.strings],
    AttributeProto.SPARSE_TENSOR: lambda a: a.sparse_tensor,
    AttributeProto.TYPE_PROTO: lambda a: a.tp,
    AttributeProto.TENSORS: lambda a: list(a.tensors),
    AttributeProto.GRAPHS: lambda a: list(a.graphs),
    AttributeProto.SPARSE_TENSORS: lambda a: list(a.sparse_tensors),
    AttributeProto.TYPE_PROTOS: lambda a: list(a.type_protos),
}


def _attribute(attribute: AttributeProto, node: NodeProto, source: Source, scopes: tuple[Scope, ...]) -> Any:
    if attribute.type == AttributeProto.TENSOR:
        return gs.Constant(attribute.t.name, weigh(attribute.t, source.folder))
    if attribute.type == AttributeProto.GRAPH:
        return _graph(attribute.g, source, scopes, {})
    reader = _READERS.get(attribute.type)
    if reader is None or attribute.ref_attr_name:
        raise Refused(f"{label(node)}: attribute '{attribute.name}' has no value", "export the model again")
    for tensor in _tensors(attribute) if attribute.type in OF_TENSORS else ():
        if tensor.data_location == TensorProto.EXTERNAL:
            raise Refused(
                f"{label(node)}: attribute '{attribute.name}' keeps tensors in external data",
                "external data is read for initializers and single tensors only",
            )
    return reader(attribute)


def _tensors(attribute: AttributeProto) -> list[TensorProto]:
    sparse = [attribute.sparse_tensor, *attribute.sparse_tensors]
    return [*attribute.tensors, *(part for s in sparse for part in (s.values, s.indices))]
