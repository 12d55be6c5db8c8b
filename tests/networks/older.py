"""Networks of older operator sets, in which sizes and axes are attributes."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "opset-7": """<ir_version: 4, opset_import: ["" : 7]>
g (float[1, 3, 8, 8] x) => (float[1, 4] y)
<float[8, 3, 3, 3] w0, float[8] b0, float[8] scale, float[8] shift, float[8] mean, float[8] var,
 float[8, 8, 3, 3] w1, float[20, 8] w2, float[20] b2, float[4, 20] w3, float[4] zero>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  n = BatchNormalization (a, scale, shift, mean, var)
  r = Relu (n)
  big = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (r)
  [second] b = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (big, w1)
  sum = Add (b, r)
  pool = GlobalAveragePool (sum)
  flat = Flatten (pool)
  d = Dropout <ratio = 0.5> (flat)
  [third] c = Gemm <transB = 1> (d, w2, b2)
  c_r = Relu (c)
  [last] y = Gemm <transB = 1> (c_r, w3, zero)
}""",
    "opset-9": """<ir_version: 4, opset_import: ["" : 9]>
g (float[1, 3, 4, 4] x) => (float[1, 2, 8, 8] y)
<float[12, 3, 3, 3] w0, float[12] b0, float[4, 4, 1, 1] w1, float[4, 8, 1, 1] w2, float[2, 12, 1, 1] w3,
 float[4] scales = {1.0, 1.0, 2.0, 2.0}>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  c = Clip <min = -1.0, max = 6.0> (a)
  p, q = Split <axis = 1, split = [4, 8]> (c)
  [left] l = Conv (p, w1)
  s = Slice <axes = [1], starts = [-8], ends = [9223372036854775807]> (c)
  both = Sum (s, q)
  [right] m = Conv (both, w2)
  padded = Pad <mode = "constant", pads = [0, 2, 0, 0, 0, 2, 0, 0]> (m)
  joined = Concat <axis = 1> (l, padded)
  small = Upsample <mode = "nearest"> (joined, scales)
  [last] y = Conv (small, w3)
}""",
    "opset-11": """<ir_version: 6, opset_import: ["" : 11]>
g (float[batch, 5, 12] x) => (float[batch, 3] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, float[12] gain, float[12] shift,
 float[12, 3] head, int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339},
 float two = {2.0}, float eps = {0.00001}, int64 zero = {0}, int64[2] rest = {5, 12}>
{
  shape = Shape (x)
  batch_ = Gather <axis = 0> (shape, zero)
  batch1 = Unsqueeze <axes = [0]> (batch_)
  target = Concat <axis = 0> (batch1, rest)
  x_r = Reshape (x, target)
  [query] q_m = MatMul (x_r, wq)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  [key] k_m = MatMul (x_r, wk)
  k_h = Reshape (k_m, apart)
  k = Transpose <perm = [0, 2, 3, 1]> (k_h)
  [value] v_m = MatMul (x_r, wv)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)
  scores = MatMul (q, k)
  scaled = Mul (scores, factor)
  p = Softmax <axis = 3> (scaled)
  mixed = MatMul (p, v)
  mixed_t = Transpose <perm = [0, 2, 1, 3]> (mixed)
  together = Reshape (mixed_t, merge)
  [out] o = MatMul (together, wo)
  mean = ReduceMean <axes = [-1], keepdims = 1> (o)
  centred = Sub (o, mean)
  square = Pow (centred, two)
  variance = ReduceMean <axes = [-1]> (square)
  safe = Add (variance, eps)
  root = Sqrt (safe)
  unit = Div (centred, root)
  scaled_n = Mul (unit, gain)
  n = Add (scaled_n, shift)
  pooled = ReduceSum <axes = [1], keepdims = 0> (n)
  [last] y = MatMul (pooled, head)
}""",
    "opset-12": """<ir_version: 7, opset_import: ["" : 12]>
g (float[2, 3, 4, 4] x) => (float[2, 3] y)
<float[8, 3, 1, 1] w0, float[8, 8, 1, 1] w1, float[8, 8, 1, 1] w2, float[8, 3] head>
{
  [first] a = Conv (x, w0)
  flattened = Softmax <axis = 1> (a)
  [second] b = Conv (flattened, w1)
  last = Softmax <axis = 3> (b)
  [third] c = Conv (last, w2)
  pooled = ReduceMax <axes = [2, 3]> (c)
  squeezed = Squeeze <axes = [2, 3]> (pooled)
  [last] y = MatMul (squeezed, head)
}""",
}
