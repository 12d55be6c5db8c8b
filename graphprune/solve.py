"""Find the groups of a graph: one walk over its nodes that unifies what the rules name alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs

from graphprune import rules
from graphprune.axes import Axis, leaf, leaves, terms, units
from graphprune.bind import Axes, Bound, DoesNotFit, bind, sizes_of
from graphprune.groups import Group, Kind, Place, Role
from graphprune.ir import captured, label, shape_of, subgraphs
from graphprune.notation import NotationError, Rule, names, parse
from graphprune.shapes import Shapes, Sizes, infer


@dataclass(frozen=True)
class Applied:
    """One node with the rule that was applied to it.

    Attributes:
        site: what the rule saw.
        row: the operator's row, or None where everything is pinned.
        rule: the parsed rule, likewise.
        bound: the names of the rule bound to axes, likewise.
        inputs: axes by operand (None: absent or of unknown rank).
        outputs: axes by output.
        reason: why everything is pinned, or ''.
    """

    site: rules.Site
    row: rules.Row | None
    rule: Rule | None
    bound: Bound | None
    inputs: tuple[Axes | None, ...]
    outputs: tuple[Axes | None, ...]
    reason: str = ""


@dataclass(frozen=True)
class Solution:
    """The axes of a graph.

    Attributes:
        graph: the graph that was solved.
        shapes: its concrete sizes.
        nodes: what was applied to each node, in the order of `graph.nodes`.
        groups: all groups in order of first appearance, also those that are not prunable.
    """

    graph: gs.Graph
    shapes: Shapes
    nodes: tuple[Applied, ...]
    groups: tuple[Group, ...]

    def group(self, name: str) -> Group:
        """Return the group called `name`; KeyError where there is none."""
        return {group.name: group for group in self.groups}[name]


@dataclass
class _Walk:
    graph: gs.Graph
    shapes: Shapes
    bare: bool = False
    outputs: frozenset[str] = frozenset()
    axes: dict[str, Axes | None] = field(default_factory=dict[str, "Axes | None"])
    shared: dict[int, Axes] = field(default_factory=dict[int, Axes])
    pins: list[tuple[Axis, str]] = field(default_factory=list[tuple[Axis, str]])
    mixed: list[tuple[Axis, str]] = field(default_factory=list[tuple[Axis, str]])
    applied: list[Applied] = field(default_factory=list[Applied])


def solve(graph: gs.Graph, inputs: Mapping[str, Sizes] | None = None, *, bare: bool = False) -> Solution:
    """Solve the axes of `graph` and return its groups.

    Args:
        graph: nodes in topological order; nothing in it is changed.
        inputs: sizes for graph inputs with symbolic dimensions; without them every symbol gets a prime.
        bare: whether the graph is an operator to be looked at by itself: outputs are not pinned, and
            constants of every type have groups.
    """
    outputs = frozenset(tensor.name for tensor in graph.outputs)
    walk = _Walk(graph, infer(graph, inputs, _derive), bare, outputs)
    for tensor in graph.inputs:
        sizes = walk.shapes.sizes.get(tensor.name)
        walk.axes[tensor.name] = None if sizes is None else [leaf(size) for size in sizes]
        _pin(walk, walk.axes[tensor.name], f"it is a dimension of graph input '{tensor.name}'")
    outer = {name for node in graph.nodes for body in subgraphs(node) for name in captured(body)}
    for node in graph.nodes:
        walk.applied.append(_apply(node, walk))
        for tensor in node.outputs:
            if tensor.name in outer:
                _pin(
                    walk, walk.axes.get(tensor.name), f"the body of an If, Loop or Scan reads '{tensor.name}'"
                )
    for tensor in () if bare else graph.outputs:
        _pin(walk, walk.axes.get(tensor.name), f"it is a dimension of graph output '{tensor.name}'")
    return Solution(graph, walk.shapes, tuple(walk.applied), _groups(walk))


def _site(node: gs.Node, shapes: Shapes, opset: int) -> rules.Site:
    return rules.Site(
        node,
        tuple(shapes.sizes.get(tensor.name) if tensor.name else None for tensor in node.inputs),
        tuple(shapes.sizes.get(tensor.name) if tensor.name else None for tensor in node.outputs),
        tuple(shapes.values.get(tensor.name) if tensor.name else None for tensor in node.inputs),
        tuple(tensor.name in shapes.fixed for tensor in node.inputs),
        opset,
    )


def _opset(node: gs.Node, graph: gs.Graph) -> int:
    domain = rules.domain_of(node)
    if not domain:
        return graph.opset
    return next((item.version for item in graph.import_domains or [] if item.domain == domain), 1)


def _derive(node: gs.Node, shapes: Shapes, opset: int) -> Sequence[Sizes | None]:
    """Return the sizes of outputs that follow from the operator's rule."""
    row, site = rules.row(node), _site(node, shapes, opset)
    if row is None:
        return ()
    try:
        return sizes_of(_parsed(row, site), site.inputs)
    except (rules.Unruly, DoesNotFit, NotationError):
        return ()


