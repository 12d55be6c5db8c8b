"""What ONNX Runtime does not accept is refused when it is loaded, by every verb alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

import graphprune
from graphprune.cli import main
from graphprune.errors import Refused
from graphprune.ir import node_proto
from graphprune.model import load, read
from tests.networks import network


def _string_weight(model: ModelProto) -> None:
    tensor = model.graph.initializer[0]
    count = int(np.prod(tensor.dims))
    texts = TensorProto(name=tensor.name, data_type=TensorProto.STRING, dims=tensor.dims)
    texts.string_data.extend([b"q"] * count)
    tensor.CopyFrom(texts)


def _node(model: ModelProto, op: str) -> NodeProto:
    return next(node for node in model.graph.node if node.op_type == op)


def _axis_twice(model: ModelProto) -> None:
    first = model.graph.node[0]
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 1]), "axes"))
    model.graph.node.insert(1, helper.make_node("Unsqueeze", [first.output[0], "axes"], ["wide"]))
    model.graph.node.insert(2, helper.make_node("Squeeze", ["wide", "axes"], ["narrow"]))
    model.graph.node[3].input[0] = "narrow"


def _order_out_of_range(model: ModelProto) -> None:
    _node(model, "Transpose").attribute[0].ints[:] = [0, 1, 2, 9]


def _two_types(model: ModelProto) -> None:
    recurrent = _node(model, "LSTM").input[2]
    tensor = next(each for each in model.graph.initializer if each.name == recurrent)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def _scale_that_is_its_weight(model: ModelProto) -> None:
    node = _node(model, "DequantizeLinear")
    node.input[1] = node.input[0]


ACCEPTED_BY_THE_CHECKER: list[tuple[str, str, Callable[[ModelProto], None]]] = [
    ("a weight of strings", "mlp", _string_weight),
    ("the same axis twice", "mlp", _axis_twice),
    ("an order of axes that are not there", "attention-separate", _order_out_of_range),
    ("weights of two types", "lstm-bidirectional", _two_types),
    ("a scale that is its weight", "qdq-per-tensor", _scale_that_is_its_weight),
]


@pytest.mark.parametrize(
    ("name", "change"),
    [row[1:] for row in ACCEPTED_BY_THE_CHECKER],
    ids=[row[0] for row in ACCEPTED_BY_THE_CHECKER],
)
def test_what_onnx_runtime_does_not_accept_is_refused_before_it_is_solved(
    tmp_path: Path, name: str, change: Callable[[ModelProto], None]
) -> None:
    model = ModelProto.FromString(network(name).SerializeToString())
    change(model)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    read(path)
    with pytest.raises(Refused) as caught:
        load(path)
    assert caught.value.hint
    assert main(["inspect", str(path)]) == 3
    assert main(["prune", str(path), "-o", str(tmp_path / "o.onnx")]) == 3
    assert main(["verify", str(path), str(path)]) == 3


def test_a_model_with_operators_that_onnx_runtime_does_not_have_is_loaded(tmp_path: Path) -> None:
    model = ModelProto.FromString(network("mlp").SerializeToString())
    model.graph.node[1].op_type = "SomethingOfAnAccelerator"
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert len(load(path).graph.nodes) == len(model.graph.node)


def test_a_model_that_onnx_load_has_read_is_pruned_as_its_file_is(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(network("conv-chain").SerializeToString())
    proto = onnx.load(path)  # pyright: ignore[reportUnknownMemberType]
    for name, source in (("file", path), ("proto", proto)):
        graphprune.save(graphprune.prune(source).result, tmp_path / name)
    assert (tmp_path / "file").read_bytes() == (tmp_path / "proto").read_bytes()
    assert proto.SerializeToString() == path.read_bytes(), "the caller's model is as it was"
    assert graphprune.inspect(proto).params == graphprune.inspect(path).params


def test_a_model_that_onnx_load_has_read_is_judged_as_a_file_is() -> None:
    model = ModelProto.FromString(network("mlp").SerializeToString())
    _string_weight(model)
    with pytest.raises(Refused):
        graphprune.prune(model)


def test_an_attribute_without_elements_is_written_as_a_list(tmp_path: Path) -> None:
    model = ModelProto.FromString(network("mlp").SerializeToString())
    node = model.graph.node[1]
    node.op_type, node.domain = "SomethingOfAnAccelerator", "acme"
    node.attribute.add(name="axes", type=AttributeProto.INTS)
    model.opset_import.add(domain="acme", version=1)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    proto = node_proto(load(path).graph.nodes[1])
    assert (proto.domain, [each.name for each in proto.attribute]) == ("acme", ["axes"])
    assert proto.attribute[0].type == AttributeProto.INTS
    assert proto.output == node.output
