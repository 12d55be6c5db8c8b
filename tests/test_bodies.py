"""Bodies of control-flow nodes keep what is theirs, and read what is around them."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import onnxruntime as ort
import pytest
from onnx import GraphProto, ModelProto, helper, numpy_helper, parser

from graphprune.aliases import resolve_aliases
from graphprune.cost import cost
from graphprune.cut import cut
from graphprune.fold import fold
from graphprune.inspection import inspect
from graphprune.intake import check_operators
from graphprune.ir import read
from graphprune.model import from_proto, outline, to_proto
from graphprune.rewire import sweep
from graphprune.solve import solve
from graphprune.verify import verify
from graphprune.weights import Weight, stored
from tests.networks import TEXTS
from tests.networks.fill import fill
from tests.networks.solved import halved, initializers, solved

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


def test_a_new_constant_in_two_bodies_is_listed_around_both() -> None:
    found = from_proto(parser.parse_model(BODIES))
    new, own = gs.Constant("new", np.float32([1, 1])), gs.Constant("newer", np.float32([1, 1]))
    for name in ("then_branch", "else_branch"):
        found.graph.nodes[1].attrs[name].nodes[1].inputs[1] = new
    found.graph.nodes[1].attrs["then_branch"].nodes[2].inputs[1] = own
    written = to_proto(found)
    assert _initializers(written.graph) == ["w", "only_inside", "new"]
    assert [_initializers(attribute.g) for attribute in written.graph.node[1].attribute] == [["newer"], ["w"]]
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


def _zeroed(original: ModelProto, smaller: ModelProto) -> ModelProto:
    """The original with zeros where the smaller model has no entry; no value stands twice in a weight."""
    kept = {t.name: numpy_helper.to_array(t) for t in initializers(smaller.graph)}
    copy = ModelProto.FromString(original.SerializeToString())
    for tensor in initializers(copy.graph):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > 1:
            stays = np.isin(values, kept[tensor.name])
            tensor.CopyFrom(numpy_helper.from_array(np.where(stays, values, np.float32(0)), tensor.name))
    return copy


@pytest.mark.parametrize("choice", [True, False], ids=["then", "else"])
@pytest.mark.parametrize(
    "name", ["if-with-weights", "if-in-a-loop-in-an-if", "scan-backwards", "names-that-both-branches-have"]
)
def test_a_cut_through_bodies_equals_the_original_with_weights_set_to_zero(name: str, choice: bool) -> None:
    model, solution = solved(name)
    small = to_proto(cut(model, solution, halved(solution)).model)
    onnx.checker.check_model(small, full_check=True)  # pyright: ignore[reportUnknownMemberType]
    full = to_proto(model)
    masked = _zeroed(full, small)
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in full.graph.input}
    feeds = {"x": np.random.default_rng(3).standard_normal(shapes["x"]).astype(np.float32)}
    feeds |= {"choice": np.array(choice)} if "choice" in shapes else {}
    for found, expected, whole in zip(
        _run(small, feeds), _run(masked, feeds), _run(full, feeds), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        assert np.abs(whole - expected).max() > 1e-3, "what went had no effect"


def test_a_condition_does_not_lose_the_units_that_it_takes_a_mean_of() -> None:
    model = fill("""
        g (float[2, 6] x) => (float[2, 3] y)
        <float[6, 8] w0, float[8, 9] w1, float[8, 9] w2, float[9, 3] w3, float limit = {0.1}>
        {
          a = MatMul (x, w0) h = Relu (a)
          mean = ReduceMean <keepdims = 0> (h) high = Greater (mean, limit)
          b = If (high) <
            then_branch = yes () => (float[2, 9] yes_b) { yes_b = MatMul (h, w1) },
            else_branch = no () => (float[2, 9] no_b) { no_b = MatMul (h, w2) }
          >
          y = MatMul (b, w3)
        }""")
    groups = {group.size: group.reason for group in solve(from_proto(model).graph).groups}
    assert groups[8] == "If 'b' pins it: its units decide which steps are taken"
    assert groups[9] == ""


def test_what_bodies_hold_is_counted_and_a_loop_counts_all_its_steps() -> None:
    model, solution = solved("if-in-a-loop-in-an-if")
    whole = cost(solution)
    assert whole.params == sum(t.dims[0] * t.dims[1] for t in initializers(to_proto(model).graph) if t.dims)
    # Rows of 2, through w0 and w1, and three times through up and down, the dearer branch.
    assert whole.macs == 2 * (6 * 8 + 8 * 3 + 3 * (8 * 7 + 7 * 8))


def test_a_sequence_that_goes_through_a_loop_pins_what_is_put_into_it() -> None:
    model = fill("""
        g (float[2, 6] x, int64 times) => (float[N, 3] y)
        <float[6, 8] w0, float[8, 3] w1, float[6, 7] w2, float[7, 6] w3, bool on = {1}>
        {
          inner = MatMul (x, w2) back = MatMul (inner, w3) a = MatMul (back, w0)
          none = SequenceEmpty <dtype = 1> ()
          many = Loop (times, on, none) <
            body = step (int64 i, bool go, seq(float[2, 8]) sofar) => (bool still, seq(float[2, 8]) more) {
              still = Identity (go) more = SequenceInsert (sofar, a)
            }
          >
          all = ConcatFromSequence <axis = 0> (many)
          y = MatMul (all, w1)
        }""")
    folded = fold(from_proto(model))
    solution = solve(folded.graph)
    assert [group.size for group in solution.groups if group.prunable] == [7, 6]
    assert verify(folded, cut(folded, solution, halved(solution)), solution.shapes).passed


@pytest.mark.parametrize("branch", ["then_branch", "else_branch"])
def test_a_wrong_weight_in_either_branch_is_refused(branch: str) -> None:
    model, solution = solved("if-with-weights")
    small = cut(model, solution, halved(solution))
    node = next(node for node in small.model.graph.nodes if node.op == "If")
    product = next(each for each in node.attrs[branch].nodes if each.op == "MatMul")
    weight = product.inputs[1]
    product.inputs[1] = gs.Constant(weight.name, -read(weight))
    assert not verify(model, small, solution.shapes).passed


def test_an_inspection_counts_what_stands_in_bodies() -> None:
    text = """g (float[n, 4] x, bool which) => (float[n, 4] y) {
      y = If (which) <
        then_branch = t () => (float[n, 4] p) <float[4, 8] u, float[8, 4] v>
          { a = MatMul (x, u) b = Relu (a) p = MatMul (b, v) },
        else_branch = e () => (float[n, 4] q) <float[4, 4] w> { q = MatMul (x, w) }
      >
    }"""
    found = inspect(from_proto(fill(text)))
    assert found.nodes == 1 + 3 + 1
    assert found.params == 4 * 8 + 8 * 4 + 4 * 4


def test_a_target_in_a_body_that_is_of_another_rank_than_the_body_declares_is_no_fault_of_ours() -> None:
    sizes = "target = Concat <axis = 0> (rows, rest)"
    assert sizes in TEXTS["sizes-computed-in-bodies"]
    other = "target = Constant <value_ints = [2, 2, 2, 2, -1]> ()"
    model = from_proto(fill(TEXTS["sizes-computed-in-bodies"].replace(sizes, other)))
    solution = solve(model.graph)
    assert not [group for group in solution.groups if group.prunable]
