"""Networks in which channels are read in another order, or slid over."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "channels-in-a-fixed-order": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[5, 6, 1, 1] w1, float[2, 5, 1, 1] w2, int64[6] p = {5, 3, 1, 0, 2, 4}>
{
  a = Conv (x, w0)
  r = Gather <axis = 1> (a, p)
  b = Conv (r, w1)
  s = Relu (b)
  y = Conv (s, w2)
}""",
    "order-across-groups": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[10, 4, 1, 1] w1, float[2, 10, 1, 1] w2, int64[8] p = {5, 3, 1, 0, 2, 4, 7, 6}>
{
  a = Conv (x, w0)
  r = Gather <axis = 1> (a, p)
  b = Conv <group = 2> (r, w1)
  s = Relu (b)
  y = Conv (s, w2)
}""",
    "order-turned-around": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[5, 8, 1, 1] w1, float[2, 5, 1, 1] w2, int64[1] s = {-1}, int64[1] e = {-9},
 int64[1] one = {1}>
{
  a = Conv (x, w0)
  r = Slice (a, s, e, one, s)
  t = Add (a, r)
  b = Conv (t, w1)
  c = Relu (b)
  y = Conv (c, w2)
}""",
    "halves-that-change-places": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[5, 8, 1, 1] w1, float[2, 5, 1, 1] w2>
{
  a = Conv (x, w0)
  l, r = Split <axis = 1, num_outputs = 2> (a)
  t = Concat <axis = 1> (r, l)
  s = Add (a, t)
  b = Conv (s, w1)
  c = Relu (b)
  y = Conv (c, w2)
}""",
    "shuffle-by-indices-between-groups": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[8, 4, 1, 1] w1, float[8, 4, 1, 1] w2, float[2, 8, 1, 1] w3,
 int64[8] p = {0, 4, 1, 5, 2, 6, 3, 7}>
{
  a = Conv (x, w0)
  b = Conv <group = 2> (a, w1)
  r = Gather <axis = 1> (b, p)
  c = Conv <group = 2> (r, w2)
  d = Relu (c)
  y = Conv (d, w3)
}""",
    "heads-picked-by-gathernd": """
g (float[1, 5, 6] x) => (float[1, 5, 3] y)
<float[6, 24] qkv, int64[4] split = {0, 0, 6, 4}, int64[4, 1] iq = {3, 1, 0, 2}, int64[1, 1] ik = {4},
 int64[1, 1] iv = {5}, int64[3] joined = {0, 0, 16}, float[16, 3] w>
{
  a = MatMul (x, qkv)
  b = Reshape (a, split)
  t = Transpose <perm = [2, 0, 1, 3]> (b)
  q = GatherND (t, iq)
  k = GatherND (t, ik)
  v = GatherND (t, iv)
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  s = MatMul (q, kt)
  p = Softmax <axis = -1> (s)
  o = MatMul (p, v)
  u = Transpose <perm = [1, 2, 0, 3]> (o)
  z = Reshape (u, joined)
  y = MatMul (z, w)
}""",
    "channel-attention-along-channels": """
g (float[1, 3, 8, 8] x) => (float[1, 2, 8, 8] y)
<float[12, 3, 1, 1] w0, float[1, 1, 3] k, float[5, 12, 1, 1] w1, float[2, 5, 1, 1] w2, int64[1] last = {3}>
{
  a = Conv (x, w0)
  g = GlobalAveragePool (a)
  s = Squeeze (g, last)
  t = Transpose <perm = [0, 2, 1]> (s)
  c = Conv <pads = [1, 1]> (t, k)
  u = Transpose <perm = [0, 2, 1]> (c)
  v = Unsqueeze (u, last)
  p = Sigmoid (v)
  m = Mul (a, p)
  b = Conv (m, w1)
  d = Relu (b)
  y = Conv (d, w2)
}""",
}
