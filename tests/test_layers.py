"""Layers are found in every way in which exporters write them, and go exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphprune.cost import Cost, cost, layer_costs
from graphprune.cut import Cut, cut
from graphprune.errors import Refused, Usage
from graphprune.fold import fold
from graphprune.layers import gone, joins, layers
from graphprune.model import Model, from_proto, to_proto
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.verify import compare, verify
from tests.networks.drawn_residuals import drawn
from tests.networks.fill import fill
from tests.networks.residuals import RESIDUALS
from tests.networks.solved import halved, parameters
from tests.proof.changes import changed

every_network = pytest.mark.parametrize("name", RESIDUALS)
with_layers = pytest.mark.parametrize("name", [name for name, item in RESIDUALS.items() if item.layers])


@cache
def solved(name: str) -> tuple[Model, Solution]:
    model = fold(from_proto(fill(RESIDUALS[name].text)))
    return model, solve(model.graph)


def without(*names: str) -> Plan:
    return Plan({}, {}, names)


def all_of(solution: Solution) -> tuple[str, ...]:
    return tuple(layer.name for layer in layers(solution))


def proved(model: Model, solution: Solution, plan: Plan) -> Cut:
    small = cut(model, solution, plan)
    proof = verify(model, small, solution.shapes)
    assert proof.passed, f"{plan.layers}: {proof.worst}"
    assert parameters(small.model) == cost(solution, plan).params
    return small


def less(a: Cost, b: Cost) -> Cost:
    return Cost(a.params - b.params, a.macs - b.macs, a.bytes - b.bytes)


@every_network
def test_the_layers_of_a_network_are_found_and_the_other_additions_have_their_reasons(name: str) -> None:
    _, solution = solved(name)
    found = joins(solution)
    assert tuple((layer.name, layer.skipped, len(layer.nodes)) for layer in found.layers) == (
        RESIDUALS[name].layers
    )
    others = dict(found.others)
    assert others.keys() == RESIDUALS[name].others.keys()
    assert all(reason in others[each] for each, reason in RESIDUALS[name].others.items())


@with_layers
def test_a_layer_says_where_it_stands(name: str) -> None:
    _, solution = solved(name)
    for layer in layers(solution):
        assert solution.graph.nodes[layer.at] is layer.join
        assert layer.join.inputs[layer.skip].name == layer.skipped
        assert layer.join.inputs[1 - layer.skip].name == layer.branch
        assert all(a < b for a, b in pairwise((*layer.nodes, layer.at)))
        assert gone(solution, [layer.name]) - {layer.at} == set(layer.nodes)
    assert len({*all_of(solution), *solution.by_name}) == len(all_of(solution)) + len(solution.groups)


@with_layers
def test_every_layer_goes_alone_and_all_together_with_halved_groups_and_without(name: str) -> None:
    model, solution = solved(name)
    try:
        half = halved(solution)
    except Refused:  # nothing but layers can go
        half = Plan({}, {})
    every = all_of(solution)
    for names in dict.fromkeys([*((each,) for each in every), every, every[::2], every[::-1]]):
        small = proved(model, solution, without(*names))
        assert len(small.model.graph.nodes) < len(model.graph.nodes)
        proved(model, solution, replace(half, layers=names))


@with_layers
def test_what_a_layer_costs_is_what_the_model_costs_less_without_it(name: str) -> None:
    _, solution = solved(name)
    for layer, price in zip(layers(solution), layer_costs(solution), strict=True):
        assert less(cost(solution), cost(solution, without(layer.name))) == price
        assert price.macs > 0


def check(seed: int, blocks: int) -> None:
    model = fold(from_proto(drawn(seed, blocks)))
    solution = solve(model.graph)
    every = all_of(solution)
    assert every, "a network without layers tests nothing"
    for names in dict.fromkeys([*((each,) for each in every), every, every[::2], every[1::2]]):
        proved(model, solution, without(*names))
    proved(model, solution, replace(halved(solution), layers=every[::2]))
    for layer, price in zip(layers(solution), layer_costs(solution), strict=True):
        assert less(cost(solution), cost(solution, without(layer.name))) == price


@pytest.mark.parametrize("seed", range(10))
def test_the_layers_of_a_random_network_go_exactly(seed: int) -> None:
    check(seed, blocks=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_the_layers_of_a_larger_random_network_go_exactly(seed: int) -> None:
    check(seed, blocks=6)


@pytest.mark.parametrize(
    ("name", "layer", "last"),
    [
        ("pre-norm transformer without names", "h_1", ["wo1"]),
        ("pre-norm transformer without names", "x_2", ["down2"]),
        ("post-norm transformer", "attended_2", ["wo2"]),
        ("basic blocks of a ResNet", "first", ["w2"]),
        ("branches inside a branch", "outer", ["w4"]),
        ("last addition is the output", "last", ["w2"]),
        ("body reads the sum", "second", ["w2"]),
    ],
)
def test_a_model_without_a_layer_is_the_one_whose_branch_ends_in_zero_weights(
    name: str, layer: str, last: list[str]
) -> None:
    model, solution = solved(name)
    proto = fill(RESIDUALS[name].text)
    for tensor in proto.graph.initializer:
        if tensor.name in last:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros(tensor.dims, np.float32), tensor.name))
    small = cut(model, solution, without(layer)).model
    assert compare(from_proto(proto), small).passed
    assert not compare(model, small).passed


@with_layers
def test_a_proof_that_expects_the_branch_fails(name: str) -> None:
    model, solution = solved(name)
    for layer in layers(solution):
        small = cut(model, solution, without(layer.name))
        traces = tuple(replace(trace, removed=()) for trace in small.traces)
        assert not verify(model, replace(small, traces=traces), solution.shapes).passed, layer.name


def test_what_keeps_its_name_passes_on_the_tensor_that_was_skipped() -> None:
    model, solution = solved("last addition is the output")
    written = to_proto(cut(model, solution, without("first", "last")).model)
    assert [(node.op_type, *node.input, *node.output) for node in written.graph.node] == [
        ("Identity", "x", "y"),
        ("Relu", "y", "z"),
    ]
    assert not written.graph.initializer


def test_a_weight_that_a_layer_shares_with_another_stays_until_both_go() -> None:
    model, solution = solved("blocks that share their weights")
    assert layer_costs(solution)[0].params == 0
    one = {tensor.name for tensor in to_proto(cut(model, solution, without("first")).model).graph.initializer}
    both = to_proto(cut(model, solution, without("first", "second")).model).graph.initializer
    assert one == {"w1", "w2", "head"}
    assert {tensor.name for tensor in both} == {"head"}


def test_what_two_layers_share_goes_with_the_last_of_them() -> None:
    model, solution = solved("attention and MLP in parallel behind one norm")
    ops = [
        {node.op for node in cut(model, solution, without(*names)).model.graph.nodes}
        for names in (("attended",), ("attended", "fed"))
    ]
    assert [("LayerNormalization" in each) for each in ops] == [True, False]


def test_an_input_that_only_the_branch_reads_stays_in_the_interface() -> None:
    model, solution = solved("post-norm transformer")
    written = to_proto(proved(model, solution, without(*all_of(solution))).model)
    assert [value.name for value in written.graph.input] == ["x", "mask"]


def test_a_difference_behind_a_bypassed_addition_is_looked_for_where_the_output_hides_it() -> None:
    model = from_proto(
        fill("""g (float[1, 4] x) => (float[1, 4] y) <float[4, 4] w0, float[4, 4] w1, float big = {1000.0}>
        { a = MatMul (x, w0) b = Add (a, big) c = MatMul (b, w1) [join] s = Add (b, c)
          y = HardSigmoid (s) }""")
    )
    solution = solve(model.graph)
    small = cut(model, solution, without("join"))
    assert verify(model, small, solution.shapes).passed
    wrong = replace(small, model=changed(small.model, "w0", lambda values: values * 1.01))
    proof = verify(model, wrong, solution.shapes)
    assert {check.output for check in proof.checks if not check.passed} == {"a"}


def test_nodes_that_nothing_needs_do_not_stand_in_the_way() -> None:
    model = from_proto(
        fill("""g (float[2, 6] x) => (float[2, 6] y) <float[6, 6] w, float[6, 6] unused>
        { a = MatMul (x, w) b = Tanh (a) idle = MatMul (a, unused) [join] y = Add (x, b) }""")
    )
    solution = solve(model.graph)
    (layer,) = layers(solution)
    assert layer.nodes == (0, 1)
    assert layer_costs(solution)[0] == less(cost(solution), cost(solution, without("join")))


@pytest.mark.parametrize(
    ("names", "why"),
    [(("nothing",), "there is no layer 'nothing'"), (("first", "first"), "removes twice layer 'first'")],
)
def test_a_plan_with_layers_that_do_not_fit_is_refused(names: tuple[str, ...], why: str) -> None:
    model, solution = solved("basic blocks of a ResNet")
    with pytest.raises(Usage, match=why):
        cut(model, solution, without(*names))


def test_the_layers_are_the_same_in_a_model_that_was_read_again() -> None:
    model, solution = solved("pre-norm transformer without names")
    again = solve(fold(from_proto(to_proto(model))).graph)
    assert [replace(layer, join=None) for layer in layers(again)] == [  # type: ignore[arg-type]
        replace(layer, join=None)  # type: ignore[arg-type]
        for layer in layers(solution)
    ]


def test_every_network_is_valid() -> None:
    for item in RESIDUALS.values():
        onnx.checker.check_model(fill(item.text), full_check=True)
