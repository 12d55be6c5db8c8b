"""Networks with attention: how heads are packed, shared, rotated and biased."""

from __future__ import annotations

_TAIL = """
  scores = MatMul (q, k)
  scaled = Mul (scores, factor)
  p = Softmax <axis = -1> (scaled)
  mixed = MatMul (p, v)
  mixed_t = Transpose <perm = [0, 2, 1, 3]> (mixed)
  together = Reshape (mixed_t, merge)
  [out] y = MatMul (together, wo)
}"""

TEXTS: dict[str, str] = {
    "attention-separate": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[32] bq, float[12, 32] wk, float[12, 32] wv, float[32] bv, float[32, 12] wo,
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339}>
{
  [query] q_m = MatMul (x, wq)
  q_b = Add (q_m, bq)
  q_h = Reshape (q_b, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  [key] k_m = MatMul (x, wk)
  k_h = Reshape (k_m, apart)
  k = Transpose <perm = [0, 2, 3, 1]> (k_h)
  [value] v_m = MatMul (x, wv)
  v_b = Add (v_m, bv)
  v_h = Reshape (v_b, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)"""
    + _TAIL,
    "attention-fused": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 96] w, float[96] b, float[32, 12] wo, int64[3] thirds = {32, 32, 32},
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339}>
{
  [qkv] m = MatMul (x, w)
  m_b = Add (m, b)
  q_m, k_m, v_m = Split <axis = 2> (m_b, thirds)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  k_h = Reshape (k_m, apart)
  k = Transpose <perm = [0, 2, 3, 1]> (k_h)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)"""
    + _TAIL,
    "attention-packed": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 96] w, float[96] b, float[32, 12] wo, int64 zero = {0}, int64 one = {1}, int64 two = {2},
 int64[5] apart = {0, 0, 3, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339}>
{
  [qkv] m = MatMul (x, w)
  m_b = Add (m, b)
  m_h = Reshape (m_b, apart)
  m_t = Transpose <perm = [2, 0, 3, 1, 4]> (m_h)
  q = Gather <axis = 0> (m_t, zero)
  k_h = Gather <axis = 0> (m_t, one)
  k = Transpose <perm = [0, 1, 3, 2]> (k_h)
  v = Gather <axis = 0> (m_t, two)"""
    + _TAIL,
    "attention-packed-by-head": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 96] w, float[96] b, float[32, 12] wo, int64[3] thirds = {8, 8, 8},
 int64[4] apart = {0, 0, 4, 24}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339}>
{
  [qkv] m = MatMul (x, w)
  m_b = Add (m, b)
  m_h = Reshape (m_b, apart)
  m_t = Transpose <perm = [0, 2, 1, 3]> (m_h)
  q, k_h, v = Split <axis = 3> (m_t, thirds)
  k = Transpose <perm = [0, 1, 3, 2]> (k_h)"""
    + _TAIL,
    "grouped-query": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 48] wq, float[12, 16] wk, float[12, 16] wv, float[48, 12] wo,
 int64[4] apart = {0, 0, 6, 8}, int64[4] few = {0, 0, 2, 8}, int64[5] many = {1, 2, 3, 5, 8},
 int64[1] after = {2}, int64[4] flat = {1, 6, 5, 8}, int64[3] merge = {0, 0, 48}, float factor = {0.35355339}>
{
  [query] q_m = MatMul (x, wq)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  [key] k_m = MatMul (x, wk)
  k_h = Reshape (k_m, few)
  k_t = Transpose <perm = [0, 2, 1, 3]> (k_h)
  k_u = Unsqueeze (k_t, after)
  k_e = Expand (k_u, many)
  k_r = Reshape (k_e, flat)
  k = Transpose <perm = [0, 1, 3, 2]> (k_r)
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, few)
  v_t = Transpose <perm = [0, 2, 1, 3]> (v_h)
  v_u = Unsqueeze (v_t, after)
  v_e = Expand (v_u, many)
  v = Reshape (v_e, flat)"""
    + _TAIL,
    "multi-query": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 8] wk, float[12, 8] wv, float[32, 12] wo,
 int64[4] apart = {0, 0, 4, 8}, int64[4] single = {0, 0, 1, 8}, int64[4] many = {1, 4, 5, 8},
 int64[3] merge = {0, 0, 32}, float factor = {0.35355339}>
{
  [query] q_m = MatMul (x, wq)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  [key] k_m = MatMul (x, wk)
  k_h = Reshape (k_m, single)
  k_t = Transpose <perm = [0, 2, 1, 3]> (k_h)
  k_e = Expand (k_t, many)
  k = Transpose <perm = [0, 1, 3, 2]> (k_e)
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, single)
  v_t = Transpose <perm = [0, 2, 1, 3]> (v_h)
  v = Expand (v_t, many)"""
    + _TAIL,
    "rotary-halves": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, float[5, 8] cos, float[5, 8] sin,
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339},
 int64[1] begin = {0}, int64[1] middle = {4}, int64[1] end = {9223372036854775807}, int64[1] axis = {3}>
{
  [query] q_m = MatMul (x, wq)
  q_h = Reshape (q_m, apart)
  q_t = Transpose <perm = [0, 2, 1, 3]> (q_h)
  q_1 = Slice (q_t, begin, middle, axis)
  q_2 = Slice (q_t, middle, end, axis)
  q_n = Neg (q_2)
  q_j = Concat <axis = -1> (q_n, q_1)
  q_c = Mul (q_t, cos)
  q_s = Mul (q_j, sin)
  q = Add (q_c, q_s)
  [key] k_m = MatMul (x, wk)
  k_h = Reshape (k_m, apart)
  k_t = Transpose <perm = [0, 2, 1, 3]> (k_h)
  k_1 = Slice (k_t, begin, middle, axis)
  k_2 = Slice (k_t, middle, end, axis)
  k_n = Neg (k_2)
  k_j = Concat <axis = -1> (k_n, k_1)
  k_c = Mul (k_t, cos)
  k_s = Mul (k_j, sin)
  k_r = Add (k_c, k_s)
  k = Transpose <perm = [0, 1, 3, 2]> (k_r)
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)"""
    + _TAIL,
    "rotary-interleaved": """
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 32] wv, float[32, 12] wo, float[5, 4] cos, float[5, 4] sin,
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339},
 int64[1] begin = {0}, int64[1] next = {1}, int64[1] end = {9223372036854775807}, int64[1] axis = {3},
 int64[1] step = {2}, int64[1] innermost = {-1}, int64[4] joined = {1, 4, 5, 8}>
{
  [query] q_m = MatMul (x, wq)
  q_h = Reshape (q_m, apart)
  q_t = Transpose <perm = [0, 2, 1, 3]> (q_h)
  q_1 = Slice (q_t, begin, end, axis, step)
  q_2 = Slice (q_t, next, end, axis, step)
  c_1 = Mul (q_1, cos)
  s_2 = Mul (q_2, sin)
  r_1 = Sub (c_1, s_2)
  s_1 = Mul (q_1, sin)
  c_2 = Mul (q_2, cos)
  r_2 = Add (s_1, c_2)
  u_1 = Unsqueeze (r_1, innermost)
  u_2 = Unsqueeze (r_2, innermost)
  stacked = Concat <axis = -1> (u_1, u_2)
  q = Reshape (stacked, joined)
  k = Transpose <perm = [0, 1, 3, 2]> (q)
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)"""
    + _TAIL,
    "relative-position-bias": """
