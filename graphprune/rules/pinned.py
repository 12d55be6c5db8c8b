"""Operators of ONNX that have no rule on purpose, each with the reason."""

from __future__ import annotations

_REASONS: dict[str, str] = {
    "its body reads the values around it": "SequenceMap",
    "it handles sequences whose places are not known, or optional values": (
        "ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct "
        "SequenceEmpty SequenceErase SequenceInsert SequenceLength SplitToSequence"
    ),
    "it handles strings": "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer",
    "its values depend on positions": "EyeLike Range AffineGrid BlackmanWindow HammingWindow HannWindow",
    "its output is random, so that nothing could be proved": (
        "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike"
    ),
    "which elements it picks depends on data": "NonMaxSuppression NonZero Unique ScatterElements Scatter",
    "it transforms whole axes": "DFT STFT MelWeightMatrix Det CenterCropPad ImageDecoder",
    "it numbers the elements of the whole tensor": "MaxUnpool",
    "it belongs to training": (
        "Adagrad Adam Gradient Momentum NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss"
    ),
    "it writes into a cache whose layout is part of the interface": "TensorScatter",
    "its values are constants of its own": "Constant",
    "ONNX Runtime cannot run it yet, so that no rule for it could be checked": (
        "CausalConvWithState LinearAttention SwiGLU"
    ),
}
PINNED: dict[str, str] = {op: reason for reason, ops in _REASONS.items() for op in ops.split()}
