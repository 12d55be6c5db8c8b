"""An If whose condition follows from static shapes becomes the branch that it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphprune.cut import cut
from graphprune.feeds import random_feeds
from graphprune.fold import fold
from graphprune.importance import score
from graphprune.model import Model, from_proto
from graphprune.runtime import run, session
from graphprune.select import Choice, select
from graphprune.solve import solve
from graphprune.verify import verify
from tests.networks.fill import fill

NETWORKS = {
    "a branch that computes": """g (float[1, 4] x) => (float[1, 2] y)
<float[4, 8] w, float[8, 2] v>
{ n = Constant <value_int = 2> () s = Shape (x) r = Size (s) c = Equal (r, n)
  h = MatMul (x, w)
  k = If (c) <
    then_branch = t () => (float[1, 8] a) { a0 = Relu (h) a = Neg (a0) },
    else_branch = e () => (float[1, 8] b) { b = Exp (h) }
  >
  y = MatMul (k, v) }""",
    "the other branch": """g (float[1, 4] x) => (float[1, 2] y)
<float[4, 8] w, float[8, 2] v>
{ n = Constant <value_int = 3> () s = Shape (x) r = Size (s) c = Equal (r, n)
  h = MatMul (x, w)
  k = If (c) <
    then_branch = t () => (float[1, 8] a) { a0 = Relu (h) a = Neg (a0) },
    else_branch = e () => (float[1, 8] b) { b = Exp (h) }
  >
  y = MatMul (k, v) }""",
    "a branch that hands on a value from outside": """g (float[1, 4] x) => (float[1, 2] y)
<float[4, 8] w, float[8, 2] v>
{ n = Constant <value_int = 2> () s = Shape (x) r = Size (s) c = Equal (r, n)
  h = MatMul (x, w)
  k = If (c) <
    then_branch = t () => (float[1, 8] a) { a = Identity (h) },
    else_branch = e () => (float[1, 8] b) { b = Exp (h) }
  >
  y = MatMul (k, v) }""",
    "one inside the other, the same names in both": """g (float[1, 4] x) => (float[1, 2] y)
<float[4, 8] w, float[8, 2] v>
{ n = Constant <value_int = 2> () s = Shape (x) r = Size (s) c = Equal (r, n)
  h = MatMul (x, w)
  k = If (c) <
    then_branch = t () => (float[1, 8] a) {
      a0 = Relu (h)
      a = If (c) <
        then_branch = tt () => (float[1, 8] p) { p0 = Neg (a0) p = Exp (p0) },
        else_branch = te () => (float[1, 8] q) { q = Exp (a0) }
      >
    },
    else_branch = e () => (float[1, 8] b) { p0 = Exp (h) b = Neg (p0) }
  >
  m = If (c) <
    then_branch = u () => (float[1, 8] f) { a0 = Neg (k) f = Relu (a0) },
    else_branch = i () => (float[1, 8] j) { j = Exp (k) }
  >
  y = MatMul (k, v) }""",
    "a result that is the model's": """g (float[1, 4] x) => (float[1, 8] y, float[1, 8] z)
<float[4, 8] w>
{ n = Constant <value_int = 2> () s = Shape (x) r = Size (s) c = Equal (r, n)
  h = MatMul (x, w)
  y, z = If (c) <
    then_branch = t () => (float[1, 8] a, float[1, 8] d) { a = Relu (h) d = Neg (a) },
    else_branch = e () => (float[1, 8] b, float[1, 8] f) { b = Exp (h) f = Neg (b) }
  > }""",
}


def outputs(model: Model) -> list[NDArray[Any]]:
    """What the model computes on fixed random inputs."""
    feeds = random_feeds(model.graph, {"x": (1, 4)}, 7)
    with session(model) as opened:
        return run(opened, feeds)


@pytest.mark.parametrize("name", NETWORKS)
def test_taking_known_branches_changes_no_result(name: str) -> None:
    model = from_proto(fill(NETWORKS[name]))
    folded = fold(model)
    assert any(node.op == "If" for node in model.graph.nodes)
    assert not any(node.op == "If" for node in folded.graph.nodes)
    for before, after in zip(outputs(model), outputs(folded), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("name", [name for name in NETWORKS if "model's" not in name])
def test_what_lies_behind_a_known_branch_can_be_pruned(name: str) -> None:
    model = fold(from_proto(fill(NETWORKS[name])))
    solution = solve(model.graph)
    plan = select(solution, score(solution).values, Choice(ratio=0.5))
    assert {group.size for group in solution.groups if group.prunable} == {8}
    assert verify(model, cut(model, solution, plan), solution.shapes).passed


def test_a_condition_that_depends_on_a_symbol_is_left_alone() -> None:
    text = NETWORKS["a branch that computes"].replace("float[1,", "float[N,")
    text = text.replace("r = Size (s)", "f = Constant <value_int = 0> () r = Gather (s, f)")
    folded = fold(from_proto(fill(text)))
    assert any(node.op == "If" for node in folded.graph.nodes)


def test_a_condition_that_holds_whatever_the_symbols_are_is_known() -> None:
    text = NETWORKS["a branch that computes"].replace("float[1,", "float[N,")
    folded = fold(from_proto(fill(text)))
    assert "Neg" in [node.op for node in folded.graph.nodes]
    assert not any(node.op == "If" for node in folded.graph.nodes)


def test_a_condition_that_depends_on_data_is_left_alone() -> None:
    text = NETWORKS["a branch that computes"].replace(
        "c = Equal (r, n)", "q = ReduceSum (x) g0 = Cast <to = 9> (q) c = Squeeze (g0)"
    )
    folded = fold(from_proto(fill(text)))
    assert any(node.op == "If" for node in folded.graph.nodes)
