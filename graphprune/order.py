"""Names and order of a graph as it lies in a file: every value defined once, before it is used."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

from onnx import AttributeProto, GraphProto, NodeProto

from graphprune.errors import Refused

_HINT = "the model is not valid ONNX; export it again"
_BODIES = (AttributeProto.GRAPH, AttributeProto.GRAPHS)


def label(node: NodeProto) -> str:
    """Return how messages name a node: operator and name, or its first output where it has none."""
    return f"{node.op_type} '{node.name or next(iter(node.output), '')}'"


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs in the attributes of a control-flow node."""
    for attribute in node.attribute:
        if attribute.type in _BODIES:
            if attribute.HasField("g"):
                yield attribute.g
            yield from attribute.graphs


def graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """Yield a graph, and all that are in it."""
    yield graph
    for node in graph.node:
        for body in bodies(node):
            yield from graphs(body)


def is_ordered(graph: GraphProto, outer: Sequence[set[str]] = ()) -> bool:
    """Check the names of `graph` and of the bodies in it; return whether all nodes follow what they read.

    Raises:
        Refused: a value is defined twice, or read and defined nowhere, or the graph has a cycle.
    """
    given = _given(graph)
    producers = _producers(graph, given)
    scopes = [*outer, given | producers.keys()]
    ordered = True
    for node in graph.node:
        for name in node.input:
            if name and not any(name in scope for scope in scopes):
                raise Refused(f"{label(node)} reads '{name}', which nothing defines", _HINT)
        for body in bodies(node):
            ordered = is_ordered(body, scopes) and ordered
    for value in graph.output:
        if value.name not in scopes[-1]:
            raise Refused(f"output '{value.name}' is defined by nothing", _HINT)
    needs = _needs(graph, producers)
    if all(need < i for i, row in enumerate(needs) for need in row):
        return ordered
    _sorted(graph, needs)
    return False


def sort(graph: GraphProto) -> None:
    """Put the nodes of `graph`, and of the bodies in it, in an order in which every value is defined before
    it is read: the given order as far as that goes."""
    needs = _needs(graph, _producers(graph, _given(graph)))
    if any(need >= i for i, row in enumerate(needs) for need in row):
        nodes = [graph.node[i] for i in _sorted(graph, needs)]
        copy = GraphProto(node=nodes)
        del graph.node[:]
        graph.node.extend(copy.node)
    for node in graph.node:
        for body in bodies(node):
            sort(body)


def _given(graph: GraphProto) -> set[str]:
    """Return the names that the graph has before any node runs."""
    inputs = [value.name for value in graph.input]
    initializers = [tensor.name for tensor in graph.initializer]
    initializers += [sparse.values.name for sparse in graph.sparse_initializer]
    _once(inputs, "graph input")
    _once(initializers, "initializer")
    return {*inputs, *initializers}


def _once(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise Refused(f"a {what} has no name", _HINT)
        if name in seen:
            raise Refused(f"{what} '{name}' occurs twice", _HINT)
        seen.add(name)


def _producers(graph: GraphProto, given: set[str]) -> dict[str, int]:
    producers: dict[str, int] = {}
    for i, node in enumerate(graph.node):
        for name in node.output:
            if name and (name in producers or name in given):
                raise Refused(f"{label(node)} defines '{name}', which is defined already", _HINT)
            producers[name] = i
    producers.pop("", None)
    return producers


def _needs(graph: GraphProto, producers: dict[str, int]) -> list[set[int]]:
    """Return for each node the indices of the nodes of the same graph that must run before it."""
    needs: list[set[int]] = []
    for node in graph.node:
        row = {producers[name] for name in node.input if name in producers}
        for body in bodies(node):
            row.update(producers[name] for name in _captured(body) if name in producers)
        needs.append(row)
    return needs


def _captured(body: GraphProto) -> set[str]:
    """Return the names that a body reads from the graphs around it."""
    read = {name for node in body.node for name in node.input}
    for node in body.node:
        for inner in bodies(node):
            read |= _captured(inner)
    own = {name for node in body.node for name in node.output}
    own.update(value.name for value in body.input)
    own.update(tensor.name for tensor in body.initializer)
    own.update(sparse.values.name for sparse in body.sparse_initializer)
    return read - own


def _sorted(graph: GraphProto, needs: list[set[int]]) -> list[int]:
    users: list[list[int]] = [[] for _ in needs]
    missing = [len(row) for row in needs]
    for i, row in enumerate(needs):
        for need in row:
            users[need].append(i)
    ready = [i for i, count in enumerate(missing) if not count]
    order: list[int] = []
    while ready:
        i = heapq.heappop(ready)
        order.append(i)
        for user in users[i]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, user)
    if len(order) < len(needs):
        raise Refused(f"{label(graph.node[_on_a_cycle(needs, missing)])} is part of a cycle", _HINT)
    return order


def _on_a_cycle(needs: list[set[int]], missing: list[int]) -> int:
    i = next(i for i, count in enumerate(missing) if count)
    seen: set[int] = set()
    while i not in seen:
        seen.add(i)
        i = min(need for need in needs[i] if missing[need])
    return i
