"""Where twin and cut are compared, and in which stages they run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import onnx_graphsurgeon as gs

from graphprune import elements
from graphprune.ir import is_default_domain, subgraphs
from graphprune.proof.parts import reads
from graphprune.surgery import Trace
from graphprune.weights import stored

SATURATES = frozenset(["Erf", "HardSigmoid", "LogSoftmax", "Sigmoid", "Softmax", "Tanh"])
"""Operators whose noise is that of their range, 1, however small their values are."""
_HIDES = SATURATES | {
    *("ArgMax", "ArgMin", "Ceil", "Clip", "DynamicQuantizeLinear", "Equal", "Floor", "Greater"),
    *("GreaterOrEqual", "HardSwish", "Less", "LessOrEqual", "NonZero", "QuantizeLinear", "Relu", "Round"),
    *("Sign", "TopK"),
}
"""Operators behind which a difference may not be seen: they saturate, compare or round."""
_BOTH = frozenset(["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
MOVES = frozenset(
    [
        *("Cast", "CastLike", "Concat", "DequantizeLinear", "Expand", "Flatten", "Gather", "GatherElements"),
        *("GatherND", "Identity", "Pad", "QuantizeLinear", "Reshape", "ScatterElements", "ScatterND"),
        *("Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"),
    ]
)
"""Operators that hand values on as they are."""
_LIGHT = MOVES | {
    *("Abs", "Add", "And", "Clip", "ConstantOfShape", "CumSum", "Div", "Equal", "Greater", "GreaterOrEqual"),
    *("Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Range", "ReduceMax"),
    *("ReduceSum", "Shape", "Size", "Sub", "Trilu", "Where", "Xor"),
}
"""Operators that masks, positions and lengths are made with."""
RANDOM = frozenset(
    ["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"]
)
"""Operators whose results two sessions do not share."""
AllSizes = Mapping[str, Sequence[int]]
"""Sizes of tensors by name."""
_BUDGET = 64 << 20
_MOST_STAGES = 25
_HELD = 3
"""What is held of a tensor that is compared: the twin's for two sets of inputs, and the cut's."""
_COMPARISONS = 8


@dataclass(frozen=True)
class Stage:
    """Nodes of the original that run together.

    Attributes:
        start: the first of them.
        stop: the first behind them.
        made: tensors that are compared or carried, in the order in which they are made.
        alive: tensors that are made before `stop` and read behind it.
    """

    start: int
    stop: int
    made: tuple[str, ...]
    alive: tuple[str, ...]


class Flow:
    """What can be said of the tensors of a graph from how its nodes hang together."""

    def __init__(self, graph: gs.Graph, types: Mapping[str, int]) -> None:
        self.graph, self.types = graph, types
        self.nodes: Sequence[gs.Node] = list(graph.nodes)
        self.reads: Sequence[frozenset[str]] = [frozenset(reads(node)) for node in self.nodes]
        self.makers = {t.name: i for i, node in enumerate(self.nodes) for t in node.outputs if t.name}
        self.outputs = [tensor.name for tensor in graph.outputs]

    @cached_property
    def from_sizes(self) -> frozenset[str]:
        """Tensors that are computed from sizes alone, which are others in the smaller model."""
        found: set[str] = set()
        for node, names in zip(self.nodes, self.reads, strict=True):
            if node.op in ("Shape", "Size") or (names and names <= found):
                found.update(_named(node))
        return frozenset(found)

    @cached_property
    def by_floats(self) -> frozenset[str]:
        """Tensors whose values depend on those of floats that are no constants."""
        found = {t.name for t in self.graph.inputs if self.is_float(t.name)}
        for node, names in zip(self.nodes, self.reads, strict=True):
            made = [name for name in _named(node) if self.is_float(name)] if node.op != "Shape" else []
            if node.op not in ("Shape", "Size") and (names & found or made) and not names <= self.from_sizes:
                found.update(_named(node))
        return frozenset(found)

    @cached_property
    def reach(self) -> frozenset[str]:
        """Tensors in the range of 0 to 1 behind an operator that saturates, through what passes it on."""
        found: set[str] = set()
        for node, names in zip(self.nodes, self.reads, strict=True):
            passes = node.op in MOVES or node.op in ("Mul", "Sub", "Where", "Add")
            if (node.op in SATURATES and is_default_domain(node)) or (passes and names & found):
                found.update(_named(node))
        return frozenset(found)

    @cached_property
    def heavy(self) -> frozenset[str]:
        """Tensors behind an operator that does more than masks, positions and lengths are made with."""
        found: set[str] = set()
        for node, names in zip(self.nodes, self.reads, strict=True):
            table = node.op == "Gather" and isinstance(node.inputs[0], gs.Constant)
            light = node.op in _LIGHT and not (table and self.is_float(node.outputs[0].name))
            if not light or names & found:
                found.update(_named(node)[:1] if "Attention" in node.op else _named(node))
        return frozenset(found)

    @cached_property
    def random(self) -> frozenset[str]:
        """Results of operators that draw at random."""
        drawn: set[str] = set()
        for node in self.nodes:
            training = node.op == "Dropout" and len(node.inputs) > 2 and bool(node.inputs[2].name)
            if (node.op in RANDOM or training) and is_default_domain(node):
                drawn.update(_named(node))
        return frozenset(drawn)

    def copies(self, name: str) -> frozenset[str]:
        """Tensors that hold the values of `name` as they are, a cache that is handed out among them."""
        found = {name}
        for node, names in zip(self.nodes, self.reads, strict=True):
            if node.op in MOVES and names & found:
                found.update(_named(node))
            elif "Attention" in node.op and names & found:
                found.update(_named(node)[1:])
        return frozenset(found)

    def reaches(self, name: str) -> bool:
        """Whether the values of `name` can make a difference to an output."""
        found = {name}
        for node, names in zip(self.nodes, self.reads, strict=True):
            if names & found and node.op not in ("Shape", "Size"):
                found.update(_named(node))
        return not found.isdisjoint(self.outputs)

    def is_used(self, name: str) -> bool:
        """Whether an output depends on `name` at all, if only on its sizes."""
        found = {name}
        for node, names in zip(self.nodes, self.reads, strict=True):
            if names & found:
                found.update(_named(node))
        return not found.isdisjoint(self.outputs)

    def is_float(self, name: str) -> bool:
        """Whether a tensor is known to hold floats."""
        element = self.types.get(name)
        return (element is not None and "FLOAT" in elements.NAMES[element]) or element == 11

    def is_tensor(self, name: str) -> bool:
        """Whether a name is known to stand for a plain tensor of numbers."""
        return self.types.get(name, 8) != 8


def points(flow: Flow, traces: Sequence[Trace], known: Collection[str]) -> list[str]:
    """Return the tensors that are compared inside, in order, of those that the smaller model has (`known`).

    These are: what an operator that saturates, compares or rounds is given, and the integers that it makes of
    it; what a sum over units that were cut reads; and what is alive at a few narrow places.
    """
    found: set[str] = set()
    for position, (node, trace) in enumerate(zip(flow.nodes, traces, strict=True)):
        for slot, _ in trace.consumed:
            found.update(_activations(node, slot))
        if is_default_domain(node) and (node.op in _HIDES or _rounds(node, flow)):
            found.update(t.name for t in node.inputs[: 2 if node.op in _BOTH else 1])
        if not any(flow.is_float(name) for name in _named(node)[:1]):
            found.update(name for name in _decided(node, position, flow))
    for at in _narrow(flow):
        found.update(_alive(flow, at))
    usable = found & set(known) - flow.from_sizes - flow.random
    return [name for name in flow.makers if name in usable and flow.is_tensor(name)]


def fronts(flow: Flow, output: str) -> set[str]:
    """Return the tensors that stand in front of an output which may hide what they do."""
    found: set[str] = set()
    waiting = [output]
    while waiting:
        name = waiting.pop()
        at = flow.makers.get(name)
        if at is None or name in found:
            continue
        found.add(name)
        node = flow.nodes[at]
        if (node.op in _HIDES or node.op in MOVES or node.op in ("Where", "Not")) and node.inputs:
            waiting += [t.name for t in node.inputs if t.name and not isinstance(t, gs.Constant)]
    return found - {output}


def consumed(flow: Flow, traces: Sequence[Trace]) -> dict[str, int]:
    """Return the tensors that a sum over units that were cut reads, each with the dimension of the units."""
    found: dict[str, int] = {}
    for node, trace in zip(flow.nodes, traces, strict=True):
        for slot, dim in trace.consumed:
            for name in _activations(node, slot):
                at = next((s for s, t in enumerate(node.inputs) if t.name == name), slot)
                dims = [d for d in trace.inputs.get(at, {}) if at != slot or d == dim]
                if len(dims) == 1:
                    found.setdefault(name, dims[0])
    return found


def stages(flow: Flow, sizes: AllSizes, compared: Sequence[str], budget: int = _BUDGET) -> list[Stage]:
    """Return the nodes in stages, each within a budget of bytes as far as one node's weights are.

    The budget is of weights and of tensors that are compared, at the `sizes` that they are run at. A stage
    ends where least is alive.
    """
    costs = [_weights(node) for node in flow.nodes]
    budget = max([budget, sum(costs) // _MOST_STAGES, *costs])
    wanted = set(compared)
    for position, node in enumerate(flow.nodes):
        costs[position] += _HELD * sum(_bytes(name, flow, sizes) for name in _named(node) if name in wanted)
    ends: list[int] = []
    start, held = 0, 0
    last = _last_reads(flow)
    for position, cost in enumerate(costs):
        if held + cost > budget and position > start:
            cut = _best(flow, sizes, last, range(start + (position - start + 1) // 2, position + 1))
            if cut is not None and cut > start:
                ends.append(cut)
                start, held = cut, sum(costs[cut:position])
        held += cost
    return list(_staged(flow, wanted, last, [*ends, len(flow.nodes)]))


def _staged(flow: Flow, wanted: set[str], last: Mapping[str, int], ends: Sequence[int]) -> Iterator[Stage]:
    start = 0
    for stop in ends:
        alive = [name for name, at in flow.makers.items() if at < stop and last.get(name, -1) >= stop]
        kept = wanted | set(alive) | set(flow.outputs) | flow.random
        made = [name for name, at in flow.makers.items() if start <= at < stop and name in kept]
        yield Stage(start, stop, tuple(made), tuple(alive))
        start = stop


def _best(flow: Flow, sizes: AllSizes, last: Mapping[str, int], places: range) -> int | None:
    """Return the place where least is alive, of those where all that is alive is a tensor."""
    found: list[tuple[int, int]] = []
    for stop in places:
        alive = [name for name, at in flow.makers.items() if at < stop and last.get(name, -1) >= stop]
        if all(flow.is_tensor(name) for name in alive):
            found.append((sum(_bytes(name, flow, sizes) for name in alive), -stop))
    return -min(found)[1] if found else None


def _last_reads(flow: Flow) -> dict[str, int]:
    return {name: position for position, names in enumerate(flow.reads) for name in names}


def _narrow(flow: Flow) -> list[int]:
    """Return some places, evenly spread, where few tensors are alive."""
    count = len(flow.nodes)
    step = max(1, count // _COMPARISONS)
    last = _last_reads(flow)
    changes = [0] * (count + 2)
    for name, at in flow.makers.items():
        if name not in flow.from_sizes and last.get(name, -1) > at:
            changes[at + 1] += 1
            changes[last[name] + 1] -= 1
    widths = [0] * (count + 1)
    width = 0
    for position in range(count + 1):
        width += changes[position]
        widths[position] = width
    starts = range(1, count, step)
    return [min(range(at, min(at + step, count)), key=lambda p: (widths[p], p)) for at in starts]


def _alive(flow: Flow, stop: int) -> list[str]:
    last = _last_reads(flow)
    return [
        name
        for name, at in flow.makers.items()
        if at < stop and last.get(name, -1) >= stop and name in flow.by_floats
    ]


def _activations(node: gs.Node, slot: int) -> list[str]:
    """Return the operand that is summed over, or where that is a constant the operands beside it."""
    if not isinstance(node.inputs[slot], gs.Constant):
        return [node.inputs[slot].name]
    return [t.name for t in node.inputs[:2] if t.name and not isinstance(t, gs.Constant)][:1]


def _decided(node: gs.Node, position: int, flow: Flow) -> list[str]:
    """Return the integers that a node makes of floats."""
    given = flow.reads[position] - flow.from_sizes
    if node.op in ("Shape", "Size") or not any(flow.is_float(name) for name in given):
        return []
    return [name for name in _named(node) if not flow.is_float(name)]


def _rounds(node: gs.Node, flow: Flow) -> bool:
    return node.op == "Cast" and not flow.is_float(node.outputs[0].name)


def _weights(node: gs.Node) -> int:
    inside = [t for body in subgraphs(node) for n in body.nodes for t in n.inputs]
    tensors = {id(t): t for t in (*node.inputs, *inside) if isinstance(t, gs.Constant)}
    return sum(int(stored(tensor).nbytes) for tensor in tensors.values())


def _bytes(name: str, flow: Flow, sizes: AllSizes) -> int:
    element = flow.types.get(name, 1)
    return elements.stored_bytes(element, elements.count(sizes.get(name, ())))


def _named(node: gs.Node) -> list[str]:
    return [tensor.name for tensor in node.outputs if tensor.name]
