"""Sizes inside the bodies of If, Loop and Scan, and of what comes out of them.

A body is walked as if it stood in place of its node. A state whose sizes at the end of a step are others than
at its beginning is walked again with sizes there that depend on data, until nothing new turns up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx_graphsurgeon as gs

from graphprune import rules
from graphprune.ir import constants, dimensions, element_type, subgraphs

if TYPE_CHECKING:
    from graphprune.shapes import Shapes

Sizes = tuple[int, ...]

_MOST_STEPS = 1 << 20
"""A Loop that is given more steps than this is meant to end by its condition."""
_Loose = dict[str, set[int] | None]
"""For each state the dimensions that change from step to step; None where even the rank does."""


def walk_bodies(node: gs.Node, shapes: Shapes, opset: int, walk: Callable[[gs.Graph], None]) -> bool:
    """Infer the sizes inside the bodies of `node` and of its results; return whether that is possible.

    Args:
        node: a node with bodies.
        shapes: what is known of the tensors around it, and added to.
        opset: the version of the operator set.
        walk: infers the sizes inside of a graph whose inputs are known.
    """
    try:
        ties = rules.ties(node, opset)
    except rules.Unruly:
        return False
    if not shapes.named_apart:
        return False
    bodies = list(subgraphs(node))
    loose: _Loose = {}
    more = True
    while more:
        for body in bodies:
            _enter(body, node, ties, shapes, loose)
            walk(body)
        more = _loosen(ties, shapes, loose)
    steps = _steps(node, ties, shapes)
    for tie in ties:
        if tie.result is not None and node.outputs[tie.result].name:
            _come_out(node.outputs[tie.result], tie, node, shapes, loose, steps)
    return True


def _enter(body: gs.Graph, node: gs.Node, ties: Sequence[rules.Tie], shapes: Shapes, loose: _Loose) -> None:
    """Forget what an earlier walk said of `body`, and say what goes into it."""
    for name in _made_in(body):
        for known in (shapes.sizes, shapes.values, shapes.types):
            known.pop(name, None)
        shapes.fixed.discard(name)
    for constant in constants(body):
        shapes.note(constant)
    given = {tie.inside.name: tie for tie in ties if tie.inside is not None}
    for tensor in body.inputs:
        tie = given.get(tensor.name)
        if tie is None or tie.given is None:
            shapes.types[tensor.name] = element_type(tensor)
            declared = dimensions(tensor)
            shapes.sizes[tensor.name] = tuple(size for size in declared if isinstance(size, int))
            continue
        outside = node.inputs[tie.given].name
        shapes.types[tensor.name] = shapes.types.get(outside, element_type(tensor))
        sizes, changes = without(shapes.sizes.get(outside), tie.along), loose.get(tensor.name, set())
        if sizes is not None and changes is not None:
            shapes.sizes[tensor.name] = tuple(
                shapes.leave_open(tensor.name, dim) if dim in changes else size
                for dim, size in enumerate(sizes)
            )


def _made_in(body: gs.Graph) -> Iterator[str]:
    yield from (tensor.name for tensor in body.inputs)
    for node in body.nodes:
        yield from (tensor.name for tensor in node.outputs if tensor.name)
        for inner in subgraphs(node):
            yield from _made_in(inner)


def without(sizes: Sizes | None, along: int | None) -> Sizes | None:
    """Return sizes without the dimension along which steps lie."""
    if sizes is None or along is None:
        return sizes
    if not -len(sizes) <= along < len(sizes):
        return None
    along %= len(sizes)
    return sizes[:along] + sizes[along + 1 :]


def _loosen(ties: Sequence[rules.Tie], shapes: Shapes, loose: _Loose) -> bool:
    """Note which dimensions of states change from step to step; return whether there are new ones."""
    more = False
    for tie in ties:
        if tie.inside is None or not tie.made:
            continue
        name, before, after = tie.inside.name, *(shapes.sizes.get(t.name) for t in (tie.inside, *tie.made))
        changes = loose.setdefault(name, set())
        if changes is None or before is None:
            continue
        if after is None or len(after) != len(before):
            loose[name], more = None, True
            continue
        new = {dim for dim in range(len(before)) if before[dim] != after[dim]} - changes
        more = more or bool(new)
        changes |= new
    return more


def _steps(node: gs.Node, ties: Sequence[rules.Tie], shapes: Shapes) -> int | None:
    """Return how many steps a Loop or a Scan takes, where that is known and no data can end it before."""
    for tie in ties:
        if tie.given is not None and tie.along is not None:
            sizes = shapes.sizes.get(node.inputs[tie.given].name, ())
            return sizes[tie.along] if -len(sizes) <= tie.along < len(sizes) else None
    if node.op != "Loop" or not _always_goes_on(node, shapes):
        return None
    most = shapes.values.get(node.inputs[0].name)
    count = -1 if most is None or most.size != 1 else int(most.reshape(-1)[0])
    return count if 0 <= count <= _MOST_STEPS else None


def _always_goes_on(node: gs.Node, shapes: Shapes) -> bool:
    """Whether the conditions of a Loop are true, as far as they are known without running it."""
    (body,) = subgraphs(node)
    makers = {id(tensor): each for each in body.nodes for tensor in each.outputs}
    last: gs.Tensor = body.outputs[0]
    while id(last) in makers and makers[id(last)].op == "Identity":
        last = makers[id(last)].inputs[0]
    names = [node.inputs[1].name] if node.inputs[1].name else []
    names += [last.name] if last is not body.inputs[1] else []
    return all(name in shapes.values and bool(np.all(shapes.values[name])) for name in names)


def _come_out(
    result: gs.Tensor, tie: rules.Tie, node: gs.Node, shapes: Shapes, loose: _Loose, steps: int | None
) -> None:
    """Say what comes out of the node: sizes that its bodies do not agree on depend on data."""
    ends = [shapes.sizes.get(tensor.name) for tensor in tie.made]
    changes: set[int] | None = set()
    if tie.inside is not None:
        assert tie.given is not None
        ends, changes = [shapes.sizes.get(node.inputs[tie.given].name)], loose.get(tie.inside.name, set())
    for tensor in tie.made:
        if tensor.name in shapes.types:
            shapes.types[result.name] = shapes.types[tensor.name]
    first = ends[0]
    if changes is None or first is None or any(end is None or len(end) != len(first) for end in ends):
        return
    dims: list[int | None] = [
        None if dim in changes or any(end is not None and end[dim] != size for end in ends) else size
        for dim, size in enumerate(first)
    ]
    if tie.along is not None:
        at = tie.along % (len(dims) + 1)
        declared = dimensions(result)[at : at + 1]
        written = declared[0] if declared and isinstance(declared[0], int) and declared[0] >= 0 else None
        dims.insert(at, steps if steps is not None else written)
    shapes.sizes[result.name] = tuple(
        shapes.leave_open(result.name, dim) if size is None else size for dim, size in enumerate(dims)
    )
