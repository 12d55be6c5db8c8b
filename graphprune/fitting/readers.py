"""Which nodes of a graph have run, which are needed for a tensor, and who is still to read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import onnx_graphsurgeon as gs

from graphprune.ir import captured, subgraphs


class Readers:
    """The nodes of a graph under way.

    What a call costs grows with the nodes that it is about, but for one comparison of all nodes by identity.
    """

    def __init__(self, graph: gs.Graph) -> None:
        """`graph` has its nodes in topological order."""
        self._nodes: list[gs.Node] = []
        self._ids: list[int] = []
        self._maker: dict[str, int] = {}
        self._reads: dict[int, frozenset[str]] = {}
        self._left: Counter[str] = Counter()
        self._done: dict[int, gs.Node] = {}  # the nodes themselves, so that no other takes their id
        self._repeated: set[int] = set()
        self._index(graph)

    def look(self, graph: gs.Graph) -> None:
        """See whether nodes have been put in or taken out."""
        if list(map(id, graph.nodes)) != self._ids:
            self._index(graph)

    def reads(self, node: gs.Node) -> frozenset[str]:
        """Return the names that `node` reads, also in its bodies, without constants; and more at most."""
        return self._reads[id(node)]

    def needed(self, names: Iterable[str], held: Collection[str]) -> list[gs.Node]:
        """Return the nodes that have not run and that `names` depend on, in order, back to what is `held`.

        Raises:
            KeyError: one of `names` comes from no node that is still to run.
        """
        names = list(names)
        for name in names:
            if name not in self._maker or id(self._nodes[self._maker[name]]) in self._done:
                raise KeyError(f"'{name}' is not computed, or was let go since nobody wanted it")
        found: set[int] = set()
        while names:
            number = self._maker.get(names.pop())
            if number is not None and number not in found and id(self._nodes[number]) not in self._done:
                found.add(number)
                names += [name for name in self._reads[id(self._nodes[number])] if name not in held]
        return [self._nodes[number] for number in sorted(found)]

    def asked(self, nodes: Sequence[gs.Node]) -> set[str]:
        """Return the names made by `nodes` that will be read once they have run."""
        inside = Counter(name for node in self._ending(nodes) for name in self._reads[id(node)])
        made = (tensor.name for node in nodes for tensor in node.outputs)
        return {name for name in made if self._left[name] > inside[name]}

    def ran(self, nodes: Sequence[gs.Node]) -> set[str]:
        """Note that `nodes` have run; return the names that they read or made."""
        touched = {tensor.name for node in nodes for tensor in node.outputs}
        for node in self._ending(nodes):
            self._done[id(node)] = node
            self._left.subtract(self._reads[id(node)])
            touched |= self._reads[id(node)]
        return touched

    def repeat(self, names: Iterable[str]) -> None:
        """Say that the nodes that make `names` run again whenever these are read: they are never done."""
        self._repeated.update(id(self._nodes[self._maker[name]]) for name in names)

    def is_read(self, name: str) -> bool:
        """Whether a node that is still to run reads `name`."""
        return self._left[name] > 0

    def progress(self) -> tuple[int, int]:
        """Return how many nodes have run, and how many there are."""
        return len(self._done.keys() & self._reads.keys()), len(self._nodes)

    def _ending(self, nodes: Sequence[gs.Node]) -> list[gs.Node]:
        return [node for node in nodes if id(node) not in self._repeated]

    def _index(self, graph: gs.Graph) -> None:
        self._nodes = list(graph.nodes)
        self._ids = [id(node) for node in self._nodes]
        self._maker = {t.name: i for i, node in enumerate(self._nodes) for t in node.outputs if t.name}
        self._reads = {id(node): _reads(node) for node in self._nodes}
        self._left = Counter()
        for node in self._nodes:
            if id(node) not in self._done:
                self._left.update(self._reads[id(node)])


def _reads(node: gs.Node) -> frozenset[str]:
    names = {tensor.name for tensor in node.inputs if tensor.name and not isinstance(tensor, gs.Constant)}
    for body in subgraphs(node):
        names |= captured(body)
    return frozenset(names)
