"""The groups of a model across its graph: nodes in order, who holds which group, what a plan leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, cast

from graphprune.json_values import plain
from graphprune.profiling import strict

if TYPE_CHECKING:
    from graphprune.bind import Axes
    from graphprune.plan import Plan
    from graphprune.solution import Applied, Solution, Stays
    from graphprune.state import State

VERSION = 1


@dataclass(frozen=True)
class Node:
    """An operator. Figures are those before and after the plan; the same twice where there is none.

    Attributes:
        name: its name, or its first output where it has none.
        output: its first output.
        op: the operator, with its domain where that is not ONNX's.
        depth: how many nodes lie on the longest way to it from an input.
        groups: the groups that may be pruned along its first output, by their positions.
        kept: the share of the elements of its first output that stay; 0 where the node goes.
        params: elements of weights that it is the first to use.
        macs: multiply-accumulates of one sample.
    """

    name: str
    output: str
    op: str
    depth: int
    groups: tuple[int, ...]
    kept: float
    params: tuple[int, int]
    macs: tuple[int, int]


@dataclass(frozen=True)
class Group:
    """A group.

    Attributes:
        name: unique in the model.
        kind: what a unit is: `channels`, `neurons`, `heads`, `head-dims`, `width`.
        units: before and after the plan.
        mixed: why removing a unit changes the values of the others; empty where it does not.
        reason: why the group may not be pruned; empty where it may.
        nodes: the positions of the nodes with constants in which its units stand, ascending.
        makers: those of them that produce the units.
        users: those of them that sum over the units.
    """

    name: str
    kind: str
    units: tuple[int, int]
    mixed: str
    reason: str
    nodes: tuple[int, ...]
    makers: tuple[int, ...]
    users: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """A residual branch that can be taken out.

    Attributes:
        name: unique in the model.
        removed: whether the plan takes it out.
        join: the position of the addition.
        nodes: the positions of the nodes that go with it, without the addition.
    """

    name: str
    removed: bool
    join: int
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class GraphView:
    """All of it.

    Attributes:
        planned: whether there is a plan; without one everything stays.
        nodes: in topological order.
        groups: all of them in order of first appearance, also those that may not be pruned.
        layers: in topological order.
        gone: the positions of the nodes that the plan leaves no use for, ascending.
        version: of this layout.
    """

    planned: bool
    nodes: tuple[Node, ...]
    groups: tuple[Group, ...]
    layers: tuple[Layer, ...]
    gone: tuple[int, ...]
    version: int = VERSION

    @property
    def removed(self) -> frozenset[int]:
        """The positions of the nodes that go."""
        return frozenset(self.gone)


def groups_of(state: State) -> dict[str, object]:
    """Return the view of `state` as JSON values; {} where its groups have not been found."""
    if state.solution is None:
        return {}
    return cast("dict[str, object]", plain(asdict(view(state.solution, state.plan))))


def read(values: Mapping[str, object]) -> GraphView:
    """Return the view that `groups_of` made `values` of.

    Raises:
        Mismatch: of `graphprune.profiling.strict`, where it is none.
    """
    return strict.read(GraphView, values)


def view(solution: Solution, plan: Plan | None = None) -> GraphView:
    """Return the groups of a model across its graph, and what `plan` leaves of them."""
    from graphprune.layers import gone, joins

    removed = frozenset(plan.layers) if plan else frozenset[str]()
    return GraphView(
        plan is not None,
        tuple(_nodes(solution, plan)),
        tuple(_groups(solution, plan)),
        tuple(
            Layer(layer.name, layer.name in removed, layer.at, tuple(sorted(layer.nodes)))
            for layer in joins(solution).layers
        ),
        tuple(sorted(gone(solution, removed))),
    )


def _nodes(solution: Solution, plan: Plan | None) -> Iterator[Node]:
    from graphprune.axes import find, leaves
    from graphprune.cost import node_costs
    from graphprune.ir import is_default_domain
    from graphprune.layers import gone

    numbers = {id(find(group.axis)): at for at, group in enumerate(solution.groups) if group.prunable}
    stays = solution.stays(plan.keep if plan else {})
    out = gone(solution, plan.layers) if plan else frozenset[int]()
    before = node_costs(solution)
    after = node_costs(solution, plan) if plan else before
    for at, (applied, depth) in enumerate(zip(solution.nodes, _depths(solution), strict=True)):
        node, axes = applied.site.node, _first(applied)
        output = next((tensor.name for tensor in node.outputs if tensor.name), "")
        found = {numbers[key] for axis in axes for part in leaves(axis) if (key := id(part)) in numbers}
        yield Node(
            node.name or output,
            output,
            node.op if is_default_domain(node) else f"{node.domain}.{node.op}",
            depth,
            tuple(sorted(found)),
            0.0 if at in out else _share(axes, stays),
            (before[at].params, after[at].params),
            (before[at].macs, after[at].macs),
        )


def _first(applied: Applied) -> Axes:
    """The axes of the first output; none where they are not known."""
    return (applied.outputs[0] if applied.outputs else None) or []


def _share(axes: Axes, stays: Stays) -> float:
    """The share of the elements of a tensor that stay, rounded to what can be told apart in a picture."""
    shares = (1.0 if (index := stays(axis)) is None else index.size / (axis.size or 1) for axis in axes)
    return round(prod(shares), 6)


def _depths(solution: Solution) -> list[int]:
    levels: dict[str, int] = {}
    found: list[int] = []
    for applied in solution.nodes:
        node = applied.site.node
        found.append(max((levels[t.name] + 1 for t in node.inputs if t.name in levels), default=0))
        levels.update((tensor.name, found[-1]) for tensor in node.outputs if tensor.name)
    return found


def _groups(solution: Solution, plan: Plan | None) -> Iterator[Group]:
    from graphprune.solution import everywhere

    # What stands in a body is shown at the node that has it.
    positions = {
        id(each.site.node): at for at, top in enumerate(solution.nodes) for each in everywhere([top])
    }
    for group in solution.groups:
        held = [(positions[id(place.node)], place.role) for place in group.places]
        yield Group(
            group.name,
            group.kind,
            (group.size, plan.keep[group.name].shape[-1] if plan and group.name in plan.keep else group.size),
            group.mixed,
            group.reason,
            _ascending([at for at, _ in held]),
            _ascending([at for at, role in held if role == "out"]),
            _ascending([at for at, role in held if role == "in"]),
        )


def _ascending(positions: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(set(positions)))
