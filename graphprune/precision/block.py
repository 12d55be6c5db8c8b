"""Operators that stay in float32 unless told otherwise."""

BLOCK = (
    "CumSum",
    "NonMaxSuppression",
    "RandomNormalLike",
    "RandomUniformLike",
    "Range",
    "RoiAlign",
    "TopK",
    "Upsample",
)
"""They count, sort or add up much, or runtimes lack them in 16 bits, cf. the list of ONNX Runtime's float16
converter (`DEFAULT_OP_BLOCK_LIST`); its operators of `ai.onnx.ml` take no 16 bits anyway, and Min and Max
have got kernels since."""
