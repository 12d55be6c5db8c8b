"""Networks with residual branches, and what is to be found in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Residual:
    """A network as text for `fill`; its layers as (name, skipped tensor, nodes that go beside the addition);
    and the other additions with the reason why each is no layer's.
    """

    text: str
    layers: tuple[tuple[str, str, int], ...]
    others: Mapping[str, str]


_BOTH = "both operands are computed with weights, as where a shortcut is projected"
_OUTSIDE = "inside the branch is used outside of it"

_ATTENTION = """
  q_{0} = MatMul ({1}, wq{0})
  k_{0} = MatMul ({1}, wk{0})
  v_{0} = MatMul ({1}, wv{0})
  kt_{0} = Transpose <perm = [0, 2, 1]> (k_{0})
  s_{0} = MatMul (q_{0}, kt_{0})
  m_{0} = {2}
  p_{0} = Softmax (m_{0})
  c_{0} = MatMul (p_{0}, v_{0})
  a_{0} = MatMul (c_{0}, wo{0})"""
_MLP = """
  u_{0} = Gemm (flat_{0}, up{0}, up_b{0})
  g_{0} = Gelu (u_{0})
  d_{0} = Gemm (g_{0}, down{0}, down_b{0})"""
_TOKENS = "g (float[batch, 5, 8] x, float[batch, 5, 5] mask) => (float[batch, 5, 3] y)\n<"
_WEIGHTS = """float[8, 8] wq{0}, float[8, 8] wk{0}, float[8, 8] wv{0}, float[8, 8] wo{0},
 float[8, 12] up{0}, float[12, 8] down{0}, float[8] scale{0}, float[8] shift{0}, float[8] scale{0}_2,
 float[8] shift{0}_2, """


def _pre_norm(block: str, x: str) -> str:
    """A block whose nodes have no names; attention reads a mask, which is cut to size in each block anew."""
    n = f"n_{block}"
    return f"""
  {n} = LayerNormalization (x_{x}, scale{block}, shift{block})
  mask_{block} = Mul (mask, ten)
  {_ATTENTION.format(block, n, f"Add (s_{block}, mask_{block})")}
  h_{block} = Add (x_{x}, a_{block})
  n2_{block} = LayerNormalization (h_{block}, scale{block}_2, shift{block}_2)
  u_{block} = MatMul (n2_{block}, up{block})
  g_{block} = Tanh (u_{block})
  d_{block} = MatMul (g_{block}, down{block})
  x_{block} = Add (d_{block}, h_{block})"""


def _post_norm(block: str, x: str) -> str:
    """A block as in BERT, with a mask that all blocks share, and sizes that are read at run time."""
    return f"""
  {_ATTENTION.format(block, f"x_{x}", f"Add (s_{block}, masked)")}
  sizes_{block} = Shape (x_{x})
  same_{block} = Reshape (a_{block}, sizes_{block})
  [attended_{block}] r_{block} = Add (same_{block}, x_{x})
  h_{block} = LayerNormalization (r_{block}, scale{block}, shift{block})
  u_{block} = MatMul (h_{block}, up{block})
  g_{block} = Tanh (u_{block})
  d_{block} = MatMul (g_{block}, down{block})
  [fed_{block}] t_{block} = Add (d_{block}, h_{block})
  x_{block} = LayerNormalization (t_{block}, scale{block}_2, shift{block}_2)"""


RESIDUALS: dict[str, Residual] = {
    "pre-norm transformer without names": Residual(
        _TOKENS + _WEIGHTS.format("1") + _WEIGHTS.format("2") + "float[8, 3] head, float ten = {10.0}>\n{"
        "  x_0 = Identity (x)" + _pre_norm("1", "0") + _pre_norm("2", "1") + "  y = MatMul (x_2, head)}",
        (("h_1", "x_0", 11), ("x_1", "h_1", 4), ("h_2", "x_1", 11), ("x_2", "h_2", 4)),
        {},
    ),
    "post-norm transformer": Residual(
        _TOKENS + _WEIGHTS.format("1") + _WEIGHTS.format("2") + "float[8, 3] head, float ten = {10.0}>\n{"
        "  x_0 = Identity (x)  masked = Mul (mask, ten)"
        + _post_norm("1", "0")
        + _post_norm("2", "1")
        + "  y = MatMul (x_2, head)}",
        (("attended_1", "x_0", 11), ("fed_1", "h_1", 3), ("attended_2", "x_1", 11), ("fed_2", "h_2", 3)),
        {},
    ),
    "attention and MLP in parallel behind one norm": Residual(
        _TOKENS + _WEIGHTS.format("1") + "float[8, 3] head>\n{"
        "  n = LayerNormalization (x, scale1, shift1)"
        + _ATTENTION.format("1", "n", "Add (s_1, mask)")
        + """
  [attended] h = Add (x, a_1)
  u = MatMul (n, up1)
  t = Tanh (u)
  d = MatMul (t, down1)
  [fed] f = Add (d, h)
  y = MatMul (f, head)
}""",
        (("attended", "x", 9), ("fed", "h", 3)),
        {},
    ),
    "basic blocks of a ResNet": Residual(
        """g (float[1, 3, 8, 8] x) => (float[1, 4, 4, 4] y)
