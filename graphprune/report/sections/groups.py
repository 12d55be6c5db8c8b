"""What stays of each group, what was left alone and why, and which layers went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphprune.graph_view.picture import picture
from graphprune.report import numbers
from graphprune.report.charts.groups import Bar, bars, bars_height
from graphprune.report.charts.picture import graph_picture, picture_height
from graphprune.report.facts import Facts, base_name
from graphprune.report.load import Source
from graphprune.report.markup import Html
from graphprune.report.numbers import plural
from graphprune.report.parts import Cell, Chart, Note, Section, Table, folded, name_cell


@dataclass(frozen=True)
class _Group:
    name: str
    kind: str
    before: int
    after: int
    mixed: str
    reason: str
    nodes: int | None


def section(facts: Facts) -> Section | None:
    """Bars, a picture and a table for each file that knows groups."""
    known = [source for source in facts.sources if _groups(source)]
    planned = [source for source in known if _planned(source)]
    shown = planned or known[:1]
    if not shown:
        return None
    parts = folded(
        [
            (f"The groups of {_name(source)}", _parts(number, source, len(shown) > 1))
            for number, source in enumerate(shown, 1)
        ]
    )
    return Section("groups", "Groups", _lead(shown[0]), tuple(parts))


def _name(source: Source) -> str:
    return base_name(source.models[1]) or base_name(source.models[0]) or source.file


def _planned(source: Source) -> bool:
    return source.record is not None and source.record.after is not None


def _groups(source: Source) -> tuple[_Group, ...]:
    if source.view is not None:
        return tuple(
            _Group(each.name, each.kind, *each.units, each.mixed, each.reason, len(each.nodes))
            for each in source.view.groups
        )
    if source.record is not None:
        return tuple(
            _Group(each.name, each.kind, each.before, each.after, each.mixed, "", None)
            for each in source.record.changes
        )
    if source.verb == "inspect":
        return tuple(
            _Group(
                str(each["name"]),
                str(each["kind"]),
                int(each["units"]),
                int(each["units"]),
                str(each["mixed"]),
                str(each["reason"]),
                len({place["node"] for place in each["places"]}),
            )
            for each in source.result["groups"]
        )
    return ()


def _lead(source: Source) -> str:
    groups = _groups(source)
    free = [each for each in groups if not each.reason]
    before, after = (sum(getattr(each, when) for each in free) for when in ("before", "after"))
    pinned = len(groups) - len(free)
    if source.view is None and source.record is not None:
        pinned = source.record.groups_pinned
    words = "A group is a set of channels, neurons or heads that live and die together. "
    if before and after < before:
        cut = sum(each.after < each.before for each in free)
        words += (
            f"{plural(cut, 'group')} lost units: {numbers.scaled(before - after)} of "
            f"{numbers.scaled(before)} went ({numbers.percent((before - after) / before, 0)})"
        )
    else:
        words += f"{plural(len(free), 'group')} can be pruned"
    return f"{words}; {plural(pinned, 'group')} cannot be pruned." if pinned else f"{words}."


def _parts(number: int, source: Source, several: bool) -> Sequence[Chart | Table | Note | Html]:
    groups = _groups(source)
    free = [each for each in groups if not each.reason and each.before]
    of = f" of {_name(source)}" if several else ""
    parts: list[Chart | Table | Note | Html] = []
    if source.record is not None and source.record.layers_removed:
        gone = source.record.layers_removed
        parts.append(Note(f"{plural(len(gone), 'layer')} removed whole{of}: {', '.join(gone)}."))
    if free and any(each.after < each.before for each in free):
        data = [Bar(each.name, each.before, each.after) for each in free]
        most = min(free, key=lambda each: each.after / each.before)
        parts.append(
            Chart(
                f"groups-{number}",
                f"Kept and removed units of each group{of}",
                f"{most.name} lost most: {most.after} of {plural(most.before, 'unit')} stay.",
                {"share": bars(data, shares=True), "units": bars(data, shares=False)},
                height=bars_height(len(data)),
            )
        )
    if source.view is not None:
        drawn = picture(source.view)
        if drawn.cells:
            widest = max(drawn.rows, key=lambda row: (row.last - row.first, row.before))
            spans = widest.last - widest.first + 1
            parts.append(
                Chart(
                    f"picture-{number}",
                    f"The groups across the graph{of}",
                    "A row is a group, a column an operator with weights; what one line joins lives and dies "
                    f"together. {widest.name} reaches furthest, over {plural(spans, 'column')}.",
                    {"": graph_picture(drawn)},
                    height=picture_height(drawn),
                )
            )
    parts.append(_table(groups, of))
    return parts


def _table(groups: Sequence[_Group], of: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for place, each in enumerate(groups, 1):
        share = each.after / each.before if each.before else 1.0
        left = "" if each.reason else each.mixed
        rows.append(
            (
                Cell(str(place), place),
                name_cell(each.name),
                Cell(each.kind),
                Cell(str(each.before), each.before),
                Cell(str(each.after), each.after),
                Cell(numbers.percent(share, 0), share),
                Cell("" if each.nodes is None else str(each.nodes), each.nodes),
                Cell(each.reason or left),
            )
        )
    columns = ("#", "group", "kind", "before#", "after#", "kept#", "nodes#", "why it stays, or what mixes it")
    return Table(f"All groups{of}", ("no.#", *columns[1:]), tuple(rows), search="name, kind or reason")
