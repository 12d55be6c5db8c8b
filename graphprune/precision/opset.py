"""A newer operator set: as it stands where every operator of a graph means the same there, or converted.

Many operators got bfloat16 late: Conv and the poolings in opset 22; a scale for each channel is new in opset
13. Between two versions of an operator, often nothing but the types has changed.
"""

from __future__ import annotations

from dataclasses import replace

import onnx
import onnx.version_converter
import onnx_graphsurgeon as gs
from onnx import ModelProto, OperatorSetIdProto

from graphprune.duplicate import duplicate
from graphprune.errors import Refused
from graphprune.ir import is_default_domain, label, subgraphs
from graphprune.model import Model, from_proto, to_proto

BFLOAT16 = 22
"""The first operator set in which convolutions and poolings take bfloat16."""
CHANNELS = 13
"""The first operator set in which a weight is quantised with a scale for each channel."""
_IR = {CHANNELS: 7, BFLOAT16: 10}
_CHANGED = {
    "GroupNormalization": 21,
    "GridSample": 20,
    "Resize": 11,
    "BatchNormalization": 9,
    "Softmax": 13,
    "LogSoftmax": 13,
    "Hardmax": 13,
}
"""Operators that mean something else since a version, in a way that attributes do not show."""


def raised(model: Model, opset: int) -> Model:
    """Return `model` with its own operators at `opset`, or as it is where it is newer.

    Returns the model as it is, too, where an operator means something else there (`obstacle`).
    """
    if model.graph.opset >= opset or obstacle(model.graph, opset):
        return model
    graph = duplicate(model.graph)
    graph.opset = opset
    source = ModelProto()
    source.CopyFrom(model.source)
    source.ir_version = max(source.ir_version, _IR[opset])
    graph.import_domains = [
        OperatorSetIdProto(domain=e.domain, version=e.version) for e in source.opset_import
    ]
    for entry in (*source.opset_import, *graph.import_domains):
        if entry.domain in ("", "ai.onnx"):
            entry.version = opset
    return replace(model, graph=graph, source=source)


def converted(model: Model, opset: int) -> Model:
    """Return `model` at `opset` or newer, rewritten by onnx where an operator means something else there.

    Raises:
        Refused: onnx cannot rewrite an operator, or does not keep the interface.
    """
    hindrance = obstacle(model.graph, opset) if model.graph.opset < opset else ""
    if not hindrance:
        return raised(model, opset)
    before = to_proto(model)
    before.ir_version = max(before.ir_version, _IR[opset])
    hint = f"export it with opset {opset} or newer"
    for node in (node for body in model.graph.subgraphs(recursive=True) for node in body.nodes):
        if not _same(node, model.graph.opset, opset):
            what = f"the model is of opset {model.graph.opset}, and onnx raises no bodies: {label(node)}"
            raise Refused(what, hint)
    try:
        proto = onnx.version_converter.convert_version(before, opset)
    except (RuntimeError, ValueError, TypeError) as error:
        first = str(error).strip().partition("\n")[0]
        what = f"the model is of opset {model.graph.opset}, and onnx cannot raise it to {opset}: {first}"
        raise Refused(what, hint) from error
    for mine, theirs in ((proto.graph.input, before.graph.input), (proto.graph.output, before.graph.output)):
        if [value.name for value in mine] != [value.name for value in theirs]:
            raise Refused(f"onnx does not keep the interface in opset {opset} ({hindrance})", hint)
        del mine[:]
        mine.extend(theirs)
    del proto.graph.value_info[:]
    del proto.metadata_props[:]
    proto.metadata_props.extend(before.metadata_props)
    try:
        made = from_proto(proto)
    except Refused as error:
        what = f"onnx makes no valid model of it in opset {opset} ({hindrance}): {error.what}"
        raise Refused(what, hint) from error
    return replace(made, base=model.base, path=model.path, notes=model.notes)


def obstacle(graph: gs.Graph, opset: int) -> str:
    """Return the first operator of `graph` that does not mean the same in `opset`, bodies included, or ''."""
    return next((label(node) for node in graph.nodes if not _same(node, graph.opset, opset)), "")


def _same(node: gs.Node, old: int, new: int) -> bool:
    if not is_default_domain(node):
        return True
    if any(not _same(inner, old, new) for body in subgraphs(node) for inner in body.nodes):
        return False
    try:
        before, after = (onnx.defs.get_schema(node.op, version) for version in (old, new))
    except onnx.defs.SchemaError:
        return False
    if before.since_version == after.since_version:
        return True
    if after.deprecated:
        return False
    # What is taken over the last axis alone is the same as over all from it on.
    if (
        before.since_version < _CHANGED.get(node.op, 0) <= after.since_version
        and node.attrs.get("axis") != -1
    ):
        return False
    if node.op == "Split" and len(node.inputs) < 2:
        return False
    if not after.min_input <= len(node.inputs) <= after.max_input or len(node.outputs) > after.max_output:
        return False
    if any(name not in after.attributes for name in node.attrs):
        return False
    if any(a.required and name not in node.attrs for name, a in after.attributes.items()):
        return False
    return all(
        name in node.attrs or _default(attribute) == _default(after.attributes[name])
        for name, attribute in before.attributes.items()
        if name in after.attributes
    )


def _default(attribute: onnx.defs.OpSchema.Attribute) -> bytes:
    return bytes(attribute.default_value.SerializeToString(deterministic=True))
