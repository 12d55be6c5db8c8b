"""What lies on every way out of a graph: the post-dominator tree, for graphs without cycles.

A node's parent in the tree is the first node that every way from it to the outputs passes. In a graph without
cycles one walk against the edges finds it, as the nearest common ancestor of the node's readers (Cooper,
Harvey and Kennedy 2001, *A Simple, Fast Dominance Algorithm*, needs no second round here). Common ancestors
are found in logarithmic time with jump pointers (Myers 1983, *An applicative random-access stack*).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

EXIT = 0
"""The root: what lies outside the graph."""


@dataclass
class Tree:
    """A tree that grows from its root; nodes are numbered in the order in which they are added."""

    parent: list[int] = field(default_factory=lambda: [EXIT])
    _depth: list[int] = field(default_factory=lambda: [0])
    _jump: list[int] = field(default_factory=lambda: [EXIT])

    def add(self, readers: Iterable[int]) -> int:
        """Add the node that `readers` follow, below their nearest common ancestor; return its number.

        Without readers it stands below the root.
        """
        parent: int | None = None
        for reader in readers:
            parent = reader if parent is None else self._common(parent, reader)
        at = EXIT if parent is None else parent
        far = self._jump[at]
        even = self._depth[at] - self._depth[far] == self._depth[far] - self._depth[self._jump[far]]
        self.parent.append(at)
        self._depth.append(self._depth[at] + 1)
        self._jump.append(self._jump[far] if even else at)
        return len(self.parent) - 1

    def _common(self, a: int, b: int) -> int:
        if self._depth[a] < self._depth[b]:
            a, b = b, a
        while self._depth[a] > self._depth[b]:
            far = self._jump[a]
            a = far if self._depth[far] >= self._depth[b] else self.parent[a]
        while a != b:
            if self._jump[a] != self._jump[b]:
                a, b = self._jump[a], self._jump[b]
            else:
                a, b = self.parent[a], self.parent[b]
        return a


@dataclass(frozen=True)
class Order:
    """The nodes of a tree in preorder, so that what lies below a node is one stretch.

    Attributes:
        nodes: the nodes in preorder.
        start: where each node stands in it.
        stop: where what lies below each node ends.
    """

    nodes: Sequence[int]
    start: Sequence[int]
    stop: Sequence[int]

    def below(self, top: int) -> Sequence[int]:
        """Return the nodes below `top`, without it."""
        return self.nodes[self.start[top] + 1 : self.stop[top]]

    def is_below(self, node: int, top: int) -> bool:
        """Whether every way from `node` passes `top`."""
        return self.start[top] < self.start[node] < self.stop[top]


def preorder(tree: Tree) -> Order:
    """Put the nodes of a finished tree in order."""
    count = len(tree.parent)
    sizes = [1] * count
    for node in range(count - 1, EXIT, -1):  # children have higher numbers than their parents
        sizes[tree.parent[node]] += sizes[node]
    start, nodes = [0] * count, [EXIT] * count
    following = [1] * count
    for node in range(1, count):
        parent = tree.parent[node]
        start[node] = following[parent]
        following[parent] += sizes[node]
        following[node] = start[node] + 1
        nodes[start[node]] = node
    return Order(nodes, start, [begin + size for begin, size in zip(start, sizes, strict=True)])
