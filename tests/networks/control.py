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
    "if-with-weights": """
g (float[2, 6] x, bool choice) => (float[2, 3] y)
<float[6, 8] w0, float[8, 3] w1, float[10] shared>
{
  [before] a = MatMul (x, w0)
  y_10 = If (choice) <
    then_branch = yes () => (float[2, 10] yes_y) <float[8, 10] yes_w> {
      [yes] yes_m = MatMul (a, yes_w)
      yes_b = Add (yes_m, shared)
      yes_y = Relu (yes_b)
    },
    else_branch = no () => (float[2, 10] no_y) <float[8, 5] no_w, float[8, 5] no_v> {
      [left] l = MatMul (a, no_w)
      [right] r = MatMul (a, no_v)
      no_c = Concat <axis = 1> (l, r)
      no_y = Mul (no_c, shared)
    }
  >
  w1_t = Constant <value = float[10, 1] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}> ()
  [after] t = MatMul (y_10, w1_t)
  [beside] b = MatMul (a, w1)
  y = Add (b, t)
}""",
    "if-in-a-loop-in-an-if": """
g (float[2, 6] x, bool choice) => (float[2, 3] y)
<float[6, 8] w0, float[8, 8] step_w, float[8, 3] w1, int64 times = {3}, bool yes = {1}>
{
  [before] a = MatMul (x, w0)
  h = If (choice) <
    then_branch = looped () => (float[2, 8] l) {
      l = Loop (times, yes, a) <
        body = step (int64 i, bool on, float[2, 8] state) => (bool still, float[2, 8] next)
        <int64 one = {1}> {
          still = Identity (on)
          is_first = Less (i, one)
          next = If (is_first) <
            then_branch = first () => (float[2, 8] f) { [first] f_m = MatMul (state, step_w) f = Tanh (f_m) },
            else_branch = later () => (float[2, 8] m) <float[8, 7] up, float[7, 8] down> {
              [up] u = MatMul (state, up)
              v = Relu (u)
              [down] w = MatMul (v, down)
              m = Add (w, a)
            }
          >
        }
      >
    },
    else_branch = straight () => (float[2, 8] s) { s = Identity (a) }
  >
  [last] y = MatMul (h, w1)
}""",
    "scan-backwards": """
g (float[5, 2, 6] x) => (float[5, 2, 3] y, float[2, 4] z)
<float[6, 8] w0, float[8, 8] r, float[8, 9] o, float[9, 3] w1, float[2, 8] start, float[8, 4] w2>
{
  [before] a = MatMul (x, w0)
  last, seen = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_directions = [1],
                     body = step (float[2, 8] state, float[2, 8] now) => (float[2, 8] next, float[2, 9] out) {
    [recur] s = MatMul (state, r)
    t = Add (s, now)
    next = Tanh (t)
    [out] out = MatMul (next, o)
  }> (start, a)
  [after] y = MatMul (seen, w1)
  [end] z = MatMul (last, w2)
}""",
    "scan-along-the-last-axis": """
g (float[2, 6, 5] x) => (float[2, 3, 5] y)
<float[8, 6, 1] w0, float[8, 8] r, float[3, 8, 1] w1>
{
  [before] a = Conv (x, w0)
  seen = Scan <num_scan_inputs = 1, scan_input_axes = [2], scan_output_axes = [-1],
               body = step (float[2, 8] now) => (float[2, 8] out) {
    [inside] s = MatMul (now, r)
    out = Tanh (s)
  }> (a)
  [after] y = Conv (seen, w1)
}""",
    "loop-that-grows": """
g (float[2, 6] x) => (float[2, 3] y)
<float[6, 8] w0, float[8, 8] r, float[8, 3] w1, int64 times = {3}, bool yes = {1}>
{
  [before] a = MatMul (x, w0)
  all, steps = Loop (times, yes, a) <
    body = step (int64 i, bool on, float[n, 8] state) => (bool still, float[m, 8] next, float[2, 8] each) {
      still = Identity (on)
      [inside] each_m = MatMul (a, r)
      each = Tanh (each_m)
      next = Concat <axis = 0> (state, each)
    }
  >
  axes = Constant <value_ints = [0]> ()
  summed = ReduceSum <keepdims = 0> (steps, axes)
  rows = Constant <value_ints = [0, 7]> ()
  two = Gather <axis = 0> (all, rows)
  both = Add (summed, two)
  [last] y = MatMul (both, w1)
}""",
    "if-whose-branches-differ-in-size": """
g (float[2, 6] x, bool choice) => (float[2, 3] y, float[m, 8] z)
<float[6, 8] w0, float[6, 10] w1, float[10, 3] w2, float[2, 8] more>
{
  [picked] a = MatMul (x, w0)
  z = If (choice) <
    then_branch = yes () => (float[2, 8] yes_z) { yes_z = Identity (a) },
    else_branch = no () => (float[4, 8] no_z) { no_z = Concat <axis = 0> (a, more) }
  >
  [free] b = MatMul (x, w1)
  c = Relu (b)
  [last] y = MatMul (c, w2)
}""",
    "names-that-both-branches-have": """
g (float[2, 6] x, bool choice) => (float[2, 3] y)
<float[6, 8] w0, float[9, 3] w1>
{
  [before] a = MatMul (x, w0)
  b = If (choice) <
    then_branch = yes () => (float[2, 9] r) <float[8, 9] w> { [yes] m = MatMul (a, w) r = Relu (m) },
    else_branch = no () => (float[2, 9] r) <float[8, 9] w> { n = Neg (a) [no] m = MatMul (n, w) r = Tanh (m) }
  >
  [after] y = MatMul (b, w1)
}""",
    "sizes-computed-in-bodies": """
g (float[b, 6, 4] x, bool choice) => (float[b, 3] y)
<float[6, 6, 1] w0, float[24, 3] w1>
{
  [before] a = Conv (x, w0)
  flat = If (choice) <
    then_branch = yes () => (float[b, 24] yes_f) {
      shape = Shape (a)
      first = Constant <value_ints = [0]> ()
      rows = Gather (shape, first)
      rest = Constant <value_ints = [-1]> ()
      target = Concat <axis = 0> (rows, rest)
      yes_f = Reshape (a, target)
    },
    else_branch = no () => (float[b, 24] no_f) {
      size = Shape <start = 1, end = 2> (a)
      root = Cast <to = 1> (size)
      scaled = Div (a, root)
      no_f = Flatten (scaled)
    }
  >
  [after] y = MatMul (flat, w1)
}""",
}
