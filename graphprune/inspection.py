"""What a model consists of: interface, size, groups, layers, and why the rest is not prunable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import onnx_graphsurgeon as gs

from graphprune.cost import cost, layer_costs
from graphprune.feeds import inputs_of
from graphprune.groups import Group
from graphprune.ir import shape_of
from graphprune.layers import joins
from graphprune.passes import group as grouping
from graphprune.pipeline import run
from graphprune.pruning import start
from graphprune.registry import find
from graphprune.solution import Applied, Solution
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.model import Model

VERSION = 2
Dims = tuple[int | str | None, ...]


@dataclass(frozen=True)
class Port:
    """An input or output; a dimension without a fixed size has a name or None, an unknown rank no shape."""

    name: str
    type: str
    shape: Dims | None


@dataclass(frozen=True)
class Standing:
    """One dimension of one constant in which a group stands, and the operator that uses the constant."""

    tensor: str
    shape: tuple[int, ...]
    dim: int
    role: str
    op: str
    node: str
    operand: int


@dataclass(frozen=True)
class GroupFacts:
    """A group. `mixed` is empty where its units are free, `reason` where it is prunable."""

    name: str
    kind: str
    units: int
    mixed: str
    reason: str
    siblings: tuple[str, ...]
    places: tuple[Standing, ...]


@dataclass(frozen=True)
class LayerFacts:
    """A residual branch that can be taken out, the addition that joins it, and what goes with it.

    `nodes` counts the addition as well.
    """

    name: str
    op: str
    node: str
    skipped: str
    branch: str
    nodes: int
    params: int
    macs: int
    bytes: int


@dataclass(frozen=True)
class Addition:
    """An addition of what was computed with weights, and why it is no layer's."""

    name: str
    reason: str


@dataclass(frozen=True)
class Weighted:
    """An operator with weights, and the groups along each dimension of its largest one."""

    node: str
    op: str
    params: int
    weight: tuple[int, ...]
    groups: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Operator:
    """An operator type: the rule of the first node of it, and why nodes of it pin everything they touch."""

    op: str
    nodes: int
    rule: str
    pinned: int
    reason: str


