"""The axes of If, Loop and Scan: their bodies are solved as if they stood in the place of the node.

What a body reads from outside has the axes that it has there. The ends of a tie (`graphprune.rules.bodies`)
are unified dimension by dimension: the results of both branches with each other, a state before and behind
each step. Where they differ in size, and along the dimension in which steps lie, everything is pinned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import onnx_graphsurgeon as gs

from graphprune import rules
from graphprune.axes import Axis, leaf, unify
from graphprune.bind import Axes
from graphprune.ir import label, subgraphs
from graphprune.shapes import Shapes, Sizes
from graphprune.solution import Applied, Body

Pin = Callable[[Iterable[Axis], str], None]
"""Pins axes, with the reason."""


def enter(
    site: rules.Site,
    inputs: tuple[Axes | None, ...],
    known: dict[str, Axes | None],
    makers: Mapping[str, Applied],
    shapes: Shapes,
    pin: Pin,
    apply: Callable[[gs.Node], Applied],
) -> Applied:
    """Solve the bodies of a node, and return it with them.

    Args:
        site: the node.
        inputs: the axes of its operands.
        known: the axes of tensors by name, added to.
        makers: what was applied to the node that makes each tensor, added to by `apply`.
        shapes: the sizes of all tensors, those in bodies as well.
        pin: pins axes.
        apply: solves one node of a body.

    Raises:
        Unruly: the bodies cannot be described; nothing in them was looked at.
    """
    node, where = site.node, f"{label(site.node)} pins it"
    ties = rules.ties(node, site.opset)
    if not shapes.named_apart:
        raise rules.Unruly("a name in its bodies stands for several values")
    if any(isinstance(tensor, gs.Constant) for tie in ties for tensor in tie.made):
        raise rules.Unruly("one of its bodies hands on a constant")
    bodies = {name: body for name, body in node.attrs.items() if isinstance(body, gs.Graph)}
    tied = {tie.given for tie in ties}
    for slot, axes in enumerate(inputs):
        if slot not in tied:
            pin(axes or (), f"{where}: it says which steps are taken")
    for tensor in (tensor for body in bodies.values() for tensor in body.inputs):
        known[tensor.name] = _fresh(shapes.sizes.get(tensor.name), pin, f"{where}: it is a number of steps")
    for tie in ties:
        if tie.inside is not None and tie.given is not None:
            given = _without(inputs[tie.given], tie.along, pin, where)
            known[tie.inside.name] = _going_in(given, shapes, tie.inside.name, pin, where)
    inside = {
        name: Body(tuple(known[tensor.name] for tensor in body.inputs), tuple(map(apply, body.nodes)))
        for name, body in bodies.items()
    }
    outputs: list[Axes | None] = [_fresh(sizes, None, "") for sizes in site.outputs]
    for tie in ties:
        ends = [known.get(tensor.name) for tensor in tie.made]
        if tie.inside is not None and tie.given is not None:
            ends += [known.get(tie.inside.name), _without(inputs[tie.given], tie.along, pin, where)]
        merged = _merge(ends, shapes.open.get(tie.inside.name, set()) if tie.inside else set(), pin, where)
        if tie.result is not None:
            outputs[tie.result] = _result(merged, site.outputs[tie.result], tie.along, pin, where)
    made = {id(tensor) for tie in ties for tensor in tie.made}
    deciding = [tensor.name for slot, tensor in enumerate(node.inputs) if slot not in tied]
    deciding += [t.name for body in bodies.values() for t in body.outputs if id(t) not in made]
    pin(_weighed(deciding, makers), f"{where}: its units decide which steps are taken")
    return Applied(site, None, None, None, inputs, tuple(outputs), bodies=inside)


def _weighed(names: Iterable[str], makers: Mapping[str, Applied]) -> Iterator[Axis]:
    """Yield the axes over which a condition takes a mean, a largest value or the like.

    Of the units that stay alone it would come out otherwise, and a condition either holds or does not. Behind
    a sum of products, which is the same with units masked, nothing is looked at.
    """
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        maker = makers.get(name)
        if maker is None or name in seen:
            continue
        seen.add(name)
        waiting += (tensor.name for body in subgraphs(maker.site.node) for tensor in body.outputs)
        if maker.bound is not None:
            yield from maker.bound.mixed
            if not maker.bound.mixed and not maker.bound.consumed:
                waiting += (tensor.name for tensor in maker.site.node.inputs)


def _fresh(sizes: Sizes | None, pin: Pin | None, why: str) -> Axes | None:
    axes = None if sizes is None else [leaf(size) for size in sizes]
    if pin is not None:
        pin(axes or (), why)
    return axes


def _without(axes: Axes | None, along: int | None, pin: Pin, where: str) -> Axes | None:
    """Return axes without the one along which steps lie, which is pinned."""
    if axes is None or along is None:
        return axes
    if not -len(axes) <= along < len(axes):
        pin(axes, f"{where}: it has no dimension {along}")
        return None
    along %= len(axes)
    pin([axes[along]], f"{where}: its steps lie along it")
    return [*axes[:along], *axes[along + 1 :]]


def _going_in(given: Axes | None, shapes: Shapes, name: str, pin: Pin, where: str) -> Axes | None:
    """Return the axes of a body's input: those of what is given, where sizes stay what they are."""
    sizes, changing = shapes.sizes.get(name), shapes.open.get(name, set())
    if given is None or sizes is None or len(given) != len(sizes):
        return _fresh(sizes, pin, f"{where}: the rank of a value in its body is not known")
    return [
        axis if dim not in changing and axis.size == size else leaf(size)
        for dim, (axis, size) in enumerate(zip(given, sizes, strict=True))
    ]


def _merge(ends: Sequence[Axes | None], changing: set[int], pin: Pin, where: str) -> Axes | None:
    """Make the ends of a tie the same axes; return them, or None where their ranks do not agree."""
    found = [axes for axes in ends if axes is not None]
    if len(found) < len(ends) or len({len(axes) for axes in found}) > 1:
        for axes in found:
            pin(axes, f"{where}: the ranks of its bodies' values differ or are not known")
        return None
    merged: Axes = []
    for dim, column in enumerate(zip(*found, strict=True)):
        first, *others = column
        if dim in changing or any(axis.size != first.size for axis in others):
            pin(column, f"{where}: its size is not the same at every step or in every branch")
        else:
            for other in others:
                for x, y, why in unify(first, other):
                    pin([x, y], f"{where}: {why}")
        merged.append(first)
    return merged


def _result(merged: Axes | None, sizes: Sizes | None, along: int | None, pin: Pin, where: str) -> Axes | None:
    if sizes is None or merged is None:
        pin(merged or (), f"{where}: the rank of an output is not known")
        return _fresh(sizes, pin, f"{where}: the ranks of its bodies' values differ or are not known")
    axes = list(merged)
    if along is not None:
        at = along % (len(axes) + 1)
        axes.insert(at, leaf(sizes[at]))
        pin([axes[at]], f"{where}: its steps lie along it")
    if len(axes) != len(sizes):
        pin(merged, f"{where}: the rank of an output is not known")
        return _fresh(sizes, pin, f"{where}: the rank of an output is not known")
    for dim, size in enumerate(sizes):
        if axes[dim].size != size:
            axes[dim] = leaf(size)
            pin([axes[dim]], f"{where}: its size is not the same at every step or in every branch")
    return axes
