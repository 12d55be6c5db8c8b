"""Networks with symbolic sizes: batches, sequences, images, and shapes put together at run time."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "dynamic-batch": """
g (float[batch, 3, 6, 6] x) => (float[batch, 4] y)
<float[8, 3, 3, 3] w0, float[8] b0, float[32, 4] head, int64 zero = {0}, int64[1] front = {0},
 int64[1] rest = {-1}>
{
  [conv] a = Conv (x, w0, b0)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)
  shape = Shape (p)
  batch_ = Gather <axis = 0> (shape, zero)
  batch1 = Unsqueeze (batch_, front)
  target = Concat <axis = 0> (batch1, rest)
  flat = Reshape (p, target)
  [last] y = MatMul (flat, head)
}""",
    "dynamic-sequence": """
g (int64[batch, length] ids) => (float[batch, length, 4] y)
<float[20, 12] table, float[12] scale1, float[12] shift1, float[12, 32] wq, float[12, 32] wk,
 float[12, 32] wv,
 float[32, 12] wo, float[12, 4] head, int64 zero = {0}, int64 one = {1}, int64[1] front = {0},
 int64[1] heads = {4},
 int64[1] size = {8}, int64[1] width = {32}, float factor = {0.35355339}>
{
  [embed] e = Gather (table, ids)
  n = LayerNormalization (e, scale1, shift1)
  shape = Shape (n)
  batch_ = Gather <axis = 0> (shape, zero)
  length_ = Gather <axis = 0> (shape, one)
  batch1 = Unsqueeze (batch_, front)
  length1 = Unsqueeze (length_, front)
  apart = Concat <axis = 0> (batch1, length1, heads, size)
  [query] q_m = MatMul (n, wq)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  [key] k_m = MatMul (n, wk)
  k_h = Reshape (k_m, apart)
  k = Transpose <perm = [0, 2, 3, 1]> (k_h)
  [value] v_m = MatMul (n, wv)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)
  scores = MatMul (q, k)
  scaled = Mul (scores, factor)
  p = Softmax <axis = -1> (scaled)
  mixed = MatMul (p, v)
  mixed_t = Transpose <perm = [0, 2, 1, 3]> (mixed)
  merge = Concat <axis = 0> (batch1, length1, width)
  together = Reshape (mixed_t, merge)
  [out] o = MatMul (together, wo)
  sum = Add (e, o)
  [last] y = MatMul (sum, head)
}""",
    "dynamic-image": """
g (float[1, 3, height, width] x) => (float[1, 2, height, width] y)
<float[6, 3, 3, 3] w0, float[10, 6, 3, 3] w1, float[2, 16, 1, 1] w2, int64[1] two = {2}, int64[1] four = {4},
 int64[1] begin = {0}>
{
  [down0] a = Conv <pads = [1, 1, 1, 1]> (x, w0)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)
  [down1] b = Conv <pads = [1, 1, 1, 1]> (p, w1)
  r = Relu (b)
  r_shape = Shape (r)
  front = Slice (r_shape, begin, two)
  a_shape = Shape (a)
  size = Slice (a_shape, two, four)
  target = Concat <axis = 0> (front, size)
  big = Resize <mode = "linear"> (r, , , target)
  joined = Concat <axis = 1> (big, a)
  [last] y = Conv (joined, w2)
}""",
    "channel-count-read-at-run-time": """
