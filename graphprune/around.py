"""The model around operators that ONNX Runtime cannot run: what is left of it can be run, and be proved.

The foreign nodes are taken out. What they read becomes further outputs, which are compared; what they write
becomes further inputs, drawn at random and given to both models. So both what stands in front of them and
what stands behind them is run, in one model.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import TensorProto, helper

from graphprune.cut import Cut
from graphprune.cuts import Cuts, take
from graphprune.duplicate import duplicate
from graphprune.errors import Negative, Refused
from graphprune.feeds import Feeds, Sizes, random_feeds, shapes_to_try
from graphprune.ir import body_constants, captured, constants, is_default_domain, label, node_proto, subgraphs
from graphprune.kernels import foreign, name_of
from graphprune.model import Model
from graphprune.rewire import detach
from graphprune.shapes import Shapes

_OPEN: tuple[int | None, ...] = (None, 8, 4, 1, 16, 64)
"""What to try for dimensions that nothing tells, of tensors that a foreign operator writes.

None: as in the operator's first operand.
"""
_FALLBACK = 8


@dataclass(frozen=True)
class Hole:
    """A node that cannot be run.

    Attributes:
        position: of the node in the original.
        operator: its operator with the domain.
        node: how messages name it.
        reads: what it reads of the rest of the graph: an operand by position, or a tensor that its bodies
            read by name; with how the further output is called.
        writes: the outputs that the rest of the graph reads, by position; with how the further input is
            called.
        results: the names of its outputs.
    """

    position: int
    operator: str
    node: str
    reads: Mapping[int | str, str]
    writes: Mapping[int, str]
    results: tuple[str, ...]


def holes(graph: gs.Graph) -> tuple[Hole, ...]:
    """Return the nodes of `graph` that ONNX Runtime cannot run, in order."""
    at = foreign(graph)
    if not at:
        return ()
    inner = {tensor.name for position in at for tensor in graph.nodes[position].outputs}
    staying = [node for position, node in enumerate(graph.nodes) if position not in at]
    used = {tensor.name for node in staying for tensor in node.inputs}
    used |= {name for node in staying for body in subgraphs(node) for name in captured(body)}
    outside = {name for name in graph.tensors() if name and name not in inner}
    found: list[Hole] = []
    for position in at:
        node = graph.nodes[position]
        read: dict[int | str, str] = {slot: tensor.name for slot, tensor in enumerate(node.inputs)}
        read |= {name: name for body in subgraphs(node) for name in sorted(captured(body))}
        there = outside | _weights_inside(node).keys()
        reads = {key: f"{name} (into {label(node)}, {key})" for key, name in read.items() if name in there}
        writes = {
            slot: f"{tensor.name} (out of {label(node)}, {slot})"
            for slot, tensor in enumerate(node.outputs)
            if tensor.name and tensor.name in used
        }
        results = tuple(tensor.name for tensor in node.outputs)
        found.append(Hole(position, name_of(node), label(node), reads, writes, results))
    return tuple(found)


def _weights_inside(node: gs.Node) -> dict[str, gs.Constant]:
    """Return the constants that the bodies of `node` read, by name: the graph itself may not have them."""
    bodies = list(subgraphs(node))
    return {tensor.name: tensor for body in bodies for tensor in (*constants(body), *body_constants(body))}


def around(model: Model, nodes: Mapping[int, Hole], kinds: Mapping[str, int]) -> Model:
    """Return `model` without some of its nodes.

    Args:
        model: the model, which is not changed.
        nodes: position of a node in it -> the hole that it leaves.
        kinds: the onnx element type of each further input, by its name in the hole.
    """
    graph = duplicate(model.graph)
    names = graph.tensors()
    gone = [(graph.nodes[position], hole) for position, hole in nodes.items()]
    written = {id(tensor) for node, _ in gone for tensor in node.outputs}
    probes: list[gs.Node] = []
    inputs: list[gs.Variable] = []
    for node, hole in gone:
        read: dict[str, gs.Tensor] = {**_weights_inside(node), **names}
        for key, name in hole.reads.items():
            source = node.inputs[key] if isinstance(key, int) else read[key]
            if id(source) not in written:
                result = gs.Variable(name)
                probes.append(gs.Node("Identity", name=name, inputs=[source], outputs=[result]))
        for slot, name in hole.writes.items():
            tensor = node.outputs[slot]
            assert isinstance(tensor, gs.Variable)
            tensor.name, tensor.shape = name, None
            tensor.dtype = helper.tensor_dtype_to_np_dtype(kinds[name])
            inputs.append(tensor)
    graph.outputs = [tensor for tensor in graph.outputs if id(tensor) not in written]
    graph.outputs += [probe.outputs[0] for probe in probes]
    graph.inputs = [*graph.inputs, *inputs]
    out = {id(node) for node, _ in gone}
    graph.nodes = [node for node in graph.nodes if id(node) not in out] + probes
    for node, _ in gone:
        detach(node)
    return replace(model, graph=graph)


def _places(graph: gs.Graph, found: Sequence[Hole]) -> dict[int, Hole]:
    """Return where the nodes of holes stand in another graph, in which results keep their names.

    Raises:
        Negative: there is no such node.
    """
    makers = {t.name: at for at, node in enumerate(graph.nodes) for t in node.outputs if t.name}
    where: dict[int, Hole] = {}
    for hole in found:
        at = next((makers[name] for name in hole.results if name in makers), None)
        if at is None or name_of(graph.nodes[at]) != hole.operator:
            raise Negative(f"{hole.node} is not in the other model", "please report this")
        where[at] = hole
    return where


def kinds_of(graph: gs.Graph, found: Sequence[Hole], types: Mapping[str, int]) -> dict[str, int]:
    """Return the element types of the further inputs: as declared, or as those who read them want it.

    Args:
        graph: the original.
        found: its holes.
        types: the element types of its other tensors.
    """
    kinds: dict[str, int] = {}
    for hole in found:
        for slot, name in hole.writes.items():
            tensor = graph.nodes[hole.position].outputs[slot]
            if tensor.dtype is not None:
                kinds[name] = _number(tensor.dtype)
                continue
            wanted = (_wanted(node, tensor, graph.opset, types) for node in tensor.outputs)
            kinds[name] = next((kind for kind in wanted if kind is not None), TensorProto.FLOAT)
    return kinds


_PREFERRED = {
    f"tensor({name})": number
    for name, number in (
        ("float", TensorProto.FLOAT),
        ("int64", TensorProto.INT64),
        ("int32", TensorProto.INT32),
        ("bool", TensorProto.BOOL),
        ("uint8", TensorProto.UINT8),
    )
}
"""The element types that an operand is taken to be of, where nothing says more, by onnx's text."""


