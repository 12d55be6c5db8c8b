"""Recurrent networks: both directions, states made at run time, states of the interface."""

from __future__ import annotations

TEXTS: dict[str, str] = {
    "lstm-bidirectional": """
g (float[5, batch, 6] x) => (float[5, batch, 3] y)
<float[2, 32, 6] w, float[2, 32, 8] r, float[2, 64] b, float[16, 3] head, int64[1] one = {1},
 int64[1] two = {2},
 int64[1] hidden = {8}, int64[3] flat = {0, 0, -1}>
{
  shape = Shape (x)
  batch1 = Gather <axis = 0> (shape, one)
  state = Concat <axis = 0> (two, batch1, hidden)
  zeros = ConstantOfShape (state)
  [recur] h, h_n, c_n = LSTM <hidden_size = 8, direction = "bidirectional"> (x, w, r, b, , zeros, zeros)
  h_t = Transpose <perm = [0, 2, 1, 3]> (h)
  joined = Reshape (h_t, flat)
  [last] y = MatMul (joined, head)
}""",
    "gru-bidirectional": """
g (float[5, batch, 6] x) => (float[5, batch, 3] y)
<float[2, 24, 6] w, float[2, 24, 8] r, float[2, 48] b, float[1, 24, 16] w2, float[1, 24, 8] r2,
 float[8, 3] head,
 int64[1] one = {1}, int64[1] two = {2}, int64[1] hidden = {8}, int64[3] flat = {0, 0, -1}>
{
  shape = Shape (x)
  batch1 = Gather <axis = 0> (shape, one)
  state = Concat <axis = 0> (two, batch1, hidden)
  zeros = ConstantOfShape (state)
  [lower] h, h_n = GRU <hidden_size = 8, linear_before_reset = 1, direction = "bidirectional">
    (x, w, r, b, , zeros)
  h_t = Transpose <perm = [0, 2, 1, 3]> (h)
  joined = Reshape (h_t, flat)
  [upper] u, u_n = GRU <hidden_size = 8> (joined, w2, r2)
  squeezed = Squeeze (u, one)
  [last] y = MatMul (squeezed, head)
}""",
    "lstm-with-peepholes": """
g (float[5, 2, 6] x) => (float[5, 2, 3] y)
<float[6, 10] enter, float[1, 32, 10] w, float[1, 32, 8] r, float[1, 64] b, float[1, 2, 8] h0,
 float[1, 2, 8] c0,
 float[1, 24] peep, float[8, 3] head, int64[1] one = {1}>
{
  [before] e = MatMul (x, enter)
  [recur] h, h_n, c_n = LSTM <hidden_size = 8> (e, w, r, b, , h0, c0, peep)
  squeezed = Squeeze (h, one)
  [last] y = MatMul (squeezed, head)
}""",
    "rnn-with-states-of-the-interface": """
g (float[5, 2, 6] x, float[1, 2, 8] before) => (float[5, 2, 3] y, float[1, 2, 8] after)
<float[1, 8, 6] w, float[1, 8, 8] r, float[8, 10] up, float[10, 3] head, int64[1] one = {1}>
{
  [recur] h, after = RNN <hidden_size = 8> (x, w, r, , , before)
  squeezed = Squeeze (h, one)
  [wide] a = MatMul (squeezed, up)
  a_r = Relu (a)
  [last] y = MatMul (a_r, head)
}""",
    "lstm-last-state": """
g (float[5, 2, 6] x) => (float[2, 3] y)
<float[2, 32, 6] w, float[2, 32, 8] r, float[16, 3] head, int64[2] f = {2, -1}>
{
  h,
  hn,
  cn = LSTM <hidden_size = 8, direction = "bidirectional"> (x, w, r)
  t = Transpose <perm = [1, 0, 2]> (hn)
  s = Reshape (t, f)
  y = MatMul (s, head)
}""",
}
