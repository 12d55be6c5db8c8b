"""An initializer has one name, and dead nodes go."""

from __future__ import annotations

import itertools

import numpy as np
import onnxruntime as ort
from onnx import ModelProto, TensorProto, helper, numpy_helper, parser

from graphprune.aliases import resolve_aliases
from graphprune.model import Model, from_proto, to_proto
from graphprune.rewire import sweep
from tests.work import at_most_calls

ALIASES = """<ir_version: 8, opset_import: ["" : 17]>
g (float[2, 3] x) => (float[2, 3] y, float[3] out)
<float[3] b = {1, 2, 3}>
{
  b1 = Identity(b) b2 = Identity(b1) out = Identity(b2) other = Identity(x)
  a = Add(x, b) c = Add(a, b1) d = Mul(c, b2) e = Add(d, out) y = Add(e, other)
}"""


def _run(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_aliases_of_an_initializer_become_the_initializer() -> None:
    model = parser.parse_model(ALIASES)
    found = resolve_aliases(from_proto(model))
    assert isinstance(found, Model)
    adders = [node for node in found.graph.nodes if node.op in ("Add", "Mul")][:4]
    constant = adders[0].inputs[1]
    assert all(node.inputs[1] is constant for node in adders)
    written = to_proto(found)
    assert [node.output[0] for node in written.graph.node] == ["out", "other", "a", "c", "d", "e", "y"]
    assert list(written.graph.node[0].input) == ["b"]
    assert len(constant.outputs) == 5, "the initializer knows who reads it"
    feeds = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
    for left, right in zip(_run(written, feeds), _run(model, feeds)):
        assert np.array_equal(left, right)


def test_sweeping_a_large_graph_is_linear() -> None:
    names = [f"x{i}" for i in range(10_001)]
    graph = helper.make_graph(
        [helper.make_node("Add", [a, "b"], [b]) for a, b in itertools.pairwise(names)],
        "g",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("x10000", TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.float32([1, 2]), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with at_most_calls(5_000_000):
        found = from_proto(model).graph
        found.outputs = [found.nodes[4999].outputs[0]]
        sweep(found)
    assert len(found.nodes) == len(found.nodes[0].inputs[1].outputs) == 5000