def _number(dtype: Any) -> int:
    return dtype if isinstance(dtype, int) else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _wanted(node: gs.Node, tensor: gs.Tensor, opset: int, types: Mapping[str, int]) -> int | None:
    """Return the element type that `node` wants of an operand: that of another one, or one that it takes."""
    try:
        schema = onnx.defs.get_schema(node.op, opset, "" if is_default_domain(node) else str(node.domain))
    except onnx.defs.SchemaError:
        return None
    formal = [schema.inputs[min(slot, len(schema.inputs) - 1)] for slot in range(len(node.inputs))]
    operands = list(zip(formal, node.inputs, strict=True))
    mine = next(each for each, operand in operands if operand is tensor)
    for each, operand in operands:
        if each.type_str == mine.type_str and operand is not tensor:
            if isinstance(operand, gs.Constant):
                return helper.np_dtype_to_tensor_dtype(np.dtype(operand.dtype))
            if operand.name in types:
                return types[operand.name]
    return next((number for text, number in _PREFERRED.items() if text in mine.types), None)


def drawn(
    graph: gs.Graph,
    runs: gs.Graph,
    found: Sequence[Hole],
    sizes: Mapping[str, Sizes],
    seed: int,
) -> Iterator[Feeds]:
    """Yield inputs for a model around holes, at one shape after the other.

    Args:
        graph: the original.
        runs: the original, or what stands for it, without the holes.
        found: the holes of `graph`.
        sizes: sizes for graph inputs, and for tensors that foreign operators write, by their own names.
        seed: seed of the random inputs.

    Raises:
        Refused: nothing tells the rank of a tensor that a foreign operator writes.
    """
    from graphprune.solve import sized

    shapes = list(shapes_to_try(graph, sizes))
    known: dict[int, Shapes] = {}
    for guess in _OPEN:
        for number, shape in enumerate(shapes):
            if number not in known:
                known[number] = sized(graph, shape)
            inside = functools.partial(_inside, runs, shape)
            written, certain = _written(graph, found, known[number], sizes, guess, inside)
            if certain and guess is not None:
                continue
            yield random_feeds(_shaped(runs, written), {**shape, **written}, seed + number)


