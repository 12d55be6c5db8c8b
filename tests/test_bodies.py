"""Bodies of control-flow nodes keep what is theirs, and read what is around them."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
import onnxruntime as ort
import pytest
from onnx import GraphProto, ModelProto, helper, parser

from graphprune.aliases import resolve_aliases
from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.intake import check_operators
from graphprune.model import from_proto, outline, to_proto
from graphprune.rewire import sweep
from graphprune.solve import solve
from graphprune.verify import verify
from graphprune.weights import Weight, stored
from tests.networks.fill import fill
from tests.networks.solved import halved

BODIES = """<ir_version: 8, opset_import: ["" : 17]>
g (float[2] x, bool p) => (float[2] y)
<float[2] w = {1, 2}, float[2] only_inside = {3, 4}>
{
  a = Mul(x, w)
  y = If (p) <
    then_branch = t () => (float[2] r) <float[2] own = {5, 6}>
      { q = Add(a, only_inside) s = Mul(q, w) r = Add(s, own) },
    else_branch = e () => (float[2] r) <float[2] w = {7, 8}>
      { q = Constant <value = float[2] {9, 10}> () s = Add(q, only_inside) r = Mul(s, w) }
  >
}"""


def _initializers(graph: GraphProto) -> list[str]:
    return [tensor.name for tensor in graph.initializer]


def _run(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


def test_bodies_keep_their_constants_and_read_those_outside() -> None:
    model = parser.parse_model(BODIES)
    found = from_proto(model)
    then, other = found.graph.nodes[1].attrs["then_branch"], found.graph.nodes[1].attrs["else_branch"]
    outer = found.graph.nodes[0].inputs[1]
    assert then.nodes[1].inputs[1] is outer
    assert other.nodes[2].inputs[1] is not outer, "a body's own w hides the graph's"
    assert then.nodes[0].inputs[1] is other.nodes[1].inputs[1]
    assert isinstance(stored(other.nodes[0].attrs["value"]), Weight)
    written = to_proto(found)
    assert _initializers(written.graph) == ["w", "only_inside"]
    bodies = {attribute.name: attribute.g for attribute in written.graph.node[1].attribute}
    assert _initializers(bodies["then_branch"]) == ["own"]
    assert _initializers(bodies["else_branch"]) == ["w"]
    for p in (True, False):
        feeds = {"x": np.float32([1, -1]), "p": np.array(p)}
        assert np.array_equal(_run(written, feeds)[0], _run(model, feeds)[0])


def test_a_new_constant_in_two_bodies_is_listed_in_each() -> None:
    found = from_proto(parser.parse_model(BODIES))
    new = gs.Constant("new", np.float32([1, 1]))
    for name in ("then_branch", "else_branch"):
        found.graph.nodes[1].attrs[name].nodes[1].inputs[1] = new
    written = to_proto(found)
    assert "new" not in _initializers(written.graph)
    assert all("new" in _initializers(attribute.g) for attribute in written.graph.node[1].attribute)
    _run(written, {"x": np.float32([1, -1]), "p": np.array(True)})


def test_aliases_that_bodies_read_become_the_initializer() -> None:
    model = parser.parse_model(
        BODIES.replace("a = Mul(x, w)", "i = Identity(only_inside) j = Identity(w) a = Mul(x, j)").replace(
            "Add(q, only_inside)", "Add(q, i)"
        )
    )
    written = to_proto(resolve_aliases(from_proto(model)))
    # w stays aliased: in one of the bodies its name means another constant.
    assert [node.op_type for node in written.graph.node] == ["Identity", "Mul", "If"]
    assert written.graph.node[0].input[0] == "w"
    for p in (True, False):
        feeds = {"x": np.float32([1, -1]), "p": np.array(p)}
        assert np.array_equal(_run(written, feeds)[0], _run(model, feeds)[0])


def test_what_no_output_needs_is_swept_away() -> None:
    model = parser.parse_model(
        BODIES.replace("a = Mul(x, w)", "dead = Neg(x) deader = Neg(dead) a = Mul(x, w)")
    )
    found = sweep(from_proto(model).graph)
    assert [node.op for node in found.nodes] == ["Mul", "If"], "a is read in a body"
    assert [node.op for node in found.inputs[0].outputs] == ["Mul"]


LARGE_BODIES = """
g (float[2, 6] x, bool p) => (float[2, 3] y)
<float[6, 8] w0, float[8, 3] w1, bool on = {1}, int64 twice = {2}>
{
  a = MatMul (x, w0) b = Relu (a) c = MatMul (b, w1)
  d = Loop (twice, on, c) <
    body = step (int64 i, bool go, float[2, 3] s) => (bool still, float[2, 3] next)
    <float[3, 300] up, float[300, 3] down> {
      still = Identity (go) u = MatMul (s, up) next = MatMul (u, down) }
  >
  y = If (p) <
    then_branch = t () => (float[2, 3] t_y) <float[3, 300] t_up> {
      t_u = MatMul (d, t_up) t_n = ReduceMean <keepdims = 1, noop_with_empty_axes = 1> (t_u)
      t_y = If (p) <
        then_branch = tt () => (float[2, 3] tt_y) <float[300, 3] tt_down> { tt_y = MatMul (t_n, tt_down) },
        else_branch = te () => (float[2, 3] te_y) { te_y = Neg (d) }
      >
    },
    else_branch = e () => (float[2, 3] e_y) { e_y = Identity (d) }
  >
}"""


@pytest.mark.parametrize("as_constants", [False, True], ids=["initializers", "Constant nodes"])
def test_weights_of_any_size_in_bodies_are_valid_after_a_cut(as_constants: bool) -> None:
    proto = fill(LARGE_BODIES)
    if as_constants:
        for body in (a.g for node in proto.graph.node for a in node.attribute if a.HasField("g")):
            made = [helper.make_node("Constant", [], [t.name], value=t) for t in body.initializer]
            nodes = [*made, *body.node]
            del body.node[:], body.initializer[:]
            body.node.extend(nodes)
    model = fold(from_proto(proto))
    solution = solve(model.graph)
    small = cut(model, solution, halved(solution))
    assert verify(model, small, solution.shapes).passed
    check_operators(outline(small.model))
