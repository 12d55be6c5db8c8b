"""The picture has a row for each group, a column for each node with weights, and says what stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphprune.graph_view.groups import GraphView, Group, Node, view
from graphprune.graph_view.picture import LABEL, Cell, picture
from graphprune.graph_view.text_map import lines
from graphprune.layers import layers
from graphprune.model import from_proto
from graphprune.plan import Plan
from graphprune.solve import solve
from tests.networks import TEXTS
from tests.networks.fill import fill
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import halved, prunable, shuffled, solved

MLP = """
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 8] w0, float[8] scale, float[8] shift, float[8, 10] w1, float[10, 3] w2>
{
  [up] a = MatMul (x, w0)
  [norm] a_n = LayerNormalization (a, scale, shift)
  [mid] c = MatMul (a_n, w1)
  [down] y = MatMul (c, w2)
}"""


def stack(depth: int) -> GraphView:
    """A stream that every block reads and adds to, and in each block a group of its own."""
    nodes, groups = [Node("stem", "stem", "MatMul", 0, (0,), 1.0, (64, 64), (1, 1))], []
    readers, writers = [], [0]
    for at in range(depth):
        up, down = len(nodes), len(nodes) + 1
        nodes.append(Node(f"block.{at}.up", f"u{at}", "MatMul", up, (at + 1,), 1.0, (64, 64), (1, 1)))
        nodes.append(Node(f"block.{at}.down", f"d{at}", "MatMul", down, (0,), 1.0, (64, 64), (1, 1)))
        groups.append(Group(f"block.{at}.up", "neurons", (8, 4), "", "", (up, down), (up,), (down,)))
        readers.append(up)
        writers.append(down)
    stream = Group(
        "stem",
        "width",
        (8, 8),
        "norm",
        "",
        tuple(sorted({*readers, *writers})),
        tuple(writers),
        tuple(readers),
    )
    return GraphView(True, tuple(nodes), (stream, *groups), (), ())


def test_a_norm_shares_the_column_of_what_it_follows() -> None:
    solution = solve(from_proto(fill(MLP)).graph)
    found = picture(view(solution, shuffled(prunable(solution), 0.5)))
    assert [(column.label, column.ops, column.nodes) for column in found.columns] == [
        ("up", "MatMul + LayerNormalization", (0, 1)),
        ("mid", "MatMul", (2,)),
        ("down", "MatMul", (3,)),
    ]
    assert [(row.kind, row.mixed, row.before, row.after, row.first, row.last) for row in found.rows] == [
        ("width", True, 8, 4, 0, 1),
        ("neurons", False, 10, 5, 1, 2),
    ]
    assert found.cells == (
        Cell(0, 0, 0.5, "makes"),
        Cell(0, 1, 0.5, "uses"),
        Cell(1, 1, 0.5, "makes"),
        Cell(1, 2, 0.5, "uses"),
    )
    assert found.columns[1].kept == 0.25
    assert found.matrix() == [[0.5, 0.5, None], [None, 0.5, 0.5]]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_group_that_may_be_pruned_is_in_the_picture_where_it_stands(name: str) -> None:
    _, solution = solved(name)
    seen = view(solution, halved(solution))
    found = picture(seen)
    shown = [at for row in found.rows for at in row.groups]
    assert sorted(shown) == [at for at, group in enumerate(seen.groups) if not group.reason]
    assert [(row.first, row.last) for row in found.rows] == sorted(
        (row.first, row.last) for row in found.rows
    )
    for at, row in enumerate(found.rows):
        (group,) = (seen.groups[each] for each in row.groups)
        columns = [cell.column for cell in found.cells if cell.row == at]
        assert {node for column in columns for node in found.columns[column].nodes} >= set(group.nodes)
        assert all(not set(group.nodes).isdisjoint(found.columns[column].nodes) for column in columns)
        assert (row.first, row.last) == (min(columns), max(columns))
    columns = [node for column in found.columns for node in column.nodes]
    assert columns == sorted(set(columns))


def test_a_stream_comes_before_the_blocks_on_it() -> None:
    found = picture(stack(3))
    assert [row.name for row in found.rows] == ["stem", "block.0.up", "block.1.up", "block.2.up"]
    assert [text for _, text in lines(found)] == ["███████", " ▒▒", "   ▒▒", "     ▒▒"]


@pytest.mark.parametrize("depth", [1, 40, 100, 333])
def test_a_deep_network_is_merged_until_it_fits(depth: int) -> None:
    seen = stack(depth)
    found = picture(seen, most_columns=60, most_rows=30)
    assert len(found.columns) <= 60
    assert len(found.rows) <= 30
    assert sum(row.before for row in found.rows) == 8 * (depth + 1)
    assert sum(row.after for row in found.rows) == 4 * depth + 8
    assert sorted(at for row in found.rows for at in row.groups) == list(range(depth + 1))
    assert [node for column in found.columns for node in column.nodes] == list(range(2 * depth + 1))
    assert all(len({seen.groups[at].kind for at in row.groups}) == 1 for row in found.rows)
    assert {cell.kept for cell in found.cells if found.rows[cell.row].kind == "neurons"} == {0.5}


def test_what_goes_with_a_layer_is_marked() -> None:
    solution = solve(from_proto(fill(RESIDUALS["basic blocks of a ResNet"].text)).graph)
    layer = layers(solution)[0]
    seen = view(solution, Plan({}, {}, (layer.name,)))
    found = picture(seen)
    for cell in found.cells:
        nodes = set(found.columns[cell.column].nodes)
        assert (cell.kept == 0) == (nodes <= set(layer.nodes))
    assert any("×" in text for _, text in lines(found))


def test_nothing_to_prune_is_an_empty_picture() -> None:
    seen = stack(2)
    pinned = tuple(replace(group, reason="it is an output") for group in seen.groups)
    found = picture(replace(seen, groups=pinned))
    assert (found.rows, found.columns, found.cells, found.matrix()) == ((), (), (), [])


def test_labels_are_short_and_leave_out_what_all_begin_with() -> None:
    seen = stack(1)
    long = "a" * 30 + "/" + "b" * 30
    nodes = tuple(replace(node, name=f"model/{long}/{node.name}") for node in seen.nodes)
    found = picture(replace(seen, nodes=nodes))
    assert [column.label for column in found.columns] == ["stem", "block.0.up", "block.0.down"]
    found = picture(replace(seen, nodes=(replace(nodes[0], name="other/stem"), *nodes[1:])))
    assert all(len(column.label) <= LABEL for column in found.columns)
    assert found.columns[1].label.endswith("block.0.up")
