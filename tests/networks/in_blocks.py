"""Networks in which groups consist of blocks: heads, groups of a convolution, experts."""

from __future__ import annotations

BLOCKS: dict[str, str] = {
    "grouped-chain": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[20, 3, 3, 3] w1, float[20] b1, float[20] scale, float[20] shift,
 float[20] mean, float[20] var, float[24, 5, 1, 1] w2, float[24] b2, float[4, 24, 1, 1] w3>
{
  [stem] a = Conv (x, w0, b0)
  a_r = Relu (a)
  [grouped] b = Conv <group = 4, pads = [1, 1, 1, 1]> (a_r, w1, b1)
  b_n = BatchNormalization (b, scale, shift, mean, var)
  b_r = Relu (b_n)
  [again] c = Conv <group = 4> (b_r, w2, b2)
  c_s = Sigmoid (c)
  [last] y = Conv (c_s, w3)
}""",
    "grouped-residual": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[12, 4, 3, 3] w1, float[12] b1, float[4, 12, 1, 1] w2>
{
  [stem] a = Conv (x, w0, b0)
  [grouped] b = Conv <group = 3, pads = [1, 1, 1, 1]> (a, w1, b1)
  sum = Add (a, b)
  r = Elu (sum)
  [last] y = Conv (r, w2)
}""",
    "grouped-transposed": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 12, 12] y)
<float[8, 3, 1, 1] w0, float[8] b0, float[8, 5, 3, 3] w1, float[10] b1, float[10, 3, 2, 2] w2, float[6] b2,
 float[2, 6, 1, 1] w3>
{
  [first] a = Conv (x, w0, b0)
  a_r = Relu (a)
  [up] b = ConvTranspose <group = 2> (a_r, w1, b1)
  b_r = Softplus (b)
  [up_again] c = ConvTranspose <group = 2, strides = [2, 2]> (b_r, w2, b2)
  c_r = Tanh (c)
  [last] y = Conv (c_r, w3)
}""",
    "shuffled-groups": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[18, 4, 1, 1] w1, float[18] b1, float[12, 6, 3, 3] w2,
 float[2, 12, 1, 1] w3, int64[5] apart = {1, 3, 6, 4, 4}, int64[4] together = {1, 18, 4, 4}>
{
  [first] a = Conv (x, w0, b0)
  a_r = Relu (a)
  [before] b = Conv <group = 3> (a_r, w1, b1)
  b_g = Reshape (b, apart)
  b_t = Transpose <perm = [0, 2, 1, 3, 4]> (b_g)
  b_s = Reshape (b_t, together)
  [behind] c = Conv <group = 3, pads = [1, 1, 1, 1]> (b_s, w2)
  c_r = Relu (c)
  [last] y = Conv (c_r, w3)
}""",
    "experts": """
g (float[tokens, 6] x) => (float[tokens, 3] y)
<float[5, 6, 8] up_w, float[5, 1, 8] up_b, float[5, 8, 3] down_w, int64[1] first = {0}>
{
  x_e = Unsqueeze (x, first)
  [up] a = MatMul (x_e, up_w)
  a_b = Add (a, up_b)
  a_r = Softplus (a_b)
  [down] b = MatMul (a_r, down_w)
  y = ReduceSum <keepdims = 0> (b, first)
}""",
    "norm-of-a-head": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wv, float[12, 32] wg, float[32, 12] wo, float[8] scale, int64[4] apart = {0, 0, 4, 8},
 int64[3] merge = {0, 0, 32}, int64[1] last = {3}>
{
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v_q = Mul (v_h, v_h)
  v_s = ReduceMean (v_q, last)
  v_d = Sqrt (v_s)
  v_n = Div (v_h, v_d)
  v_w = Mul (v_n, scale)
  v_f = Reshape (v_w, merge)
  [gate] g_m = MatMul (x, wg)
  gated = Mul (v_f, g_m)
  [out] y = MatMul (gated, wo)
}""",
    "plain-norm-of-a-head": """
g (float[batch, 5, 12] x) => (float[batch, 5, 12] y)
<float[12, 32] wv, float[32, 12] wo, int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}>
{
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v_t = Transpose <perm = [0, 2, 1, 3]> (v_h)
  v_n = LpNormalization <axis = -1> (v_t)
  v_b = Transpose <perm = [0, 2, 1, 3]> (v_n)
  v_f = Reshape (v_b, merge)
  [out] y = MatMul (v_f, wo)
}""",
    "heads-that-mix": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wv, float[32, 12] wo, int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}>
{
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v_s = Softmax <axis = 2> (v_h)
  v_f = Reshape (v_s, merge)
  [out] y = MatMul (v_f, wo)
}""",
    "heads-that-add": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wv, float[8, 12] wo, int64[4] apart = {0, 0, 4, 8}, int64[1] heads = {2}>
{
  [value] v_m = MatMul (x, wv)
  v_r = Relu (v_m)
  v_h = Reshape (v_r, apart)
  v_s = ReduceSum <keepdims = 0> (v_h, heads)
  [out] y = MatMul (v_s, wo)
}""",
    "groups-that-differ": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[48, 3, 1, 1] w0, float[48, 24, 1, 1] w1, float[2, 48, 1, 1] w2, int64[5] apart = {1, 3, 16, 4, 4},
 float[3, 1, 1, 1] factor, int64[4] together = {1, 48, 4, 4}>
{
  [first] a = Conv (x, w0)
  [grouped] b = Conv <group = 2> (a, w1)
  r = Relu (b)
  g = Reshape (r, apart)
  f = Mul (g, factor)
  t = Reshape (f, together)
  s = Add (t, a)
  [last] y = Conv (s, w2)
}""",
}
