"""What is checked before a model becomes a graph: versions, structure, and every tensor's data."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping

import onnx
from onnx import AttributeProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from graphprune import elements
from graphprune.errors import Refused
from graphprune.external import Folder, Stretch, locate
from graphprune.order import bodies, graphs, label
from graphprune.weights import SparseWeight, Weight

_INVALID = "the model is not valid ONNX; export it again"
OF_TENSORS = (AttributeProto.TENSORS, AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS)
WEIGHTS_ALONE = 4
"""The first IR version in which an initializer need not be an input as well."""
_MOST_ELEMENTS = 1 << 58  # times the largest element, still an int64


def check_versions(model: ModelProto) -> None:
    """Refuse a model without a graph, or of versions that the installed onnx does not know."""
    if not model.HasField("graph"):
        raise Refused("the model has no graph", "is this an ONNX model?")
    if not 3 <= model.ir_version <= onnx.IR_VERSION:
        raise Refused(
            f"IR version {model.ir_version} (known are 3 to {onnx.IR_VERSION})",
            "install a newer onnx" if model.ir_version > onnx.IR_VERSION else "export the model again",
        )
    versions: dict[str, int] = {}
    for entry in model.opset_import:
        if versions.setdefault(_domain(entry.domain), entry.version) != entry.version:
            raise Refused(f"two versions of the operator set '{entry.domain or 'ai.onnx'}'", _INVALID)
    if not versions:
        raise Refused("the model names no operator set (opset_import)", "export the model again")
    newest = onnx.defs.onnx_opset_version()
    if "" in versions and not 1 <= versions[""] <= newest:
        raise Refused(
            f"opset {versions['']} (known are 1 to {newest})",
            "install a newer onnx, or export the model with an older opset",
        )
    for node in (node for graph in graphs(model.graph) for node in graph.node):
        if _domain(node.domain) not in versions:
            raise Refused(
                f"{label(node)}: the model does not declare the operator set '{node.domain or 'ai.onnx'}'",
                "add it to opset_import, or export the model again",
            )
    if not model.graph.output:
        raise Refused("the graph has no outputs", _INVALID)


def raised(model: ModelProto) -> ModelProto:
    """Return `model`, of an IR version before 4, in version 4: what is an initializer is an input no more.

    Before version 4 every initializer had to be listed as an input, so the list says nothing of what a caller
    may give, and runtimes take such initializers for constants. A weight that is added or renamed would have
    to be listed, too, and those of bodies cannot be.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = WEIGHTS_ALONE
    held = {tensor.name for tensor in model.graph.initializer}
    held.update(sparse.values.name for sparse in model.graph.sparse_initializer)
    fed = [value for value in model.graph.input if value.name not in held]
    del copy.graph.input[:]
    copy.graph.input.extend(fed)
    return copy


def check_sizes(model: ModelProto) -> None:
    """Refuse inputs and outputs that are declared so large that no machine could hold them."""
    for graph in graphs(model.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim if dim.dim_value > 0]
            if elements.count(dims) > elements.MOST:
                raise Refused(f"'{value.name}' is declared with impossible sizes {dims[:8]}", _INVALID)


_KERNELS = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "QLinearConv": 3}
"""Operators with a kernel, and the operand that it is."""


def check_kernels(model: ModelProto) -> None:
    """Refuse a convolution whose kernel has no extent: ONNX Runtime never comes back from one."""
    for graph in graphs(model.graph):
        sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        for node in graph.node:
            slot = _KERNELS.get(node.op_type, len(node.input))
            if slot < len(node.input) and 0 in sizes.get(node.input[slot], [])[2:]:
                raise Refused(f"{label(node)}: its kernel is {sizes[node.input[slot]]}", _INVALID)


def check_bodies(model: ModelProto) -> None:
    """Refuse an If, a Loop or a Scan whose bodies take or give another number of values than the node."""
    for node in (node for graph in graphs(model.graph) for node in graph.node):
        if _domain(node.domain) or node.op_type not in ("If", "Loop", "Scan"):
            continue
        # A Loop hands its count and its condition to the body, and the condition comes back; a Scan that
        # has an operand for lengths (opset 8) does not hand it on.
        more = 1 if node.op_type == "Loop" else 0
        takes = {"If": {0}, "Loop": {max(len(node.input), 2)}}
        allowed = takes.get(node.op_type, {len(node.input), len(node.input) - 1})
        for body in bodies(node):
            defaults = {tensor.name for tensor in body.initializer}
            taken = sum(value.name not in defaults for value in body.input)
            if taken not in allowed or len(body.output) != len(node.output) + more:
                found = f"takes {taken} values and gives {len(body.output)}"
                raise Refused(f"{label(node)}: its body '{body.name}' {found}", _INVALID)


