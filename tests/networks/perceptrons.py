"""Networks of linear layers: plain and gated MLPs, and weights that several layers share."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "mlp": """<ir_version: 10, opset_import: ["" : 20]>
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 16] w0, float[16] b0, float[10, 16] w1, float[10] b1, float[10, 3] w2>
{
  [first] a = MatMul (x, w0)
  a_b = Add (a, b0)
  a_r = Gelu <approximate = "tanh"> (a_b)
  [second] b = Gemm <transB = 1> (a_r, w1, b1)
  b_r = Relu (b)
  [last] y = MatMul (b_r, w2)
}""",
    "glu-split": """
g (float[1, 5, 6] x) => (float[1, 5, 3] y)
<float[6, 16] w0, float[16] b0, float[8, 3] w1, int64[2] halves = {8, 8}>
{
  [both] a = MatMul (x, w0)
  a_b = Add (a, b0)
  value, gate = Split <axis = -1> (a_b, halves)
  open = Sigmoid (gate)
  gated = Mul (value, open)
  [last] y = MatMul (gated, w1)
}""",
    "glu-two-linears": """
g (float[1, 5, 6] x) => (float[1, 5, 3] y)
<float[6, 10] gate_w, float[6, 10] up_w, float[10, 3] down_w>
{
  [gate] a = MatMul (x, gate_w)
  s = Sigmoid (a)
  silu = Mul (a, s)
  [up] b = MatMul (x, up_w)
  gated = Mul (silu, b)
  [down] y = MatMul (gated, down_w)
}""",
    "mixture-of-experts": """
g (float[4, 6] x) => (float[4, 3] y)
<float[5, 6, 8] up_w, float[5, 8, 3] down_w, float[6, 5] router, int64[1] first = {0},
 int64[1] expert_axis = {2}>
{
  [routing] r = MatMul (x, router)
  p = Softmax <axis = -1> (r)
  x_e = Unsqueeze (x, first)
  [up] a = MatMul (x_e, up_w)
  a_r = Relu (a)
  [down] b = MatMul (a_r, down_w)
  p_t = Transpose <perm = [1, 0]> (p)
  p_e = Unsqueeze (p_t, expert_axis)
  weighed = Mul (b, p_e)
  y = ReduceSum <keepdims = 0> (weighed, first)
}""",
    "tied-embeddings": """
g (int64[1, 5] ids) => (float[1, 5, 20] y)
<float[20, 12] table, float[12, 16] up_w, float[16, 12] down_w>
{
  [embed] e = Gather (table, ids)
  [up] a = MatMul (e, up_w)
  a_r = Relu (a)
  [down] b = MatMul (a_r, down_w)
  sum = Add (e, b)
  table_t = Transpose <perm = [1, 0]> (table)
  [unembed] y = MatMul (sum, table_t)
}""",
    "layers-that-share-weights": """
g (float[1, 5, 12] x) => (float[1, 5, 3] y)
<float[12, 8] in_w, float[8, 16] up_w, float[16] up_b, float[16, 8] down_w, float[8] down_b,
 float[8, 3] out_w>
{
  [enter] h0 = MatMul (x, in_w)
  [up1] a1 = MatMul (h0, up_w)
  a1_b = Add (a1, up_b)
  a1_r = Relu (a1_b)
  [down1] b1 = MatMul (a1_r, down_w)
  b1_b = Add (b1, down_b)
  h1 = Add (h0, b1_b)
  [up2] a2 = MatMul (h1, up_w)
  a2_b = Add (a2, up_b)
  a2_r = Relu (a2_b)
  [down2] b2 = MatMul (a2_r, down_w)
  b2_b = Add (b2, down_b)
  h2 = Add (h1, b2_b)
  [leave] y = MatMul (h2, out_w)
}""",
    "three-that-share-a-bias": """
g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
<float[8, 3, 3, 3] w0, float[8, 8, 3, 3] w1, float[8, 8, 3, 3] w2, float[2, 8, 1, 1] w3, float[8] bias>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, bias)
  a_r = Relu (a)
  [second] b = Conv <pads = [1, 1, 1, 1]> (a_r, w1, bias)
  b_r = Relu (b)
  [third] c = Conv <pads = [1, 1, 1, 1]> (b_r, w2, bias)
  c_r = Relu (c)
  [last] y = Conv (c_r, w3)
}""",
    "three-that-share-a-bias-by-identity": """
g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
<float[8, 3, 3, 3] w0, float[8, 8, 3, 3] w1, float[8, 8, 3, 3] w2, float[2, 8, 1, 1] w3, float[8] bias>
{
  second_bias = Identity (bias)
  third_bias = Identity (second_bias)
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, bias)
  a_r = Relu (a)
  [second] b = Conv <pads = [1, 1, 1, 1]> (a_r, w1, second_bias)
  b_r = Relu (b)
  [third] c = Conv <pads = [1, 1, 1, 1]> (b_r, w2, third_bias)
  c_r = Relu (c)
  [last] y = Conv (c_r, w3)
}""",
    "weights-in-constant-nodes": """
g (float[2, 3] x) => (float[2, 2] y)
<float[3, 6] w0, float[6, 2] w2>
{
  bias = Constant <value = float[6] {0.5, -1, 2, 0.25, -0.75, 1.5}> ()
  [first] a = MatMul (x, w0)
  a_b = Add (a, bias)
  a_r = Relu (a_b)
  [last] y = MatMul (a_r, w2)
}""",
}