def _shaped(graph: gs.Graph, sizes: Mapping[str, Sizes]) -> gs.Graph:
    """Return `graph` with these sizes of inputs declared: in the model itself they may be any."""
    copy = duplicate(graph)
    for tensor in copy.inputs:
        if tensor.name in sizes and isinstance(tensor, gs.Variable):
            tensor.shape = list(sizes[tensor.name])
    return copy


def _inside(runs: gs.Graph, shape: Mapping[str, Sizes], written: Mapping[str, Sizes]) -> Mapping[str, Sizes]:
    """Return the sizes of the tensors of a model around holes at sizes of its first inputs."""
    from graphprune.solve import sized

    return sized(runs, {**shape, **written}).sizes


def _written(
    graph: gs.Graph,
    found: Sequence[Hole],
    known: Shapes,
    given: Mapping[str, Sizes],
    guess: int | None,
    inside: Callable[[Mapping[str, Sizes]], Mapping[str, Sizes]],
) -> tuple[dict[str, Sizes], bool]:
    """Return the sizes of the further inputs, and whether none of them is a guess.

    What stands behind a guess has sizes that follow from it: `inside` tells them.
    """
    result: dict[str, Sizes] = {}
    made: dict[str, Sizes] = {}
    certain = True
    for hole in found:
        node = graph.nodes[hole.position]
        first = node.inputs[0].name if node.inputs else ""
        like = made.get(first) or (known.sizes if certain else inside(result)).get(first)
        for slot, tensor in enumerate(hole.results):
            sizes, open_at = known.sizes.get(tensor), known.open.get(tensor) or set[int]()
            if tensor in given:
                sizes, open_at = given[tensor], set[int]()
            elif sizes is None and like is not None:
                sizes, open_at = like, set(range(len(like)))
            if sizes is None:
                if slot not in hole.writes:
                    continue
                raise Refused(
                    f"nothing tells the sizes of '{tensor}', which {hole.node} writes",
                    f"ONNX Runtime has no {hole.operator}: give them, as --shape {tensor}:1x64x32x32",
                )
            near = like if like is not None and len(like) == len(sizes) else (_FALLBACK,) * len(sizes)
            made[tensor] = tuple(
                (near[dim] if guess is None else guess) if dim in open_at else size
                for dim, size in enumerate(sizes)
            )
            if slot in hole.writes:
                result[hole.writes[slot]] = made[tensor]
            certain = certain and not open_at
    return result, certain


