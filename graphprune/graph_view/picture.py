"""The groups across the graph as a grid that a chart can draw: data alone, no drawing.

A row is a group that may be pruned, a column is a node with weights, in topological order, and a cell says
that the group stands in weights of the node, with the share of its units that stays. Rows are ordered by
where their groups first appear and end, so that groups that live together, as the heads and the head dims of
an attention, are near; the group of a residual stream is a long row over those of its branches.

A chart takes `Picture.rows` for one axis (`label` is short, `name` is for the hover text, with `kind`,
`before` and `after`), `Picture.columns` for the other (`label`, and `nodes` for the hover text), and either
the list `Picture.cells` or, for a heat map, `Picture.matrix()`: one list a row of shares from 0 to 1, None
where there is no cell. `Row.first` and `Row.last` are the columns to draw a line between.

A node that has nothing but one value for each unit (a norm, a bias) is merged into the column before it where
that has its groups. Where there still are more columns than wanted, neighbours are merged; where there are
more rows, neighbours of one kind are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphprune.graph_view.groups import GraphView, Group

MOST_COLUMNS = 200
MOST_ROWS = 100
LABEL = 36
"""Characters of a label."""


@dataclass(frozen=True)
class Row:
    """A group, or neighbours of one kind.

    Attributes:
        label: the name without what all rows begin with, shortened in the middle.
        name: the group's, of the first where there are several.
        groups: the positions in `GraphView.groups`.
        kind: what a unit is.
        mixed: whether removing a unit changes the values of the others.
        before: units.
        after: units that stay.
        first: the first column in which there is a cell.
        last: the last one.
    """

    label: str
    name: str
    groups: tuple[int, ...]
    kind: str
    mixed: bool
    before: int
    after: int
    first: int
    last: int


@dataclass(frozen=True)
class Column:
    """A node with weights, or neighbours.

    Attributes:
        label: the name of the first without what all columns begin with, shortened in the middle.
        ops: the operators, each once, joined by ` + `.
        nodes: the positions in `GraphView.nodes`.
        kept: the share of the parameters that stays; 1 where there are none.
    """

    label: str
    ops: str
    nodes: tuple[int, ...]
    kept: float


@dataclass(frozen=True)
class Cell:
    """A group in a node.

    Attributes:
        row: position in `Picture.rows`.
        column: position in `Picture.columns`.
        kept: the share of the units that stays there; 0 where the nodes go with their layer.
        role: `makes` the units, `uses` (sums over) them, `both`, or `holds` one value for each.
    """

    row: int
    column: int
    kept: float
    role: str


@dataclass(frozen=True)
class Picture:
    """The grid. `planned` says whether a plan tells what stays; without one every share is 1."""

    planned: bool
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cells: tuple[Cell, ...]

    def matrix(self) -> list[list[float | None]]:
        """The shares by row and column; None where there is no cell."""
        found: list[list[float | None]] = [[None] * len(self.columns) for _ in self.rows]
        for cell in self.cells:
            found[cell.row][cell.column] = cell.kept
        return found


def picture(view: GraphView, most_columns: int = MOST_COLUMNS, most_rows: int = MOST_ROWS) -> Picture:
    """Return the grid of a view, with at most so many columns and rows."""
    bunches = _rows([at for at, group in enumerate(view.groups) if not group.reason], view.groups, most_rows)
    columns = _columns(view.groups, bunches, most_columns)
    place = {node: at for at, nodes in enumerate(columns) for node in nodes}
    reach = [sorted({place[node] for at in bunch for node in view.groups[at].nodes}) for bunch in bunches]
    order = sorted(range(len(bunches)), key=lambda at: (reach[at][0], reach[at][-1], bunches[at]))
    bunches, reach = [bunches[at] for at in order], [reach[at] for at in order]
    short = _labels([view.groups[bunch[0]].name for bunch in bunches])
    rows = [
        _row(view, bunch, label, (spots[0], spots[-1]))
        for bunch, label, spots in zip(bunches, short, reach, strict=True)
    ]
    return Picture(
        view.planned,
        tuple(rows),
        tuple(_described(view, columns)),
        tuple(
            _cell(view, row, bunch, column, columns[column])
            for row, (bunch, spots) in enumerate(zip(bunches, reach, strict=True))
            for column in spots
        ),
    )


def _rows(found: Sequence[int], groups: Sequence[Group], most: int) -> list[tuple[int, ...]]:
    """The groups of each row: one, or as many neighbours of one kind as make at most `most` rows."""
    kinds: dict[tuple[str, bool], list[int]] = {}
    for at in sorted(found, key=lambda at: (groups[at].nodes[0], groups[at].nodes[-1], at)):
        kinds.setdefault((groups[at].kind, bool(groups[at].mixed)), []).append(at)
    step = 1
    while step < len(found) and sum(-(-len(each) // step) for each in kinds.values()) > most:
        step += 1
    return [tuple(each[at : at + step]) for each in kinds.values() for at in range(0, len(each), step)]


def _columns(groups: Sequence[Group], bunches: Sequence[Sequence[int]], most: int) -> list[tuple[int, ...]]:
    """The nodes of each column."""
    rows: dict[int, set[int]] = {}
    multiplies: set[int] = set()
    for row, bunch in enumerate(bunches):
        for at in bunch:
            multiplies.update(groups[at].makers, groups[at].users)
            for node in groups[at].nodes:
                rows.setdefault(node, set()).add(row)
    found: list[list[int]] = []
    for node in sorted(rows):
        if found and node not in multiplies and rows[node] <= rows[found[-1][0]]:
            found[-1].append(node)
        else:
            found.append([node])
    step = -(-len(found) // max(most, 1))
    return [
        tuple(node for nodes in found[at : at + step] for node in nodes)
        for at in range(0, len(found), max(step, 1))
    ]


def _row(view: GraphView, bunch: Sequence[int], label: str, reach: tuple[int, int]) -> Row:
    groups = [view.groups[at] for at in bunch]
    return Row(
        label if len(groups) == 1 else f"{label} and {len(groups) - 1} more",
        groups[0].name,
        tuple(bunch),
        groups[0].kind,
        bool(groups[0].mixed),
        sum(group.units[0] for group in groups),
        sum(group.units[1] for group in groups),
        *reach,
    )


def _described(view: GraphView, columns: Sequence[tuple[int, ...]]) -> list[Column]:
    labels = _labels([view.nodes[nodes[0]].name for nodes in columns])
    found: list[Column] = []
    for nodes, label in zip(columns, labels, strict=True):
        ops = " + ".join(dict.fromkeys(view.nodes[at].op for at in nodes))
        before, after = (sum(view.nodes[at].params[when] for at in nodes) for when in (0, 1))
        found.append(Column(label, ops, nodes, round(after / before, 6) if before else 1.0))
    return found


def _cell(view: GraphView, row: int, bunch: Sequence[int], column: int, nodes: Sequence[int]) -> Cell:
    inside = frozenset(nodes)
    held = [group for group in (view.groups[at] for at in bunch) if not inside.isdisjoint(group.nodes)]
    gone = view.removed.issuperset(node for group in held for node in inside.intersection(group.nodes))
    before, after = (sum(group.units[when] for group in held) for when in (0, 1))
    roles: Mapping[tuple[bool, bool], str] = {
        (True, True): "both",
        (True, False): "makes",
        (False, True): "uses",
        (False, False): "holds",
    }
    makes = any(not inside.isdisjoint(group.makers) for group in held)
    uses = any(not inside.isdisjoint(group.users) for group in held)
    return Cell(row, column, 0.0 if gone else round(after / before, 6), roles[makes, uses])


def _labels(names: Sequence[str]) -> list[str]:
    """The names without the folders that they all begin with, and no longer than `LABEL`."""
    first, last = min(names, default=""), max(names, default="")
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), 0)
    start = max(first[:same].rfind(mark) for mark in "/.") + 1
    return [_shortened(name[start:]) for name in names]


def _shortened(name: str) -> str:
    """
    >>> _shortened("encoder/layers/11/attention/output/dense/MatMul")
    'encoder/layers/11/…tput/dense/MatMul'
    """
    if len(name) <= LABEL:
        return name
    half = LABEL // 2
    return f"{name[:half]}…{name[half + 1 - LABEL :]}"
