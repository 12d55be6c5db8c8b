"""Small networks whose precision is changed."""

from __future__ import annotations

CONVOLUTIONS = """
g (float[n, 3, 8, 8] x) => (float[n, 5] y)
<float[8, 3, 3, 3] w0, float[8] b0, float[8, 8, 3, 3] w1, float[8] b1, float[8, 5] w2, float[5] b2>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  r = Relu (a)
  [second] b = Conv <pads = [1, 1, 1, 1]> (r, w1, b1)
  s = Add (r, b)
  p = GlobalAveragePool (s)
  f = Flatten (p)
  [head] y = Gemm (f, w2, b2)
}"""

PRODUCTS = """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 16] w0, float[16] b0, float[16, 4] w1>
{ [first] a = MatMul (x, w0)  c = Add (a, b0)  r = Relu (c)  [last] y = MatMul (r, w1) }"""

NORMALISED = """
g (float[n, 3, 8, 8] x) => (float[n, 4, 8, 8] y)
<float[8, 3, 3, 3] w0, float[8] scale, float[8] b, float[8] m, float[8] var, float[4, 8, 1, 1] w1>
{
  a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  d = BatchNormalization (a, scale, b, m, var)
  r = Relu (d)
  y = Conv (r, w1)
}"""

SHARED = """
g (float[n, 6] x) => (float[n, 6] y)
<float[6, 6] w>
{ a = MatMul (x, w)  [wide] b = Softplus (a)  c = MatMul (b, w)  y = Add (c, b) }"""

CONTROL = """
g (float[2, 6] x, bool[1] flag) => (float[2, 6] y)
<float[6, 6] w, float[6] b>
{
  a = MatMul (x, w)
  d = If (flag) <
    then_branch = g1 () => (float[2, 6] t) { t = Add (a, b) },
    else_branch = g2 () => (float[2, 6] e) { e = Mul (a, b) }
  >
  y = Add (d, b)
}"""

RESIZED = """
g (float[1, 3, h, w] x) => (float[1, 4, hh, ww] y, float[4] sizes_f)
<float[4, 3, 1, 1] w0, float[4] scales = {1.0, 1.0, 2.0, 2.0}, float[4] twice = {1.0, 1.0, 3.0, 3.0}>
{
  a = Conv (x, w0)
  b = Resize <mode = "linear"> (a, , scales)
  s = Shape (b)
  s_f = Cast <to = 1> (s)
  sizes_f = Mul (s_f, twice)
  sizes = Cast <to = 7> (sizes_f)
  y = Resize <mode = "nearest"> (b, , , sizes)
}"""

OVERFLOW = """
g (float[n, 6] x) => (float[n, 4] y)
<float[6, 8] w0, float big = {60000.0}, float small = {0.00002}, float[8, 4] w1>
{
  a = MatMul (x, w0)
  [rise] r = Mul (a, big)
  [fall] f = Mul (r, small)
  y = MatMul (f, w1)
}"""

MASKED = """
g (float[n, 6] x, float[n, 6] mask) => (float[n, 6] y)
<float[6, 6] w, float one = {1.0}, float low = {-3.4028235e38}>
{
  a = MatMul (x, w)
  i = Sub (one, mask)
  m = Mul (i, low)
  s = Add (a, m)
  y = Softmax (s)
}"""
