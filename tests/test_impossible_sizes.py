"""Sizes that no machine has memory for are told before anything is made of them."""

from __future__ import annotations

import onnx
import pytest

from graphprune.errors import Refused
from graphprune.inspection import inspect
from graphprune.model import from_proto
from tests.networks.fill import fill
from tests.work import at_most_calls

MADE = {
    "Range": "r = Range (zero, many, one)",
    "ConstantOfShape": "r = ConstantOfShape (size)",
    "Expand": "r = Expand (size, size)",
    "Tile": "r = Tile (size, size)",
    "Pad": "r = Pad (size, pads)",
    "OneHot": "o = OneHot (few, many, pair)\n  r = Reshape (o, flat)",
}


def _network(made: str, size: int) -> onnx.ModelProto:
    return fill(f"""
g (float[2, 3] x) => (float[2, 4] y)
<float[3, 8] w, float[8, 4] v, int64 zero = {{0}}, int64 one = {{1}}, int64 many = {{{size}}},
 int64[1] size = {{{size}}}, int64[1] few = {{0}}, int64[1] three = {{3}}, int64[2] pads = {{0, {size}}},
 int64[2] pair = {{0, 1}}, int64[1] flat = {{-1}}>
{{
  {made}
  q = Slice (r, few, three)
  f = Cast <to = 1> (q)
  z = Add (x, f)
  a = MatMul (z, w)
  b = Relu (a)
  y = MatMul (b, v)
}}""")


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_tensor_of_2_to_62_elements_is_refused(made: str) -> None:
    with at_most_calls(2_000_000), pytest.raises(Refused):
        inspect(from_proto(_network(made, 1 << 62)))


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_a_list_of_2_to_33_elements_is_never_made(made: str) -> None:
    """It would take 64 GB. The network is pruned elsewhere all the same."""
    with at_most_calls(2_000_000):
        found = inspect(from_proto(_network(made, 1 << 33)))
    assert any(group.reason == "" for group in found.groups)


def test_what_a_product_of_open_sizes_would_take_is_no_reason_to_refuse() -> None:
    """Attention over points: the numbers that stand for open sizes are ours, and not the model's."""
    found = inspect(
        from_proto(
            fill("""
g (float[n, 4, d, h, w, t] x) => (float[n, p, 4] y)
<float[4, 8] a, float[8, 4] b, int64[3] flat = {0, 4, -1}>
{
  points = Reshape (x, flat)
  rows = Transpose <perm = [0, 2, 1]> (points)
  scores = MatMul (rows, points)
  seen = Softmax (scores)
  mixed = MatMul (seen, rows)
  wide = MatMul (mixed, a)
  y = MatMul (wide, b)
}""")
        )
    )
    assert any(group.reason == "" for group in found.groups)
