"""Small decoders with caches, as exporters write them: two heads of four, a table of 50 words."""

from __future__ import annotations

_HEAD = '<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>'
_WEIGHTS = """<float[50, 8] words, float[8, 8] wq, float[8, 8] wk, float[8, 8] wv, float[8, 50] wo,
 float scale = {0.5}, float one = {1.0}, float low = {-10000.0}, int64[4] split = {0, 0, 2, 4},
 int64[3] join = {0, 0, 8}, int64[1] i0 = {0}, int64[1] i1 = {1}, int64[1] i2 = {2}, int64[2] i12 = {1, 2},
 int64 z = {0}, int64 u = {1}, int64[1] head = {4}, int64[1] two = {2}, int64[1] minus = {-1}%s>"""
_SPLIT = """
  {0}0 = MatMul (h, w{0}) {0}1 = Reshape ({0}0, split) {0}2 = Transpose <perm=[0, 2, 1, 3]> ({0}1)"""
_ATTEND = """
  kt = Transpose <perm=[0, 1, 3, 2]> (present_k) s0 = MatMul (q2, kt) s1 = Mul (s0, scale) s2 = Add (s1, bias)
  s3 = Softmax <axis=-1> (s2) a0 = MatMul (s3, present_v) a1 = Transpose <perm=[0, 2, 1, 3]> (a0)
  a2 = Reshape (a1, join) o = Add (h, a2) logits = MatMul (o, wo)"""
_CACHES = "float[b, 2, p, 4] past_k, float[b, 2, p, 4] past_v"
_OUT = "(float[b, s, 50] logits, float[b, 2, t, 4] present_k, float[b, 2, t, 4] present_v)"
_QKV = "".join(_SPLIT.format(name) for name in "qkv")
_JOINED = """
  present_k = Concat <axis=2> (past_k, k2) present_v = Concat <axis=2> (past_v, v2)"""
_MASKED = """
  m0 = Cast <to=1> (attention_mask) m1 = Sub (one, m0) m2 = Mul (m1, low) bias = Unsqueeze (m2, i12)"""


def _model(inputs: str, body: str, weights: str = "", outputs: str = _OUT) -> str:
    return f"{_HEAD}\nnet ({inputs}) => {outputs}\n{_WEIGHTS % weights}\n{{{body}\n}}"


MASK = "int64[b, t] attention_mask"
PLAIN = _model(
    f"int64[b, s] ids, {MASK}, {_CACHES}",
    f"  h = Gather (words, ids){_QKV}{_JOINED}{_MASKED}{_ATTEND}",
)
"""A mask as long as past and steps, under a name of its own."""

ANONYMOUS = PLAIN.replace("int64[b, t] attention_mask", "int64[N, M] attention_mask")

POSITION_IDS = _model(
    f"int64[b, s] ids, {MASK}, int64[b, s] position_ids, {_CACHES}",
    f"""  e = Gather (words, ids) at = Gather (places, position_ids) h = Add (e, at)
  {_QKV}{_JOINED}{_MASKED}{_ATTEND}""",
    ", float[64, 8] places",
)
"""GPT-2: positions are an input."""

PLACES = """
  pshape = Shape (past_k) plen = Gather (pshape, two) ishape = Shape (ids) slen = Gather (ishape, i1)
  total = Add (plen, slen)"""
LEARNED = _model(
    f"int64[b, s] ids, {MASK}, {_CACHES}",
    f"""  e = Gather (words, ids){PLACES} at = Slice (places, plen, total, i0) h = Add (e, at)
  {_QKV}{_JOINED}{_MASKED}{_ATTEND}""",
    ", float[64, 8] places",
)
"""A table of 64 positions, cut from past to past and steps."""

ARANGED = _model(
    f"int64[b, s] ids, {MASK}, {_CACHES}",
    f"""  e = Gather (words, ids){PLACES} p0 = Squeeze (plen) t0 = Squeeze (total)
  steps = Range (p0, t0, u) at = Gather (places, steps) h = Add (e, at)
  {_QKV}{_JOINED}{_MASKED}{_ATTEND}""",
    ", float[64, 8] places",
)
"""The same with a Range as indices."""

COUNTED = _model(
    f"int64[b, s] ids, {MASK}, {_CACHES}",
    f"""  e = Gather (words, ids){PLACES} n0 = CumSum (attention_mask, u) n1 = Mul (n0, attention_mask)
  n2 = Sub (n1, i1) n3 = Slice (n2, plen, total, i1) n4 = Add (n3, two) at = Gather (places, n4)
  h = Add (e, at)
  {_QKV}{_JOINED}{_MASKED}{_ATTEND}""",
    ", float[66, 8] places",
)
"""OPT: positions are counted over the mask, two behind."""

