"""`If` nodes whose condition is known, replaced by the branch that is taken.

Exporters write an If where a rank or a size was not known to them, though in a model of static shapes it
follows from the shapes. Behind an If everything is pinned, so the taken branch is worth having in the graph.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from graphprune.duplicate import names_of
from graphprune.ir import is_default_domain
from graphprune.rewire import detach, redirect, set_output
from graphprune.shapes import Shapes, infer


def take_known_branches(graph: gs.Graph) -> None:
    """Replace, in place, every If of `graph` whose condition follows from shapes and constants.

    A condition that depends on a symbolic dimension is not known: what is said of it holds for the numbers
    that stand in for symbols.
    """
    while any(_is_if(node) for node in graph.nodes):
        shapes = infer(graph)
        known = [node for node in graph.nodes if _is_if(node) and _is_known(node.inputs[0].name, shapes)]
        if not known:
            return
        for node in known:
            taken = bool(shapes.values[node.inputs[0].name].reshape(-1)[0])
            take_branch(graph, node, node.attrs["then_branch" if taken else "else_branch"])


def _is_known(name: str, shapes: Shapes) -> bool:
    return name in shapes.values and not (shapes.symbols and shapes.sized_by(name))


def _is_if(node: gs.Node) -> bool:
    return node.op == "If" and is_default_domain(node)


def take_branch(graph: gs.Graph, node: gs.Node, body: gs.Graph) -> None:
    """Put the nodes of `body`, which becomes useless, into `graph` in the place of an If."""
    position = next(index for index, each in enumerate(graph.nodes) if each is node)
    _rename(body, names_of(graph, without=node))
    outputs = list(node.outputs)
    inner = list(body.nodes)
    detach(node)
    makers = {id(tensor): (each, slot) for each in inner for slot, tensor in enumerate(each.outputs)}
    became: dict[int, gs.Tensor] = {}
    for outer, result in zip(outputs, body.outputs, strict=True):
        if id(result) in makers and id(result) not in became:
            set_output(*makers[id(result)], outer)
            redirect(result, outer)
            became[id(result)] = outer
        else:  # the branch hands on a value from outside, or one of its results twice
            source = became.get(id(result), result)
            inner.append(gs.Node("Identity", name=f"{outer.name}_taken", inputs=[source], outputs=[outer]))
    graph.nodes = [*graph.nodes[:position], *inner, *graph.nodes[position + 1 :]]


def _rename(body: gs.Graph, taken: set[str]) -> None:
    """Give the values that the body makes names that nothing else in the graph has."""
    for tensor in [tensor for node in body.nodes for tensor in node.outputs if tensor.name]:
        name, number = tensor.name, 1
        while name in taken:
            number += 1
            name = f"{tensor.name}_{number}"
        tensor.name = name
        taken.add(name)
