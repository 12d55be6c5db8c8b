"""Find the groups of a graph: one walk over its nodes that unifies what the rules name alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune import rules
from graphprune.axes import Axis, leaf
from graphprune.bind import Axes, Bound, DoesNotFit, bind, sizes_of
from graphprune.bodies import enter
from graphprune.grouping import Marks, groups
from graphprune.ir import body_constants, captured, constants, label, read, shape_of, subgraphs
from graphprune.kernels import lacking
from graphprune.notation import NotationError, Rule, parse
from graphprune.picks import settle
from graphprune.shapes import Shapes, Sizes, infer
from graphprune.solution import Applied, Solution, everywhere
from graphprune.symbols.given import Given

_SIZED = "it is sized at run time (by {})"
_BODY = "the body of an If, Loop or Scan reads '{}'"


@dataclass
class _Walk:
    graph: gs.Graph
    shapes: Shapes
    bare: bool = False
    outputs: frozenset[str] = frozenset()
    axes: dict[str, Axes | None] = field(default_factory=dict[str, "Axes | None"])
    shared: dict[int, Axes] = field(default_factory=dict[int, Axes])
    pins: Marks = field(default_factory=list[tuple[Axis, str]])
    mixed: Marks = field(default_factory=list[tuple[Axis, str]])
    applied: list[Applied] = field(default_factory=list[Applied])
    makers: dict[str, Applied] = field(default_factory=dict[str, Applied])


def solve(
    graph: gs.Graph,
    inputs: Mapping[str, Sizes] | None = None,
    *,
    bare: bool = False,
    given: Given | None = None,
) -> Solution:
    """Solve the axes of `graph` and return its groups.

    Args:
        graph: nodes in topological order; nothing in it is changed.
        inputs: sizes for graph inputs with symbolic dimensions; without them every symbol gets a number.
        bare: whether the graph is an operator to be looked at by itself: outputs are not pinned, and
            constants of every type have groups.
        given: what a user says of sizes, which then is a fact.
    """
    outputs = frozenset(t.name for each in (graph, *graph.subgraphs(recursive=True)) for t in each.outputs)
    walk = _Walk(graph, infer(graph, inputs, _derive, given), bare, outputs)
    for tensor in graph.inputs:
        sizes = walk.shapes.sizes.get(tensor.name)
        walk.axes[tensor.name] = None if sizes is None else [leaf(size) for size in sizes]
        _pin(walk, walk.axes[tensor.name], f"it is a dimension of graph input '{tensor.name}'")
    walk.applied += (_apply(node, walk) for node in graph.nodes)
    for tensor in () if bare else graph.outputs:
        axes = walk.shared.get(id(tensor)) if isinstance(tensor, gs.Constant) else walk.axes.get(tensor.name)
        _pin(walk, axes, f"it is a dimension of graph output '{tensor.name}'")
    every = tuple(everywhere(walk.applied))
    makers = {pick: each.site.node for each in every if each.bound for pick in each.bound.picks.values()}
    for pick, (a, b, why) in settle(list(makers)):
        reason = f"{label(makers[pick])} pins it: {why}"
        walk.pins += [(a, reason), (b, reason)]
    return Solution(graph, walk.shapes, tuple(walk.applied), groups(every, walk.pins, walk.mixed, bare))


def sized(graph: gs.Graph, inputs: Mapping[str, Sizes]) -> Shapes:
    """Return the sizes of every tensor of `graph` at these sizes of its inputs, rules included."""
    return infer(graph, inputs, _derive)


def _site(node: gs.Node, shapes: Shapes, opset: int) -> rules.Site:
    return rules.Site(
        node,
        tuple(shapes.sizes.get(tensor.name) if tensor.name else None for tensor in node.inputs),
        tuple(shapes.sizes.get(tensor.name) if tensor.name else None for tensor in node.outputs),
        tuple(_value(node, slot, shapes) for slot in range(len(node.inputs))),
        tuple(tensor.name in shapes.fixed for tensor in node.inputs),
        opset,
        _run_time(node, shapes),
    )


def _run_time(node: gs.Node, shapes: Shapes) -> str:
    """Return what sizes the bounds and indices of `node` at run time, where they are no numbers."""
    slots = rules.BOUNDS.get(node.op, ()) if not rules.domain_of(node) else ()
    names = [node.inputs[slot].name for slot in slots if slot < len(node.inputs)]
    found = (name for tensor in names if tensor for name in shapes.sized_by(tensor).split(", ") if name)
    return ", ".join(dict.fromkeys(found))


def _value(node: gs.Node, slot: int, shapes: Shapes) -> NDArray[Any] | None:
    """Return the value of an operand where it is known.

    Of bounds and indices, what does not hold at all sizes is not: an operand of which some entries do has
    None in the place of the others (dtype object), for operators that take their entries one by one.
    """
    name = node.inputs[slot].name
    value = shapes.values.get(name) if name else None
    bounds = rules.BOUNDS.get(node.op, ()) if not rules.domain_of(node) else ()
    tensor = node.inputs[slot]
    if value is None and slot in bounds and isinstance(tensor, gs.Constant) and _is_short(tensor):
        return read(tensor)
    if value is None or slot not in bounds or not shapes.sized_by(name):
        return value
    entries = shapes.facts.entries.get(name)
    if entries is None or node.op not in rules.BY_ENTRY:
        return None
    found = np.empty(entries.size, dtype=object)
    found[:] = [entry.as_int() if entry.is_number else None for entry in entries.reshape(-1)]
    return found.reshape(entries.shape)


def _is_short(tensor: gs.Constant) -> bool:
    return prod(shape_of(tensor)) <= rules.MOST_INDICES and np.dtype(tensor.dtype).kind in "iu"


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
    """Return the rule for one use of an operator.

    Raises:
        Unruly: attributes contradict the operands, or the rank of an operand is unknown.
    """
    try:
        text = row.rule if isinstance(row.rule, str) else row.rule(site)
    except _CONTRADICTIONS as error:
        raise rules.Unruly("its attributes do not fit its operands") from error
    rule = parse(text)
    for slot, operand in enumerate(rule.inputs):
        if operand is not None and site.has(slot) and site.inputs[slot] is None:
            raise rules.Unruly("the rank of an operand is unknown")
    return rule


_CONTRADICTIONS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the functions of a row raise on a model that is not well formed."""


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
    reason = "" if row else rules.why_pinned(node, walk.graph)
    if any(subgraphs(node)):
        try:
            _demand_kernels(node, walk.graph)
            applied = enter(
                site,
                inputs,
                walk.axes,
                walk.makers,
                shapes,
                lambda axes, why: _pin(walk, list(axes), why),
                lambda each: _apply(each, walk),
            )
        except rules.Unruly as error:
            reason = str(error)
            _pin_captured(node, walk)
        else:
            _register(node, applied, walk)
            return applied
    if row is not None:
        try:
            applied = _bind(node, site, row, inputs, walk.outputs)
        except (rules.Unruly, DoesNotFit, NotationError) as error:
            reason = _SIZED.format(site.sized_by) if site.sized_by else str(error)
        else:
            _register(node, applied, walk)
            return applied
    outputs = tuple(None if sizes is None else [leaf(size) for size in sizes] for sizes in site.outputs)
    applied = Applied(site, row, None, None, inputs, outputs, reason)
    for axes in (*inputs, *outputs):
        _pin(walk, axes, f"{label(node)} pins it: {reason}")
    _register(node, applied, walk)
    return applied


