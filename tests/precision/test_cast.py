"""Models in 16 bits: types, names, order, and what they compute."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.checker
import pytest

from graphprune.errors import Refused, Usage
from graphprune.fold import fold
from graphprune.model import Model, from_proto, load, save, to_proto
from graphprune.precision.lower import Lowered, lower
from graphprune.precision.outcome import inputs_for, outcome
from graphprune.precision.recast import Recast, converted
from graphprune.precision.widen import widened
from graphprune.weights import stored
from tests.networks.fill import fill
from tests.precision import networks

TEXTS = {
    "convolutions": networks.CONVOLUTIONS,
    "products": networks.PRODUCTS,
    "normalised": networks.NORMALISED,
    "shared": networks.SHARED,
    "control": networks.CONTROL,
    "resized": networks.RESIZED,
}
TYPES = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}
ERROR = {"fp16": 1e-5, "bf16": 1e-3}


def lowered(text: str, to: str = "fp16", **options: Any) -> tuple[Model, Lowered]:
    model = fold(from_proto(fill(text)))
    return model, lower(model, to, inputs_for(model, None), **options)


def types(proto: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True).graph
    values = (*inferred.value_info, *inferred.input, *inferred.output)
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {tensor.name: tensor.data_type for tensor in inferred.initializer}


@pytest.mark.parametrize("to", TYPES)
@pytest.mark.parametrize("name", TEXTS)
def test_a_cast_model_is_valid_sorted_and_near_the_original(name: str, to: str) -> None:
    model, found = lowered(TEXTS[name], to)
    proto = to_proto(found.model)
    onnx.checker.check_model(proto, full_check=True)
    made = {value.name for value in proto.graph.input} | {each.name for each in proto.graph.initializer}
    for node in proto.graph.node:
        assert {each for each in node.input if each} <= made
        made |= set(node.output)
    assert TYPES[to] in types(proto).values()
    compared = outcome(model, widened(found.model, TYPES[to]), inputs_for(model, None, seed=5))
    assert 0 < compared.error < ERROR[to] or name == "control"


@pytest.mark.parametrize("name", TEXTS)
def test_inputs_outputs_and_names_stay(name: str) -> None:
    model, found = lowered(TEXTS[name])
    before, after = to_proto(model).graph, to_proto(found.model).graph
    assert list(before.input) == list(after.input)
    assert list(before.output) == list(after.output)
    assert {node.name for node in before.node} <= {node.name for node in after.node}


def test_inputs_and_outputs_follow_on_request() -> None:
    model, found = lowered(networks.CONVOLUTIONS, keep_io=False)
    graph = to_proto(found.model).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert kinds == {"x": TYPES["fp16"], "y": TYPES["fp16"]}
    assert [each.name for each in (*graph.input, *graph.output)] == ["x", "y"]
    assert "Cast" not in {node.op_type for node in graph.node}
    assert outcome(model, found.model, inputs_for(model, None)).error < 1e-5


def test_operators_that_are_blocked_stay_float32_by_operator_name_and_glob() -> None:
    for block in (["Relu"], ["second"], ["r"], ["sec*", "Rel?"]):
        _, found = lowered(networks.CONVOLUTIONS, block=block)
        proto = to_proto(found.model)
        kinds = types(proto)
        assert found.places.reasons().keys() == {"blocked"}
        kept = {name for names in found.places.reasons()["blocked"] for name in names.split("'")[1::2]}
        for node in proto.graph.node:
            if node.name in kept:
                assert {kinds[name] for name in node.output} == {onnx.TensorProto.FLOAT}
    with pytest.raises(Usage, match=r"block names 'third'"):
        lowered(networks.CONVOLUTIONS, block=["third"])


def test_one_constant_for_both_types_becomes_two_and_else_stays_one() -> None:
    _, found = lowered(networks.SHARED)
    assert Counter(t.name for t in to_proto(found.model).graph.initializer) == {"w": 1}
    text = networks.SHARED.replace("c = MatMul", "[other] c = MatMul")
    _, found = lowered(text, block=["other"])
    assert {t.name: t.data_type for t in to_proto(found.model).graph.initializer} == {
        "w": onnx.TensorProto.FLOAT,
        "w_fp16": onnx.TensorProto.FLOAT16,
    }


def test_bodies_of_control_flow_stay_float32_and_read_what_they_did() -> None:
    model, found = lowered(networks.CONTROL)
    assert list(found.places.reasons()) == ["control flow, with all inside"]
    kinds = {t.name: t.data_type for t in to_proto(found.model).graph.initializer}
    assert kinds == {"w": TYPES["fp16"], "b": onnx.TensorProto.FLOAT, "b_fp16": TYPES["fp16"]}
    for flag in (True, False):
        feeds = {**inputs_for(model, None)[0], "flag": np.array([flag])}
        assert 0 < outcome(model, found.model, [feeds]).error < 1e-5


def test_sizes_are_computed_in_float32() -> None:
    _, found = lowered(networks.RESIZED)
    kinds = types(to_proto(found.model))
    assert kinds["s_f"] == kinds["sizes_f"] == kinds["scales"] == onnx.TensorProto.FLOAT
    assert kinds["b"] == kinds["a"] == TYPES["fp16"]


def test_a_tensor_that_overflows_keeps_its_operators_in_float32() -> None:
    model, found = lowered(networks.OVERFLOW)
    assert list(found.ranges) == ["r"]
    (names,) = found.places.reasons().values()
    assert names == ["Mul 'rise'", "Mul 'fall'"]
    assert outcome(model, found.model, inputs_for(model, None)).error < 1e-5
    _, wide = lowered(networks.OVERFLOW, "bf16")
    assert not wide.ranges
    assert not wide.places.stay


def test_overflows_are_looked_for_on_the_data() -> None:
    model = fold(from_proto(fill(networks.OVERFLOW)))
    small = {"x": np.full((2, 6), 1e-3, np.float32)}
    assert not lower(model, "fp16", [small]).ranges
    assert "r" in lower(model, "fp16", [small, {"x": np.full((2, 6), 3.0, np.float32)}]).ranges


def test_a_constant_that_is_too_large_keeps_its_operator_in_float32() -> None:
    _, found = lowered(networks.OVERFLOW.replace("60000.0", "90000.0"))
    assert any("a constant of 9e+04" in reason for reason in found.places.reasons())


def test_what_stands_for_infinity_becomes_the_largest_number() -> None:
    model = fold(from_proto(fill(networks.MASKED)))
    x = np.random.default_rng(0).standard_normal((2, 6)).astype(np.float32)
    feeds = {"x": x, "mask": np.array([[1, 1, 0, 0, 1, 1], [0, 1, 1, 1, 1, 0]], np.float32)}
    found = lower(model, "fp16", [feeds])
    assert found.facts()["clipped"] == 1
    assert not found.places.stay
    low = next(t for t in to_proto(found.model).graph.initializer if t.name == "low")
    assert onnx.numpy_helper.to_array(low) == np.float16(-65504)
    assert outcome(model, widened(found.model, TYPES["fp16"]), [feeds]).error < 1e-5


@pytest.mark.parametrize(
    ("value", "kept"),
    [(1e-20, 2.0**-24), (-1e-20, -(2.0**-24)), (0.0, 0.0), (1e38, 65504.0), (-np.inf, -np.inf), (1.0, 1.0)],
)
def test_numbers_stay_finite_and_other_than_zero(value: float, kept: float) -> None:
    found = converted(np.array([value], np.float32), TYPES["fp16"])
    assert found.dtype == np.float16
    assert found[0] == kept


def test_weights_stay_in_their_file(tmp_path: Path) -> None:
    text = "g (float[2, 64] x) => (float[2, 64] y) <float[64, 64] w> { y = MatMul (x, w) }"
    save(from_proto(fill(text)), tmp_path / "m.onnx")
    model = fold(load(tmp_path / "m.onnx"))
    found = lower(model, "fp16", inputs_for(model, None)).model
    (weight,) = (stored(t) for t in found.graph.nodes[1].inputs if t.name == "w")
    assert isinstance(weight, Recast)
    assert weight.stretch is not None
    part = weight.take({0: np.array([3, 1])})
    assert part.shape == (2, 64)
    assert np.array_equal(part.load(), weight.load()[[3, 1]])
    assert part.nbytes == len(b"".join(part.blocks())) == 2 * 64 * 2


def test_a_model_that_is_cast_already_is_refused() -> None:
    _, found = lowered(networks.PRODUCTS, keep_io=False)
    with pytest.raises(Refused, match="no operator can be cast to fp16"):
        lower(found.model, "fp16", inputs_for(found.model, None))


def test_an_older_operator_set_is_raised_for_bfloat16_or_the_obstacle_is_named() -> None:
    old = '<ir_version: 8, opset_import: ["" : 13]>\n'
    _, found = lowered(old + networks.CONVOLUTIONS, "bf16")
    proto = to_proto(found.model)
    assert proto.opset_import[0].version == 22
    assert not found.places.stay
    text = networks.CONVOLUTIONS.replace(
        "f = Flatten (p)", "q = ReduceMean <axes = [3]> (p)  f = Flatten (q)"
    )
    _, found = lowered(old + text, "bf16")
    assert found.obstacle == "ReduceMean 'q'"
    assert to_proto(found.model).opset_import[0].version == 13
    assert found.places.reasons()["no bfloat16 in this operator"] == [
        "Conv 'first'",
        "Conv 'second'",
        "GlobalAveragePool 'p'",
    ]
