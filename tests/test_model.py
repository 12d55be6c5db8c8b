"""A model that is read and written again is the same model, to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import onnxruntime as ort
import pytest
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    SparseTensorProto,
    TensorProto,
    TypeProto,
    helper,
    numpy_helper,
    parser,
)

from graphprune.model import from_proto, load, outline, save, to_proto
from graphprune.weights import SparseWeight, stored

PLAIN = """<ir_version: 8, opset_import: ["" : 17]>
g (float[n, 4] x) => (float[n, 2] y)
<float[4, 3] w = {1,2,3,4,5,6,7,8,9,10,11,12}, float[3] b = {1,2,3}, float[3, 2] v = {1,2,3,4,5,6}>
{ a = MatMul(x, w) c = Add(a, b) [named] d = LeakyRelu <alpha = 0.25> (c) y = MatMul(d, v) }"""


def _annotated() -> ModelProto:
    """A model with everything that a graph of onnx-graphsurgeon has no place for."""
    model = parser.parse_model(PLAIN)
    model.ir_version = 10
    model.producer_name, model.producer_version, model.domain = "maker", "1.5", "com.example"
    model.model_version, model.doc_string = 7, "about the model"
    model.metadata_props.add(key="author", value="somebody")
    model.opset_import.add(domain="com.example", version=4)
    graph = model.graph
    graph.name, graph.doc_string = "main graph", "about the graph"
    graph.metadata_props.add(key="graph", value="1")
    graph.input[0].doc_string = "an image"
    graph.output[0].type.tensor_type.shape.dim[1].denotation = "CLASS"
    graph.node[0].name, graph.node[0].doc_string = "first", "about the node"
    graph.node[0].metadata_props.add(key="namespace", value="layer1")
    graph.node[2].attribute[0].doc_string = "the slope"
    graph.initializer[0].doc_string = "about the weight"
    graph.initializer[0].metadata_props.add(key="source", value="pt")
    graph.quantization_annotation.add(tensor_name="a").quant_parameter_tensor_names.add(
        key="SCALE_TENSOR", value="b"
    )
    custom = graph.node.add(op_type="Odd", domain="com.example", overload="two", output=["z"])
    custom.input.extend(["", "c", ""])
    custom.attribute.extend(
        [
            helper.make_attribute("floats", [1.0, 0.1]),
            helper.make_attribute("ints", [1, -(2**40)]),
            helper.make_attribute("strings", [b"\xff\xfe", "ü".encode()]),
            helper.make_attribute("bytes", b"\x80binary"),
            helper.make_attribute("no_ints", [], attr_type=AttributeProto.INTS),
            helper.make_attribute("no_floats", [], attr_type=AttributeProto.FLOATS),
            helper.make_attribute("no_strings", [], attr_type=AttributeProto.STRINGS),
            helper.make_attribute("type", TypeProto(tensor_type=TypeProto.Tensor(elem_type=1))),
            helper.make_attribute("types", [TypeProto(tensor_type=TypeProto.Tensor(elem_type=1))]),
            helper.make_attribute("sparse", _sparse("s")),
            helper.make_attribute("sparses", [_sparse("s"), _sparse("t")]),
            helper.make_attribute("tensor", numpy_helper.from_array(np.float16([1, 2]), "t")),
            helper.make_attribute("tensors", [numpy_helper.from_array(np.int8([1, 2]), "t")]),
            helper.make_attribute("graphs", [GraphProto(name="inner")]),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, None))
    for tensor in graph.initializer:
        tensor.CopyFrom(_raw(tensor))
    return model


def _sparse(name: str) -> SparseTensorProto:
    values = numpy_helper.from_array(np.float32([2, 3]), name)
    return SparseTensorProto(values=values, indices=numpy_helper.from_array(np.int64([1, 5])), dims=[2, 3])


def _raw(tensor: TensorProto) -> TensorProto:
    raw = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
    if tensor.HasField("doc_string"):
        raw.doc_string = tensor.doc_string
    raw.metadata_props.extend(tensor.metadata_props)
    return raw


def _bytes(model: ModelProto) -> bytes:
    return model.SerializeToString(deterministic=True)


def _initializers(graph: GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def _run(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_everything_survives() -> None:
    model = _annotated()
    assert _bytes(to_proto(from_proto(model))) == _bytes(model)


def test_a_written_file_is_what_a_serialized_proto_would_be(tmp_path: Path) -> None:
    model = _annotated()
    big = numpy_helper.from_array(np.random.default_rng(0).random((4, 3000), np.float32), "w")
    big.doc_string = "large enough to be left in the file"
    model.graph.initializer[0].CopyFrom(big)
    model.graph.initializer.add(name="s", data_type=TensorProto.STRING, dims=[1], string_data=[b"x" * 5000])
    model.graph.node[0].input.append("s")
    model.graph.node[0].domain = "com.example"
    (tmp_path / "m.onnx").write_bytes(_bytes(model))
    found = load(tmp_path / "m.onnx")
    assert not found.source.graph.initializer[0].raw_data, "the weight stayed in the file"
    assert _bytes(to_proto(found)) == _bytes(model)
    save(found, tmp_path / "o.onnx")
    assert (tmp_path / "o.onnx").read_bytes() == _bytes(model)


def test_intermediate_shapes_are_dropped() -> None:
    model = parser.parse_model(PLAIN)
    model.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, ["n", 3]))
    found = from_proto(model)
    assert found.graph.nodes[0].outputs[0].shape == ["n", 3]
    assert not to_proto(found).graph.value_info


def test_nodes_out_of_order_are_sorted_and_the_rest_stays() -> None:
    model = parser.parse_model(PLAIN)
    nodes = list(model.graph.node)
    shuffled = GraphProto(node=[nodes[3], nodes[0], nodes[2], nodes[1]])
    del model.graph.node[:]
    model.graph.node.extend(shuffled.node)
    before = _bytes(model)
    found = from_proto(model)
    assert [node.outputs[0].name for node in found.graph.nodes] == ["a", "c", "d", "y"]
    assert _bytes(model) == before, "the caller's model is as it was"


def test_a_pass_that_leaves_nodes_out_of_order_does_no_harm() -> None:
    found = from_proto(parser.parse_model(PLAIN))
    found.graph.nodes.reverse()
    assert [node.output[0] for node in to_proto(found).graph.node] == ["a", "c", "d", "y"]


@pytest.mark.parametrize("ir_version", [4, 8])
def test_initializers_that_are_inputs_too_stay_so_and_follow_their_cut(ir_version: int) -> None:
    model = parser.parse_model(PLAIN)
    model.ir_version = ir_version
    model.graph.input.insert(0, helper.make_tensor_value_info("b", TensorProto.FLOAT, [3]))
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [4, 3]))
    found = from_proto(model)
    assert [tensor.name for tensor in found.graph.inputs] == ["x"]
    for node, index, dim in ((0, 1, 1), (1, 1, 0), (3, 1, 0)):
        constant = found.graph.nodes[node].inputs[index]
        constant.values = stored(constant).take({dim: [0, 2]})
    written = to_proto(found)
    assert [value.name for value in written.graph.input] == [value.name for value in model.graph.input]
    assert [dim.dim_value for dim in written.graph.input[0].type.tensor_type.shape.dim] == [2]
    assert _run(written, {"x": np.ones((1, 4), np.float32)})[0].shape == (1, 2)


def test_sparse_initializers_survive() -> None:
    model = parser.parse_model(PLAIN)
    model.graph.sparse_initializer.append(_sparse("s"))
    model.graph.sparse_initializer[0].dims[:] = [3, 2]
    model.graph.node[3].input[1] = "s"
    found = from_proto(model)
    held = stored(found.graph.nodes[3].inputs[1])
    assert isinstance(held, SparseWeight)
    assert held.load().tolist() == [[0, 2], [0, 0], [0, 3]]
    written = to_proto(found)
    assert written.graph.sparse_initializer == model.graph.sparse_initializer
    assert _initializers(written.graph) == ["w", "b"]


def test_an_initializer_may_be_an_output() -> None:
    model = parser.parse_model(PLAIN)
    model.graph.output.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, [3]))
    assert "b" in _initializers(to_proto(from_proto(model)).graph)


def test_local_functions_are_inlined() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[4] x) => (float[4] y) { a = local.twice(x) y = local.twice(a) }
        <domain: "local", opset_import: ["" : 17, "com.other" : 1]>
        twice (v) => (w) { two = Constant <value = float {2.0}> () w = Mul(v, two) }"""
    )
    found = from_proto(model)
    assert [node.op for node in found.graph.nodes] == ["Constant", "Mul"] * 2
    assert _run(to_proto(found), {"x": np.ones(4, np.float32)})[0].tolist() == [4] * 4


