"""A network wide enough that tiles of channels show."""

from __future__ import annotations

from graphprune.choice import Choice, candidates
from graphprune.groups import Group
from graphprune.model import Model
from graphprune.solution import Solution
from tests.calibrated import prepared

TEXT = """
g (float[1, 3, 8, 8] x) => (float[1, 10] y)
<float[64, 3, 3, 3] w1, float[64] b1, float[96, 64, 3, 3] w2, float[96] b2, float[64, 96, 1, 1] w3,
 float[128, 64, 3, 3] w4, float[128] b4, float[10, 128] head, float[10] head_b>
{
  [one] a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
  a_r = Relu (a)
  [two] b = Conv <pads = [1, 1, 1, 1]> (a_r, w2, b2)
  b_r = Relu (b)
  [three] c = Conv (b_r, w3)
  sum = Add (c, a_r)
  [four] d = Conv <pads = [1, 1, 1, 1]> (sum, w4, b4)
  d_r = Relu (d)
  pool = GlobalAveragePool (d_r)
  flat = Flatten (pool)
  [last] y = Gemm <transB = 1> (flat, head, head_b)
}"""
CHOICE = Choice(target="latency=0.7x", round_to=8)


def network() -> tuple[Model, Solution, list[Group]]:
    """The model, its axes, and the groups that may lose units."""
    model, solution = prepared(TEXT)
    return model, solution, candidates(solution, CHOICE)
