"""The view of a graph agrees with the solver, with the cost, and with the model that is cut."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnx.helper as oh
import pytest

from graphprune import runs
from graphprune.cli import main
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.graph_view.groups import GraphView, Layer, groups_of, read, view
from graphprune.inspection import solved as state_of
from graphprune.json_values import plain
from graphprune.layers import layers
from graphprune.model import from_proto
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.state import State
from tests.cli.perceptron import write_model
from tests.networks import TEXTS
from tests.networks.fill import fill
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import halved, prunable, shuffled, solved

DIAMOND = """
g (float[2, 6] x) => (float[2, 3] y) <float[6, 8] w0, float[6, 8] w1, float[8] b, float[8, 3] w2>
{
  [one] a = MatMul (x, w0)
  [two] c = MatMul (x, w1)
  c_b = Add (c, b)
  [sum] s = Add (a, c_b)
  [last] y = MatMul (s, w2)
}"""


def solution_of(text: str) -> Solution:
    return solve(from_proto(fill(text)).graph)


def test_a_diamond_is_seen_as_it_is() -> None:
    solution = solution_of(DIAMOND)
    (group,) = prunable(solution)
    found = view(solution, shuffled([group], 0.5))
    assert [(node.name, node.op, node.depth) for node in found.nodes] == [
        ("one", "MatMul", 0),
        ("two", "MatMul", 0),
        ("c_b", "Add", 1),
        ("sum", "Add", 2),
        ("last", "MatMul", 3),
    ]
    at = [each.name for each in found.groups].index(group.name)
    shown = found.groups[at]
    assert (shown.units, shown.nodes, shown.makers, shown.users) == ((8, 4), (0, 1, 2, 4), (0, 1), (4,))
    assert [node.groups for node in found.nodes] == [(at,), (at,), (at,), (at,), ()]
    assert [node.kept for node in found.nodes] == [0.5, 0.5, 0.5, 0.5, 1.0]
    assert [node.params for node in found.nodes] == [(48, 24), (48, 24), (8, 4), (0, 0), (24, 12)]
    # The leading size is fixed, so that a sample is all of it.
    assert [node.macs for node in found.nodes] == [(96, 48), (96, 48), (0, 0), (0, 0), (48, 24)]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_nodes_add_up_to_the_cost_and_have_the_sizes_of_the_cut_model(name: str) -> None:
    model, solution = solved(name)
    plan = halved(solution)
    found = view(solution, plan)
    for when, each in enumerate((cost(solution), cost(solution, plan))):
        loose = sum(tensor.values.size for tensor in _constant_outputs(solution))
        assert each.params - sum(node.params[when] for node in found.nodes) in (0, loose)
        assert each.macs == sum(node.macs[when] for node in found.nodes)
    assert {group.name: group.units[1] for group in found.groups if group.name in plan.keep} == {
        name: index.shape[-1] for name, index in plan.keep.items()
    }
    smaller, whole = cut(model, solution, plan).model, solution.shapes.sizes
    sizes = solve(smaller.graph, {t.name: whole[t.name] for t in smaller.graph.inputs}).shapes.sizes
    compared = [node for node in found.nodes if node.output in sizes and node.output in whole]
    for node in compared:
        if not solution.shapes.open.get(node.output):
            assert node.kept == pytest.approx(
                _count(sizes[node.output]) / _count(whole[node.output]), abs=1e-6
            )
    assert compared


def _constant_outputs(solution: Solution) -> list[onnx.TensorProto]:
    return [tensor for tensor in solution.graph.outputs if hasattr(tensor, "values")]


def _count(sizes: tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total


def test_a_layer_that_goes_takes_its_nodes_along() -> None:
    solution = solution_of(RESIDUALS["basic blocks of a ResNet"].text)
    first, second = layers(solution)
    found = view(solution, Plan({}, {}, (first.name,)))
    assert found.layers == (
        Layer(first.name, True, first.at, tuple(sorted(first.nodes))),
        Layer(second.name, False, second.at, tuple(sorted(second.nodes))),
    )
    assert set(found.gone) == set(first.nodes)
    for at, node in enumerate(found.nodes):
        assert (node.kept == 0) == (at in first.nodes)
        assert node.params[1] == (0 if at in first.nodes else node.params[0])


def test_without_a_plan_everything_stays() -> None:
    found = view(solution_of(DIAMOND))
    assert not found.planned
    assert all(node.kept == 1 and node.params[0] == node.params[1] for node in found.nodes)
    assert all(group.units[0] == group.units[1] for group in found.groups)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_the_json_values_read_back_to_the_same_view(name: str) -> None:
    model, solution = solved(name)
    state = State(model, model=model, solution=solution, plan=halved(solution))
    values = groups_of(state)
    assert plain(values) == values
    assert read(json.loads(json.dumps(values))) == view(solution, state.plan)
    assert groups_of(state) == values


def test_a_state_without_groups_has_no_view() -> None:
    assert groups_of(State(from_proto(fill(DIAMOND)))) == {}


def test_a_model_of_fifteen_hundred_nodes_takes_less_than_a_megabyte() -> None:
    state = state_of(from_proto(_deep(500)))
    found = view(_solution(state))
    assert len(found.nodes) == 1500
    assert len(json.dumps(groups_of(state))) < 1_000_000


def _deep(blocks: int) -> onnx.ModelProto:
    """Blocks of MatMul, Relu and Add, with names as long as exporters make them."""
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    for at in range(blocks):
        place = f"/model/encoder/layers.{at}/attention/output/dense"
        made = [f"{place}/{op}_output_0" for op in ("MatMul", "Relu", "Add")]
        weights.append(oh.make_tensor(f"{place}.weight", 1, [8, 8], [0.0] * 64))
        weights.append(oh.make_tensor(f"{place}.bias", 1, [8], [0.0] * 8))
        before = nodes[-1].output[0] if nodes else "x"
        steps = [
            ("MatMul", [before, f"{place}.weight"]),
            ("Relu", made[:1]),
            ("Add", [made[1], f"{place}.bias"]),
        ]
        nodes += [
            oh.make_node(op, inputs, [output], f"{place}/{op}")
            for (op, inputs), output in zip(steps, made, strict=True)
        ]
    tensor = oh.make_tensor_value_info
    graph = oh.make_graph(
        nodes, "g", [tensor("x", 1, [1, 8])], [tensor(nodes[-1].output[0], 1, [1, 8])], weights
    )
    return oh.make_model(graph, opset_imports=[oh.make_opsetid("", 18)], ir_version=10)


def _solution(state: State) -> Solution:
    assert state.solution is not None
    return state.solution


@pytest.mark.parametrize(
    ("line", "planned"),
    [
        ("inspect model.onnx", False),
        ("prune model.onnx --dry-run", True),
        ("run model.onnx -p fold,group --dry-run", False),
    ],
)
def test_a_record_of_a_run_keeps_the_groups(
    line: str, planned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model.onnx")
    with runs.keeping() as kept:
        assert main(line.split()) == 0
    values = kept["groups"]
    assert isinstance(values, dict)
    found: GraphView = read(values)
    assert found.planned is planned
    assert [node.name for node in found.nodes] == ["first", "r", "last"]
    (group,) = [group for group in found.groups if not group.reason]
    assert group.units == (16, 8 if planned else 16)