<float[6, 3, 3, 3] w0, float[6, 6, 3, 3] w1, float[6] b1, float[6, 6, 3, 3] w2, float[10, 6, 3, 3] w3,
 float[10, 10, 3, 3] w4, float[10, 6, 1, 1] w5, float[10, 10, 3, 3] w6, float[10, 10, 3, 3] w7,
 float[4, 10, 1, 1] head>
{
  s = Conv <pads = [1, 1, 1, 1]> (x, w0)
  s_r = Relu (s)
  a = Conv <pads = [1, 1, 1, 1]> (s_r, w1, b1)
  a_r = Relu (a)
  b = Conv <pads = [1, 1, 1, 1]> (a_r, w2)
  [first] sum = Add (b, s_r)
  sum_r = Relu (sum)
  c = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (sum_r, w3)
  c_r = Relu (c)
  d = Conv <pads = [1, 1, 1, 1]> (c_r, w4)
  p = Conv <strides = [2, 2]> (sum_r, w5)
  [down] sum2 = Add (d, p)
  sum2_r = Relu (sum2)
  e = Conv <pads = [1, 1, 1, 1]> (sum2_r, w6)
  e_r = Relu (e)
  f = Conv <pads = [1, 1, 1, 1]> (e_r, w7)
  [second] sum3 = Add (f, sum2_r)
  sum3_r = Relu (sum3)
  y = Conv (sum3_r, head)
}""",
        (("first", "s_r", 3), ("second", "sum2_r", 3)),
        {"down": _BOTH},
    ),
    "inverted residual without expansion": Residual(
        """g (float[1, 6, 5, 5] x) => (float[1, 4, 5, 5] y)
<float[6, 1, 3, 3] dw, float[6, 6, 1, 1] w1, float[4, 6, 1, 1] head, float low = {0.0}, float high = {6.0}>
{
  d = Conv <group = 6, pads = [1, 1, 1, 1]> (x, dw)
  d_c = Clip (d, low, high)
  p = Conv (d_c, w1)
  [join] sum = Sum (x, p)
  y = Conv (sum, head)
}""",
        (("join", "x", 3),),
        {},
    ),
    "inner tensor is an output": Residual(
        """g (float[2, 6] x) => (float[2, 3] y, float[2, 6] a)
<float[6, 6] w1, float[6, 6] w2, float[6, 3] head>
{ a = MatMul (x, w1) r = Relu (a) b = MatMul (r, w2) [join] s = Add (x, b) y = MatMul (s, head) }""",
        (),
        {"join": f"'a' {_OUTSIDE}"},
    ),
    "inner tensor is used elsewhere": Residual(
        """g (float[2, 6] x) => (float[2, 3] y)
<float[6, 6] w1, float[6, 6] w2, float[6, 3] head>
{ a = MatMul (x, w1) r = Relu (a) b = MatMul (r, w2) [join] s = Add (x, b) m = Mul (s, r)
  y = MatMul (m, head) }""",
        (),
        {"join": f"'r' {_OUTSIDE}"},
    ),
    "branches inside a branch": Residual(
        """g (float[2, 6] x) => (float[2, 3] y)
<float[6, 6] w1, float[6, 6] w2, float[6, 6] w3, float[6, 6] w4, float[6, 3] head>
{ a = MatMul (x, w1) b = MatMul (a, w2) b_s = Sigmoid (b) [inner] i = Add (a, b_s)
  c = MatMul (i, w3) [inmost] j = Add (i, c) d = MatMul (j, w4) [outer] s = Add (d, x)
  y = MatMul (s, head) }""",
        (("inner", "a", 2), ("inmost", "i", 1), ("outer", "x", 7)),
        {},
    ),
    "last addition is the output": Residual(
        """g (float[2, 6] x) => (float[2, 6] y, float[2, 6] z) <float[6, 6] w1, float[6, 6] w2>
{ a = MatMul (x, w1) [first] s = Add (x, a) b = MatMul (s, w2) b_t = Tanh (b) [last] y = Add (b_t, s)
  z = Relu (y) }""",
        (("first", "x", 1), ("last", "s", 2)),
        {},
    ),
    "body reads the sum": Residual(
        """g (float[2, 6] x, bool which) => (float[2, 6] z)