@dataclass(frozen=True)
class Around:
    """Two models around the same holes.

    Attributes:
        left: the first, or what stands for it.
        right: the second.
        found: the holes.
        stays: positions that stay of the further outputs of `left`, by their names.
        given: positions that stay of the further inputs of `left`, by their names.
    """

    left: Model
    right: Model
    found: tuple[Hole, ...]
    stays: Mapping[str, Cuts]
    given: Mapping[str, Cuts]

    def second(self, feeds: Feeds) -> Feeds:
        """Return inputs of `left` as `right` takes them."""
        wanted = {tensor.name for tensor in self.right.graph.inputs}
        return {
            name: take(array, self.given.get(name, {})) for name, array in feeds.items() if name in wanted
        }

    @property
    def not_run(self) -> tuple[str, ...]:
        """The nodes that are not run, as messages name them."""
        return tuple(hole.node for hole in self.found)


@dataclass(frozen=True)
class Drawn:
    """Inputs of a model around holes, drawn anew, and alike, whenever they are gone through.

    Attributes:
        graph: the original.
        around: what runs.
        given: inputs of the original; None for random ones.
        sizes: sizes for inputs of the original, and for tensors that foreign operators write.
        seed: the seed of what is random.
    """

    graph: gs.Graph
    around: Around
    given: Sequence[Feeds] | None
    sizes: Mapping[str, Sizes]
    seed: int

    def __iter__(self) -> Iterator[Feeds]:
        runs, found = self.around.left.graph, self.around.found
        if self.given is None:
            yield from drawn(self.graph, runs, found, self.sizes, self.seed)
            return
        for number, values in enumerate(self.given):
            at = {**self.sizes, **{name: array.shape for name, array in values.items()}}
            for feeds in drawn(self.graph, runs, found, at, self.seed + number):
                yield {**feeds, **values}


def pair(
    original: Model, left: Model, right: Model, types: Mapping[str, int], cut: Cut | None = None
) -> Around | None:
    """Return two models around what ONNX Runtime cannot run; None where it runs all of them.

    Args:
        original: the first model.
        left: the first model, or its masked twin.
        right: the second model.
        types: the onnx element types of the tensors of `original`.
        cut: what was cut out of `original` to get `right`; None where they are to be the same.

    Raises:
        Negative: a node that cannot be run is not in the second model, or is another one there.
    """
    found = holes(original.graph)
    if not found:
        return None
    kinds = kinds_of(original.graph, found, types)
    # The twin adds nodes, and may name results anew, but keeps the order.
    twins = dict(zip(foreign(left.graph), found, strict=True))
    stay = [hole for hole in found if cut is None or cut.nodes[hole.position].outputs]
    others = _places(right.graph, stay)
    for position, hole in others.items():
        expected = original.graph.nodes[hole.position] if cut is None else cut.nodes[hole.position]
        if not _alike(expected, right.graph.nodes[position]):
            raise Negative(f"{hole.node} has other attributes or operands", "please report this")
    stays: dict[str, Cuts] = {}
    given: dict[str, Cuts] = {}
    for hole, trace in [(hole, cut.traces[hole.position]) for hole in stay] if cut is not None else ():
        if not trace.mixed:  # then the twin's operator sees, and makes, what stays alone
            stays |= {
                name: trace.inputs.get(key, {}) for key, name in hole.reads.items() if isinstance(key, int)
            }
            given |= {name: trace.outputs.get(slot, {}) for slot, name in hole.writes.items()}
    gone = {hole.position for hole in found} - {hole.position for hole in stay}
    unread = {at: replace(hole, reads={}) if hole.position in gone else hole for at, hole in twins.items()}
    return Around(around(left, unread, kinds), around(right, others, kinds), found, stays, given)


def _alike(a: gs.Node, b: gs.Node) -> bool:
    """Whether two nodes have the same attributes and operands in the same slots."""
    left, right = node_proto(a), node_proto(b)
    slots = [[bool(name) for name in proto.input] for proto in (left, right)]
    return slots[0] == slots[1] and _attributes(left) == _attributes(right)


def _attributes(node: onnx.NodeProto) -> list[bytes]:
    return sorted(
        each.SerializeToString(deterministic=True)
        for each in node.attribute
        if each.type not in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    )
