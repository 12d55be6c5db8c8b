"""Element types of the tensors of a graph, and the types that an operator takes in each place."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from graphprune import elements
from graphprune.ir import constants, subgraphs
from graphprune.shapes import infer


@dataclass(frozen=True)
class Signature:
    """What an operator takes and gives: the names of its types by place, and what each name may stand for.

    The last place stands for all further ones where `variadic`.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    allowed: Mapping[str, frozenset[str]]

    def of_input(self, slot: int) -> str:
        """Return the name of the type of an operand."""
        return self.inputs[min(slot, len(self.inputs) - 1)]

    def of_output(self, slot: int) -> str:
        """Return the name of the type of a result."""
        return self.outputs[min(slot, len(self.outputs) - 1)]

    def takes(self, name: str, element: int) -> bool:
        """Whether the type called `name` may be the element type number `element`."""
        return f"tensor({elements.NAMES[element].lower()})" in self.allowed.get(name, {name})

    @property
    def is_plain(self) -> bool:
        """Whether all places are tensors, and not sequences or the like alone."""
        names = (*self.inputs, *self.outputs)
        return all(any(kind.startswith("tensor(") for kind in self.allowed.get(n, {n})) for n in names)


def signature(node: gs.Node, versions: Mapping[str, int]) -> Signature | None:
    """Return what the operator of `node` takes at these versions of the operator sets, None if unknown."""
    domain = "" if node.domain in (None, "ai.onnx") else str(node.domain)
    known = [each for each in _schemas().get((domain, node.op), ()) if each[0] <= versions.get(domain, 1)]
    return known[-1][1] if known else None


def versions(graph: gs.Graph) -> dict[str, int]:
    """Return the versions of the operator sets that `graph` declares."""
    found = {entry.domain: int(entry.version) for entry in graph.import_domains or []}
    return {**found, "": graph.opset}


def element_types(graph: gs.Graph) -> dict[str, int]:
    """Return the element types of the tensors of `graph` itself by name, as far as they can be told."""
    return settled(graph, infer(graph).types)


def settled(graph: gs.Graph, known: Mapping[str, int]) -> dict[str, int]:
    """Return the element types of the tensors of `graph` itself by name.

    What ONNX Runtime says of an operator goes before what was inferred (`known`): inference knows little of
    operators that are not ONNX's own, and what follows from a wrong type is wrong, too.
    """
    found = {tensor.name: _number(tensor) for tensor in graph.inputs if tensor.dtype is not None}
    found.update((c.name, elements.number_of(np.dtype(c.dtype))) for c in constants(graph))
    declared = versions(graph)
    for node in graph.nodes:
        kinds = None if any(True for _ in subgraphs(node)) else signature(node, declared)
        bound = _bound(node, kinds, found)
        for slot, tensor in enumerate(node.outputs):
            if not tensor.name:
                continue
            name = kinds.of_output(slot) if kinds is not None and kinds.outputs else ""
            element = node.attrs.get("to") if node.op == "Cast" else bound.get(name, _only(name, kinds))
            element = element or known.get(tensor.name)
            if element is None and tensor.dtype is not None:
                element = _number(tensor)
            if element:
                found[tensor.name] = int(element)
    return found


def _bound(node: gs.Node, kinds: Signature | None, found: Mapping[str, int]) -> dict[str, int]:
    """Return what the names of types in a signature stand for at one use of the operator."""
    if kinds is None or not kinds.inputs:
        return {}
    return {
        kinds.of_input(slot): found[tensor.name]
        for slot, tensor in enumerate(node.inputs)
        if tensor.name in found
    }


def _only(name: str, kinds: Signature | None) -> int | None:
    """Return the one element type that a result may have, or None where there are several."""
    allowed = kinds.allowed.get(name, {name}) if kinds is not None else ()
    texts = [text for text in allowed if text.startswith("tensor(")]
    return _BY_TEXT.get(texts[0]) if len(texts) == len(allowed) == 1 else None


_BY_TEXT = {f"tensor({name.lower()})": number for number, name in elements.NAMES.items()}


def _number(tensor: gs.Tensor) -> int:
    dtype: Any = tensor.dtype
    return dtype if isinstance(dtype, int) else elements.number_of(np.dtype(dtype))


@functools.cache
def _schemas() -> dict[tuple[str, str], list[tuple[int, Signature]]]:
    """Return the versions of every operator that ONNX Runtime knows, oldest first."""
    from graphprune.runtime.sessions import schemas

    found: dict[tuple[str, str], list[tuple[int, Signature]]] = {}
    for domain, name, version, inputs, outputs, allowed in schemas():
        kinds = Signature(tuple(inputs), tuple(outputs), {each: frozenset(allowed[each]) for each in allowed})
        found.setdefault((domain, name), []).append((version, kinds))
    return {key: sorted(each, key=lambda pair: pair[0]) for key, each in found.items()}
