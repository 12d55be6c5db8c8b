"""Networks whose attention is one operator, an Einsum, or computes its sizes and scales from shapes."""

from __future__ import annotations

_MICROSOFT = '<ir_version: 10, opset_import: ["" : 18, "com.microsoft" : 1]>'

TEXTS: dict[str, str] = {
    "attention-by-einsum": """
g (float[2, 5, 12] x) => (float[2, 5, 12] y)
<float[12, 4, 8] wq, float[12, 4, 8] wk, float[12, 4, 8] wv, float[4, 8, 12] wo, float factor = {0.35355339}>
{
  [query] q = Einsum <equation = "bsi,ihd->bhsd"> (x, wq)
  [key] k = Einsum <equation = "bsi,ihd->bhsd"> (x, wk)
  [value] v = Einsum <equation = "bsi,ihd->bhsd"> (x, wv)
  scores = Einsum <equation = "bhqd,bhkd->bhqk"> (q, k)
  scaled = Mul (scores, factor)
  p = Softmax <axis = -1> (scaled)
  mixed = Einsum <equation = "bhqk,bhkd->bqhd"> (p, v)
  [out] y = Einsum <equation = "bqhd,hdo->bqo"> (mixed, wo)
}""",
    "attention-operator": """<ir_version: 10, opset_import: ["" : 23]>
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 16] wk, float[12, 16] wv, float[32, 12] wo>
{
  [query] q = MatMul (x, wq)
  [key] k = MatMul (x, wk)
  [value] v = MatMul (x, wv)
  [attend] a = Attention <q_num_heads = 4, kv_num_heads = 2> (q, k, v)
  [out] y = MatMul (a, wo)
}""",
    "multi-head-attention-operator": f"""{_MICROSOFT}
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[96] bias, float[32, 12] wo>
{{
  [query] q = MatMul (x, wq)
  [key] k = MatMul (x, wk)
  [value] v = MatMul (x, wv)
  [attend] a = com.microsoft.MultiHeadAttention <num_heads = 4> (q, k, v, bias)
  [out] y = MatMul (a, wo)
}}""",
    "packed-attention-operator": f"""{_MICROSOFT}
g (float[1, 5, 12] x) => (float[1, 5, 12] y)
<float[12, 96] w, float[96] bias, float[32, 12] wo>
{{
  [attend] a = com.microsoft.Attention <num_heads = 4> (x, w, bias)
  [out] y = MatMul (a, wo)
}}""",
    "grouped-query-operator": f"""{_MICROSOFT}
g (float[1, 3, 12] x) => (float[1, 3, 12] y)
<float[12, 64] wq, float[12, 32] wk, float[12, 32] wv, float[64, 12] wo,
 int32[1] last = {{2}}, int32 total = {{3}}>
{{
  [query] q = MatMul (x, wq)
  [key] k = MatMul (x, wk)
  [value] v = MatMul (x, wv)
  [attend] a, present_k, present_v =
    com.microsoft.GroupQueryAttention <num_heads = 4, kv_num_heads = 2> (q, k, v, , , last, total)
  [out] y = MatMul (a, wo)
}}""",
    "attention-scaled-at-run-time": """
g (float[batch, length, 12] x) => (float[batch, length, 12] y)
<float[12, 32] wq, float[12, 32] wk, float[12, 32] wv, float[32, 12] wo, int64 zero = {0}, int64 one = {1},
 int64[1] heads = {4}, int64[1] rest = {-1}, int64[1] width = {32}, int64[1] last = {-1},
 int64[1] end = {9223372036854775807}, float unit = {1.0}, int64[1] front = {0}>
{
  [query] q_m = MatMul (x, wq)
  [key] k_m = MatMul (x, wk)
  [value] v_m = MatMul (x, wv)
  shape = Shape (x)
  batch_ = Gather <axis = 0> (shape, zero)
  length_ = Gather <axis = 0> (shape, one)
  batch1 = Unsqueeze (batch_, front)
  length1 = Unsqueeze (length_, front)
  apart = Concat <axis = 0> (batch1, length1, heads, rest)
  q_h = Reshape (q_m, apart)
  q = Transpose <perm = [0, 2, 1, 3]> (q_h)
  k_h = Reshape (k_m, apart)
  k = Transpose <perm = [0, 2, 3, 1]> (k_h)
  v_h = Reshape (v_m, apart)
  v = Transpose <perm = [0, 2, 1, 3]> (v_h)
  q_shape = Shape (q)
  size = Slice (q_shape, last, end)
  size_f = Cast <to = 1> (size)
  root = Sqrt (size_f)
  factor = Div (unit, root)
  half = Sqrt (factor)
  q_s = Mul (q, half)
  k_s = Mul (k, half)
  scores = MatMul (q_s, k_s)
  p = Softmax <axis = -1> (scores)
  mixed = MatMul (p, v)
  mixed_t = Transpose <perm = [0, 2, 1, 3]> (mixed)
  merge = Concat <axis = 0> (batch1, length1, width)
  together = Reshape (mixed_t, merge)
  [out] y = MatMul (together, wo)
}""",
}