def test_a_function_of_another_opset_stays_a_function() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 17, "local" : 1]>
        g (float[4] x) => (float[4] y) { y = local.twice(x) }
        <domain: "local", opset_import: ["" : 13]> twice (v) => (w) { w = Add(v, v) }"""
    )
    found = from_proto(model)
    assert [(node.op, node.domain) for node in found.graph.nodes] == [("twice", "local")]
    assert _run(to_proto(found), {"x": np.ones(4, np.float32)})[0].tolist() == [2] * 4


def test_a_removed_node_takes_its_constants_with_it() -> None:
    found = from_proto(_annotated())
    found.graph.outputs = found.graph.outputs[1:]
    found.graph.cleanup()
    written = to_proto(found)
    assert [node.output[0] for node in written.graph.node] == ["a", "c", "z"]
    assert _initializers(written.graph) == ["w", "b"]
    assert written.graph.node[0].doc_string == "about the node"
    assert [value.name for value in written.graph.output] == ["z"]


def test_new_nodes_and_values_are_written() -> None:
    found = from_proto(parser.parse_model(PLAIN))
    out = gs.Variable("probe", np.dtype(np.float32), ["n", 3])
    attrs = {"fraction": 0.5, "count": 3, "text": "t", "sizes": [1, 2], "scales": [1, 0.5], "none": []}
    found.graph.nodes.append(
        gs.Node("New", "new", attrs, [found.graph.nodes[0].outputs[0]], [out], "my.domain")
    )
    found.graph.outputs.append(out)
    written = to_proto(found)
    assert {entry.domain: entry.version for entry in written.opset_import} == {"": 17, "my.domain": 1}
    kinds = {attribute.name: attribute.type for attribute in written.graph.node[-1].attribute}
    assert kinds == {"fraction": 1, "count": 2, "text": 3, "sizes": 7, "scales": 6, "none": 7}
    assert written.graph.output[-1] == helper.make_tensor_value_info("probe", TensorProto.FLOAT, ["n", 3])


def test_an_attribute_keeps_its_type_when_a_pass_writes_another_number() -> None:
    found = from_proto(parser.parse_model(PLAIN))
    found.graph.nodes[2].attrs["alpha"] = 1
    assert to_proto(found).graph.node[2].attribute[0].type == AttributeProto.FLOAT


def test_an_outline_infers_shapes_without_the_weights() -> None:
    model = parser.parse_model(PLAIN)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((4, 3000), np.float32), "w"))
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.zeros(3000, np.float32), "b"))
    model.graph.initializer[2].CopyFrom(numpy_helper.from_array(np.zeros((3000, 2), np.float32), "v"))
    light = outline(from_proto(model))
    assert len(_bytes(light)) < 1000
    inferred = onnx.shape_inference.infer_shapes(light)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in inferred.graph.value_info}
    assert shapes["a"] == [0, 3000]


def test_the_textual_format_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.onnxtxt").write_text(PLAIN)
    assert len(load(tmp_path / "m.onnxtxt").graph.nodes) == 4


@pytest.mark.parametrize("tool", ["load", "cleanup"])
def test_nothing_is_printed(tmp_path: Path, tool: str) -> None:
    (tmp_path / "m.onnx").write_bytes(_bytes(_annotated()))
    code = (
        "from graphprune.model import load, save; model = load('m.onnx');"
        f"{'model.graph.cleanup();' if tool == 'cleanup' else ''} save(model, 'o.onnx')"
    )
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
