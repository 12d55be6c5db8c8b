"""Which operators of a graph are computed in a lower precision, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import onnx_graphsurgeon as gs
from onnx import TensorProto

from graphprune import elements
from graphprune.errors import Usage
from graphprune.ir import is_default_domain, label, subgraphs
from graphprune.precision.block import BLOCK
from graphprune.precision.types import Signature, element_types, signature, versions

_SHAPE = frozenset(["Shape", "Size"])


@dataclass(frozen=True)
class Place:
    """The operands and results of a node that are converted."""

    inputs: frozenset[int]
    outputs: frozenset[int]


@dataclass(frozen=True)
class Places:
    """Where a graph is computed in a lower precision.

    Attributes:
        element: the number of the lower type.
        types: the element types of the graph's tensors, by name.
        low: the nodes that are computed in it, by identity.
        stay: nodes with float32 tensors that are not, with the reason, in graph order.
    """

    element: int
    types: Mapping[str, int]
    low: Mapping[int, Place]
    stay: tuple[tuple[gs.Node, str], ...] = field(repr=False)

    def reasons(self) -> dict[str, list[str]]:
        """Return the operators that stay, by reason."""
        found: dict[str, list[str]] = {}
        for node, reason in self.stay:
            found.setdefault(reason, []).append(label(node))
        return found


def places(
    graph: gs.Graph,
    element: int,
    *,
    block: Sequence[str] = BLOCK,
    beyond: Mapping[str, str] | None = None,
) -> Places:
    """Return where `graph` can be computed in the type number `element`.

    Args:
        graph: the graph; nothing in it is changed.
        element: FLOAT16 or BFLOAT16.
        block: operators, and globs over the names of nodes and of their results, that stay float32.
        beyond: tensors, by name, that the lower type does not hold, with the reason.

    Raises:
        Usage: something in `block`, other than its defaults, matches nothing.
    """
    types, declared = element_types(graph), versions(graph)
    shapes_alone = _from_shapes(graph)
    _check(graph, block)
    low: dict[int, Place] = {}
    stay: list[tuple[gs.Node, str]] = []
    for node in graph.nodes:
        if not any(types.get(t.name) == TensorProto.FLOAT for t in (*node.inputs, *node.outputs)):
            if any(t.name and t.name not in types for t in node.outputs):
                stay.append((node, "an operator that is not known"))
            continue
        if id(node) in shapes_alone:
            continue  # numbers of sizes and positions: exact in float32, and no work to speak of
        kinds = signature(node, declared)
        reason = _reason(node, kinds, block, beyond or {})
        if not reason and element == TensorProto.FLOAT16 and _crashes(node):
            reason = "ONNX Runtime crashes on it in front of a MatMul in float16"
        if not reason:
            assert kinds is not None
            place = _place(node, kinds, types, element)
            if place.inputs or place.outputs:
                low[id(node)] = place
                continue
            reason = f"no {elements.NAMES[element].lower()} in this operator"
        stay.append((node, reason))
    return Places(element, types, low, tuple(stay))


def _reason(node: gs.Node, kinds: Signature | None, block: Sequence[str], beyond: Mapping[str, str]) -> str:
    """Return why a node stays float32 whatever its types, or nothing."""
    if any(True for _ in subgraphs(node)):
        return "control flow, with all inside"
    if kinds is None:
        return "an operator that is not known"
    if not kinds.is_plain:
        return "sequences"
    for glob in block:
        if any(fnmatchcase(name, glob) for name in _names(node)):
            return "blocked"
    for tensor in (*node.inputs, *node.outputs):
        if tensor.name in beyond:
            return beyond[tensor.name]
    return ""


def _crashes(node: gs.Node) -> bool:
    """Whether `node` moves the first axis behind all others but for at most one, and a MatMul reads that.

    ONNX Runtime (1.32) fuses such a Transpose into the MatMul and then looks for a kernel that is not
    there in float16. Where the Transpose is between Casts it does not.
    """
    perm: list[int] = [int(axis) for axis in node.attrs.get("perm") or ()]
    if node.op != "Transpose" or not is_default_domain(node) or len(perm) < 3:
        return False
    if [axis for axis in perm if axis] != list(range(1, len(perm))) or 0 not in perm[-2:]:
        return False
    readers = list(node.outputs[0].outputs)
    while any(reader.op == "Identity" for reader in readers):
        readers = [
            after
            for reader in readers
            for after in (reader.outputs[0].outputs if reader.op == "Identity" else [reader])
        ]
    return any(reader.op == "MatMul" for reader in readers)


def _place(node: gs.Node, kinds: Signature, types: Mapping[str, int], element: int) -> Place:
    """Return the places of `node` whose types may be the lower one.

    A type that only a result has is told by an attribute (ConstantOfShape, RandomNormal ...) and left; that
    of a Cast is changed with it.
    """
    taken = {
        slot: kinds.of_input(slot)
        for slot, tensor in enumerate(node.inputs)
        if tensor.name and types.get(tensor.name) == TensorProto.FLOAT
    }
    given = {
        slot: kinds.of_output(slot)
        for slot, tensor in enumerate(node.outputs)
        if tensor.name and types.get(tensor.name) == TensorProto.FLOAT
    }
    free = set(given.values()) - set(taken.values())
    doubtful = {
        kinds.of_input(slot)
        for slot, tensor in enumerate(node.inputs)
        if tensor.name and tensor.name not in types
    }
    if node.op == "Cast" and is_default_domain(node):
        free = set[str]()
    names = {
        name
        for name in {*taken.values(), *given.values()}
        if name not in free | doubtful and kinds.takes(name, element) and not name.startswith("tensor(")
    }
    return Place(
        frozenset(slot for slot, name in taken.items() if name in names),
        frozenset(slot for slot, name in given.items() if name in names),
    )


def _from_shapes(graph: gs.Graph) -> set[int]:
    """Return the nodes that compute from the sizes of tensors, and from nothing that flows in them."""
    data = {id(tensor) for tensor in graph.inputs}
    sizes: set[int] = set()
    found: set[int] = set()
    for node in graph.nodes:
        read = {id(tensor) for tensor in node.inputs}
        for body in subgraphs(node):
            read |= {id(tensor) for tensor in _read_in(body)}
        if node.op in _SHAPE and is_default_domain(node):
            sizes.update(id(tensor) for tensor in node.outputs)
        elif read & data:
            data.update(id(tensor) for tensor in node.outputs)
        elif read & sizes:
            sizes.update(id(tensor) for tensor in node.outputs)
            found.add(id(node))
    return found


def _read_in(body: gs.Graph) -> Iterator[gs.Tensor]:
    for node in body.nodes:
        yield from node.inputs
        for inner in subgraphs(node):
            yield from _read_in(inner)


def _names(node: gs.Node) -> tuple[str, ...]:
    return (node.op, *(name for name in (node.name, *(t.name for t in node.outputs)) if name))


def _check(graph: gs.Graph, block: Collection[str]) -> None:
    for glob in block:
        if glob not in BLOCK and not any(
            fnmatchcase(name, glob) for node in graph.nodes for name in _names(node)
        ):
            raise Usage(f"block names '{glob}', which matches no operator", "see `graphprune inspect`")
