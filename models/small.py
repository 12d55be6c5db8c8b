"""A small network that needs no download: a residual CNN with an attention block and an MLP.

It has one of each thing that structured pruning meets: a residual sum, a depthwise convolution, batch and
layer normalisation, attention heads behind reshapes, the inner neurons of an MLP.

>>> model = small()
>>> [output.name for output in model.graph.output]
['y']
"""

from __future__ import annotations

import sys
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

WIDTH = 128
SHAPE = (1, 3, 64, 64)

# 64 x 64 pixels become 16 x 16 = 256 tokens of WIDTH = 4 heads x 32.
TEXT = """
<ir_version: 9, opset_import: ["" : 18], producer_name: "graphprune.models.small">
small (float[n, 3, 64, 64] x) => (float[n, 10] y)
<int64[3] flat = {0, 128, 256}, int64[4] split = {0, 256, 4, 32}, int64[3] merge = {0, 256, 128},
 int64[4] image = {0, 128, 16, 16}, int64[2] rows = {0, 128},
 float scale = {0.17677669}, float half = {0.5}, float one = {1.0}, float root2 = {1.4142135}>
{
  stem_c = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x, stem_weight)
  stem_n = BatchNormalization (stem_c, stem_gamma, stem_beta, stem_mean, stem_var)
  stem = Relu (stem_n)

  wide_c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (stem, wide_weight)
  wide_n = BatchNormalization (wide_c, wide_gamma, wide_beta, wide_mean, wide_var)
  wide = Relu (wide_n)
  back_c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (wide, back_weight)
  back_n = BatchNormalization (back_c, back_gamma, back_beta, back_mean, back_var)
  body_s = Add (back_n, stem)
  body = Relu (body_s)

  deep_c = Conv <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1], group = 64>
    (body, deep_weight, deep_bias)
  deep = Relu (deep_c)
  point = Conv <kernel_shape = [1, 1]> (deep, point_weight, point_bias)

  point_f = Reshape (point, flat)
  tokens = Transpose <perm = [0, 2, 1]> (point_f)
  tokens_n = LayerNormalization (tokens, norm1_gamma, norm1_beta)
  q_m = MatMul (tokens_n, q_weight)
  q_b = Add (q_m, q_bias)
  q_r = Reshape (q_b, split)
  q = Transpose <perm = [0, 2, 1, 3]> (q_r)
  k_m = MatMul (tokens_n, k_weight)
  k_b = Add (k_m, k_bias)
  k_r = Reshape (k_b, split)
  k = Transpose <perm = [0, 2, 3, 1]> (k_r)
  v_m = MatMul (tokens_n, v_weight)
  v_b = Add (v_m, v_bias)
  v_r = Reshape (v_b, split)
  v = Transpose <perm = [0, 2, 1, 3]> (v_r)
  qk = MatMul (q, k)
  scores = Mul (qk, scale)
  weights = Softmax <axis = -1> (scores)
  mix = MatMul (weights, v)
  mix_t = Transpose <perm = [0, 2, 1, 3]> (mix)
  mix_r = Reshape (mix_t, merge)
  out_m = MatMul (mix_r, out_weight)
  out = Add (out_m, out_bias)
  attended = Add (tokens, out)

  attended_n = LayerNormalization (attended, norm2_gamma, norm2_beta)
  up_m = MatMul (attended_n, up_weight)
  up = Add (up_m, up_bias)
  up_d = Div (up, root2)
  up_e = Erf (up_d)
  up_o = Add (up_e, one)
  up_x = Mul (up, up_o)
  gelu = Mul (up_x, half)
  down_m = MatMul (gelu, down_weight)
  down = Add (down_m, down_bias)
  mixed = Add (attended, down)

  mixed_t = Transpose <perm = [0, 2, 1]> (mixed)
  mixed_i = Reshape (mixed_t, image)
  pooled = GlobalAveragePool (mixed_i)
  features = Reshape (pooled, rows)
  y = Gemm <transB = 1> (features, head_weight, head_bias)
}
"""

NORMS = {"stem": 64, "wide": 128, "back": 64}
WEIGHTS: dict[str, tuple[int, ...]] = {
    "stem_weight": (64, 3, 3, 3),
    "wide_weight": (128, 64, 3, 3),
    "back_weight": (64, 128, 3, 3),
    "deep_weight": (64, 1, 3, 3),
    "point_weight": (WIDTH, 64, 1, 1),
    "q_weight": (WIDTH, WIDTH),
    "k_weight": (WIDTH, WIDTH),
    "v_weight": (WIDTH, WIDTH),
    "out_weight": (WIDTH, WIDTH),
    "up_weight": (WIDTH, 4 * WIDTH),
    "down_weight": (4 * WIDTH, WIDTH),
    "head_weight": (10, WIDTH),
}
BIASES = {
    "deep": 64,
    "point": 128,
    "q": 128,
    "k": 128,
    "v": 128,
    "out": 128,
    "up": 512,
    "down": 128,
    "head": 10,
}


def small(seed: int = 0) -> onnx.ModelProto:
    """The network with weights drawn from `seed`: the same seed gives the same bytes."""
    rng = np.random.default_rng(seed)
    values: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for name, shape in WEIGHTS.items():
        inputs = shape[0] if len(shape) == 2 and name != "head_weight" else prod(shape[1:])
        values[name] = rng.normal(0.0, inputs**-0.5, shape)
    for name, size in BIASES.items():
        values[f"{name}_bias"] = rng.normal(0.0, 0.1, size)
    for name, size in NORMS.items():
        values[f"{name}_gamma"] = rng.uniform(0.5, 1.5, size)
        values[f"{name}_beta"] = rng.normal(0.0, 0.1, size)
        values[f"{name}_mean"] = rng.normal(0.0, 0.1, size)
        values[f"{name}_var"] = rng.uniform(0.5, 1.5, size)
    for name in ("norm1", "norm2"):
        values[f"{name}_gamma"] = rng.uniform(0.5, 1.5, WIDTH)
        values[f"{name}_beta"] = rng.normal(0.0, 0.1, WIDTH)
    model = onnx.parser.parse_model(TEXT)
    for name, value in values.items():
        model.graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), name))
    return model


def main(path: str) -> None:
    """Write the network to `path`: `python -m models.small small.onnx`."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(small().SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(sys.argv[1])
