"""Networks of convolutions, one coupling each."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "conv-chain": """
g (float[1, 3, 8, 8] x) => (float[1, 5, 6, 6] y)
<float[8, 3, 3, 3] w1, float[8] b1, float[8] scale, float[8] shift, float[8] mean, float[8] var,
 float[12, 8, 3, 3] w2, float[12] b2, float[5, 12, 1, 1] w3, float[5] b3>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w1, b1)
  a_n = BatchNormalization (a, scale, shift, mean, var)
  a_r = LeakyRelu (a_n)
  [second] b = Conv (a_r, w2, b2)
  b_s = Sigmoid (b)
  [last] y = Conv (b_s, w3, b3)
}""",
    "residual": """
g (float[1, 3, 8, 8] x) => (float[1, 4] y)
<float[8, 3, 3, 3] w0, float[8] b0, float[12, 8, 3, 3] w1, float[12] b1, float[8, 12, 3, 3] w2, float[8] b2,
 float[16, 8, 1, 1] w3, float[16, 8, 1, 1] w4, float[4, 16] head, float[4] head_b>
{
  [stem] s = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  s_r = Relu (s)
  [inner] a = Conv <pads = [1, 1, 1, 1]> (s_r, w1, b1)
  a_r = Elu (a)
  [back] b = Conv <pads = [1, 1, 1, 1]> (a_r, w2, b2)
  sum = Add (b, s_r)
  [main] c = Conv <strides = [2, 2]> (sum, w3)
  [project] p = Conv <strides = [2, 2]> (sum, w4)
  sum2 = Add (c, p)
  pool = GlobalAveragePool (sum2)
  flat = Flatten (pool)
  [last] y = Gemm <transB = 1> (flat, head, head_b)
}""",
    "depthwise": """
g (float[1, 3, 8, 8] x) => (float[1, 4, 4, 4] y)
<float[8, 3, 1, 1] w0, float[16, 8, 1, 1] w1, float[16, 1, 3, 3] dw, float[16] dw_b, float[8, 16, 1, 1] w2,
 float[16, 1, 3, 3] twice, float[16] twice_b, float[4, 16, 1, 1] w3, float low = {0.0}, float high = {6.0}>
{
  [stem] s = Conv (x, w0)
  [expand] e = Conv (s, w1)
  e_c = Clip (e, low, high)
  [depthwise] d = Conv <group = 16, pads = [1, 1, 1, 1]> (e_c, dw, dw_b)
  d_h = HardSwish (d)
  [project] p = Conv (d_h, w2)
  sum = Add (s, p)
  [multiplier] m = Conv <group = 8, strides = [2, 2], pads = [1, 1, 1, 1]> (sum, twice, twice_b)
  [last] y = Conv (m, w3)
}""",
    "grouped": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[16, 3, 1, 1] w0, float[16] b0, float[24, 4, 3, 3] w1, float[24] b1, float[4, 24, 1, 1] w2>
{
  [reduce] a = Conv (x, w0, b0)
  a_r = Relu (a)
  [grouped] b = Conv <group = 4, pads = [1, 1, 1, 1]> (a_r, w1, b1)
  b_r = Tanh (b)
  [last] y = Conv (b_r, w2)
}""",
    "transposed": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 19, 19] y)
<float[8, 3, 1, 1] w0, float[8, 12, 2, 2] w1, float[12] b1, float[12, 3, 3, 3] w2, float[6] b2,
 float[6, 2, 3, 3] w3>
{
  [first] a = Conv (x, w0)
  a_r = Relu (a)
  [up] b = ConvTranspose <strides = [2, 2]> (a_r, w1, b1)
  b_r = Relu (b)
  [grouped_up] c = ConvTranspose <strides = [2, 2], group = 2> (b_r, w2, b2)
  c_s = Sigmoid (c)
  [last] y = ConvTranspose (c_s, w3)
}""",
    "squeeze-excite": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[12, 3, 3, 3] w0, float[12] b0, float[4, 12, 1, 1] down, float[4] down_b, float[12, 4, 1, 1] up,
 float[12] up_b, float[4, 12, 1, 1] w2>
{
  [stem] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  pooled = GlobalAveragePool (a)
  [squeeze] s = Conv (pooled, down, down_b)
  s_r = Relu (s)
  [excite] e = Conv (s_r, up, up_b)
  gate = HardSigmoid (e)
  gated = Mul (gate, a)
  [last] y = Conv (gated, w2)
}""",
    "channel-shuffle": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 4, 4] y)
<float[12, 3, 1, 1] w0, float[12] b0, float[12, 1, 3, 3] dw, float[2, 12, 1, 1] w1,
 int64[5] apart = {1, 3, 4, 4, 4}, int64[4] together = {1, -1, 4, 4}>
{
  [first] a = Conv (x, w0, b0)
  a_r = Relu (a)
  a_g = Reshape (a_r, apart)
  a_t = Transpose <perm = [0, 2, 1, 3, 4]> (a_g)
  shuffled = Reshape (a_t, together)
  [depthwise] d = Conv <group = 12, pads = [1, 1, 1, 1]> (shuffled, dw)
  [last] y = Conv (d, w1)
}""",
    "pixel-shuffle": """
