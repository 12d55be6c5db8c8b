"""Networks with unusual attention: linear, mixed across heads, normed per head, over windows."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "linear-attention": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, int64[4] apart = {0, 0, 4, 8},
 int64[3] merge = {0, 0, 32}>
{
  a = MatMul (x, wq)
  b = MatMul (x, wk)
  c = MatMul (x, wv)
  q0 = Reshape (a, apart)
  k0 = Reshape (b, apart)
  v0 = Reshape (c, apart)
  q1 = Transpose <perm = [0, 2, 1, 3]> (q0)
  k1 = Transpose <perm = [0, 2, 3, 1]> (k0)
  v = Transpose <perm = [0, 2, 1, 3]> (v0)
  q = Relu (q1)
  k = Relu (k1)
  kv = MatMul (k, v)
  o = MatMul (q, kv)
  t = Transpose <perm = [0, 2, 1, 3]> (o)
  m = Reshape (t, merge)
  y = MatMul (m, wo)
}""",
    "talking-heads": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, float[4, 4] mix,
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}>
{
  a = MatMul (x, wq)
  b = MatMul (x, wk)
  c = MatMul (x, wv)
  q0 = Reshape (a, apart)
  k0 = Reshape (b, apart)
  v0 = Reshape (c, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q0)
  k = Transpose <perm = [0, 2, 3, 1]> (k0)
  v = Transpose <perm = [0, 2, 1, 3]> (v0)
  s = MatMul (q, k)
  st = Transpose <perm = [0, 2, 3, 1]> (s)
  sm = MatMul (st, mix)
  ss = Transpose <perm = [0, 3, 1, 2]> (sm)
  p = Softmax (ss)
  o = MatMul (p, v)
  t = Transpose <perm = [0, 2, 1, 3]> (o)
  m = Reshape (t, merge)
  y = MatMul (m, wo)
}""",
    "qk-norm": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, float[8] sq, float[8] bq,
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}>
{
  a = MatMul (x, wq)
  b = MatMul (x, wk)
  c = MatMul (x, wv)
  q0 = Reshape (a, apart)
  k0 = Reshape (b, apart)
  v0 = Reshape (c, apart)
  qn = LayerNormalization (q0, sq, bq)
  q = Transpose <perm = [0, 2, 1, 3]> (qn)
  k = Transpose <perm = [0, 2, 3, 1]> (k0)
  v = Transpose <perm = [0, 2, 1, 3]> (v0)
  s = MatMul (q, k)
  p = Softmax (s)
  o = MatMul (p, v)
  t = Transpose <perm = [0, 2, 1, 3]> (o)
  m = Reshape (t, merge)
  y = MatMul (m, wo)
}""",
    "batch-and-heads-merged": """
g (float[batch, 5, 12] x) => (float[batch, 5, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, int64[4] apart = {-1, 5, 4, 8},
 int64[3] flat = {-1, 5, 8}, int64[4] back = {-1, 4, 5, 8}, int64[3] merge = {-1, 5, 32}>
{
  a = MatMul (x, wq)
  b = MatMul (x, wk)
  c = MatMul (x, wv)
  q0 = Reshape (a, apart)
  k0 = Reshape (b, apart)
  v0 = Reshape (c, apart)
  q1 = Transpose <perm = [0, 2, 1, 3]> (q0)
  k1 = Transpose <perm = [0, 2, 1, 3]> (k0)
  v1 = Transpose <perm = [0, 2, 1, 3]> (v0)
  q = Reshape (q1, flat)
  k2 = Reshape (k1, flat)
  k = Transpose <perm = [0, 2, 1]> (k2)
  v = Reshape (v1, flat)
  s = MatMul (q, k)
  p = Softmax (s)
  o = MatMul (p, v)
  o4 = Reshape (o, back)
  t = Transpose <perm = [0, 2, 1, 3]> (o4)
  m = Reshape (t, merge)
  y = MatMul (m, wo)
}""",
    "window-attention": """
g (float[1, 8, 8, 12] x) => (float[1, 8, 8, 12] y)
<float[12, 96] w, float[32, 12] wo, int64[6] win = {1, 2, 4, 2, 4, 12}, int64[3] tok = {-1, 16, 12},
 int64[5] qkv = {4, 16, 3, 4, 8}, int64[3] merge = {4, 16, 32}, int64[6] unwin = {1, 2, 2, 4, 4, 12},
 int64[4] img = {1, 8, 8, 12}, int64 i0 = {0}, int64 i1 = {1}, int64 i2 = {2}>
{
  a = Reshape (x, win)
  b = Transpose <perm = [0, 1, 3, 2, 4, 5]> (a)
  c = Reshape (b, tok)
  m = MatMul (c, w)
  h = Reshape (m, qkv)
  t = Transpose <perm = [2, 0, 3, 1, 4]> (h)
  q = Gather <axis = 0> (t, i0)
  k = Gather <axis = 0> (t, i1)
  v = Gather <axis = 0> (t, i2)
  kt = Transpose <perm = [0, 1, 3, 2]> (k)
  s = MatMul (q, kt)
  p = Softmax (s)
  o = MatMul (p, v)
  u = Transpose <perm = [0, 2, 1, 3]> (o)
  f = Reshape (u, merge)
  g = MatMul (f, wo)
  d = Reshape (g, unwin)
  e = Transpose <perm = [0, 1, 3, 2, 4, 5]> (d)
  y = Reshape (e, img)
}""",
}