def _demand_kernels(node: gs.Node, graph: gs.Graph) -> None:
    """Raise `Unruly` where the bodies of a node cannot be run: what was cut in them could not be proved."""
    for body in subgraphs(node):
        for name in lacking(graph, body.nodes):
            raise rules.Unruly(f"its body has {name}, which ONNX Runtime does not have")


def _pin_captured(node: gs.Node, walk: _Walk) -> None:
    """Pin what the bodies of a node read from outside, where they are not solved."""
    for body in subgraphs(node):
        for name in captured(body):
            _pin(walk, walk.axes.get(name), _BODY.format(name))
        for tensor in (*constants(body), *body_constants(body)):
            _pin(walk, _axes_of(tensor, walk), _BODY.format(tensor.name))


def _bind(
    node: gs.Node, site: rules.Site, row: rules.Row, inputs: tuple[Axes | None, ...], outputs: frozenset[str]
) -> Applied:
    rule = _parsed(row, site)
    for tensor, sizes in zip(node.outputs, site.outputs, strict=True):
        if sizes is None and tensor.name and (tensor.outputs or tensor.name in outputs):
            raise rules.Unruly("the rank of an output is unknown")
    bound = bind(rule, inputs, site.outputs)
    _try_patch(row, site, bound)
    return Applied(site, row, rule, bound, inputs, tuple(bound.outputs))


def _try_patch(row: rules.Row, site: rules.Site, bound: Bound) -> None:
    """Ask for what would be written where everything stays: a cut must not be the first to ask.

    Raises:
        Unruly: what the operator is given contradicts the sizes of what it reads and writes.
    """
    if row.patch is None:
        return
    kept = {name: axis.size for name, axis in bound.names.items()}
    picks = {name: pick.at for name, pick in bound.picks.items()}
    try:
        row.patch(rules.Edit(site, site.inputs, site.outputs, kept, site.values, picks))
    except _CONTRADICTIONS as error:
        raise rules.Unruly("what it is given does not fit its operands") from error


def _register(node: gs.Node, applied: Applied, walk: _Walk) -> None:
    for tensor, axes in zip(node.outputs, applied.outputs, strict=True):
        if tensor.name:
            walk.axes[tensor.name] = axes
            walk.makers[tensor.name] = applied
            for position in walk.shapes.open.get(tensor.name, ()):
                _pin(walk, axes[position : position + 1] if axes else None, f"{label(node)} sizes it by data")
    if applied.bound is not None:
        where, usual = f"{label(node)} pins it", applied.row.why if applied.row else ""
        if applied.site.sized_by:
            usual = _SIZED.format(applied.site.sized_by)
        for axis, why in applied.bound.pins:
            walk.pins.append((axis, f"{where}: {why or usual}" if why or usual else where))
        walk.mixed += [(axis, label(node)) for axis in applied.bound.mixed]
