"""Models in int8: what is quantised, that it is the same every time, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import pytest

from graphprune.errors import Refused, Usage
from graphprune.fold import fold
from graphprune.ir import read
from graphprune.model import Model, from_proto, load, save, to_proto
from graphprune.precision.outcome import outcome
from graphprune.precision.quantise import check_quantisable, quantise
from graphprune.runtime import run, session
from tests.calibrated import normal, pieces
from tests.dying import store
from tests.networks.fill import fill
from tests.precision import networks

TEXTS: dict[str, tuple[str, tuple[int, ...]]] = {
    "convolutions": (networks.CONVOLUTIONS, (3, 8, 8)),
    "products": (networks.PRODUCTS, (6,)),
    "normalised": (networks.NORMALISED, (3, 8, 8)),
}


def made(name: str, **options: Any) -> tuple[Model, Model, list[dict[str, Any]]]:
    text, shape = TEXTS[name]
    model = fold(from_proto(fill(text)))
    batches = pieces(16, x=normal(64, *shape))
    return model, quantise(model, batches, **options), batches


@pytest.mark.parametrize(
    "options", [{}, {"activations": "int8", "symmetric": True}, {"method": "percentile"}]
)
@pytest.mark.parametrize("name", TEXTS)
def test_a_quantised_model_is_valid_and_near_the_original(name: str, options: dict[str, Any]) -> None:
    model, found, batches = made(name, **options)
    proto = to_proto(found)
    onnx.checker.check_model(proto, full_check=True)
    assert {"QuantizeLinear", "DequantizeLinear"} <= {node.op_type for node in proto.graph.node}
    assert any(tensor.data_type == onnx.TensorProto.INT8 for tensor in proto.graph.initializer)
    before = to_proto(model).graph
    assert list(before.input) == list(proto.graph.input)
    assert list(before.output) == list(proto.graph.output)
    assert 0 < apart(model, found, batches) < 0.02


def apart(model: Model, found: Model, batches: list[dict[str, Any]]) -> float:
    """How far two models are apart where bytes are multiplied as floats: integer kernels of ONNX Runtime
    saturate on x64 processors without VNNI.
    """
    with session(model) as left, session(found) as right:
        pairs = [(run(left, batch)[0], run(right, batch)[0]) for batch in batches]
    expected, got = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))


def test_weights_have_a_scale_for_each_channel_or_one_for_all() -> None:
    for per_channel, sizes in ((True, (8, 8)), (False, (1, 1))):
        _, found, _ = made("convolutions", per_channel=per_channel)
        scales = [read(n.inputs[1]) for n in found.graph.nodes if n.op == "DequantizeLinear"]
        weights = [scale.size for scale in scales if scale.size in sizes]
        assert Counter(weights)[sizes[0]] >= 2


def test_symmetric_activations_have_zero_points_of_zero() -> None:
    _, found, _ = made("convolutions", activations="int8", symmetric=True)
    points = [read(node.inputs[2]) for node in found.graph.nodes if node.op == "QuantizeLinear"]
    assert points
    assert all(point.dtype == np.int8 and not point.any() for point in points)


def test_batch_normalisation_is_folded_into_the_convolution() -> None:
    _, found, _ = made("normalised")
    assert "BatchNormalization" not in {node.op for node in found.graph.nodes}


def test_the_same_model_and_data_give_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.onnx" for number in range(2)]
    for path in paths:
        save(made("convolutions")[1], path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert load(paths[0]).graph.nodes


def test_a_model_with_its_weights_outside_is_quantised_as_the_same_model_is(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside.onnx", tmp_path / "outside.onnx"
    store(inside, 1, outside=False)
    store(outside, 1, outside=True)
    found = [to_proto(quantise(load(path), pieces(16, x0=normal(64, 24)))) for path in (inside, outside)]
    assert found[0] == found[1]


def test_operators_that_are_blocked_stay_float32() -> None:
    _, found, _ = made("convolutions", block=["second"])
    (node,) = (node for node in found.graph.nodes if node.name == "second")
    assert read(node.inputs[1]).dtype == np.float32
    with pytest.raises(Usage, match="block names 'third'"):
        made("convolutions", block=["third"])


def test_what_is_quantised_already_is_refused() -> None:
    _, found, batches = made("products")
    with pytest.raises(Refused, match="the model is quantised already"):
        quantise(found, batches)


def test_what_is_not_float32_is_refused() -> None:
    text = "g (float16[n, 6] x) => (float16[n, 4] y) <float16[6, 4] w> { y = MatMul (x, w) }"
    with pytest.raises(Refused, match="no float32 weights"):
        quantise(from_proto(fill(text)), [{"x": normal(4, 6).astype(np.float16)}])


def test_where_nothing_can_be_quantised_this_is_said() -> None:
    text = "g (float[n, 6] x) => (float[n, 6] y) <float[6] w> { y = Pow (x, w) }"
    with pytest.raises(Refused, match="nothing was quantised"):
        quantise(from_proto(fill(text)), [{"x": np.abs(normal(4, 6))}])


def test_batches_of_other_shapes_are_left_out_of_histograms() -> None:
    model = fold(from_proto(fill(networks.PRODUCTS)))
    batches = pieces(16, x=normal(40, 6))
    assert len(batches[-1]["x"]) == 8
    assert outcome(model, quantise(model, batches, method="percentile"), batches).error < 0.02


def test_a_model_beyond_what_the_quantizer_holds_is_refused() -> None:
    # Pages of zeros that nobody touches take no memory.
    large = gs.Constant("w", np.zeros((1 << 14, 1 << 15), np.float32))
    x, y = gs.Variable("x", np.float32, (1, 1 << 14)), gs.Variable("y", np.float32, (1, 1 << 15))
    graph = gs.Graph([gs.Node("MatMul", "m", inputs=[x, large], outputs=[y])], [x], [y])
    with pytest.raises(Refused, match=r"the model holds 2\.1 GB of weights") as refusal:
        check_quantisable(graph)
    assert "fp16" in refusal.value.hint
    large.values = np.zeros((1 << 14, 1 << 14), np.float32)
    check_quantisable(graph)