@dataclass(frozen=True)
class Inspection:
    """All of it. `shapes` are the sizes that the solver saw, with symbols by name, and `notes` what was made
    of the file before.
    """

    path: str | None
    producer: str
    ir_version: int
    opsets: dict[str, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: int
    params: int
    macs: int
    bytes: int
    groups: tuple[GroupFacts, ...]
    layers: tuple[LayerFacts, ...]
    additions: tuple[Addition, ...]
    weights: tuple[Weighted, ...]
    operators: tuple[Operator, ...]
    shapes: dict[str, Dims]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """All of it as JSON values."""
        return {"version": VERSION, **asdict(self)}


def inspect(model: Model | onnx.ModelProto | Path | str) -> Inspection:
    """Look at `model`; nothing in it is changed, and no weight is read but those that others are computed of.

    Raises `Refused` where it is no valid model.
    """
    return facts(solved(model))


def solved(model: Model | onnx.ModelProto | Path | str, shape: tuple[str, ...] = ()) -> State:
    """Return the state of `model` with its groups.

    Raises `Refused` where it is no valid model, `Usage` where the sizes in `shape` do not fit it.
    """
    return run([find("fold")(), grouping.Group(shape)], start(model))


def facts(state: State) -> Inspection:
    """What the model of a state with groups consists of."""
    source, solution = state.original.source, made(state.solution, "solution")
    whole = cost(solution)
    return Inspection(
        path=str(state.original.path) if state.original.path else None,
        producer=f"{source.producer_name} {source.producer_version}".strip(),
        ir_version=source.ir_version,
        opsets={entry.domain or "ai.onnx": entry.version for entry in source.opset_import},
        inputs=tuple(_port(tensor) for tensor in inputs_of(state.original.graph)),
        outputs=tuple(_port(tensor) for tensor in state.original.graph.outputs),
        nodes=_nodes(state.original.graph),
        params=whole.params,
        macs=whole.macs,
        bytes=whole.bytes,
        groups=tuple(_group(group) for group in solution.groups),
        layers=tuple(_layers(solution)),
        additions=tuple(Addition(name, reason) for name, reason in joins(solution).others),
        weights=tuple(_weights(solution)),
        operators=tuple(_operators(solution.everywhere)),
        shapes=_shapes(solution),
        notes=made(state.model, "model").notes,
    )


def _nodes(graph: gs.Graph) -> int:
    """Return the number of nodes, those of bodies included."""
    return len(graph.nodes) + sum(len(body.nodes) for body in graph.subgraphs(recursive=True))


def _port(tensor: gs.Tensor) -> Port:
    dtype: Any = tensor.dtype
    kind = onnx.TensorProto.DataType.Name(dtype).lower() if isinstance(dtype, int) else str(dtype)
    shape = tensor.shape
    return Port(tensor.name, kind, None if shape is None else tuple(size or None for size in shape))


def _group(group: Group) -> GroupFacts:
    places = tuple(
        Standing(
            place.tensor.name,
            shape_of(place.tensor),
            place.dim,
            place.role,
            place.node.op,
            place.node.name,
            place.slot,
        )
        for place in group.places
    )
    return GroupFacts(group.name, group.kind, group.size, group.mixed, group.reason, group.siblings, places)


def _layers(solution: Solution) -> Iterable[LayerFacts]:
    for layer, price in zip(joins(solution).layers, layer_costs(solution), strict=True):
        yield LayerFacts(
            name=layer.name,
            op=layer.join.op,
            node=layer.join.name,
            skipped=layer.skipped,
            branch=layer.branch,
            nodes=len(layer.nodes) + 1,
            params=price.params,
            macs=price.macs,
            bytes=price.bytes,
        )


def _weights(solution: Solution) -> Iterable[Weighted]:
    standing: dict[tuple[int, int], list[str]] = {}
    for group in solution.groups:
        for place in group.places:
            names = standing.setdefault((id(place.tensor), place.dim), [])
            if group.prunable and group.name not in names:
                names.append(group.name)
    for node in (applied.site.node for applied in solution.everywhere):
        weights = [tensor for tensor in node.inputs if isinstance(tensor, gs.Constant)]
        largest = max(weights, key=lambda tensor: prod(shape_of(tensor)), default=None)
        if largest is None or sum(size > 1 for size in shape_of(largest)) < 2:
            continue
        shape = shape_of(largest)
        groups = tuple(tuple(standing.get((id(largest), dim), ())) for dim in range(len(shape)))
        params = sum(prod(shape_of(tensor)) for tensor in weights)
        yield Weighted(node.name or node.outputs[0].name, node.op, params, shape, groups)


def _operators(nodes: Iterable[Applied]) -> Iterable[Operator]:
    found: dict[str, list[Applied]] = {}
    for applied in nodes:
        domain = applied.site.node.domain
        op = applied.site.node.op if domain in {None, "", "ai.onnx"} else f"{domain}.{applied.site.node.op}"
        found.setdefault(op, []).append(applied)
    for op, uses in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        pinned = [applied for applied in uses if applied.reason]
        rule = next((str(applied.rule) for applied in uses if applied.rule is not None), "")
        yield Operator(op, len(uses), rule, len(pinned), pinned[0].reason if pinned else "")


def _shapes(solution: Solution) -> dict[str, Dims]:
    shapes = solution.shapes
    tensors = [
        *inputs_of(solution.graph),
        *(tensor for applied in solution.everywhere for tensor in applied.site.node.outputs),
    ]
    return {tensor.name: shapes.shown(tensor.name) for tensor in tensors if tensor.name in shapes.sizes}
