"""The tables of `graphprune inspect`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from graphprune.cli.tables import Renderable, count, size, table, text
from graphprune.graph_view.groups import GraphView
from graphprune.graph_view.picture import picture
from graphprune.graph_view.text_map import LEGEND, lines
from graphprune.inspection import Dims, GroupFacts, Inspection, Port

MAP_COLUMNS = 40
"""What a map has room for beside the names."""


def overview(found: Inspection, parts: Sequence[str], view: Callable[[], GraphView]) -> Iterator[Renderable]:
    """The summary, then the parts that were asked for, or the groups and the reasons in short.

    `view` is for the map.
    """
    yield from _summary(found)
    listed = {
        "groups": _groups,
        "pinned": _pinned,
        "layers": _layers,
        "weights": _weights,
        "ops": _operators,
        "shapes": _shapes,
    }
    for part in parts or ("groups",):
        yield text("")
        yield from _map(view()) if part == "map" else listed[part](found)
    if not parts:
        yield text("")
        yield from _reasons(found)


def one(group: GroupFacts) -> Iterator[Renderable]:
    """Everything about one group."""
    yield text(f"{group.name}: {group.units} {group.kind}")
    yield text(f"mixed by {group.mixed}" if group.mixed else "free: its units do not depend on each other")
    yield text(f"not prunable: {group.reason}" if group.reason else "prunable")
    if group.siblings:
        yield text(f"multiplies {', '.join(group.siblings)} along a dimension")
    rows = [
        (place.tensor, shown(place.shape), place.dim, place.role, f"{place.op} {place.node}", place.operand)
        for place in group.places
    ]
    yield table(("tensor", "shape", "dim#", "role", "used by", "operand#"), rows)


def _summary(found: Inspection) -> Iterator[Renderable]:
    opsets = ", ".join(f"{domain} {version}" for domain, version in found.opsets.items())
    prunable = [group for group in found.groups if not group.reason]
    rows: list[tuple[object, object]] = [
        ("model", found.path or "in memory"),
        ("made by", found.producer or "unknown"),
        ("versions", f"IR {found.ir_version}, {opsets}"),
        *(("input", _port(port)) for port in found.inputs),
        *(("output", _port(port)) for port in found.outputs),
        ("nodes", found.nodes),
        ("parameters", count(found.params)),
        ("MACs", f"{count(found.macs)} a sample"),
        ("weights", size(found.bytes)),
        ("groups", f"{len(prunable)} prunable, {sum(group.units for group in prunable)} units"),
        ("pinned", f"{len(found.groups) - len(prunable)} axes of weights"),
        ("layers", f"{len(found.layers)} residual branches that can be taken out"),
    ]
    yield table(("", ""), rows)
    for note in found.notes:
        yield text(note)


def _groups(found: Inspection) -> Iterator[Renderable]:
    rows = [
        (group.name, group.kind, group.units, "mixed" if group.mixed else "free", len(group.places))
        for group in found.groups
        if not group.reason
    ]
    yield table(("group", "kind", "units#", "", "places#"), rows)
    if not rows:
        yield text("No group can be pruned.")


def _reasons(found: Inspection) -> Iterator[Renderable]:
    """The pinned axes, those with one reason together."""
    together: dict[tuple[str, str], list[GroupFacts]] = {}
    for group in found.groups:
        if group.reason:
            place = group.places[0]
            reason = group.reason.replace(f" '{place.node}'", "") if place.node else group.reason
            together.setdefault((f"{place.op} operand {place.operand} dim {place.dim}", reason), []).append(
                group
            )
    rows = [
        (len(groups), where, _sizes(groups), reason, groups[0].name)
        for (where, reason), groups in sorted(together.items(), key=lambda item: -len(item[1]))
    ]
    if rows:
        yield table(("pinned#", "axis", "units", "why", "for example"), rows)
        yield text("--show pinned lists every one, --group NAME shows where it stands.")


def _pinned(found: Inspection) -> Iterator[Renderable]:
    rows = [(group.name, group.units, group.reason) for group in found.groups if group.reason]
    yield table(("pinned axis", "units#", "why"), rows)


def _layers(found: Inspection) -> Iterator[Renderable]:
    rows = [
        (layer.name, layer.op, layer.nodes, count(layer.params), count(layer.macs), layer.skipped)
        for layer in found.layers
    ]
    yield table(("layer", "join", "nodes#", "parameters#", "MACs#", "leaves"), rows)
    if not rows:
        yield text("No residual branch can be taken out.")
    if found.additions:
        yield text("")
        yield table(("no layer", "why"), [(each.name, each.reason) for each in found.additions])


def _weights(found: Inspection) -> Iterator[Renderable]:
    rows = [
        (each.node, each.op, count(each.params), shown(each.weight), _along(each.groups))
        for each in found.weights
    ]
    yield table(("operator", "op", "parameters#", "weight", "groups by dimension"), rows)


def _operators(found: Inspection) -> Iterator[Renderable]:
    rows = [
        (operator.op, operator.nodes, operator.pinned or "", operator.reason or operator.rule)
        for operator in found.operators
    ]
    yield table(("operator", "nodes#", "pinned#", "rule, or why it pins"), rows)


def _shapes(found: Inspection) -> Iterator[Renderable]:
    yield table(("tensor", "shape"), [(name, shown(dims)) for name, dims in found.shapes.items()])


def _map(view: GraphView) -> Iterator[Renderable]:
    """The groups across the graph; what stays of them where there is a plan."""
    drawn = picture(view, MAP_COLUMNS)
    if not drawn.rows:
        yield text("No group can be pruned.")
        return
    rows = [
        (row.label, row.kind, row.before, *([row.after] if view.planned else []), cells)
        for row, cells in lines(drawn)
    ]
    heads = ("group", "kind", "units#", *(["stay#"] if view.planned else []), "nodes with weights, in order=")
    yield table(heads, rows)
    yield text(LEGEND if view.planned else "█ a node with weights that have the group's units")


def _sizes(groups: Iterable[GroupFacts]) -> str:
    sizes = sorted({group.units for group in groups})
    return ", ".join(map(str, sizes)) if len(sizes) <= 4 else f"{sizes[0]} to {sizes[-1]}"


def _along(groups: Sequence[Sequence[str]]) -> str:
    return "; ".join(f"{dim}: {', '.join(names)}" for dim, names in enumerate(groups) if names)


def _port(port: Port) -> str:
    return f"{port.name}  {port.type}  {'of any rank' if port.shape is None else shown(port.shape)}"


def shown(dims: Dims) -> str:
    """A shape as text.

    >>> shown(("batch", 3, None)), shown(())
    ('batch x 3 x ?', 'scalar')
    """
    return " x ".join("?" if dim is None else str(dim) for dim in dims) or "scalar"