g (float[1, 4, 12] x) => (float[1, 4, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, float[7, 4] table,
 int64[16] relative = {3, 4, 5, 6, 2, 3, 4, 5, 1, 2, 3, 4, 0, 1, 2, 3}, int64[3] square = {4, 4, 4},
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339},
 int64[1] front = {0}>
{
  [query] q_m = MatMul (x, wq)
  q_h = Reshape (q_m, apart)
  q_t = Transpose <perm = [0, 2, 1, 3]> (q_h)
  q = Mul (q_t, factor)
  [key] k_m = MatMul (x, wk)
  k_h = Reshape (k_m, apart)
  k = Transpose <perm = [0, 2, 3, 1]> (k_h)
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)
  scores = MatMul (q, k)
  [positions] b_g = Gather <axis = 0> (table, relative)
  b_s = Reshape (b_g, square)
  b_t = Transpose <perm = [2, 0, 1]> (b_s)
  b_u = Unsqueeze (b_t, front)
  biased = Add (scores, b_u)
  p = Softmax <axis = -1> (biased)
  mixed = MatMul (p, v)
  mixed_t = Transpose <perm = [0, 2, 1, 3]> (mixed)
  together = Reshape (mixed_t, merge)
  [out] y = MatMul (together, wo)
}""",
    "key-value-cache": """
g (float[1, 1, 12] x, float[1, 4, 6, 8] past_k, float[1, 4, 6, 8] past_v)
  => (float[1, 1, 12] y, float[1, 4, 7, 8] present_k, float[1, 4, 7, 8] present_v)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 16] wo, float[16, 12] w1,
 int64[4] apart = {0, 0, 4, 8}, int64[3] merge = {0, 0, 32}, float factor = {0.35355339}>
{
  [query] q_m = MatMul (x, wq)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  [key] k_m = MatMul (x, wk)
  k_h = Reshape (k_m, apart)
  k_new = Transpose <perm = [0, 2, 1, 3]> (k_h)
  present_k = Concat <axis = 2> (past_k, k_new)
  k = Transpose <perm = [0, 1, 3, 2]> (present_k)
  [value] v_m = MatMul (x, wv)
  v_h = Reshape (v_m, apart)
  v_new = Transpose <perm = [0, 2, 1, 3]> (v_h)
  present_v = Concat <axis = 2> (past_v, v_new)
  scores = MatMul (q, k)
  scaled = Mul (scores, factor)
  p = Softmax <axis = -1> (scaled)
  mixed = MatMul (p, present_v)
  mixed_t = Transpose <perm = [0, 2, 1, 3]> (mixed)
  together = Reshape (mixed_t, merge)
  [out] o = MatMul (together, wo)
  o_r = Relu (o)
  [last] y = MatMul (o_r, w1)
}""",
}
