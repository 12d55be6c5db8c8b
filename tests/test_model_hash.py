"""The hash of a model tells apart what computes something else, and nothing more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from graphprune.model import from_proto, load
from graphprune.model_hash import model_hash

TEXT = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[1,4] x) => (float[1,4] y)
    <float[4,4] w = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}>
    { y = MatMul(x, w) }
"""


def parsed() -> onnx.ModelProto:
    return onnx.parser.parse_model(TEXT)


def with_weight(values: np.ndarray) -> onnx.ModelProto:
    model = parsed()
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(values, "w"))
    return model


def with_opset(version: int) -> onnx.ModelProto:
    model = parsed()
    model.opset_import[0].version = version
    return model


def with_another_operator() -> onnx.ModelProto:
    model = parsed()
    model.graph.node[0].op_type = "Gemm"
    return model


OTHERS = {
    "a weight": with_weight(np.arange(16, dtype=np.float32).reshape(4, 4)),
    "a type": with_weight(np.arange(1, 17, dtype=np.float16).reshape(4, 4)),
    "the opset": with_opset(18),
    "an operator": with_another_operator(),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_what_computes_something_else_has_another_hash(other: onnx.ModelProto) -> None:
    assert model_hash(from_proto(other)) != model_hash(from_proto(parsed()))


def test_where_weights_lie_and_who_wrote_the_model_play_no_part(tmp_path: Path) -> None:
    model = with_weight(np.arange(1, 17, dtype=np.float32).reshape(4, 4))
    model.producer_name = "somebody"
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert model_hash(load(tmp_path / "m.onnx")) == model_hash(from_proto(parsed()))


def test_texts_are_hashed_too() -> None:
    def labelled(*words: str) -> str:
        model = parsed()
        labels = onnx.helper.make_tensor("labels", onnx.TensorProto.STRING, [2], [w.encode() for w in words])
        model.graph.initializer.append(labels)
        model.graph.node.append(onnx.helper.make_node("Identity", ["labels"], ["z"]))
        model.graph.output.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.STRING, [2]))
        return model_hash(from_proto(model))

    assert labelled("cat", "dog") == labelled("cat", "dog") != labelled("cat", "cow")