<float[6, 6] w1, float[6, 6] w2>
{ a = MatMul (x, w1) [first] s = Add (x, a) b = MatMul (s, w2) [second] t = Add (s, b)
  y = If (which) <then_branch = yes () => (float[2, 6] p) { p = Relu (t) },
                  else_branch = no () => (float[2, 6] q) { q = Neg (t) }>
  z = Tanh (y) }""",
        (("first", "x", 1), ("second", "s", 1)),
        {},
    ),
    "branch that is infinite": Residual(
        """g (float[2, 6] x) => (float[2, 3] y) <float[6, 6] w1, float[6, 3] head, float nothing = {0.0}>
{ a = MatMul (x, w1) b = Div (a, nothing) [join] s = Add (x, b) y = MatMul (s, head) }""",
        (("join", "x", 2),),
        {},
    ),
    "shortcut that is scaled": Residual(
        """g (float[2, 6] x) => (float[2, 3] y) <float[6, 6] w1, float[6] gain, float[6, 3] head>
{ [wide] g = Mul (x, gain) n = Tanh (x) a = MatMul (n, w1) [join] s = Add (g, a) y = MatMul (s, head) }""",
        (("join", "g", 2),),
        {},
    ),
    "blocks that share their weights": Residual(
        """g (float[2, 6] x) => (float[2, 3] y) <float[6, 9] w1, float[9, 6] w2, float[6, 3] head>
{ a = MatMul (x, w1) a_t = Tanh (a) b = MatMul (a_t, w2) [first] s = Add (x, b)
  c = MatMul (s, w1) c_t = Tanh (c) d = MatMul (c_t, w2) [second] t = Add (s, d) y = MatMul (t, head) }""",
        (("first", "x", 3), ("second", "s", 3)),
        {},
    ),
    "weights in half precision": Residual(
        """g (float16[2, 6] x) => (float16[2, 3] y)
<float16[6, 9] w1, float16[9, 6] w2, float16[6, 3] head>
{ a = MatMul (x, w1) a_t = Tanh (a) b = MatMul (a_t, w2) [join] s = Add (x, b) y = MatMul (s, head) }""",
        (("join", "x", 3),),
        {},
    ),
    "quantised": Residual(
        """g (float[1, 4, 5, 5] x) => (float[1, 3, 5, 5] y)
<int8[4, 4, 3, 3] w, float[4, 4, 1, 1] v, float[3, 4, 1, 1] head, float step = {0.05}, int8 zero = {0}>
{ e = Conv (x, v) q = QuantizeLinear (e, step, zero) i = DequantizeLinear (q, step, zero)
  w_f = DequantizeLinear (w, step, zero) a = Conv <pads = [1, 1, 1, 1]> (i, w_f)
  a_q = QuantizeLinear (a, step, zero) a_d = DequantizeLinear (a_q, step, zero)
  k = DequantizeLinear (q, step, zero) [join] s = Add (k, a_d) y = Conv (s, head) }""",
        (("join", "k", 5),),
        {},
    ),
    "additions that are no residuals": Residual(
        """g (float[2, 6] x, float[2, 6] z) => (float[2, 3] y, float[2, 6] v)
<float[6, 6] w1, float[6, 6] w2, float[6] b, float[2, 6] c, float[6, 3] head>
{ a = MatMul (x, w1) a_b = Add (a, b) a_c = Add (a_b, c) d = Add (a_c, a_c) [input] e = Add (d, z)
  t = Tanh (e) [free] f = Add (t, e) p = MatMul (f, w2) [towers] v = Add (p, f) y = MatMul (e, head) }""",
        (("towers", "f", 1),),
        {},
    ),
    "two blocks of one tensor added to each other": Residual(
        """g (float[2, 6] x) => (float[2, 3] y) <float[6, 6] w1, float[6, 6] w2, float[6, 3] head>
{ a = MatMul (x, w1) [one] h = Add (x, a) b = MatMul (x, w2) [other] k = Add (x, b) [sum] s = Add (h, k)
  y = MatMul (s, head) }""",
        (("one", "x", 1), ("other", "x", 1)),
        {"sum": "either operand could be the branch"},
    ),
    "a group of the same name": Residual(
        """g (float[2, 6] x) => (float[2, 3] y) <float[6, 9] w1, float[9, 6] w2, float[6, 3] head>
{ [s] a = MatMul (x, w1) a_t = Tanh (a) b = MatMul (a_t, w2) s = Add (x, b) y = MatMul (s, head) }""",
        (("s:layer", "x", 3),),
        {},
    ),
}
