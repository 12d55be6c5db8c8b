"""Networks that put channels side by side and take them apart again."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "dense-concat": """
g (float[1, 3, 6, 6] x) => (float[1, 4] y)
<float[8, 3, 3, 3] w0, float[4, 8, 3, 3] w1, float[12] scale1, float[12] shift1, float[12] mean1,
 float[12] var1,
 float[6, 12, 3, 3] w2, float[18] scale2, float[18] shift2, float[18] mean2, float[18] var2,
 float[4, 18] head>
{
  [stem] s = Conv <pads = [1, 1, 1, 1]> (x, w0)
  [grow1] a = Conv <pads = [1, 1, 1, 1]> (s, w1)
  j1 = Concat <axis = 1> (s, a)
  n1 = BatchNormalization (j1, scale1, shift1, mean1, var1)
  r1 = Softplus (n1)
  [grow2] b = Conv <pads = [1, 1, 1, 1]> (r1, w2)
  j2 = Concat <axis = 1> (j1, b)
  n2 = BatchNormalization (j2, scale2, shift2, mean2, var2)
  r2 = LeakyRelu (n2)
  pool = GlobalMaxPool (r2)
  flat = Flatten (pool)
  [last] y = Gemm <transB = 1> (flat, head)
}""",
    "concat-into-grouped": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[6, 3, 1, 1] w0, float[10, 3, 1, 1] w1, float[8, 4, 3, 3] gw, float[8] gb, float[4, 8, 1, 1] w2>
{
  [left] a = Conv (x, w0)
  [right] b = Conv (x, w1)
  joined = Concat <axis = 1> (a, b)
  r = Relu (joined)
  [grouped] c = Conv <group = 4, pads = [1, 1, 1, 1]> (r, gw, gb)
  [last] y = Conv (c, w2)
}""",
    "concat-whole-groups": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[8, 3, 1, 1] w0, float[8, 3, 1, 1] w1, float[8, 4, 3, 3] gw, float[8] gb, float[4, 8, 1, 1] w2>
{
  [left] a = Conv (x, w0)
  [right] b = Conv (x, w1)
  joined = Concat <axis = 1> (a, b)
  r = Relu (joined)
  [grouped] c = Conv <group = 4, pads = [1, 1, 1, 1]> (r, gw, gb)
  [last] y = Conv (c, w2)
}""",
    "concat-into-depthwise": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[6, 3, 1, 1] w0, float[10, 3, 1, 1] w1, float[16, 1, 3, 3] dw, float[16] db, float[4, 16, 1, 1] w2>
{
  [left] a = Conv (x, w0)
  [right] b = Conv (x, w1)
  joined = Concat <axis = 1> (a, b)
  [depthwise] c = Conv <group = 16, pads = [1, 1, 1, 1]> (joined, dw, db)
  [last] y = Conv (c, w2)
}""",
    "cascaded-concat-split": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[5, 4, 1, 1] w1, float[9, 5, 1, 1] w2, float[7, 3, 1, 1] w3,
 float[2, 28, 1, 1] w4,
 int64[2] uneven = {4, 8}, int64[3] pieces = {2, 4, 3}>
{
  [stem] s = Conv (x, w0)
  s1, s2 = Split <axis = 1> (s, uneven)
  [short] a = Conv (s1, w1)
  a_r = Relu (a)
  [wide] b = Conv (a_r, w2)
  b1, b2, b3 = Split <axis = 1> (b, pieces)
  [side] c = Conv (x, w3)
  j1 = Concat <axis = 1> (b3, s2)
  j2 = Concat <axis = 1> (b1, j1, b2)
  j3 = Concat <axis = 1> (j2, s1, c)
  r = Relu (j3)
  [last] y = Conv (r, w4)
}""",
    "concat-itself": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[6] b0, float[5, 12, 1, 1] w1, float[2, 5, 1, 1] w2>
{
  [first] a = Conv (x, w0, b0)
  twice = Concat <axis = 1> (a, a)
  [second] b = Conv (twice, w1)
  b_r = Relu (b)
  [last] y = Conv (b_r, w2)
}""",
    "negated-twin": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[6] b0, float[12] bias_, float[2, 12, 1, 1] w1, int64[2] wide = {1, 2}>
{
  [first] a = Conv (x, w0, b0)
  minus = Neg (a)
  twice = Concat <axis = 1> (a, minus)
  bias = Unsqueeze (bias_, wide)
  moved = Add (twice, bias)
  r = Relu (moved)
  [last] y = Conv (r, w1)
}""",
    "slice-from-the-end": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[5, 4, 1, 1] w1, float[5, 8, 1, 1] w2, float[2, 5, 1, 1] w3,
 int64[1] tail = {-4}, int64[1] end = {9223372036854775807}, int64[1] begin = {-12}, int64[1] stop = {-4},
 int64[1] axis = {-3}>
{
  [first] a = Conv (x, w0, b0)
  back = Slice (a, tail, end, axis)
  front = Slice (a, begin, stop, axis)
  [short] b = Conv (back, w1)
  [long] c = Conv (front, w2)
  sum = Add (b, c)
  [last] y = Conv (sum, w3)
}""",
    "inception": """
g (float[1, 3, 6, 6] x) => (float[1, 4] y)
<float[8, 3, 3, 3] w0, float[4, 8, 1, 1] one, float[6, 8, 1, 1] three_r, float[5, 6, 3, 3] three,
 float[3, 8, 1, 1] pool_w, float[4, 12] head, int64[2] spatial = {2, 3}>
{
  [stem] s = Conv <pads = [1, 1, 1, 1]> (x, w0)
  s_r = Relu (s)
  [one_by_one] a = Conv (s_r, one)
  [reduce] b0 = Conv (s_r, three_r)
  [three_by_three] b = Conv <pads = [1, 1, 1, 1]> (b0, three)
  p = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1], strides = [1, 1]> (s_r)
  [pooled] c = Conv (p, pool_w)
  joined = Concat <axis = -3> (a, b, c)
  pool = ReduceMean <keepdims = 0> (joined, spatial)
  [last] y = Gemm <transB = 1> (pool, head)
}""",
    "shared-stem-of-two-heads": """
g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y, float[1, 8, 6, 6] features)
<float[8, 3, 3, 3] w0, float[6, 8, 1, 1] w1, float[2, 6, 1, 1] w2>
{
  [stem] features = Conv <pads = [1, 1, 1, 1]> (x, w0)
  [inner] a = Conv (features, w1)
  a_r = Relu (a)
  [last] y = Conv (a_r, w2)
}""",
}
