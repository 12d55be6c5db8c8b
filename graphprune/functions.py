"""Local functions of a model: inlined, within bounds."""

from __future__ import annotations

import onnx
import onnx.inliner
from onnx import ModelProto, NodeProto

from graphprune.errors import Refused
from graphprune.order import bodies

_MOST_NODES = 1_000_000
_HINT = "export the model without local functions"
Key = tuple[str, str, str]


def inline(model: ModelProto) -> ModelProto:
    """Return `model` with calls of its local functions replaced by their bodies.

    A function whose operator set differs from the model's stays, and so do the calls of it.

    Raises:
        Refused: functions call each other in a circle, or take more than a million nodes when written out.
    """
    _check_size(model)
    try:
        inlined = onnx.inliner.inline_local_functions(model)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        first = str(error).strip().partition("\n")[0]
        raise Refused(f"the local functions cannot be inlined: {first}", _HINT) from error
    declared = {entry.domain for entry in inlined.opset_import}
    for function in model.functions:
        for entry in function.opset_import:
            if entry.domain not in declared:
                declared.add(entry.domain)
                inlined.opset_import.append(entry)
    return inlined


def _check_size(model: ModelProto) -> None:
    """Count the nodes after inlining before they are made: twenty functions can say a million million."""
    functions = {(f.domain, f.name, f.overload): list(f.node) for f in model.functions}
    sizes: dict[Key, int | None] = {}

    def size(nodes: list[NodeProto]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type, node.overload)
            total += called(key) if key in functions else 1
            total += sum(size(list(body.node)) for body in bodies(node))
        return total

    def called(key: Key) -> int:
        if key not in sizes:
            sizes[key] = None
            sizes[key] = size(functions[key])
        known = sizes[key]
        if known is None:
            raise Refused(f"function '{key[1]}' calls itself", _HINT)
        return known

    try:
        found = size(list(model.graph.node))
    except RecursionError as error:
        raise Refused("local functions are nested too deeply", _HINT) from error
    if found > _MOST_NODES:
        raise Refused(f"the local functions take more than {_MOST_NODES} nodes when inlined", _HINT)
