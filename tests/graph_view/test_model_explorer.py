"""Node data is what Model Explorer reads, and tells nodes as its ONNX adapter does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import onnx
import onnx.helper as oh
import pytest
from jsonschema import Draft202012Validator

from graphprune.graph_view.groups import view
from graphprune.graph_view.model_explorer import node_data
from graphprune.graph_view.node_ids import graph_id, node_ids
from graphprune.model import from_proto
from graphprune.profiling.layers import Row
from graphprune.solve import solve
from tests.graph_view.conftest import Explored
from tests.networks import TEXTS, network
from tests.networks.fill import fill
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import prunable, shuffled

CHAIN = """
g (float[2, 6] x) => (float[2, 3] y) <float[6, 8] w0, float[8] b, float[8, 3] w1>
{
  [up] a = MatMul (x, w0)
  a_b = Add (a, b)
  a_r = Relu (a_b)
  [down] y = MatMul (a_r, w1)
}"""
COLOUR = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}
FORMAT: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "required": ["name", "results"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "results": {
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "required": ["value"],
                    "additionalProperties": False,
                    "properties": {"value": {"type": ["number", "string"]}, "bgColor": COLOUR},
                },
            },
            "thresholds": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["value", "bgColor"],
                    "additionalProperties": False,
                    "properties": {"value": {"type": "number"}, "bgColor": COLOUR},
                },
            },
            "gradient": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["stop", "bgColor"],
                    "additionalProperties": False,
                    "properties": {"stop": {"enum": [0, 1]}, "bgColor": COLOUR},
                },
            },
        },
    },
}
"""The parts of `ModelNodeData` (model_explorer/node_data_builder.py) that are written."""


def data_of(text: str, rows: tuple[Row, ...] = (), share: float | None = 0.5) -> dict[str, Any]:
    """The node data of a network, by file name, without the graph's name around it."""
    model = fill(text)
    solution = solve(from_proto(model).graph)
    plan = None if share is None else shuffled(prunable(solution), share)
    files = node_data(view(solution, plan), model, rows)
    return {name: next(iter(json.loads(content).values())) for name, content in files.items()}


def values(data: Any) -> dict[str, Any]:
    return {key: each["value"] for key, each in data["results"].items()}


def test_what_a_plan_does_is_told_of_every_node() -> None:
    found = data_of(CHAIN)
    assert values(found["kept.json"]) == {"up": 0.5, "node": 0.5, "node_1": 0.5}
    assert values(found["groups.json"]) == {
        **dict.fromkeys(("up", "node", "node_1"), "up, 8 neurons, 4 stay"),
        "down": "pinned: it is a dimension of graph output 'y'",
    }
    assert values(found["parameters.json"]) == {"up": 48, "node": 8, "down": 24}
    assert values(found["parameters-removed.json"]) == {"up": 24, "node": 4, "down": 12}
    assert values(found["macs-removed.json"]) == {"up": 48, "down": 24}


def test_without_a_plan_nothing_is_said_of_what_stays() -> None:
    found = data_of(CHAIN, share=None)
    assert sorted(found) == ["groups.json", "macs.json", "parameters.json"]
    assert values(found["groups.json"])["up"] == "up, 8 neurons"


def test_groups_have_colours_of_their_own() -> None:
    found = data_of(RESIDUALS["basic blocks of a ResNet"].text)["groups.json"]["results"]
    pairs = {(each["value"], each["bgColor"]) for each in found.values() if "stay" in each["value"]}
    assert len(pairs) == len({text for text, _ in pairs}) == len({colour for _, colour in pairs}) > 2


def test_a_step_counts_for_the_node_that_makes_its_last_tensor() -> None:
    rows = (
        Row(("a", "a_b", "a_r"), ("Fused", "Fused"), 5e-6, 3e-6),
        Row(("y",), ("MatMul", ""), 2e-6, None),
        Row((), ("Reorder", "Reorder"), 1e-6, 1e-6),
    )
    found = data_of(CHAIN, rows)
    assert values(found["latency.json"]) == {"node_1": 5.0, "down": 2.0}
    assert values(found["latency-after.json"]) == {"node_1": 3.0}
    assert values(found["latency-saved.json"]) == {"node_1": 2.0, "down": 2.0}
    alone = data_of(CHAIN, (Row(("y",), ("MatMul", ""), 2e-6, None),))
    assert "latency-saved.json" not in alone
    assert "latency-after.json" not in alone


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_files_have_the_format_of_the_documented_dataclasses(name: str) -> None:
    model = network(name)
    solution = solve(from_proto(model).graph)
    for content in node_data(view(solution, shuffled(prunable(solution), 0.5)), model).values():
        Draft202012Validator(FORMAT).validate(json.loads(content))