def _parsed(row: rules.Row, site: rules.Site) -> Rule:
    return parse(row.rule if isinstance(row.rule, str) else row.rule(site))


def _pin(walk: _Walk, axes: Axes | None, reason: str) -> None:
    walk.pins += [(axis, reason) for axis in axes or ()]


def _axes_of(tensor: gs.Tensor, walk: _Walk) -> Axes | None:
    if not tensor.name:
        return None
    if not isinstance(tensor, gs.Constant):
        return walk.axes.get(tensor.name)
    sizes = shape_of(tensor)
    # Weights stay shared between their uses, so that a cut never makes the file larger; vectors
    # (exporters merge equal ones) are free to be cut differently at each use.
    if sum(size > 1 for size in sizes) < 2:
        return [leaf(size) for size in sizes]
    return walk.shared.setdefault(id(tensor), [leaf(size) for size in sizes])


def _apply(node: gs.Node, walk: _Walk) -> Applied:
    shapes = walk.shapes
    inputs = tuple(_axes_of(tensor, walk) for tensor in node.inputs)
    site = _site(node, shapes, _opset(node, walk.graph))
    row = rules.row(node)
    reason = "" if row else rules.why_pinned(node)
    if row is not None:
        try:
            applied = _bind(node, site, row, inputs, walk.outputs)
        except (rules.Unruly, DoesNotFit, NotationError) as error:
            reason = str(error)
        else:
            _register(node, applied, walk)
            return applied
    outputs = tuple(None if sizes is None else [leaf(size) for size in sizes] for sizes in site.outputs)
    applied = Applied(site, row, None, None, inputs, outputs, reason)
    for axes in (*inputs, *outputs):
        _pin(walk, axes, f"{label(node)} pins it: {reason}")
    _register(node, applied, walk)
    return applied


def _bind(
    node: gs.Node, site: rules.Site, row: rules.Row, inputs: tuple[Axes | None, ...], outputs: frozenset[str]
) -> Applied:
    for tensor, sizes in zip(node.outputs, site.outputs, strict=True):
        if sizes is None and tensor.name and (tensor.outputs or tensor.name in outputs):
            raise rules.Unruly("the rank of an output is unknown")
    rule = _parsed(row, site)
    for tensor, axes, operand in zip(node.inputs, inputs, rule.inputs, strict=False):
        if tensor.name and axes is None and operand is not None:
            raise rules.Unruly("the rank of an operand is unknown")
    bound = bind(rule, inputs, site.outputs)
    return Applied(site, row, rule, bound, inputs, tuple(bound.outputs))


def _register(node: gs.Node, applied: Applied, walk: _Walk) -> None:
    for tensor, axes in zip(node.outputs, applied.outputs, strict=True):
        if tensor.name:
            walk.axes[tensor.name] = axes
            for position in walk.shapes.open.get(tensor.name, ()):
                _pin(walk, axes[position : position + 1] if axes else None, f"{label(node)} sizes it by data")
    if applied.bound is not None:
        where = f"{label(node)} pins it"
        walk.pins += [(axis, f"{where}: {why}" if why else where) for axis, why in applied.bound.pins]
        walk.mixed += [(axis, label(node)) for axis in applied.bound.mixed]


