"""Pruning of models in other precisions is exact to their element types, and keeps these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest

from benchmarks import assets
from graphprune.cut import cut
from graphprune.duplicate import duplicate
from graphprune.fold import fold
from graphprune.ir import constants, read
from graphprune.model import Model, from_proto
from graphprune.plan import Plan
from graphprune.precision.lower import lower
from graphprune.precision.outcome import inputs_for
from graphprune.precision.quantise import quantise
from graphprune.pruning import prune, run
from graphprune.rewire import redirect
from graphprune.solve import solve
from graphprune.verify import verify
from tests.calibrated import normal, outputs, pieces
from tests.networks import TEXTS as NETWORKS
from tests.networks.fill import fill
from tests.precision import networks


def data(model: Model) -> list[dict[str, Any]]:
    shape = [64, *(int(size or 0) for size in list(model.graph.inputs[0].shape or ())[1:])]
    return pieces(16, x=normal(*shape))


PRECISIONS: dict[str, Callable[[Model], Model]] = {
    "fp16": lambda m: lower(m, "fp16", inputs_for(m, None)).model,
    "fp16 interface": lambda m: lower(m, "fp16", inputs_for(m, None), keep_io=False).model,
    "bf16": lambda m: lower(m, "bf16", inputs_for(m, None)).model,
    "bf16 interface": lambda m: lower(m, "bf16", inputs_for(m, None), keep_io=False).model,
    "int8 per channel": lambda m: quantise(m, data(m)),
    "int8 per tensor": lambda m: quantise(m, data(m), per_channel=False),
    "int8 symmetric": lambda m: quantise(m, data(m), activations="int8", symmetric=True),
}
TEXTS = {
    "convolutions": networks.CONVOLUTIONS,
    "products": networks.PRODUCTS,
    "normalised": networks.NORMALISED,
}


def kinds(model: Model) -> set[str]:
    return {np.dtype(tensor.dtype).name for tensor in constants(model.graph)}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", TEXTS)
def test_a_network_in_another_precision_is_pruned_exactly(name: str, precision: str) -> None:
    model = PRECISIONS[precision](fold(from_proto(fill(TEXTS[name]))))
    state = prune(model, ratio=0.5)
    assert state.verification is not None
    assert state.verification.passed
    assert state.plan is not None
    assert state.plan.keep
    assert kinds(model) == kinds(state.result)


def test_a_network_of_integer_convolutions_is_pruned_exactly() -> None:
    state = prune(from_proto(fill(NETWORKS["integer-convolutions"])), ratio=0.5)
    assert state.verification is not None
    assert state.verification.worst.error == 0
    assert kinds(state.result) == kinds(state.original)


@pytest.mark.parametrize("precision", ["cast{to=fp16}", "cast{to=bf16}", "quantise{samples=32}"])
@pytest.mark.parametrize("name", ["cifar10_resnet8", "kws_dscnn"])
def test_a_pretrained_network_in_another_precision_is_pruned_exactly(name: str, precision: str) -> None:
    calib = assets.CACHE / name / "calib.npz"
    if not calib.exists():
        pytest.skip("the assets are not prepared")
    model = run(assets.model_path(name), f"fold,calibrate{{data={calib} samples=32}},{precision}").result
    state = prune(model, ratio=0.5)
    assert state.verification is not None
    assert state.verification.passed
    assert kinds(model) == kinds(state.result)


def swapped(model: Model, name: str) -> Model:
    """The model with the first two channels of a constant in each other's place."""
    graph = duplicate(model.graph)
    (constant,) = (tensor for tensor in constants(graph) if tensor.name == name)
    values = read(constant)
    redirect(constant, gs.Constant(name, values[[1, 0, *range(2, len(values))]]))
    return replace(model, graph=graph)


@pytest.mark.parametrize(("precision", "name"), [("bf16", "w1"), ("int8 per channel", "w1_quantized")])
def test_a_wrong_cut_is_found_where_values_are_rounded(precision: str, name: str) -> None:
    model = fold(PRECISIONS[precision](fold(from_proto(fill(networks.CONVOLUTIONS)))))
    solution = solve(model.graph)
    group = next(g for g in solution.groups if g.prunable)
    made = cut(model, solution, Plan({group.name: np.arange(1, group.size)}, {group.name: group.size}))
    assert verify(model, made, solution.shapes).passed
    wrong = replace(made, model=swapped(made.model, name))
    assert not verify(model, wrong, solution.shapes).passed


def test_no_kernel_is_missing_for_bfloat16(tmp_path: Path) -> None:
    """The numbers of a widened model are those of float32, to the digits that bfloat16 has."""
    original = fold(from_proto(fill(networks.PRODUCTS)))
    (wanted,) = outputs(original, x=normal(4, 6))
    (found,) = outputs(PRECISIONS["bf16"](original), x=normal(4, 6))
    assert 0 < np.linalg.norm(found - wanted) < 0.02 * np.linalg.norm(wanted)