def check_text(model: ModelProto) -> None:
    """Refuse names and notes that are no UTF-8: protobuf hands those out as bytes, and takes none back."""
    for value in _texts(model):
        if not isinstance(value, str):
            raise Refused(f"a name or a note in the model is no UTF-8: {value!r:.40}", _INVALID)


def _texts(model: ModelProto) -> Iterator[object]:
    yield from (model.producer_name, model.producer_version, model.domain, model.doc_string)
    for entry in model.opset_import:
        yield entry.domain
    for graph in graphs(model.graph):
        for part in (graph, *graph.node, *graph.initializer, *graph.input, *graph.output):
            yield part.name
            yield part.doc_string
        for node in graph.node:
            yield from (node.op_type, node.domain, node.overload, *node.input, *node.output)
            for attribute in node.attribute:
                yield from (attribute.name, attribute.doc_string, attribute.ref_attr_name)
                if attribute.type == AttributeProto.TENSOR:
                    yield from (attribute.t.name, attribute.t.doc_string)


_OF_THE_RUNTIME = frozenset(["GroupNormalization", "SimplifiedLayerNormalization"])
"""Operators that ONNX Runtime runs although onnx's checker does not know them, or not any more."""
_UNCHECKED = "unchecked"


@functools.cache
def _known() -> Mapping[str, frozenset[str]]:
    """The operators that onnx has a schema for in some version, by domain; of these domains it checks all."""
    found: dict[str, set[str]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault(schema.domain, set()).add(schema.name)
    return {domain: frozenset(names) for domain, names in found.items()}


def is_unknown(node: NodeProto) -> bool:
    """Whether a node in a domain of onnx's own is of an operator that no version of onnx has.

    Old exporters write plugins so (EfficientNMS_TRT). A name that another version of the operator set has is
    no such operator: the model is of the wrong version.
    """
    names = _known().get(_domain(node.domain))
    return bool(node.op_type) and names is not None and node.op_type not in names


def check_operators(model: ModelProto) -> None:
    """Run onnx's checker on `model` without the bytes of its weights (those are `weigh`'s to check).

    The checker would look for external data, and cannot take more than 2 GB: every initializer, those of
    bodies and the values of Constant nodes as well, is replaced by an empty one of its name. Functions that
    could not be inlined are left to the runtime. Of operators that onnx has no schema for, plugins and custom
    ones, nothing can be checked; the rest of the model is.
    """
    bare = ModelProto()
    for name in ("ir_version", "model_version"):
        setattr(bare, name, getattr(model, name))
    bare.opset_import.extend(model.opset_import)
    graph = model.graph
    bare.graph.name = graph.name or "graph"
    bare.graph.node.extend(graph.node)
    bare.graph.input.extend(graph.input)
    bare.graph.output.extend(graph.output)
    for value in (*bare.graph.input, *bare.graph.output):
        # The checker wants a shape here, if only an empty one; runtimes do without.
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    for tensor in graph.initializer:
        bare.graph.initializer.add(name=tensor.name, data_type=TensorProto.FLOAT, dims=[0])
    for sparse in graph.sparse_initializer:
        bare.graph.initializer.add(name=sparse.values.name, data_type=TensorProto.FLOAT, dims=[0])
    for node in bare.graph.node:
        _empty(node)
    bare.opset_import.add(domain=_UNCHECKED, version=1)
    try:
        onnx.checker.check_model(bare)  # pyright: ignore[reportUnknownMemberType]
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise Refused(f"onnx's checker refuses the model: {first}", _INVALID) from error


def weigh(tensor: TensorProto, folder: Folder | None, stretch: Stretch | None = None) -> Weight:
    """Check the type, the sizes and the data of `tensor`, and return it as a weight.

    `stretch` is where its `raw_data` lies, where that was left in the model's file.

    Raises:
        Refused: the type is unknown, a size is negative or absurd, or the data is not as long as they say.
    """
    where = f"tensor '{tensor.name}'"
    if tensor.data_type not in elements.DTYPES:
        raise Refused(f"{where}: unknown element type {tensor.data_type}", _INVALID)
    if _impossible(tensor.dims):
        raise Refused(f"{where}: impossible sizes {list(tensor.dims)[:8]}", _INVALID)
    if tensor.HasField("segment"):
        raise Refused(f"{where}: stored in segments, which no tool reads", _INVALID)
    fields = [name for name in ("raw_data", *sorted(set(elements.FIELDS.values()))) if _has(tensor, name)]
    if stretch is not None:
        fields.append("raw_data")
    if tensor.data_location == TensorProto.EXTERNAL:
        if fields:
            raise Refused(f"{where}: both in the model and in external data", _INVALID)
        return Weight(tensor, locate(tensor, folder))
    count = elements.count(tensor.dims)
    if len(fields) > 1 or (not fields and count):
        raise Refused(f"{where}: {'no data' if not fields else 'data in ' + ' and '.join(fields)}", _INVALID)
    if fields:
        _check_length(tensor, fields[0], count, stretch, where)
    return Weight(tensor, stretch)


def weigh_sparse(sparse: SparseTensorProto, folder: Folder | None) -> SparseWeight:
    """Check a sparse tensor and return it as a weight.

    Raises:
        Refused: as for `weigh`, or indices that do not fit the sizes.
    """
    where = f"sparse tensor '{sparse.values.name}'"
    if _impossible(sparse.dims):
        raise Refused(f"{where}: impossible sizes {list(sparse.dims)[:8]}", _INVALID)
    values, indices = weigh(sparse.values, folder), weigh(sparse.indices, folder)
    many = values.shape[0] if len(values.shape) == 1 else -1
    if indices.element != TensorProto.INT64 or indices.shape not in ((many,), (many, len(sparse.dims))):
        raise Refused(f"{where}: {values.shape} values at {indices.shape} indices", _INVALID)
    limits = [elements.count(sparse.dims)] if len(indices.shape) == 1 else list(sparse.dims)
    found = indices.load().reshape(-1, len(limits))
    if found.size and ((found < 0).any() or (found >= limits).any()):
        raise Refused(f"{where}: indices outside {list(sparse.dims)}", _INVALID)
    return SparseWeight(sparse, values, indices)


def _check_length(tensor: TensorProto, name: str, count: int, stretch: Stretch | None, where: str) -> None:
    if name == "raw_data":
        if tensor.data_type == TensorProto.STRING:
            raise Refused(f"{where}: strings in raw_data", _INVALID)
        need = elements.stored_bytes(tensor.data_type, count)
        found = len(tensor.raw_data) if stretch is None else stretch.length
        unit = "bytes"
    else:
        if name != elements.FIELDS[tensor.data_type]:
            raise Refused(f"{where}: {elements.NAMES[tensor.data_type]} in {name}", _INVALID)
        need = elements.field_entries(tensor.data_type, count)
        found = len(getattr(tensor, name))
        unit = "entries"
    if need != found:
        kind = elements.NAMES[tensor.data_type]
        raise Refused(f"{where}: {kind} {list(tensor.dims)} takes {need} {unit}, found {found}", _INVALID)


def _impossible(dims: Iterable[int]) -> bool:
    return any(size < 0 for size in dims) or elements.count(size or 1 for size in dims) > _MOST_ELEMENTS


def _has(tensor: TensorProto, name: str) -> bool:
    return tensor.HasField("raw_data") if name == "raw_data" else bool(getattr(tensor, name))


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _empty(node: NodeProto) -> None:
    """Empty the tensors in the attributes of a node; operators that onnx does not know may pass."""
    if is_unknown(node) or (node.op_type in _OF_THE_RUNTIME and node.domain in ("", "ai.onnx")):
        node.domain = _UNCHECKED
    for attribute in node.attribute:
        if attribute.type == AttributeProto.TENSOR:
            _clear(attribute.t)
        elif attribute.type in OF_TENSORS:
            sparse = [attribute.sparse_tensor, *attribute.sparse_tensors]
            for tensor in [*attribute.tensors, *(part for s in sparse for part in (s.values, s.indices))]:
                if tensor.data_location == TensorProto.EXTERNAL:
                    _clear(tensor)
    for body in bodies(node):
        for tensor in body.initializer:
            _clear(tensor)
        for sparse in body.sparse_initializer:
            body.initializer.add(name=sparse.values.name, data_type=TensorProto.FLOAT, dims=[0])
        del body.sparse_initializer[:]
        for inner in body.node:
            _empty(inner)


def _clear(tensor: TensorProto) -> None:
    name = tensor.name
    tensor.Clear()
    tensor.name, tensor.data_type = name, TensorProto.FLOAT
    tensor.dims.append(0)
