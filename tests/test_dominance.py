"""What lies on every way out of a graph, against all ways out of small random graphs."""

from __future__ import annotations

from random import Random

import pytest

from graphprune.dominance import EXIT, Tree, preorder


def random_readers(seed: int) -> list[list[int]]:
    """Readers of each node, by number; nodes come after their readers, and 0 is the outside."""
    draw = Random(seed)
    readers: list[list[int]] = [[]]
    for node in range(1, draw.randint(2, 60)):
        near = max(0, node - draw.choice([2, 3, 10, 60]))
        readers.append([draw.randint(near, node - 1) for _ in range(draw.randint(0, 3))])
    return readers


def reaches_outside_without(node: int, top: int, readers: list[list[int]]) -> bool:
    waiting, seen = [node], set[int]()
    while waiting:
        at = waiting.pop()
        if at == top or at in seen:
            continue
        seen.add(at)
        if at == EXIT or not readers[at]:
            return True
        waiting += readers[at]
    return False


@pytest.mark.parametrize("seed", range(40))
def test_a_node_is_below_another_where_every_way_out_passes_it(seed: int) -> None:
    readers = random_readers(seed)
    tree = Tree()
    assert [tree.add(each) for each in readers[1:]] == list(range(1, len(readers)))
    order = preorder(tree)
    for top in range(1, len(readers)):
        below = {node for node in range(1, len(readers)) if node != top}
        below = {node for node in below if not reaches_outside_without(node, top, readers)}
        assert {node for node in range(len(readers)) if order.is_below(node, top)} == below
        assert set(order.below(top)) == below