g (float[batch, 3, 4, 4] x) => (float[batch, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[2, 12, 1, 1] w1, int64 zero = {0}, int64 one = {1},
 int64[1] front = {0},
 int64 groups = {3}, int64[1] groups1 = {3}, int64[2] image = {4, 4}>
{
  [first] a = Conv (x, w0, b0)
  shape = Shape (a)
  batch_ = Gather <axis = 0> (shape, zero)
  channels = Gather <axis = 0> (shape, one)
  each = Div (channels, groups)
  batch1 = Unsqueeze (batch_, front)
  each1 = Unsqueeze (each, front)
  channels1 = Unsqueeze (channels, front)
  apart = Concat <axis = 0> (batch1, groups1, each1, image)
  together = Concat <axis = 0> (batch1, channels1, image)
  a_g = Reshape (a, apart)
  a_t = Transpose <perm = [0, 2, 1, 3, 4]> (a_g)
  shuffled = Reshape (a_t, together)
  r = Relu (shuffled)
  [last] y = Conv (r, w1)
}""",
    "halves-found-at-run-time": """
g (float[batch, 6] x) => (float[batch, 3] y)
<float[6, 16] w0, float[16] b0, float[8, 3] w1, int64 one = {1}, int64 two = {2}, int64[1] front = {0},
 int64[1] begin = {0}, int64[1] axis = {1}, int64[1] end = {9223372036854775807}>
{
  [both] a = MatMul (x, w0)
  a_b = Add (a, b0)
  shape = Shape (a_b)
  width = Gather <axis = 0> (shape, one)
  half = Div (width, two)
  half1 = Unsqueeze (half, front)
  value = Slice (a_b, begin, half1, axis)
  gate = Slice (a_b, half1, end, axis)
  open = Sigmoid (gate)
  gated = Mul (value, open)
  [last] y = MatMul (gated, w1)
}""",
    "split-sizes-at-run-time": """
g (float[batch, 6] x) => (float[batch, 3] y)
<float[6, 15] w0, float[15] b0, float[5, 3] w1, float[10, 3] w2, int64 one = {1}, int64 three = {3},
 int64[1] front = {0}, int64 two = {2}>
{
  a = MatMul (x, w0)
  c = Add (a, b0)
  sh = Shape (c)
  n = Gather <axis = 0> (sh, one)
  t = Div (n, three)
  u = Mul (t, two)
  t1 = Unsqueeze (t, front)
  u1 = Unsqueeze (u, front)
  z = Concat <axis = 0> (t1, u1)
  p,
  q = Split <axis = 1> (c, z)
  pr = Relu (p)
  qr = Tanh (q)
  i = MatMul (pr, w1)
  j = MatMul (qr, w2)
  y = Add (i, j)
}""",
    "mean-by-a-count-read-at-run-time": """
g (float[batch, 6] x) => (float[batch, 3] y)
<float[6, 8] w0, float[8, 3] w1, int64 one = {1}, int64[1] ax = {1}>
{
  a = MatMul (x, w0)
  sh = Shape (a)
  n = Gather <axis = 0> (sh, one)
  nf = Cast <to = 1> (n)
  s = ReduceSum <keepdims = 1> (a, ax)
  m = Div (s, nf)
  c = Sub (a, m)
  r = Relu (c)
  y = MatMul (r, w1)
}""",
    "filled-like-a-tensor": """
g (float[batch, 6] x) => (float[batch, 3] y)
<float[6, 8] w0, float[16, 3] w1>
{
  a = MatMul (x, w0)
  sh = Shape (a)
  z = ConstantOfShape <value = float[1] {0.5}> (sh)
  c = Concat <axis = 1> (a, z)
  r = Relu (c)
  y = MatMul (r, w1)
}""",
    "expanded-like-a-tensor": """
g (float[batch, 6] x) => (float[batch, 3] y)
<float[6, 8] w0, float[1, 8] v, float[8, 3] w1>
{
  a = MatMul (x, w0)
  sh = Shape (a)
  z = Expand (v, sh)
  c = Mul (a, z)
  r = Relu (c)
  y = MatMul (r, w1)
}""",
    "batch-found-by-the-number-of-heads": """
g (float[batch, length, 6] x, float[batch, 1, 1, length] mask) => (float[batch, length, 3] y)
<float[6, 32] wq, float[6, 32] wk, float[6, 32] wv, float[4, 1, 1] bias, float[32, 3] wo,
 int64 zero = {0}, int64 one = {1}, int64 heads = {4}, int64[1] front = {0}, int64[1] size = {8},
 int64[1] four = {4}, int64[2] ones = {1, 1}, int64[1] any = {-1}, int64[1] width = {32}>
{
  shape = Shape (x)
  b = Gather (shape, zero)
  l = Gather (shape, one)
  bh = Mul (b, heads)
  b1 = Unsqueeze (b, front)
  l1 = Unsqueeze (l, front)
  bh1 = Unsqueeze (bh, front)
  apart = Concat <axis = 0> (l1, bh1, size)
  [query] q_m = MatMul (x, wq)
  q_t = Transpose <perm = [1, 0, 2]> (q_m)
  q_r = Reshape (q_t, apart)
  q = Transpose <perm = [1, 0, 2]> (q_r)
  [key] k_m = MatMul (x, wk)
  k_t = Transpose <perm = [1, 0, 2]> (k_m)
  k_r = Reshape (k_t, apart)
  k = Transpose <perm = [1, 2, 0]> (k_r)
  [value] v_m = MatMul (x, wv)
  v_t = Transpose <perm = [1, 0, 2]> (v_m)
  v_r = Reshape (v_t, apart)
  v = Transpose <perm = [1, 0, 2]> (v_r)
  s = MatMul (q, k)
  s_shape = Shape (s)
  n = Gather (s_shape, zero)
  times = Div (n, heads)
  times1 = Unsqueeze (times, front)
  repeats = Concat <axis = 0> (times1, ones)
  tiled = Tile (bias, repeats)
  biased = Add (s, tiled)
  viewed = Concat <axis = 0> (times1, four, l1, l1)
  s4 = Reshape (biased, viewed)
  masked = Add (s4, mask)
  joined = Concat <axis = 0> (any, l1, l1)
  s3 = Reshape (masked, joined)
  p = Softmax <axis = -1> (s3)
  o = MatMul (p, v)
  o_t = Transpose <perm = [1, 0, 2]> (o)
  together = Concat <axis = 0> (l1, b1, width)
  o_r = Reshape (o_t, together)
  o_b = Transpose <perm = [1, 0, 2]> (o_r)
  [last] y = MatMul (o_b, wo)
}""",
    "batch-found-by-a-rounded-quotient": """
g (float[batch, 6] x) => (float[batch, 3] y)
<float[6, 8] w0, float[1, 8] gain, float[8, 3] w1, int64 zero = {0}, float four = {4.0},
 int64[1] front = {0}, int64[1] one = {1}, int64[1] two = {2}, int64[1] any = {-1}, int64[1] width = {8}>
{
  h = MatMul (x, w0)
  apart = Concat <axis = 0> (any, two)
  h_r = Reshape (h, apart)
  shape = Shape (h_r)
  n = Gather (shape, zero)
  n_f = Cast <to = 1> (n)
  quotient = Div (n_f, four)
  whole = Floor (quotient)
  b = Cast <to = 7> (whole)
  b1 = Unsqueeze (b, front)
  repeats = Concat <axis = 0> (b1, one)
  tiled = Tile (gain, repeats)
  flat = Concat <axis = 0> (b1, width)
  h_f = Reshape (h_r, flat)
  m = Mul (h_f, tiled)
  y = MatMul (m, w1)
}""",
}
