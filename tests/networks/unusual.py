"""Networks with unusual couplings: weights made in the graph, products of units, other orders."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "square-weight-used-twice": """
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 8] w0, float[8, 8] w, float[8, 3] w1>
{
  a = MatMul (x, w0)
  r = Relu (a)
  b = MatMul (r, w)
  s = Relu (b)
  c = MatMul (s, w)
  t = Relu (c)
  y = MatMul (t, w1)
}""",
    "weight-and-its-transpose": """
g (float[2, 6] x) => (float[2, 6] y)
<float[6, 8] w0>
{
  a = MatMul (x, w0)
  r = Relu (a)
  t = Transpose <perm = [1, 0]> (w0)
  y = MatMul (r, t)
}""",
    "weight-reshaped-in-the-graph": """
g (float[2, 6] x) => (float[2, 3] y)
<float[48] w0, float[8] b, float[8, 3] w1, int64[2] s = {6, 8}>
{
  w = Reshape (w0, s)
  a = MatMul (x, w)
  c = Add (a, b)
  r = Relu (c)
  y = MatMul (r, w1)
}""",
    "weights-normalised": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 3, 3] v, float[8, 1, 1, 1] gain, float[2, 8, 1, 1] w1, int64[3] ax = {1, 2, 3}>
{
  n = ReduceL2 <keepdims = 1> (v, ax)
  u = Div (v, n)
  w = Mul (u, gain)
  a = Conv <pads = [1, 1, 1, 1]> (x, w)
  r = Relu (a)
  y = Conv (r, w1)
}""",
    "weights-standardised": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 3, 3] v0, float[8, 8, 3, 3] v, float[2, 8, 1, 1] w1, int64[3] ax = {1, 2, 3}>
{
  a0 = Conv <pads = [1, 1, 1, 1]> (x, v0)
  r0 = Relu (a0)
  m = ReduceMean <keepdims = 1> (v, ax)
  w = Sub (v, m)
  a = Conv <pads = [1, 1, 1, 1]> (r0, w)
  r = Relu (a)
  y = Conv (r, w1)
}""",
    "filters-mixed-by-a-router": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[4, 216] experts, float[3, 4] router, float[2, 8, 1, 1] w1, int64[4] s = {8, 3, 3, 3},
 int64[2] sp = {2, 3}>
{
  p = ReduceMean <keepdims = 0> (x, sp)
  l = MatMul (p, router)
  g = Sigmoid (l)
  f = MatMul (g, experts)
  k = Reshape (f, s)
  b = Conv <pads = [1, 1, 1, 1]> (x, k)
  r = Relu (b)
  y = Conv (r, w1)
}""",
    "pixels-to-channels-by-slices": """
g (float[1, 3, 8, 8] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[5, 24, 1, 1] w1, float[2, 5, 1, 1] w2, int64[2] ax = {2, 3},
 int64[2] st = {2, 2}, int64[2] e = {99, 99}, int64[2] a00 = {0, 0}, int64[2] a01 = {0, 1},
 int64[2] a10 = {1, 0}, int64[2] a11 = {1, 1}>
{
  a = Conv (x, w0)
  p = Slice (a, a00, e, ax, st)
  q = Slice (a, a01, e, ax, st)
  r = Slice (a, a10, e, ax, st)
  s = Slice (a, a11, e, ax, st)
  c = Concat <axis = 1> (p, q, r, s)
  b = Conv (c, w1)
  t = Relu (b)
  y = Conv (t, w2)
}""",
    "maxout": """
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 16] w0, float[8, 3] w1, int64[3] s = {0, 8, 2}, int64[1] ax = {2}>
{
  a = MatMul (x, w0)
  b = Reshape (a, s)
  c = ReduceMax <keepdims = 0> (b, ax)
  y = MatMul (c, w1)
}""",
    "outer-product": """
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 4] w0, float[6, 5] w1, float[20, 3] w2, int64[1] m1 = {2}, int64[1] m2 = {1},
 int64[2] f = {2, -1}>
{
  a = MatMul (x, w0)
  b = MatMul (x, w1)
  p = Unsqueeze (a, m1)
  q = Unsqueeze (b, m2)
  o = Mul (p, q)
  r = Reshape (o, f)
  y = MatMul (r, w2)
}""",
    "outer-product-with-itself": """
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 4] w0, float[16, 3] w2, int64[1] m1 = {2}, int64[1] m2 = {1}, int64[2] f = {2, -1}>
{
  a = MatMul (x, w0)
  p = Unsqueeze (a, m1)
  q = Unsqueeze (a, m2)
  o = Mul (p, q)
  r = Reshape (o, f)
  y = MatMul (r, w2)
}""",
    "gram-matrix": """
g (float[1, 3, 4, 4] x) => (float[1, 3] y)
<float[4, 3, 1, 1] w0, float[16, 3] w2, int64[3] s = {1, 4, 16}, int64[2] f = {1, 16}>
{
  a = Conv (x, w0)
  b = Reshape (a, s)
  t = Transpose <perm = [0, 2, 1]> (b)
  g = MatMul (b, t)
  r = Reshape (g, f)
  y = MatMul (r, w2)
}""",
    "pixels-to-channels-by-reshape": """
g (float[1, 3, 8, 8] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[2, 24, 1, 1] w1, int64[6] s = {1, 6, 4, 2, 4, 2}, int64[4] t = {1, 24, 4, 4}>
{
  a = Conv (x, w0)
  b = Reshape (a, s)
  c = Transpose <perm = [0, 1, 3, 5, 2, 4]> (b)
  d = Reshape (c, t)
  r = Relu (d)
  y = Conv (r, w1)
}""",
    "batch-norm-after-flatten": """
g (float[2, 3, 4, 4] x) => (float[2, 3] y)
<float[6, 3, 1, 1] w0, float[96] scale, float[96] b, float[96] m, float[96] var, float[96, 3] w1>
{
  a = Conv (x, w0)
  f = Flatten (a)
  n = BatchNormalization (f, scale, b, m, var)
  y = MatMul (n, w1)
}""",
    "layer-norm-over-images": """
g (float[2, 3, 4, 4] x) => (float[2, 3, 4, 4] y)
<float[6, 3, 1, 1] w0, float[6, 4, 4] scale, float[6, 4, 4] b, float[3, 6, 1, 1] w1>
{
  a = Conv (x, w0)
  n = LayerNormalization <axis = 1> (a, scale, b)
  y = Conv (n, w1)
}""",
    "detection-head": """
g (float[1, 3, 8, 8] x) => (float[1, 192, 7] y)
<float[6, 3, 1, 1] w0, float[21, 6, 1, 1] w1, int64[5] s = {1, 3, 7, 8, 8}, int64[3] t = {1, -1, 7}>
{
  a = Conv (x, w0)
  r = Relu (a)
  b = Conv (r, w1)
  c = Reshape (b, s)
  d = Transpose <perm = [0, 1, 3, 4, 2]> (c)
  y = Reshape (d, t)
}""",
}