def _groups(walk: _Walk) -> tuple[Group, ...]:
    reasons: dict[int, str] = {}
    mixed: dict[int, str] = {}
    for table, marks in ((reasons, walk.pins), (mixed, walk.mixed)):
        for axis, why in marks:
            for part in leaves(axis):
                table.setdefault(id(part), why)
    roles = _attention_roles(walk)
    places: dict[int, list[Place]] = {}
    order: dict[int, Axis] = {}
    together: dict[int, set[int]] = {}
    for node, applied in zip(walk.graph.nodes, walk.applied, strict=True):
        for slot, (tensor, axes) in enumerate(zip(node.inputs, applied.inputs, strict=True)):
            if not isinstance(tensor, gs.Constant) or axes is None:
                continue
            if not _is_weight(applied, slot, tensor, walk.bare):
                continue
            for dim, axis in enumerate(axes):
                for part in leaves(axis):
                    if part.size < 2:
                        continue
                    order.setdefault(id(part), part)
                    role = _role(applied, slot, dim, len(axes))
                    places.setdefault(id(part), []).append(
                        Place(tensor, dim, units(axis, part), role, node, slot)
                    )
                for term in terms(axis):
                    ids = {id(part) for part in term if part.size > 1}
                    for key in ids:
                        together.setdefault(key, set()).update(ids - {key})
    called = _names(order, places)
    return tuple(
        Group(
            name=called[key],
            kind=_kind(roles.get(key), bool(mixed.get(key)), places[key]),
            size=axis.size,
            mixed=mixed.get(key, ""),
            reason=reasons.get(key, ""),
            places=tuple(places[key]),
            siblings=tuple(sorted(called[other] for other in together.get(key, ()) if other in order)),
            axis=axis,
        )
        for key, axis in order.items()
    )


def _is_weight(applied: Applied, slot: int, tensor: gs.Constant, bare: bool) -> bool:
    """Whether an operand holds values, not sizes or indices."""
    if applied.rule is not None and applied.rule.inputs[slot] is None:
        return False
    if bare:
        return True
    return np.dtype(tensor.dtype).kind not in "b" and np.dtype(tensor.dtype) not in (np.int64, np.int32)


def _role(applied: Applied, slot: int, dim: int, rank: int) -> Role:
    if applied.bound is None:
        return "other"
    if any((slot, dim) == (at, position) for _, at, position in applied.bound.consumed):
        return "in"
    sizes = applied.site.inputs[slot] or ()
    if rank == 1 or sum(size > 1 for size in sizes) == 1:
        return "vector"
    return "out"


def _attention_roles(walk: _Walk) -> dict[int, Kind]:
    """Tell heads and head dims: the batch and the inner axes of products of two activations."""
    roles: dict[int, Kind] = {}

    def mark(axis: Axis, kind: Kind) -> None:
        for part in leaves(axis):
            roles.setdefault(id(part), kind)

    for applied in walk.applied:
        if applied.bound is None or applied.row is None or applied.rule is None:
            continue
        for name, kind in applied.row.roles.items():
            if name in applied.bound.names:
                mark(applied.bound.names[name], "heads" if kind == "heads" else "head-dims")
        if applied.site.node.op not in ("MatMul", "Einsum") or any(applied.site.fixed[:2]):
            continue
        if applied.site.node.op == "MatMul":
            for axis in applied.bound.rest.get("...", []):
                mark(axis, "heads")
            for name in ("k", "n", "m"):
                if name in applied.bound.names:
                    mark(applied.bound.names[name], "head-dims")
            continue
        consumed = {name for name, _, _ in applied.bound.consumed}
        operands = [{item.name for item in names(operand)} for operand in applied.rule.inputs]
        for name, axis in applied.bound.names.items():
            batch = all(name in operand for operand in operands) and name not in consumed
            mark(axis, "heads" if batch else "head-dims")
    return roles


def _kind(role: Kind | None, mixed: bool, places: list[Place]) -> Kind:
    if role is not None:
        return role
    if mixed:
        return "width"
    return "channels" if any("Conv" in place.node.op for place in places) else "neurons"


def _names(order: dict[int, Axis], places: dict[int, list[Place]]) -> dict[int, str]:
    """Name every group after the first operator that produces its units."""
    called: dict[int, str] = {}
    taken: dict[str, int] = {}
    for key in order:
        found = places[key]
        place = next((p for p in found if p.role == "out"), found[0])
        base = place.node.name or next((t.name for t in place.node.outputs if t.name), place.tensor.name)
        taken[base] = taken.get(base, 0) + 1
        called[key] = base if taken[base] == 1 else f"{base}:{taken[base]}"
    return called
