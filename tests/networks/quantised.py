"""Quantised networks: Q/DQ per tensor and per channel, and operators on integers."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "qdq-per-tensor": """
g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
<int8[8, 3, 3, 3] w0, float[8] b0, int8[2, 8, 1, 1] w1, float sx = {0.05}, float sw = {0.01},
 float sa = {0.03},
 uint8 zx = {128}, int8 zw = {0}, uint8 za = {0}>
{
  x_q = QuantizeLinear (x, sx, zx)
  x_d = DequantizeLinear (x_q, sx, zx)
  w0_d = DequantizeLinear (w0, sw, zw)
  [first] a = Conv <pads = [1, 1, 1, 1]> (x_d, w0_d, b0)
  r = Relu (a)
  a_q = QuantizeLinear (r, sa, za)
  a_d = DequantizeLinear (a_q, sa, za)
  w1_d = DequantizeLinear (w1, sw, zw)
  [last] y = Conv (a_d, w1_d)
}""",
    "qdq-per-channel": """
g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
<int8[8, 3, 3, 3] w0, float[8] scale0, int8[8] z0, int32[8] b0, float[8] scale_b, int8[2, 8, 1, 1] w1,
 float[2] scale1, int8[2] z1, float sa = {3.0}, uint8 za = {0}>
{
  w0_d = DequantizeLinear <axis = 0> (w0, scale0, z0)
  b0_d = DequantizeLinear <axis = 0> (b0, scale_b)
  [first] a = Conv <pads = [1, 1, 1, 1]> (x, w0_d, b0_d)
  r = Relu (a)
  a_q = QuantizeLinear (r, sa, za)
  a_d = DequantizeLinear (a_q, sa, za)
  w1_d = DequantizeLinear <axis = 0> (w1, scale1, z1)
  [last] y = Conv (a_d, w1_d)
}""",
    "integer-convolutions": """
g (float[1, 3, 6, 6] x) => (float[1, 2, 6, 6] y)
<int8[8, 3, 3, 3] w0, float[8] scale0, int8[8] z0 = {0, 0, 0, 0, 0, 0, 0, 0},
 int32[8] b0, int8[2, 8, 1, 1] w1, float s1 = {0.02}, int8 z1 = {3},
 float sx = {0.05}, uint8 zx = {128}, float sa = {2.5}, uint8 za = {10}, float sy = {1.5}, uint8 zy = {100}>
{
  x_q = QuantizeLinear (x, sx, zx)
  [first] a = QLinearConv <pads = [1, 1, 1, 1]> (x_q, sx, zx, w0, scale0, z0, sa, za, b0)
  [last] b = QLinearConv (a, sa, za, w1, s1, z1, sy, zy)
  y = DequantizeLinear (b, sy, zy)
}""",
    "integer-matrix-products": """
g (float[4, 6] x) => (float[4, 3] y)
<int8[6, 10] w0, float sw = {0.01}, float[10] b0, int8[10, 3] w1, int8 z = {2}>
{
  x_q, x_s, x_z = DynamicQuantizeLinear (x)
  [first] a_i = MatMulInteger (x_q, w0, x_z, z)
  a_f = Cast <to = 1> (a_i)
  a_1 = Mul (a_f, x_s)
  a_2 = Mul (a_1, sw)
  a = Add (a_2, b0)
  r = Relu (a)
  r_q, r_s, r_z = DynamicQuantizeLinear (r)
  [last] y_i = MatMulInteger (r_q, w1, r_z)
  y_f = Cast <to = 1> (y_i)
  y_1 = Mul (y_f, r_s)
  y = Mul (y_1, sw)
}""",
}
