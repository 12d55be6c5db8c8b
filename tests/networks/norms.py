"""Networks whose norms mix units: layer, RMS, group and instance normalisation."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "layer-norm-width": """
g (int64[1, 9] ids) => (float[1, 9, 4] y)
<float[4, 12] table, float[9, 12] positions, float[12] scale1, float[12] shift1, float[12, 16] up_w,
 float[16] up_b,
 float[16, 12] down_w, float[12] scale2, float[12] shift2, float[12, 4] head>
{
  [embed] e = Gather (table, ids)
  e_p = Add (e, positions)
  n1 = LayerNormalization <axis = -1> (e_p, scale1, shift1)
  [up] a = MatMul (n1, up_w)
  a_b = Add (a, up_b)
  a_r = Softplus (a_b)
  [down] b = MatMul (a_r, down_w)
  sum = Add (e_p, b)
  n2 = LayerNormalization <axis = -1> (sum, scale2, shift2)
  [last] y = MatMul (n2, head)
}""",
    "rms-norm-width": """
g (int64[1, 5] ids) => (float[1, 5, 4] y)
<float[20, 12] table, float[12] scale1, float[12, 16] gate_w, float[12, 16] up_w, float[16, 12] down_w,
 float[12] scale2, float[12, 4] head, float two = {2.0}, float eps = {0.000001}, int64[1] axis = {-1}>
{
  [embed] e = Gather (table, ids)
  sq1 = Pow (e, two)
  mean1 = ReduceMean (sq1, axis)
  safe1 = Add (mean1, eps)
  root1 = Sqrt (safe1)
  inverse1 = Reciprocal (root1)
  unit1 = Mul (e, inverse1)
  n1 = Mul (scale1, unit1)
  [gate] a = MatMul (n1, gate_w)
  s = Sigmoid (a)
  silu = Mul (a, s)
  [up] b = MatMul (n1, up_w)
  gated = Mul (silu, b)
  [down] c = MatMul (gated, down_w)
  sum = Add (e, c)
  sq2 = Pow (sum, two)
  mean2 = ReduceMean (sq2, axis)
  safe2 = Add (mean2, eps)
  root2 = Sqrt (safe2)
  inverse2 = Reciprocal (root2)
  unit2 = Mul (sum, inverse2)
  n2 = Mul (scale2, unit2)
  [last] y = MatMul (n2, head)
}""",
    "group-norm": """<ir_version: 10, opset_import: ["" : 21]>
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[12] scale, float[12] shift, float[2, 12, 1, 1] w1>
{
  [first] a = Conv (x, w0, b0)
  n = GroupNormalization <num_groups = 3> (a, scale, shift)
  r = Relu (n)
  [last] y = Conv (r, w1)
}""",
    "group-norm-by-instance-norm": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[12, 1, 1] scale, float[12, 1, 1] shift, float[2, 12, 1, 1] w1,
 int64[3] apart = {0, 3, -1}, int64[4] image = {1, 12, 4, 4},
 float[3] ones = {1, 1, 1}, float[3] zeros = {0, 0, 0}>
{
  [first] a = Conv (x, w0, b0)
  a_g = Reshape (a, apart)
  a_i = InstanceNormalization (a_g, ones, zeros)
  a_n = Reshape (a_i, image)
  scaled = Mul (a_n, scale)
  n = Add (scaled, shift)
  r = Relu (n)
  [last] y = Conv (r, w1)
}""",
    "instance-norm": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[8] scale, float[8] shift, float[2, 8, 1, 1] w1>
{
  [first] a = Conv (x, w0)
  n = InstanceNormalization (a, scale, shift)
  r = Relu (n)
  [last] y = Conv (r, w1)
}""",
    "channels-that-compete": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[8, 8, 1, 1] w1, float[8, 8, 1, 1] w2, float[2, 8, 1, 1] w3, int64[1] axis = {1}>
{
  [first] a = Conv (x, w0)
  s = Softmax <axis = 1> (a)
  [second] b = Conv (s, w1)
  norm = ReduceL2 <keepdims = 1> (b, axis)
  unit = Div (b, norm)
  [third] c = Conv (unit, w2)
  l = LRN <size = 3> (c)
  [last] y = Conv (l, w3)
}""",
    "spatial-norms": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[8, 3, 1, 1] w0, float[8, 8, 1, 1] w1, float[2, 8, 1, 1] w2, int64[2] axes = {2, 3}>
{
  [first] a = Conv (x, w0)
  mean = ReduceMean <keepdims = 1> (a, axes)
  centred = Sub (a, mean)
  [second] b = Conv (centred, w1)
  n = MeanVarianceNormalization <axes = [0, 2, 3]> (b)
  [last] y = Conv (n, w2)
}""",
}
