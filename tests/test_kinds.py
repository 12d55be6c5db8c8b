"""What units are called follows from where the operands of products come from."""

from __future__ import annotations

import pytest

from graphprune import prune
from graphprune.choice import Choice, candidates
from graphprune.fold import fold
from graphprune.model import from_proto
from graphprune.solution import Solution
from graphprune.solve import solve
from graphprune.state import made
from tests.networks.fill import fill

ADAPTER = """g (float[n, 16] x, int64 which) => (float[n, 16] y)
<float[3, 16, 24] up, float[3, 24, 16] down>
{ u = Gather <axis = 0> (up, which) d = Gather <axis = 0> (down, which) a = MatMul (x, u) r = Relu (a)
  y = MatMul (r, d) }"""
ATTENDED = """
  { parts }
  q = MatMul (t, wq) k = MatMul (t, wk) v = MatMul (t, wv) kt = Transpose <perm = [0, 2, 1]> (k)
  s = MatMul (q, kt) p = Softmax <axis = -1> (s) m = MatMul (p, v) o = MatMul (m, wo)"""
WEIGHTS = """float[6, 16] w_in, float[16, 8] wq, float[16, 8] wk, float[16, 8] wv, float[8, 16] wo,
 float[16, 3] head"""
REGISTERS = f"""g (float[1, 5, 6] x) => (float[1, 5, 3] y)
<{WEIGHTS}, float[1, 4, 16] registers, int64[1] start = {{4}}, int64[1] end = {{100}}, int64[1] along = {{1}}>
{{ e = MatMul (x, w_in) t = Concat <axis = 1> (registers, e)
  {ATTENDED.replace("{ parts }", "")}
  own = Slice (o, start, end, along) y = MatMul (own, head) }}"""
LATENTS = f"""g (float[1, 5, 6] x) => (float[1, 3] y)
<{WEIGHTS}, float[1, 4, 16] latents, int64[1] along = {{1}}>
{{ e = MatMul (x, w_in) q = MatMul (latents, wq) k = MatMul (e, wk) v = MatMul (e, wv)
  kt = Transpose <perm = [0, 2, 1]> (k) s = MatMul (q, kt) p = Softmax <axis = -1> (s) m = MatMul (p, v)
  o = MatMul (m, wo) sum = Add (o, latents) pooled = ReduceMean <keepdims = 0> (sum, along)
  y = MatMul (pooled, head) }}"""
MEMORY = f"""g (float[1, 5, 6] x) => (float[1, 5, 3] y)
<{WEIGHTS}, float[1, 7, 8] more_k, float[1, 7, 8] more_v>
{{ e = MatMul (x, w_in) q = MatMul (e, wq) k0 = MatMul (e, wk) v0 = MatMul (e, wv)
  k = Concat <axis = 1> (k0, more_k) v = Concat <axis = 1> (v0, more_v)
  kt = Transpose <perm = [0, 2, 1]> (k) s = MatMul (q, kt) p = Softmax <axis = -1> (s) m = MatMul (p, v)
  o = MatMul (m, wo) y = MatMul (o, head) }}"""
EXPERTS = """g (float[n, 6] x) => (float[n, 3] y)
<float[6, 16] w_in, float[16, 4] router, float[4, 16, 10] up, float[4, 10, 16] down, float[16, 3] head,
 int64[1] one = {1}, int64[1] zero = {0}>
{
  h = MatMul (x, w_in) r = MatMul (h, router) g = Softmax <axis = -1> (r)
  each = Unsqueeze (h, zero) a = MatMul (each, up) b = Relu (a) c = MatMul (b, down)
  by_sample = Transpose <perm = [1, 0, 2]> (c) gate = Unsqueeze (g, one) mixed = MatMul (gate, by_sample)
  flat = Squeeze (mixed, one) y = MatMul (flat, head)
}"""
PICKED = """g (float[5, 6] x, int64[5] which) => (float[5, 3] y)
<float[6, 16] w_in, float[4, 24, 16] up, float[4, 16, 24] down, float[16, 3] head, int64[1] last = {2}>
{
  h = MatMul (x, w_in) u = Gather <axis = 0> (up, which) d = Gather <axis = 0> (down, which)
  column = Unsqueeze (h, last) a = MatMul (u, column) r = Relu (a) b = MatMul (d, r) o = Squeeze (b, last)
  y = MatMul (o, head)
}"""
STATES = """g (float[n, 6] x) => (float[n, 3] y)
<float[6, 12] w_in, float[12, 5] to_b, float[12, 5] to_c, float[12, 3] head, int64[1] last = {2},
 int64[1] middle = {1}>
{
  u = MatMul (x, w_in) b = MatMul (u, to_b) c = MatMul (u, to_c)
  u_ = Unsqueeze (u, last) b_ = Unsqueeze (b, middle) state = Mul (u_, b_)
  c_ = Unsqueeze (c, last) read = MatMul (state, c_) flat = Squeeze (read, last) y = MatMul (flat, head)
}"""


def solved(text: str) -> Solution:
    return solve(fold(from_proto(fill(text))).graph)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ADAPTER, {"neurons 24"}),
        (REGISTERS, {"tokens 4", "head-dims 8", "neurons 16"}),
        (LATENTS, {"tokens 4", "head-dims 8", "neurons 16"}),
        (MEMORY, {"tokens 7", "head-dims 8", "neurons 16"}),
        (EXPERTS, {"experts 4", "neurons 10", "neurons 16"}),
        (PICKED, {"neurons 16", "neurons 24"}),
        (STATES, {"neurons 12", "head-dims 5"}),
    ],
    ids=["picked adapter", "registers", "latents", "memory", "experts", "picked experts", "states"],
)
def test_units_are_called_by_what_they_are(text: str, expected: set[str]) -> None:
    found = {f"{group.kind} {group.size}" for group in solved(text).groups if group.prunable}
    assert found == expected


@pytest.mark.parametrize(("text", "kind"), [(REGISTERS, "tokens"), (MEMORY, "tokens"), (EXPERTS, "experts")])
def test_experts_and_learned_tokens_go_only_where_they_are_asked_for(text: str, kind: str) -> None:
    solution = solved(text)
    assert all(group.kind != kind for group in candidates(solution, Choice()))
    asked = candidates(solution, Choice(only=(kind,)))
    assert [group.kind for group in asked] == [kind]
    state = prune(from_proto(fill(text)), only=[kind])
    plan = made(state.plan, "plan")
    assert [len(keep) for keep in plan.keep.values()] == [asked[0].size - asked[0].size // 2]
    assert made(state.verification, "verification").passed


def test_what_is_asked_for_by_kind_is_found() -> None:
    state = prune(from_proto(fill(ADAPTER)), only=["neurons"])
    assert [len(keep) for keep in made(state.plan, "plan").keep.values()] == [12]
    assert made(state.verification, "verification").passed