SLIDING = _model(
    f"int64[b, s] ids, {_CACHES}",
    f"""  h = Gather (words, ids){_QKV}{PLACES}
  all_k = Concat <axis=2> (past_k, k2) all_v = Concat <axis=2> (past_v, v2)
  back = Sub (total, window) from = Max (back, i0)
  present_k = Slice (all_k, from, total, i2) present_v = Slice (all_v, from, total, i2)
  {_ATTEND.replace("s2 = Add (s1, bias)", "s2 = Identity (s1)")}""",
    ", int64[1] window = {12}",
)
"""A cache that keeps the last twelve steps."""

_WIDE = """, float[50, 32] wide, float[32, 32] wide_q, float[32, 16] wide_k, float[32, 16] wide_v,
 float[32, 50] wide_o,
 float[32, 8] cos, float[32, 8] sin"""
_GROUPS = """  h = Gather (wide, ids) q = MatMul (h, wide_q) k = MatMul (h, wide_k) v = MatMul (h, wide_v)"""
GROUPED = _model(
    f"int64[b, s] ids, {MASK}, float[b, 1, p, d] past_k, float[b, 1, p, d] past_v",
    f"""{_GROUPS}
  r0 = ReduceSum <keepdims=0> (attention_mask, i1) r1 = Sub (r0, i1) last = Cast <to=6> (r1)
  c0 = Shape (attention_mask) c1 = Gather (c0, u) total = Cast <to=6> (c1)
  a, present_k, present_v = com.microsoft.GroupQueryAttention
    <num_heads=2, kv_num_heads=1, do_rotary=1> (q, k, v, past_k, past_v, last, total, cos, sin)
  o = Add (h, a) logits = MatMul (o, wide_o)""",
    _WIDE,
    "(float[b, s, 50] logits, float[b, 1, t, d] present_k, float[b, 1, t, d] present_v)",
)
"""onnxruntime-genai: fused attention, a symbol for the head size of the cache, a rotary cache of 32 rows."""

GROUPED_LENGTHS = _model(
    "int64[b, s] ids, float[b, 1, p, 16] past_k, float[b, 1, p, 16] past_v, int32[b] seqlens_k, "
    "int32[1] total_sequence_length",
    f"""{_GROUPS}
  a, present_k, present_v = com.microsoft.GroupQueryAttention
    <num_heads=2, kv_num_heads=1> (q, k, v, past_k, past_v, seqlens_k, total_sequence_length)
  o = Add (h, a) logits = MatMul (o, wide_o)""",
    _WIDE,
    "(float[b, s, 50] logits, float[b, 1, t, 16] present_k, float[b, 1, t, 16] present_v)",
)
"""The same with lengths as inputs."""

BUFFER = GROUPED.replace("float[b, 1, p, d]", "float[b, 1, 16, 16]").replace(
    "float[b, 1, t, d]", "float[b, 1, 16, 16]"
)
"""The same with caches that are buffers of sixteen steps."""

MULTI_HEAD = _model(
    f"int64[b, s] ids, {_CACHES}",
    """  h = Gather (words, ids) q = MatMul (h, wq) k = MatMul (h, wk) v = MatMul (h, wv)
  a, present_k, present_v = com.microsoft.MultiHeadAttention <num_heads=2> (q, k, v, , , , past_k, past_v)
  o = Add (h, a) logits = MatMul (o, wo)""",
)

CROSS = _model(
    f"int64[b, s] ids, float[b, e, 8] encoded, int64[b, e] encoder_attention_mask, {_CACHES}",
    f"""  h = Gather (words, ids){_QKV}{_JOINED} bias = Identity (one)
  {_ATTEND.replace("logits = MatMul (o, wo)", "")}
  ck = MatMul (encoded, wk) cv = MatMul (encoded, wv) ckt = Transpose <perm=[0, 2, 1]> (ck)
  n0 = Cast <to=1> (encoder_attention_mask) n1 = Sub (one, n0) n2 = Mul (n1, low) cbias = Unsqueeze (n2, i1)
  c0 = MatMul (o, ckt) c1 = Add (c0, cbias) c2 = Softmax <axis=-1> (c1) c3 = MatMul (c2, cv)
  c4 = Add (o, c3) logits = MatMul (c4, wo)""",
)
"""A decoder that looks at what an encoder made."""

DECODERS = {
    "plain": PLAIN,
    "anonymous": ANONYMOUS,
    "position_ids": POSITION_IDS,
    "learned": LEARNED,
    "aranged": ARANGED,
    "counted": COUNTED,
    "sliding": SLIDING,
    "grouped": GROUPED,
    "grouped_lengths": GROUPED_LENGTHS,
    "buffer": BUFFER,
    "multi_head": MULTI_HEAD,
    "cross": CROSS,
}
