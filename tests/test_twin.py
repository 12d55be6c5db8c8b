"""The masked twin hides removed units and nothing else, and a cut that is wrong anywhere differs from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from numpy.typing import NDArray

from graphprune.checks import difference
from graphprune.cut import Cut, cut
from graphprune.errors import Negative, Refused
from graphprune.feeds import random_feeds, shapes_to_try
from graphprune.ir import constants, read
from graphprune.model import Model
from graphprune.plan import Plan
from graphprune.runtime import run, session
from graphprune.solution import Solution
from graphprune.twin import twin
from graphprune.verify import verify
from tests.networks import TEXTS
from tests.networks.solved import halved, prunable, solved

Array = NDArray[Any]


def outputs(model: Model) -> list[Array]:
    """The outputs of a model on random inputs."""
    with session(model) as opened:
        for sizes in shapes_to_try(model.graph):
            try:
                return run(opened, random_feeds(model.graph, sizes))
            except Refused as error:
                refusal = error
    raise refusal


def masked(model: Model, solution: Solution, plan: Plan) -> Model:
    return replace(model, graph=twin(model.graph, cut(model, solution, plan), solution.shapes))


def weights(model: Model, **changed: Callable[[Array], Array]) -> Model:
    """The model with some of its constants changed."""
    graph = model.graph.copy()
    left = set(changed)
    for tensor in constants(graph):
        if tensor.name in changed:
            tensor._values = np.ascontiguousarray(changed[tensor.name](read(tensor).copy()))
            left.discard(tensor.name)
    assert not left, f"no such constants: {left}"
    return replace(model, graph=graph)


@pytest.mark.parametrize("name", TEXTS)
def test_the_twin_differs_from_the_original_so_the_proof_is_not_empty(name: str) -> None:
    model, solution = solved(name)
    pairs = zip(outputs(model), outputs(masked(model, solution, halved(solution))), strict=True)
    assert max(difference(a, b)[0] for a, b in pairs) > 1e-3


@pytest.mark.parametrize("name", TEXTS)
def test_the_twin_of_a_plan_that_keeps_all_is_the_original(name: str) -> None:
    model, solution = solved(name)
    plan = Plan({}, {})
    for a, b in zip(outputs(model), outputs(masked(model, solution, plan)), strict=True):
        assert np.array_equal(a, b)


def zero(dim: int, gone: list[int]) -> Callable[[Array], Array]:
    """A change of a weight: zeros at some positions of one dimension."""

    def change(values: Array) -> Array:
        np.moveaxis(values, dim, 0)[gone] = 0
        return values

    return change


def blocks(units: list[int], size: int) -> list[int]:
    """The positions of units that take `size` consecutive ones each."""
    return [unit * size + inner for unit in units for inner in range(size)]


IN_EACH_HEAD = [head * 8 + dim for head in range(4) for dim in (1, 4, 5)]


@pytest.mark.parametrize(
    ("name", "place", "size", "change"),
    [
        ("conv-chain", "w2.1", 8, {"w2": zero(1, [1, 4, 5])}),
        ("conv-chain", "w3.1", 12, {"w3": zero(1, [1, 4, 5])}),
        ("mlp", "w1.1", 16, {"w1": zero(1, [1, 4, 5])}),
        ("mlp", "w2.0", 10, {"w2": zero(0, [1, 4, 5])}),
        ("residual", "w3.1", 8, dict.fromkeys(("w1", "w3", "w4"), zero(1, [1, 4, 5]))),
        ("depthwise", "w2.1", 16, {"w2": zero(1, [1, 4, 5])}),
        ("unet", "w2.1", 10, {"w2": zero(1, [1, 4, 5])}),
        ("unet", "w2.1", 6, {"w2": zero(1, [11, 14, 15]), "w1": zero(1, [1, 4, 5])}),
        ("flatten-gemm", "w1.1", 8, {"w1": zero(1, blocks([1, 4, 5], 4))}),
        ("attention-separate", "wo.0", 4, {"wo": zero(0, blocks([1, 2], 8))}),
        ("attention-fused", "wo.0", 4, {"wo": zero(0, blocks([1, 2], 8))}),
        ("attention-separate", "wv.1", 8, {"wo": zero(0, IN_EACH_HEAD)}),
        ("attention-separate", "wk.1", 8, {"wk": zero(1, IN_EACH_HEAD)}),
        ("concat-itself", "w1.1", 6, {"w1": zero(1, [1, 4, 5, 7, 10, 11])}),
        ("glu-two-linears", "down_w.0", 10, {"down_w": zero(0, [1, 4, 5])}),
        ("dynamic-batch", "head.0", 8, {"head": zero(0, blocks([1, 4, 5], 4))}),
        (
            "lstm-bidirectional",
            "head.0",
            8,
            {"r": zero(2, [1, 4, 5]), "head": zero(0, [1, 4, 5, 9, 12, 13])},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_twin_is_the_original_with_zeros_where_removed_units_are_consumed(
    name: str, place: str, size: int, change: dict[str, Callable[[Array], Array]]
) -> None:
    model, solution = solved(name)
    tensor, _, dim = place.rpartition(".")
    group = next(
        group
        for group in reversed(prunable(solution))
        if group.size == size and any((p.tensor.name, p.dim) == (tensor, int(dim)) for p in group.places)
    )
    gone = [1, 2] if size == 4 else [1, 4, 5]
    plan = Plan({group.name: np.setdiff1d(np.arange(size), gone)}, {group.name: size})
    expected = outputs(weights(model, **change))
    for a, b in zip(expected, outputs(masked(model, solution, plan)), strict=True):
        assert difference(a, b)[0] < 1e-6


def test_the_norm_of_a_twin_sees_the_kept_units_alone() -> None:
    model, solution = solved("layer-norm-width")
    (group,) = [group for group in prunable(solution) if group.kind == "width"]
    keep = np.array([7, 0, 3, 11, 4, 8])
    ids = random_feeds(model.graph, {"ids": (1, 9)})["ids"]
    given = {tensor.name: read(tensor).astype(np.float64) for tensor in constants(model.graph)}

    def norm(values: Array, number: int) -> Array:
        centred = values - values.mean(-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return unit * given[f"scale{number}"][keep] + given[f"shift{number}"][keep]

    entered = given["table"][:, keep][ids] + given["positions"][:, keep]
    inner = np.log1p(np.exp(norm(entered, 1) @ given["up_w"][keep] + given["up_b"]))
    summed = entered + inner @ given["down_w"][:, keep]
    expected = (norm(summed, 2) @ given["head"][keep]).astype(np.float32)
    (found,) = outputs(masked(model, solution, Plan({group.name: keep}, {group.name: 12})))
    assert difference(expected, found)[0] < 1e-5


def failed(model: Model, solution: Solution, small: Cut) -> bool:
    """Whether the proof catches a wrong cut."""
    try:
        return not verify(model, small, solution.shapes).passed
    except (Negative, Refused):
        return True


def cut_weights(model: Model, small: Cut) -> list[tuple[str, int]]:
    """The constants of a cut model that are smaller than they were, each with a dimension that was cut."""
    before = {tensor.name: tensor.shape for tensor in constants(model.graph)}
    return [
        (tensor.name, dim)
        for tensor in constants(small.model.graph)
        if np.dtype(tensor.dtype).kind in "fV" or np.dtype(tensor.dtype).itemsize == 1
        for dim, (full, left) in enumerate(zip(before[tensor.name], tensor.shape, strict=True))
        if left < full and left > 1
    ]


def swap(dim: int) -> Callable[[Array], Array]:
    """A mistake: two units in the wrong order."""
    return lambda values: np.take(values, [1, 0, *range(2, values.shape[dim])], axis=dim)


def nudge(values: Array) -> Array:
    """A mistake: one number that is not what it was."""
    last = values.reshape(-1)[-1:]
    last[:] = last * 2 + 1
    return values


MISTAKEN = [
    "conv-chain",
    "residual",
    "depthwise",
    "grouped",
    "squeeze-excite",
    "dense-concat",
    "flatten-gemm",
    "glu-split",
    "attention-separate",
    "attention-fused",
    "grouped-query",
    "rotary-halves",
    "relative-position-bias",
    "layer-norm-width",
    "lstm-bidirectional",
    "qdq-per-channel",
]


@pytest.mark.parametrize("mistake", ["two units are swapped", "one number is another"])
@pytest.mark.parametrize("name", MISTAKEN)
def test_a_mistake_in_any_weight_that_was_cut_is_caught(name: str, mistake: str) -> None:
    model, solution = solved(name)
    small = cut(model, solution, halved(solution))
    places = cut_weights(model, small)
    assert len(places) >= 3
    for tensor, dim in places:
        change = swap(dim) if mistake.startswith("two") else nudge
        wrong = replace(small, model=weights(small.model, **{tensor: change}))
        assert failed(model, solution, wrong), f"{tensor}, dimension {dim}"


@pytest.mark.parametrize("name", ["conv-chain", "mlp", "attention-fused", "dense-concat", "flatten-gemm"])
def test_a_consumer_that_keeps_other_units_than_its_producer_is_caught(name: str) -> None:
    model, solution = solved(name)
    plan = halved(solution)
    for group in (solution.group(name) for name in plan.keep):
        gone = np.setdiff1d(np.arange(group.size), plan.keep[group.name])
        other = replace(plan, keep={**plan.keep, group.name: gone[: plan.keep[group.name].size]})
        if other.keep[group.name].size < plan.keep[group.name].size:
            continue
        right, wrong = cut(model, solution, plan), cut(model, solution, other)
        taken = {tensor.name: tensor for tensor in constants(wrong.model.graph)}
        for item in group.places:
            if item.role == "in":
                stolen = read(taken[item.tensor.name])
                mixed_up = weights(right.model, **{item.tensor.name: lambda _, stolen=stolen: stolen})
                assert failed(model, solution, replace(right, model=mixed_up)), item.tensor.name


def test_a_plan_that_was_carried_out_in_one_place_only_is_caught() -> None:
    model, solution = solved("residual")
    plan = halved(solution)
    right = cut(model, solution, plan)
    narrow = weights(right.model, w3=lambda values: values[:, :-1])
    assert failed(model, solution, replace(right, model=narrow))


def test_a_scale_that_is_not_restored_is_caught() -> None:
    model, solution = solved("attention-scaled-at-run-time")
    group = next(
        g for g in prunable(solution) if g.size == 8 and any(p.tensor.name == "wk" for p in g.places)
    )
    small = cut(model, solution, Plan({group.name: np.arange(4)}, {group.name: 8}))
    assert verify(model, small, solution.shapes).passed
    graph = small.model.graph.copy()
    known = {node.name for node in model.graph.nodes}
    restoring = [node for node in graph.nodes if node.op == "Mul" and node.name not in known]
    assert restoring, "the cut writes down no scale"
    for node in restoring:
        bypass(node)
    assert failed(model, solution, replace(small, model=replace(small.model, graph=graph.cleanup())))


def bypass(node: gs.Node) -> None:
    """Let what reads the node read the node's first operand."""
    (result,) = node.outputs
    for user in list(result.outputs):
        for slot, tensor in enumerate(user.inputs):
            if tensor is result:
                user.inputs[slot] = node.inputs[0]
