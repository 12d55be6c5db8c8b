"""Names of a model's tensors and nodes, to find the steps of an engine in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from graphprune.model import Model

_ORIGIN = re.compile(r"\[ONNX Layer: ([^\]]+)\]")


@dataclass(frozen=True)
class Names:
    """What a model calls its tensors, and the outputs of each node by the names that TensorRT knows it by."""

    tensors: frozenset[str]
    outputs: Mapping[str, tuple[str, ...]]


def names_of(model: Model) -> Names:
    """Return the names of a model; TensorRT calls a node without a name `node_of_` and its first output."""
    outputs: dict[str, tuple[str, ...]] = {}
    for node in model.graph.nodes:
        made = tuple(tensor.name for tensor in node.outputs if tensor.name)
        if made:
            outputs[node.name or f"node_of_{made[0]}"] = made
    inputs = [tensor.name for tensor in model.graph.inputs]
    return Names(frozenset([*inputs, *(name for made in outputs.values() for name in made)]), outputs)


def made_by(layer: Mapping[str, Any], names: Names) -> tuple[str, ...]:
    """Return the model's tensors that a layer makes, as far as the engine's inspector tells.

    The layer's outputs have the names of the model's tensors, unless something was changed on the way; then
    the last node of the model that went into it has them. A change of layout makes nothing that the model
    knows.
    """
    listed = cast("list[Mapping[str, Any]]", layer.get("Outputs") or [])
    direct = tuple(str(each.get("Name")) for each in listed if each.get("Name") in names.tensors)
    origins = _ORIGIN.findall(str(layer.get("Metadata", "")))
    if direct or not origins or layer.get("LayerType") == "Reformat":
        return direct
    return names.outputs.get(origins[-1], ())
