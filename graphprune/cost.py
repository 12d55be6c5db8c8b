"""What a model costs before and after a plan, and its layers: parameters, multiply-accumulates, bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from graphprune import rules
from graphprune.axes import Axis, counted, leaves
from graphprune.elements import is_weights
from graphprune.ir import body_constants, constants, shape_of, subgraphs
from graphprune.layers import gone, layers
from graphprune.plan import Plan
from graphprune.solution import Applied, Solution, Stays, everywhere

Count = Callable[[Axis], int]
_PRODUCTS = [
    "DynamicQuantizeMatMul",
    "Einsum",
    "FusedGemm",
    "FusedMatMul",
    "Gemm",
    "MatMul",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "QGemm",
    "QLinearMatMul",
]
"""Operators that multiply for every combination of their axes."""
Sizes = tuple[int, ...]
_MANY_STEPS = 1 << 20
"""A Loop that is given as many steps is meant to end before, by its condition."""


@dataclass(frozen=True)
class Cost:
    """Parameters (elements of floating-point and quantised constants), MACs of one sample, weight bytes.

    MACs are those of convolutions, matrix products and recurrent operators, also in bodies: `macs_of`. A
    leading symbolic dimension counts as 1, and so do dimensions that depend on data; other symbolic ones
    count with the numbers that `Shapes.symbols` gives them.
    """

    params: int
    macs: int
    bytes: int


def cost(solution: Solution, plan: Plan | None = None) -> Cost:
    """Return what the model costs under `plan`, or as it is."""
    found = _parts(solution, plan)
    return Cost(
        sum(each.params for each in found),
        sum(each.macs for each in found) // _batch(solution),
        sum(each.bytes for each in found),
    )


def node_costs(solution: Solution, plan: Plan | None = None) -> tuple[Cost, ...]:
    """Return what each node costs under `plan`, or as it is, in the order of the solution's nodes.

    What several nodes use counts at the first of them, and nodes that go cost nothing. The sum is that of
    `cost` but for constants that are outputs of the graph themselves.
    """
    batch = _batch(solution)
    return tuple(replace(each, macs=each.macs // batch) for each in _parts(solution, plan)[:-1])


def _parts(solution: Solution, plan: Plan | None) -> list[Cost]:
    """The cost of each node and, last, of the outputs that are constants; the MACs of the whole batch."""
    plan = plan or Plan({}, {})
    stays = solution.stays(plan.keep)
    out = gone(solution, plan.layers)
    measured = _measure(solution, stays)
    count = len(solution.nodes)
    params, size = [0] * (count + 1), [0] * (count + 1)
    for position, tensor, elements in _constants(solution, stays, out):
        params[position] += elements if is_parameter(tensor) else 0
        size[position] += elements * np.dtype(tensor.dtype).itemsize
    macs = [
        0 if position in out else macs_of(applied, measured)
        for position, applied in enumerate(solution.nodes)
    ]
    return [Cost(*each) for each in zip(params, [*macs, 0], size, strict=True)]


def layer_costs(solution: Solution) -> tuple[Cost, ...]:
    """Return for each of `layers` what goes with it when nothing else is removed."""
    measured = _measure(solution, solution.stays({}))
    users: dict[int, list[int]] = {}
    held: list[list[gs.Constant]] = []
    for position, node in enumerate(solution.graph.nodes):
        own = (tensor for tensor in node.inputs if isinstance(tensor, gs.Constant))
        held.append([*own, *_inside(node)])
        for tensor in held[-1]:
            users.setdefault(id(tensor), []).append(position)
    kept = {id(tensor) for tensor in solution.graph.outputs}
    found: list[Cost] = []
    for layer in layers(solution):
        out = frozenset(layer.nodes)
        unused = {
            id(tensor): tensor
            for position in layer.nodes
            for tensor in held[position]
            if id(tensor) not in kept and out.issuperset(users[id(tensor)])
        }
        params = sum(prod(shape_of(tensor)) for tensor in unused.values() if is_parameter(tensor))
        size = sum(prod(shape_of(tensor)) * np.dtype(tensor.dtype).itemsize for tensor in unused.values())
        macs = sum(macs_of(solution.nodes[position], measured) for position in layer.nodes)
        found.append(Cost(params, macs // _batch(solution), size))
    return tuple(found)


def is_parameter(tensor: gs.Constant) -> bool:
    """Whether the elements of a constant count as parameters: no indices, sizes, masks or texts."""
    return is_weights(np.dtype(tensor.dtype))


def _measure(solution: Solution, stays: Stays) -> Count:
    """Return the function that says how many positions along an axis stay and count."""

    def count(axis: Axis) -> int:
        index = stays(axis)
        return axis.size if index is None else index.size

    unknown = open_leaves(solution)

    return lambda axis: counted(axis, lambda leaf: 1 if id(leaf) in unknown else count(leaf))


def _constants(
    solution: Solution, stays: Stays, out: Collection[int]
) -> Iterator[tuple[int, gs.Constant, int]]:
    """Yield the first user, the constant, and its elements, once for each way in which it is cut.

    The user of an output that is a constant is one past the last node. What only the nodes at the positions
    `out` use is left out.
    """
    seen: set[tuple[int, tuple[bytes | None, ...]]] = set()
    whole: list[tuple[int, gs.Constant]] = []
    users = ((n, each) for n, top in enumerate(solution.nodes) if n not in out for each in everywhere([top]))
    for position, applied in users:
        node = applied.site.node
        if not applied.bodies:
            whole += ((position, tensor) for tensor in _inside(node))
        for tensor, axes in zip(node.inputs, applied.inputs, strict=True):
            if not isinstance(tensor, gs.Constant) or axes is None:
                continue
            indices = [stays(axis) for axis in axes]
            kept = tuple(None if index is None else index.tobytes() for index in indices)
            if (id(tensor), kept) not in seen:
                seen.add((id(tensor), kept))
                sizes = (axis.size if i is None else i.size for axis, i in zip(axes, indices, strict=True))
                yield position, tensor, prod(sizes)
    last = len(solution.nodes)
    whole += ((last, tensor) for tensor in solution.graph.outputs if isinstance(tensor, gs.Constant))
    for position, tensor in whole:
        key = (id(tensor), (None,) * len(shape_of(tensor)))
        if key not in seen:
            seen.add(key)
            yield position, tensor, prod(shape_of(tensor))


def _inside(node: gs.Node) -> Iterator[gs.Constant]:
    """Yield the constants that the bodies of a node use."""
    for body in subgraphs(node):
        yield from constants(body)
        yield from body_constants(body)


def open_leaves(solution: Solution) -> frozenset[int]:
    """Return the leaves whose size depends on data; the numbers they stand at mean nothing."""
    found: set[int] = set()
    for applied in solution.everywhere if solution.shapes.open else ():
        for tensor, axes in zip(applied.site.node.outputs, applied.outputs, strict=True):
            for dim, axis in enumerate(axes or ()):
                if dim in solution.shapes.open.get(tensor.name, ()):
                    found.update(id(part) for part in leaves(axis))
    return frozenset(found)


def counted_at(solution: Solution) -> tuple[str, ...]:
    """Return the inputs whose sizes the model leaves open beside the batch, with those that MACs count at.

    They are as `x:1x3x67x71`; empty where the model says all sizes.
    """
    batch, found = _batch(solution), list[str]()
    for tensor in solution.graph.inputs:
        declared: Sequence[int | str | None] = tensor.shape or []
        taken = solution.shapes.sizes.get(tensor.name, ())
        free = [not isinstance(size, int) for size in declared]
        if any(is_free and size != batch for is_free, size in zip(free, taken)):
            shown = (1 if is_free and size == batch else size for is_free, size in zip(free, taken))
            found.append(f"{tensor.name}:{'x'.join(map(str, shown))}")
    return tuple(found)


def _batch(solution: Solution) -> int:
    first = next((tensor for tensor in solution.graph.inputs if tensor.shape), None)
    if first is None or isinstance(first.shape[0], int):
        return 1
    return solution.shapes.sizes[first.name][0]


def _attention_macs(query: Sizes, key: Sizes, out: Sizes, packed: bool) -> int:
    """Count the scores and the mixing of values over the new positions, and packed projections."""
    if packed:  # com.microsoft.Attention: the second operand is the weight of queries, keys and values
        return prod(query) * key[1] + 2 * prod(out) * query[-2]
    apart = key or query  # the queries may hold keys and values as well
    return (prod(query if key else out) + prod(out)) * apart[-2]


def _steps(applied: Applied, count: Count) -> int:
    if applied.site.node.op == "Loop":
        most = applied.site.value(0)
        return int(most.reshape(-1)[0]) if most is not None and 0 < most.reshape(-1)[0] < _MANY_STEPS else 1
    for tie in rules.ties(applied.site.node, applied.site.opset):
        axes = None if tie.given is None else applied.inputs[tie.given]
        if axes and tie.along is not None:
            return count(axes[tie.along])
    return 1


def macs_of(applied: Applied, count: Count) -> int:
    """Return the multiply-accumulates of a node.

    Of an If they are those of the dearer branch, of a Loop or a Scan those of all steps, where their number
    is known, else those of one.
    """
    if applied.bodies:
        bodies = (sum(macs_of(each, count) for each in body.nodes) for body in applied.bodies.values())
        return max(bodies) * _steps(applied, count)

    def sizes(slot: int) -> Sizes:
        axes = applied.inputs[slot] if slot < len(applied.inputs) else None
        return tuple(count(axis) for axis in axes or ())

    out = tuple(count(axis) for axis in (applied.outputs[0] or ())) if applied.outputs else ()
    op = applied.site.node.op
    if op in ("Conv", "FusedConv", "ConvInteger", "DeformConv"):
        return prod(out) * prod(sizes(1)[1:])
    if op == "QLinearConv":
        return prod(out) * prod(sizes(3)[1:])
    if op == "ConvTranspose":
        return prod(sizes(0)) * prod(sizes(1)[1:])
    if op in _PRODUCTS and applied.bound is not None:
        rest = applied.bound.rest.get("...", [])
        return prod(count(axis) for axis in (*applied.bound.names.values(), *rest))
    if op == "MatMulNBits" and sizes(0):
        return prod(out) * sizes(0)[-1]
    if "Attention" in op and applied.bound is not None:
        packed = op == "Attention" and rules.domain_of(applied.site.node) == rules.MICROSOFT
        return _attention_macs(sizes(0), sizes(1), out, packed)
    if op in ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM") and sizes(0):
        return prod(sizes(0)[:2]) * (prod(sizes(1)) + prod(sizes(2)))
    return 0
