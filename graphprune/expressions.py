"""Values that follow from constants alone, computed once and stored in the place of what computed them.

Weight standardisation, weight_norm, a weight that is stored flat: exporters leave the arithmetic in the
graph. Stored, a weight is a weight again: it is cut as one, made sparse, refitted, and its norms are free.

ONNX Runtime computes the values, in the order and the types that the graph says, so that the model computes
what it computed before. What would take more room than the constants it is made of stays an expression: a
mask of zeros expanded to its size, a table of sines, a weight that is stored in fewer bits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune import elements, evaluate
from graphprune.duplicate import fresh_name, names_of
from graphprune.errors import Refused
from graphprune.ir import element_type, is_default_domain, read, subgraphs
from graphprune.model import Model
from graphprune.rewire import set_output, sweep
from graphprune.shapes import Shapes, infer
from graphprune.weights import Computed, SparseWeight, stored

SMALL, SMALL_INTEGERS = 16, 1 << 10
"""Bytes that a value may take whatever it is made of, and those of a value that says sizes or positions."""
MOST = 1 << 29
"""Bytes of all values that are computed in one model: they are in memory. The rest stays as it is."""
_GROWTH, _FREE = 4, 1 << 20
"""What is computed on the way is at most so many times as large as the largest constant, or so many bytes."""
_RANDOM = frozenset(
    ["Bernoulli", "Dropout", "Multinomial"]
    + [f"Random{kind}{like}" for kind in ("Normal", "Uniform") for like in ("", "Like")]
)
_QUANTISED = frozenset(["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"])
"""Weights are stored so on purpose, and runtimes look for these operators."""
_UNFIT = frozenset([TensorProto.UNDEFINED, TensorProto.STRING])


def compute(model: Model) -> tuple[int, int]:
    """Replace, in place, the values of the graph that constants alone decide by constants.

    Returns how many were computed, and how many there was no room for.

    That goes for bodies, too. A constant that a caller may override, as an input of the graph, decides
    nothing. What ONNX Runtime cannot compute stays.
    """
    given = {value.name for value in model.source.graph.input}
    graphs = [model.graph, *model.graph.subgraphs(recursive=True)]
    handed_on = {id(tensor) for graph in graphs for tensor in graph.outputs}
    readers: dict[int, set[int]] = {}
    for node in (node for graph in graphs for node in graph.nodes):
        for tensor in node.inputs:
            readers.setdefault(id(tensor), set()).add(id(node))
    count, beyond, room, names = 0, 0, MOST, names_of(model.graph)
    for graph in graphs:
        found = _Decided(graph, given, handed_on, readers)
        parts: list[Sequence[gs.Tensor]] = []
        for part in found.worth():
            size = sum(found.bytes[id(tensor)] for tensor in part)
            if size <= room:
                parts.append(part)
                room -= size
            else:
                beyond += len(part)
        values = _values(model, found, parts)
        for tensor in (tensor for part in parts for tensor in part if tensor.name in values):
            maker = tensor.inputs[0]
            slot = next(slot for slot, each in enumerate(maker.outputs) if each is tensor)
            set_output(maker, slot, gs.Variable(fresh_name(tensor.name, names)))
            tensor.to_constant(values[tensor.name].view(Computed))
        count += len(values)
    if count:
        sweep(model.graph)
    return count, beyond


@dataclass
class _Decided:
    """The nodes of one graph that constants alone decide.

    Attributes:
        nodes: those nodes, by identity, in order.
        made: what they make, by identity.
        bytes: what that takes, and what the constants take that they read, by identity.
        from_: the constants that each of those is computed from, by identity.
        readers: the nodes that read a tensor, by identity, those in bodies included.
        handed_on: the tensors that graphs and bodies give out, by identity.
    """

    graph: gs.Graph
    given: Collection[str]
    handed_on: Collection[int]
    readers: Mapping[int, Collection[int]]
    nodes: dict[int, gs.Node] = field(default_factory=dict[int, gs.Node])
    made: dict[int, gs.Tensor] = field(default_factory=dict[int, gs.Tensor])
    bytes: dict[int, int] = field(default_factory=dict[int, int])
    from_: dict[int, frozenset[int]] = field(default_factory=dict[int, frozenset[int]])
    constants: dict[int, gs.Constant] = field(default_factory=dict[int, gs.Constant])
    shapes: Shapes = field(default_factory=Shapes)

    def __post_init__(self) -> None:
        for node in self.graph.nodes:
            if self._is_decided(node):
                self.nodes[id(node)] = node
                self.made.update((id(tensor), tensor) for tensor in _named(node.outputs))
        if self.nodes:
            self._measure()

    def _is_decided(self, node: gs.Node) -> bool:
        if (
            not is_default_domain(node)
            or node.op in _RANDOM | _QUANTISED
            or any(True for _ in subgraphs(node))
        ):
            return False
        operands = _named(node.inputs)
        if not operands or any(id(tensor) in self.handed_on for tensor in node.outputs):
            return False
        return all(id(tensor) in self.made or self._decides(tensor) for tensor in operands)

    def _decides(self, tensor: gs.Tensor) -> bool:
        if not isinstance(tensor, gs.Constant) or tensor.name in self.given:
            return False
        return not isinstance(stored(tensor), SparseWeight) and element_type(tensor) not in _UNFIT

    def _measure(self) -> None:
        """Note sizes, and leave out the nodes behind which they are not known or too large."""
        nodes = list(self.nodes.values())
        self.shapes = infer(_alone(self.graph, nodes, ()))
        self.nodes, self.made = {}, {}
        for node in nodes:
            if not self._can_be_made(node):
                continue
            operands = _named(node.inputs)
            for tensor in operands:
                if isinstance(tensor, gs.Constant):
                    self.constants[id(tensor)] = tensor
                    self.bytes[id(tensor)] = int(stored(tensor).nbytes)
                    self.from_[id(tensor)] = frozenset([id(tensor)])
            sources = frozenset[int]().union(*(self.from_[id(tensor)] for tensor in operands))
            most = max(_FREE, *(_GROWTH * self.bytes[each] for each in sources))
            sizes = [self._size(tensor) for tensor in _named(node.outputs)]
            if any(size is None or size > most for size in sizes):
                continue
            self.nodes[id(node)] = node
            for tensor, size in zip(_named(node.outputs), sizes, strict=True):
                self.made[id(tensor)], self.bytes[id(tensor)] = tensor, size or 0
                self.from_[id(tensor)] = sources

    def _size(self, tensor: gs.Tensor) -> int | None:
        sizes, kind = self.shapes.sizes.get(tensor.name), self.shapes.types.get(tensor.name, 0)
        if sizes is None or kind in _UNFIT or self.shapes.open.get(tensor.name):
            return None
        return elements.stored_bytes(kind, prod(sizes))

    def _ends(self) -> list[gs.Tensor]:
        """Return what is read by something that constants do not decide."""
        return [
            tensor
            for tensor in self.made.values()
            if any(reader not in self.nodes for reader in self.readers.get(id(tensor), ()))
        ]

    def worth(self) -> Iterator[Sequence[gs.Tensor]]:
        """Yield values that are to be stored together: they take no more room than what they are made of.

        Expressions that share a constant go together or not at all, since it goes when all of them go. What
        would grow is taken for an operand of the last operator, and looked at again before that.
        """
        while self.nodes:
            kept: list[Sequence[gs.Tensor]] = []
            grown: list[gs.Tensor] = []
            for part in self._together(self._ends()):
                larger = [t for t in part if self._counted(t) > self._room(self.from_[id(t)], [t])]
                sources = frozenset[int]().union(*(self.from_[id(tensor)] for tensor in part))
                goes = self._room([each for each in sources if self._goes(each)], part)
                if larger or sum(map(self._counted, part)) > goes:
                    grown += larger or part
                else:
                    kept.append(part)
            if not grown:
                yield from kept
                return
            for maker in (maker for tensor in grown for maker in tensor.inputs):
                self._give_up(maker)
            for node in list(self.nodes.values()):  # and what is made of that
                if not self._can_be_made(node):
                    self._give_up(node)

    def _counted(self, tensor: gs.Tensor) -> int:
        """Return the bytes of a value; none where they are few."""
        size = self.bytes[id(tensor)]
        return 0 if size <= (SMALL_INTEGERS if self._is_index(tensor) else SMALL) else size

    def _is_index(self, tensor: gs.Tensor) -> bool:
        return not elements.is_weights(elements.DTYPES[self.shapes.types[tensor.name]])

    def _room(self, sources: Collection[int], made: Sequence[gs.Tensor]) -> int:
        """Return the bytes of the constants that values are made of; of weights, without indices."""
        indices = all(map(self._is_index, made))
        return sum(
            self.bytes[each]
            for each in sources
            if indices or elements.is_weights(np.dtype(self.constants[each].dtype))
        )

    def _goes(self, constant: int) -> bool:
        """Whether nothing reads a constant but nodes that constants decide."""
        return constant not in self.handed_on and all(node in self.nodes for node in self.readers[constant])

    def _can_be_made(self, node: gs.Node) -> bool:
        """Whether each operand is a constant or made of such."""
        return all(id(t) in self.made or isinstance(t, gs.Constant) for t in _named(node.inputs))

    def _give_up(self, node: gs.Node) -> None:
        self.nodes.pop(id(node), None)
        for tensor in node.outputs:
            self.made.pop(id(tensor), None)

    def _together(self, ends: Sequence[gs.Tensor]) -> list[Sequence[gs.Tensor]]:
        """Return `ends` in parts that share no weight of more than a few bytes."""
        parts: dict[int, list[gs.Tensor]] = {}
        part_of: dict[int, int] = {}
        for number, tensor in enumerate(ends):
            parts[number] = [tensor]
            shared = [each for each in self.from_[id(tensor)] if self.bytes[each] > SMALL]
            for other in sorted({part_of[each] for each in shared if each in part_of}):
                moved = parts.pop(other)
                parts[number] = [*moved, *parts[number]]
                part_of.update((each, number) for each, at in list(part_of.items()) if at == other)
            part_of.update((each, number) for each in shared)
        return list(parts.values())

    def behind(self, tensors: Sequence[gs.Tensor]) -> list[gs.Node]:
        """Return the nodes that compute `tensors`, in order."""
        waiting, found = list(tensors), set[int]()
        while waiting:
            for maker in waiting.pop().inputs:
                if id(maker) in self.nodes and id(maker) not in found:
                    found.add(id(maker))
                    waiting += maker.inputs
        return [node for key, node in self.nodes.items() if key in found]


def _named(tensors: Sequence[gs.Tensor]) -> list[gs.Tensor]:
    """Return the tensors that are there: an operand or a result that is left out has no name."""
    return [tensor for tensor in tensors if tensor.name]


def _alone(graph: gs.Graph, nodes: Sequence[gs.Node], outputs: Sequence[gs.Tensor]) -> gs.Graph:
    return gs.Graph(
        nodes=list(nodes),
        outputs=list(outputs),
        name=graph.name,
        opset=graph.opset,
        import_domains=graph.import_domains,
    )


def _values(
    model: Model, found: _Decided, parts: Sequence[Sequence[gs.Tensor]]
) -> Mapping[str, NDArray[Any]]:
    """Return the values of `parts` by name, without those of parts that cannot be computed."""
    from graphprune.fitting.stage import Stages
    from graphprune.runtime import run, session

    known: dict[str, NDArray[Any]] = {}
    rest: list[gs.Tensor] = []
    for tensor in (tensor for part in parts for tensor in part):
        value = found.shapes.values.get(tensor.name)
        if value is None or value.dtype.kind not in "iub":
            value = _simple(found.behind([tensor]), tensor)
        if value is None:
            rest.append(tensor)
        else:
            known[tensor.name] = np.array(value)
    if not rest:
        return known
    names = [tensor.name for tensor in rest]
    try:
        with session(Stages(model).of(found.behind(rest), {}, names)) as opened:
            made = run(opened, {})
    except Refused:
        if len(parts) == 1:
            return {}
        alone = [_values(model, found, [part]) for part in parts]
        return {name: value for each in alone for name, value in each.items()}
    # What ONNX Runtime has no kernel for in bfloat16 was computed in float32.
    types = {name: elements.DTYPES[found.shapes.types[name]] for name in names}
    return known | {name: np.array(each, types[name]) for name, each in zip(names, made, strict=True)}


def _simple(nodes: Sequence[gs.Node], tensor: gs.Tensor) -> NDArray[Any] | None:
    """Return the value of `tensor` where numpy computes it like ONNX Runtime, whose start takes seconds."""
    held: dict[int, NDArray[Any]] = {}
    if not all(node.op in evaluate.EXACT for node in nodes):
        return None
    for node in nodes:
        arrays = [read(each) if isinstance(each, gs.Constant) else held.get(id(each)) for each in node.inputs]
        value = evaluate.exactly(node, arrays)
        if value is None:
            return None
        held[id(node.outputs[0])] = value
    return held[id(tensor)]
