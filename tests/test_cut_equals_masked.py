"""A cut computes what the masked original computes, for every coupling, group by group and all together."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphprune.checks import Verification
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.model import Model, from_proto, to_proto
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.verify import compare, verify
from tests.networks import TEXTS, network
from tests.networks.solved import halved, parameters, prunable, shuffled, solved

every_network = pytest.mark.parametrize("name", TEXTS)
FP32 = 1e-5
LIMITS = {"weights-in-fp16": 5e-3, "weights-in-double": 1e-13, "integer-convolutions": 1e-2}
"""How far a network may be off where it does not calculate in fp32; integers may be rounded otherwise."""
INSERTED = 4
"""How many numbers a cut may write down beside the weights: scales that it restores."""


def prune(model: Model, solution: Solution, plan: Plan) -> tuple[Model, Verification]:
    small = cut(model, solution, plan)
    return small.model, verify(model, small, solution.shapes)


@every_network
def test_every_group_can_be_cut_by_itself_in_any_order(name: str) -> None:
    model, solution = solved(name)
    assert prunable(solution), "a network without a group to prune tests nothing"
    for group in prunable(solution):
        small, proof = prune(model, solution, shuffled([group], 0.5))
        assert proof.passed, f"{group.name}: {proof.worst}"
        assert proof.worst.error < LIMITS.get(name, FP32), f"{group.name}: {proof.worst}"
        assert parameters(small) < parameters(model), group.name


@every_network
def test_all_groups_together_can_be_halved(name: str) -> None:
    model, solution = solved(name)
    plan = halved(solution)
    small, proof = prune(model, solution, plan)
    assert proof.passed, proof.worst
    assert proof.worst.error < LIMITS.get(name, FP32)
    assert parameters(small) < parameters(model)


@every_network
def test_what_a_plan_costs_is_what_the_written_model_has(name: str) -> None:
    model, solution = solved(name)
    assert cost(solution).params == parameters(model)
    plan = halved(solution)
    small = cut(model, solution, plan).model
    assert 0 <= parameters(small) - cost(solution, plan).params <= INSERTED


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "channels-that-compete"])
def test_another_order_of_all_units_changes_nothing(name: str) -> None:
    """No masks here: the model with every group shuffled is the original (LRN alone looks at neighbours)."""
    model, solution = solved(name)
    plan = shuffled(prunable(solution), 1.0)
    assert any(np.any(index != np.arange(index.size)) for index in plan.keep.values())
    proof = compare(model, cut(model, solution, plan).model)
    assert proof.passed, proof.worst
    assert proof.worst.error < LIMITS.get(name, FP32)


@every_network
def test_a_cut_leaves_the_original_as_it_was(name: str) -> None:
    model, solution = solved(name)
    before = [(node.op, [t.name for t in node.inputs], dict(node.attrs)) for node in model.graph.nodes]
    cut(model, solution, halved(solution))
    after = [(node.op, [t.name for t in node.inputs], dict(node.attrs)) for node in model.graph.nodes]
    assert before == after


def test_weights_that_models_list_as_inputs_get_their_new_sizes_there() -> None:
    proto = onnx.ModelProto()
    proto.CopyFrom(network("opset-7"))
    proto.ir_version = 4
    for tensor in proto.graph.initializer:
        value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        proto.graph.input.append(value)
    model = fold(from_proto(proto))
    solution = solve(model.graph)
    small, proof = prune(model, solution, halved(solution))
    assert proof.passed
    written = to_proto(small)
    sizes = {t.name: list(t.dims) for t in written.graph.initializer}
    assert sizes["w0"] == [4, 3, 3, 3]
    listed = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in written.graph.input
    }
    assert {name: listed[name] for name in sizes} == sizes


def test_a_sparse_weight_is_cut() -> None:
    proto = onnx.ModelProto()
    proto.CopyFrom(network("mlp"))
    position, dense = next((i, t) for i, t in enumerate(proto.graph.initializer) if t.name == "w0")
    values = numpy_helper.to_array(dense)
    indices = np.flatnonzero(np.abs(values) > 0.3)
    del proto.graph.initializer[position]
    sparse = proto.graph.sparse_initializer.add(dims=values.shape)
    sparse.values.CopyFrom(numpy_helper.from_array(values.reshape(-1)[indices], "w0"))
    sparse.indices.CopyFrom(numpy_helper.from_array(indices, "w0_indices"))
    model = fold(from_proto(proto))
    solution = solve(model.graph)
    small, proof = prune(model, solution, halved(solution))
    assert proof.passed, proof.worst
    (cut,) = to_proto(small).graph.sparse_initializer
    assert (cut.values.name, list(cut.dims)) == ("w0", [6, 8])