g (float[1, 3, 4, 4] x) => (float[1, 2, 16, 16] y)
<float[16, 3, 3, 3] w0, float[16] b0, float[24, 4, 3, 3] w1, float[24] b1, float[2, 6, 1, 1] w2>
{
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  a_u = DepthToSpace <blocksize = 2, mode = "CRD"> (a)
  a_r = Relu (a_u)
  [second] b = Conv <pads = [1, 1, 1, 1]> (a_r, w1, b1)
  b_u = DepthToSpace <blocksize = 2, mode = "DCR"> (b)
  b_r = Relu (b_u)
  [last] y = Conv (b_r, w2)
}""",
    "space-to-depth": """
g (float[1, 3, 8, 8] x) => (float[1, 2, 4, 4] y)
<float[6, 3, 1, 1] w0, float[6] b0, float[2, 24, 1, 1] w1>
{
  [first] a = Conv (x, w0, b0)
  a_d = SpaceToDepth <blocksize = 2> (a)
  [last] y = Conv (a_d, w1)
}""",
    "flatten-gemm": """
g (float[1, 3, 6, 6] x) => (float[1, 4] y)
<float[8, 3, 3, 3] w0, float[8] b0, float[10, 32] w1, float[10] b1, float[4, 10] w2>
{
  [conv] a = Conv (x, w0, b0)
  a_p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (a)
  flat = Flatten (a_p)
  [hidden] h = Gemm <transB = 1> (flat, w1, b1)
  h_r = Tanh (h)
  [last] y = Gemm <transB = 1> (h_r, w2)
}""",
    "option-a-shortcut": """
g (float[1, 3, 8, 8] x) => (float[1, 4] y)
<float[8, 3, 3, 3] w0, float[16, 8, 3, 3] w1, float[4, 16] head, int64[2] starts = {0, 0},
 int64[2] ends = {8, 8},
 int64[2] axes = {2, 3}, int64[2] steps = {2, 2}, int64[8] pads = {0, 4, 0, 0, 0, 4, 0, 0},
 float zero = {0.0}>
{
  [stem] s = Conv <pads = [1, 1, 1, 1]> (x, w0)
  s_r = Relu (s)
  [wide] a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (s_r, w1)
  small = Slice (s_r, starts, ends, axes, steps)
  padded = Pad (small, pads, zero)
  sum = Add (a, padded)
  r = Relu (sum)
  pool = ReduceMean <keepdims = 0> (r, axes)
  [last] y = Gemm <transB = 1> (pool, head)
}""",
    "spatial-gate": """
g (float[1, 3, 6, 6] x) => (float[1, 4, 6, 6] y)
<float[8, 3, 1, 1] w0, float[8] b0, float[1, 8, 3, 3] gate_w, float[1] gate_b, float[1, 8, 1, 1] gamma,
 float factor = {0.7}, float[8] slope_, float[4, 8, 1, 1] w1, int64[2] wide = {1, 2}>
{
  [stem] a = Conv (x, w0, b0)
  [gate] m = Conv <pads = [1, 1, 1, 1]> (a, gate_w, gate_b)
  mask = Sigmoid (m)
  masked = Mul (a, mask)
  scaled = Mul (masked, gamma)
  factored = Mul (scaled, factor)
  slope = Unsqueeze (slope_, wide)
  r = PRelu (factored, slope)
  [last] y = Conv (r, w1)
}""",
    "unet": """
g (float[1, 3, 8, 8] x) => (float[1, 2, 8, 8] y)
<float[6, 3, 3, 3] w0, float[6] b0, float[10, 6, 3, 3] w1, float[8, 16, 3, 3] w2, float[2, 8, 1, 1] w3,
 int64[4] sizes = {1, 10, 8, 8}>
{
  [down0] a = Conv <pads = [1, 1, 1, 1]> (x, w0, b0)
  a_r = Relu (a)
  a_p = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (a_r)
  [down1] b = Conv <pads = [1, 1, 1, 1]> (a_p, w1)
  b_r = Relu (b)
  b_u = Resize <mode = "nearest"> (b_r, , , sizes)
  joined = Concat <axis = 1> (b_u, a_r)
  [up] c = Conv <pads = [1, 1, 1, 1]> (joined, w2)
  [last] y = Conv (c, w3)
}""",
    "one-and-three-dimensions": """
g (float[1, 2, 12] x) => (float[1, 3, 1, 3, 2] y)
<float[8, 2, 3] w0, float[8] b0, float[6, 4, 2, 2, 2] w1, float[6] b1, float[3, 6, 1, 1, 1] w2,
 int64[5] cube = {1, 4, 2, 4, 3}>
{
  [flat] a = Conv <pads = [1, 1]> (x, w0, b0)
  a_r = Relu (a)
  volume = Reshape (a_r, cube)
  [cubic] b = Conv (volume, w1, b1)
  b_r = Softplus (b)
  [last] y = Conv (b_r, w2)
}""",
}