def test_model_explorer_reads_the_files_and_knows_every_node(tmp_path: Path, explored: Explored) -> None:
    models, files, graphs = [], [], []
    for number, name in enumerate(sorted(TEXTS)):
        model = network(name)
        if model.functions:  # the adapter shows calls of local functions, which graphprune inlines
            continue
        solution = solve(from_proto(model).graph)
        models.append(tmp_path / f"{number}.onnx")
        onnx.save(model, models[-1])
        for file, content in node_data(view(solution, shuffled(prunable(solution), 0.5)), model).items():
            files.append(tmp_path / f"{number}-{file}")
            files[-1].write_text(content, encoding="utf-8")
            graphs.append(number)
    found = explored(models, files)
    shown = dict(zip([int(path.stem) for path in models], found["models"], strict=True))
    results = 0
    for number, data, written in zip(graphs, found["data"], files, strict=True):
        ((graph, each),) = data.items()
        assert each["results"].keys() <= shown[number][graph].keys()
        given = json.loads(written.read_text(encoding="utf-8"))[graph]
        assert {key: each[key] for key in given} == given
        results += len(each["results"])
    assert results > 1000


def test_nodes_have_the_names_that_the_adapter_gives_them(tmp_path: Path, explored: Explored) -> None:
    models = [drawn(seed) for seed in range(40)]
    paths = [tmp_path / f"{seed}.onnx" for seed in range(40)]
    for model, path in zip(models, paths, strict=True):
        onnx.save(model, path)
    for model, found in zip(models, explored(paths)["models"], strict=True):
        shown = {tensor: key for key, tensors in found[graph_id(model)].items() for tensor in tensors}
        ours = node_ids(model)
        assert ours
        # The tensors of an If are renamed where its bodies are shown in its place; it keeps its name.
        assert {name: shown.get(name, shown.get(f"{name}_if_")) for name in ours if name[0] != "i"} == {
            name: key for name, key in ours.items() if name[0] != "i"
        }
        assert {key for name, key in ours.items() if name[0] == "i"} <= set(found[graph_id(model)])


def drawn(seed: int) -> onnx.ModelProto:
    """A chain with names that are missing, taken twice, or what would be given, some of it in bodies."""
    draw = random.Random(seed)
    names = ["", "", "a", "a", "a_1", "node", "node_1", "node_1_1", "b/c"]
    tensor = oh.make_tensor_value_info

    def chain(prefix: str, start: str, length: int, depth: int) -> list[onnx.NodeProto]:
        nodes: list[onnx.NodeProto] = []
        for at in range(length):
            name = draw.choice(names)
            if depth and draw.random() < 0.3:
                made = f"i{prefix}{at}"
                bodies = {}
                for branch in ("then_branch", "else_branch"):
                    inner = chain(f"{prefix}{at}{branch[0]}", start, draw.randint(1, 3), depth - 1)
                    bodies[branch] = oh.make_graph(inner, branch, [], [tensor(inner[-1].output[0], 1, [2])])
                nodes.append(oh.make_node("If", ["choice"], [made], name, **bodies))
            else:
                made = f"t{prefix}{at}"
                nodes.append(oh.make_node("Relu", [start], [made], name))
            start = made
        return nodes

    nodes = chain("_", "x", draw.randint(3, 9), 2)
    inputs = [tensor("x", 1, [2]), tensor("choice", 9, [])]
    nodes.append(oh.make_node("Neg", [nodes[-1].output[0]], ["t_end"], draw.choice(names)))
    graph = oh.make_graph(nodes, "g", inputs, [tensor("t_end", 1, [2])])
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10)
