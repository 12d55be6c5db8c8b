"""Networks with bodies, local functions, several outputs, and element types other than fp32."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "if-that-captures": """
g (float[2, 6] x, bool choice) => (float[2, 8] y, float[2, 3] z)
<float[6, 8] w0, float[8] b0, float[6, 10] w1, float[10, 3] w2>
{
  [captured] a = MatMul (x, w0)
  a_b = Add (a, b0)
  y = If (choice) <
    then_branch = yes () => (float[2, 8] yes_y) { yes_y = Relu (a_b) },
    else_branch = no () => (float[2, 8] no_y) { no_y = Neg (a_b) }
  >
  [free] c = MatMul (x, w1)
  c_r = Relu (c)
  [last] z = MatMul (c_r, w2)
}""",
    "if-that-captures-weights": """
g (float[2, 6] x, bool choice) => (float[2, 3] y, float[2, 8] z)
<float[6, 8] w0, float[8] bias, float[8, 3] w1, float[6, 8] inner_w>
{
  [free] a = MatMul (x, w0)
  a_b = Add (a, bias)
  a_r = Relu (a_b)
  [last] y = MatMul (a_r, w1)
  z = If (choice) <
    then_branch = yes () => (float[2, 8] yes_z) {
      yes_m = MatMul (x, inner_w)
      yes_z = Add (yes_m, bias)
    },
    else_branch = no () => (float[2, 8] no_z) {
      no_m = MatMul (x, inner_w)
      no_z = Sub (no_m, bias)
    }
  >
}""",
    "weight-that-is-an-output": """
g (float[2, 6] x) => (float[2, 3] y, float[6, 8] w0)
<float[6, 8] w0, float[8, 7] w1, float[7, 3] w2>
{
  [first] a = MatMul (x, w0)
  a_r = Relu (a)
  [second] b = MatMul (a_r, w1)
  b_r = Relu (b)
  [last] y = MatMul (b_r, w2)
}""",
    "loop-that-captures": """
g (float[2, 6] x) => (float[2, 8] y, float[2, 3] z)
<float[6, 8] w0, float[8] b0, float[6, 10] w1, float[10, 3] w2, int64 times = {3}, bool yes = {1}>
{
  [captured] a = MatMul (x, w0)
  [start] s = MatMul (x, w0)
  y = Loop (times, yes, s) <
    body = step (int64 i, bool on, float[2, 8] state) => (bool still, float[2, 8] next) {
      still = Identity (on)
      moved = Add (state, a)
      next = Tanh (moved)
    }
  >
  [free] c = MatMul (x, w1)
  c_r = Relu (c)
  [last] z = MatMul (c_r, w2)
}""",
    "local-functions": """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 10] w0, float[10] b0, float[10, 12] w1, float[12] b1, float[12, 3] w2>
{
  a = local.dense (x, w0, b0)
  b = local.dense (a, w1, b1)
  [last] y = MatMul (b, w2)
}
<domain: "local", opset_import: ["" : 18]>
dense (x, w, b) => (y)
{
  [product] m = MatMul (x, w)
  s = Add (m, b)
  y = Relu (s)
}""",
    "several-outputs": """
g (float[2, 3, 4, 4] x) => (float[2, 8, 2, 2] y, float[2, 2, 1, 1] z, int64[2, 3, 1, 1] order)
<float[12, 3, 1, 1] w0, float[5, 4, 1, 1] w1, float[8, 5, 1, 1] w2, float[2, 8, 1, 1] w3,
 float[6, 3, 1, 1] w4,
 float[6, 6, 1, 1] w5, int64[2] pieces = {4, 8}, int64[1] three = {3}, float[2, 8, 1, 1] unused_w>
{
  [stem] s = Conv (x, w0)
  a, b = Split <axis = 1> (s, pieces)
  [left] l = Conv (a, w1)
  l_d, l_mask = Dropout (l)
  l_r = Relu (l_d)
  [widen] w = Conv (l_r, w2)
  y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (w)
  [right] r = Conv (b, w3)
  z = GlobalAveragePool (r)
  [ranked] c = Conv (x, w4)
  [scored] d = Conv (c, w5)
  pooled = GlobalMaxPool (d)
  best, order = TopK <axis = 1> (pooled, three)
}""",
    "weights-in-fp16": """
g (float16[1, 3, 6, 6] x) => (float16[1, 4] y)
<float16[8, 3, 3, 3] w0, float16[8] b0, float16[8, 8, 3, 3] w1, float16[4, 8] head>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  a_r = Relu (a)
  [second] b = Conv <pads = [1, 1, 1, 1]> (a_r, w1)
  sum = Add (b, a_r)
  pool = GlobalAveragePool (sum)
  flat = Flatten (pool)
  [last] y = Gemm <transB = 1> (flat, head)
}""",
    "weights-in-bf16": """
g (float[2, 6] x) => (float[2, 3] y)
<bfloat16[6, 16] w0, bfloat16[16] b0, bfloat16[16, 3] w1>
{
  w0_f = Cast <to = 1> (w0)
  [first] a = MatMul (x, w0_f)
  b0_f = Cast <to = 1> (b0)
  a_b = Add (a, b0_f)
  r = Relu (a_b)
  w1_f = Cast <to = 1> (w1)
  [last] y = MatMul (r, w1_f)
}""",
    "weights-in-double": """
g (double[2, 6] x) => (double[2, 3] y)
<double[6, 16] w0, double[16] b0, double[16, 3] w1>
{
  [first] a = MatMul (x, w0)
  a_b = Add (a, b0)
  r = Relu (a_b)
  [last] y = MatMul (r, w1)
}""",
}
