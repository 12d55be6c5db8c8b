"""A newer operator set, where it means the same for every operator of a graph.

Many operators got bfloat16 late: Conv and the poolings in opset 22. Between two versions of an operator,
often nothing but the types has changed.
"""

from __future__ import annotations

from dataclasses import replace

import onnx
import onnx_graphsurgeon as gs
from onnx import ModelProto, OperatorSetIdProto

from graphprune.duplicate import duplicate
from graphprune.ir import is_default_domain, label, subgraphs
from graphprune.model import Model

BFLOAT16 = 22
"""The first operator set in which convolutions and poolings take bfloat16."""
_IR = {22: 10}
_CHANGED = {"GroupNormalization": 21, "Resize": 11, "BatchNormalization": 9}
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


def obstacle(graph: gs.Graph, opset: int) -> str:
    """Return the first operator of `graph` that does not mean the same in `opset`, or nothing."""
    return next((label(node) for node in graph.nodes if not _same(node, graph.opset, opset)), "")


def _same(node: gs.Node, old: int, new: int) -> bool:
    if not is_default_domain(node):
        return True
    if any(True for _ in subgraphs(node)):
        return False
    try:
        before, after = (onnx.defs.get_schema(node.op, version) for version in (old, new))
    except onnx.defs.SchemaError:
        return False
    if before.since_version == after.since_version:
        return True
    if after.deprecated or before.since_version < _CHANGED.get(node.op, 0):
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
