"""Node data for Model Explorer: what a plan does to each node, as colours on the graph.

Model Explorer (google-ai-edge/model-explorer) reads files of node data: `ModelNodeData` of its
`node_data_builder.py`, a `GraphNodeData` for each graph by its id. A file holds one set of data, which
it shows under the file's name. A value is a number or a text; its colour comes from `bgColor`, else from a
`gradient` between the smallest and the largest value, else from `thresholds`, each the upper end of a range.
Nodes are told by their ids (`graphprune.graph_view.node_ids`); of ids that a graph lacks it takes no notice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphprune.graph_view.groups import GraphView, Node

if TYPE_CHECKING:
    from onnx import ModelProto

    from graphprune.profiling.layers import Row

Value = float | int | str
NodeData = dict[str, object]
"""A `GraphNodeData` as JSON values."""

SHARES = ((0.0, "#9e9e9e"), (0.25, "#d7301f"), (0.5, "#fc8d59"), (0.75, "#fdcc8a"), (0.999999, "#d9f0a3"))
"""Colours of shares up to these; nodes of which all stays have none (ColorBrewer, OrRd and YlGn)."""
MORE_IS_DARKER = ("#fff7ec", "#7f0000")
SAVED = ("#ffffff", "#238b45")
GROUPS = (
    "#8dd3c7",
    "#ffffb3",
    "#bebada",
    "#fb8072",
    "#80b1d3",
    "#fdb462",
    "#b3de69",
    "#fccde5",
    "#bc80bd",
    "#ccebc5",
    "#ffed6f",
)
"""Colours of groups, in turn (ColorBrewer, Set3)."""
PINNED = "#d9d9d9"


def node_data(view: GraphView, model: ModelProto, rows: Sequence[Row] = ()) -> dict[str, str]:
    """Return the texts of the files of node data, by the names they ought to have.

    `groups.json`: the group of the channels that a node makes, or why they are pinned; `parameters.json` and
    `macs.json`: what the model has. Where there is a plan, `kept.json`: the share of each node's result that
    stays; `parameters-removed.json` and `macs-removed.json`. Where steps were timed, `latency.json` in
    microseconds, `latency-after.json` and `latency-saved.json` where two models were.

    Args:
        view: of the model that is shown.
        model: that model, as its file has it; its weights are not looked at.
        rows: steps of the runtime, as `graphprune.profiling.layers.align` gives them; a step counts for the
            node that makes its last tensor.
    """
    from graphprune.graph_view.node_ids import graph_id, node_ids

    ids = node_ids(model)
    nodes = [(ids[node.output], node) for node in view.nodes if node.output in ids]
    sets: dict[str, NodeData | None] = {"groups": _groups(view, nodes)}
    if view.planned:
        sets["kept"] = _kept(nodes)
    amounts: Mapping[str, Callable[[Node], tuple[int, int]]] = {
        "parameters": lambda node: node.params,
        "macs": lambda node: node.macs,
    }
    for name, of in amounts.items():
        sets[name] = _graded(name, {key: of(node)[0] for key, node in nodes if of(node)[0]}, MORE_IS_DARKER)
        if view.planned:
            saved = {key: of(node)[0] - of(node)[1] for key, node in nodes if of(node)[0]}
            sets[f"{name}-removed"] = _graded(f"{name} removed", saved, SAVED)
    sets |= _latencies(rows, ids)
    graph = graph_id(model)
    return {
        f"{name}.json": json.dumps({graph: data}, indent=1, ensure_ascii=False) + "\n"
        for name, data in sets.items()
        if data is not None
    }


def _kept(nodes: Sequence[tuple[str, Node]]) -> NodeData:
    results = {key: {"value": node.kept} for key, node in nodes if node.groups or node.kept < 1}
    thresholds = [{"value": share, "bgColor": colour} for share, colour in SHARES]
    return {"name": "share kept", "results": results, "thresholds": thresholds}


def _groups(view: GraphView, nodes: Sequence[tuple[str, Node]]) -> NodeData:
    pinned: dict[str, str] = {}
    for group in view.groups:
        for at in group.makers if group.reason else ():
            pinned.setdefault(view.nodes[at].output, group.reason)
    turns = {
        at: turn for turn, at in enumerate(at for at, group in enumerate(view.groups) if not group.reason)
    }
    results: dict[str, object] = {}
    for key, node in nodes:
        if node.groups:
            text = " x ".join(_described(view, at) for at in node.groups)
            results[key] = {"value": text, "bgColor": GROUPS[turns[node.groups[0]] % len(GROUPS)]}
        elif node.output in pinned:
            results[key] = {"value": f"pinned: {pinned[node.output]}", "bgColor": PINNED}
    return {"name": "groups", "results": results}


def _described(view: GraphView, at: int) -> str:
    """A group in words, as `conv1, 64 channels, 32 stay`."""
    group = view.groups[at]
    before, after = group.units
    return f"{group.name}, {before} {group.kind}" + (f", {after} stay" if view.planned else "")


def _graded(name: str, values: Mapping[str, float], colours: tuple[str, str]) -> NodeData | None:
    """Values in colours between two; None where there is none."""
    if not values:
        return None
    gradient = [{"stop": stop, "bgColor": colour} for stop, colour in enumerate(colours)]
    return {
        "name": name,
        "results": {key: {"value": value} for key, value in values.items()},
        "gradient": gradient,
    }


def _latencies(rows: Sequence[Row], ids: Mapping[str, str]) -> dict[str, NodeData | None]:
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for row in rows:
        key = next((ids[name] for name in reversed(row.outputs) if name in ids), None)
        for times, seconds in ((before, row.before), (after, row.after)):
            if key is not None and seconds is not None:
                times[key] = round(times.get(key, 0.0) + 1e6 * seconds, 3)
    saved = {key: round(before.get(key, 0.0) - after.get(key, 0.0), 3) for key in {**before, **after}}
    return {
        "latency": _graded("microseconds", before, MORE_IS_DARKER),
        "latency-after": _graded("microseconds after", after, MORE_IS_DARKER),
        "latency-saved": _graded("microseconds saved", saved if after else {}, SAVED),
    }
