"""Operators of com.microsoft that ONNX Runtime's optimisers and quantiser put into models.

Those that only its GPU providers have kernels for (BiasAdd, BiasSplitGelu, GroupNorm) have no row: no rule of
theirs could be checked, and no cut of a model with one of them could be verified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx import TensorProto

from graphprune.rules import attention, linear
from graphprune.rules.site import Adds, Row, Site, Table, Unruly, attribute_from, named, text


def _fused_matmul(site: Site) -> str:
    if site.attribute("transBatchA", 0) or site.attribute("transBatchB", 0):
        raise Unruly("it transposes batch dimensions")
    if min(len(site.sizes(0)), len(site.sizes(1))) < 2:
        return linear.matrix_product(site)
    a = "... k m" if site.attribute("transA", 0) else "... m k"
    b = "... n k" if site.attribute("transB", 0) else "... k n"
    return f"{a}, {b} -> ... m n"


def _per_column(site: Site, *slots: int) -> list[str]:
    return ["-" if not site.has(slot) or site.sizes(slot) in ((), (1,)) else "n" for slot in slots]


def _dynamic_quantize_matmul(site: Site) -> str:
    # The scale of the left operand comes from all of its values: every axis of it is mixed.
    scale, point = _per_column(site, 2, 3)
    return f"*! m! k!, k n, {scale}, {point}, n -> *! m n"


def _matmul_integer_to_float(site: Site) -> str:
    scale, point = _per_column(site, 3, 5)
    if _per_column(site, 2, 4) != ["-", "-"]:
        raise Unruly("it has a scale per row")
    return f"... m k, k n, -, {scale}, -, {point}, n -> ... m n"


def _matmul_nbits(site: Site) -> str:
    if site.has(3) or site.has(4):
        raise Unruly("its zero points or groups are packed")
    blocks = site.sizes(1)[1]
    scales = f"(n {blocks})" if len(site.sizes(2)) == 1 else "n _"
    return f"... _, n _ _, {scales}, -, -, n -> ... n"


def _qgemm(site: Site) -> str:
    a = "k m" if site.attribute("transA", 0) else "m k"
    b = "n k" if site.attribute("transB", 0) else "k n"
    scale, point = _per_column(site, 4, 5)
    return f"{a}, -, -, {b}, {scale}, {point}, n, -, - -> m n"


def _qlinear_concat(site: Site) -> str:
    slots = range(2, len(site.node.inputs), 3)
    rank = len(site.sizes(2))
    axis = site.axis(0, rank)
    dims = named(rank)
    parts = [f"p{number}" for number in range(len(slots))]
    inputs = ["-", "-"]
    for part in parts:
        inputs += [" ".join([*dims[:axis], part, *dims[axis + 1 :]]), "-", "-"]
    whole = f"({' + '.join(parts)})" if len(parts) > 1 else parts[0]
    return text(inputs, [[*dims[:axis], whole, *dims[axis + 1 :]]])


def _qlinear_pool(site: Site) -> str:
    """Rule of the average pools; the sizes of the output are written down, since no schema tells them."""
    last = bool(site.attribute("channels_last", 0))
    spatial = site.sizes(0)[1:-1] if last else site.sizes(0)[2:]
    pooled = [1] * len(spatial) if site.node.op == "QLinearGlobalAveragePool" else _pooled(site, spatial)
    words = ["n", *map(str, pooled), "c"] if last else ["n", "c", *map(str, pooled)]
    return text(["n * c" if last else "n c *", *["-"] * 4], [words])


def _pooled(site: Site, sizes: Sequence[int]) -> list[int]:
    if site.attribute("ceil_mode", 0):
        raise Unruly("it rounds its sizes up")
    kernel = site.numbers("kernel_shape")
    strides = site.numbers("strides") or [1] * len(sizes)
    pads = site.numbers("pads") or [0] * 2 * len(sizes)
    if str(site.attribute("auto_pad", "NOTSET")).startswith("SAME"):
        return [-(-size // stride) for size, stride in zip(sizes, strides, strict=True)]
    around = [before + after for before, after in zip(pads, pads[len(sizes) :])]
    return [(a + b - c) // d + 1 for a, b, c, d in zip(sizes, around, kernel, strides, strict=True)]


def _qlinear_softmax(site: Site) -> str:
    axis, rank = site.axis(-1), len(site.sizes(0))
    flattened = int(site.attribute("opset", 13)) < 13
    dims = [name + "!" * (i == axis or (flattened and i >= axis)) for i, name in enumerate(named(rank))]
    return text([dims, *["-"] * 4], [dims])


def _embeddings(site: Site) -> str:
    """Rule of EmbedLayerNormalization: word, position and segment tables, summed and normalised."""
    rows = "1" if site.has(8) and site.sizes(8)[0] == 1 else "b"
    return f"b s_, b s_, _ c!, _ c, _ c, c, c, b s_, {rows} s_ -> b s c, b, b s c"


def _skip_layer(site: Site) -> str:
    operands = {"SkipLayerNormalization": "c, c, c", "SkipSimplifiedLayerNormalization": "c, c"}[site.node.op]
    return f"... c!, ... c, {operands} -> ... c!, ... 1, ... 1, ... c"


def _dynamic_quantize_lstm(site: Site) -> str:
    """Rule of an LSTM whose weights are integers, transposed, with a scale a direction or a column.

    It scales its input, and the state at every step, by their largest values, so that all units are mixed.
    """
    per_column = [
        "_ (4 h!)" if site.has(slot) and len(site.sizes(slot)) == 2 else "_" for slot in range(8, 12)
    ]
    operands = [
        "s_ b! i!",
        "d_ i! (4 h!)",
        "d_ h! (4 h!)",
        "d_ (8 h!)",
        "b!",
        "d_ b! h!",
        "d_ b! h!",
        "d_ (3 h!)",
    ]
    return text([*operands, *per_column], ["s_ d_ b! h!", "d_ b! h!", "d_ b! h!"])


def _gather_blocks(site: Site) -> str:
    """Rule of GatherBlockQuantized: rows of a table whose entries share scales in blocks along one axis.

    Of two 4-bit entries in a byte, the last axis of the data is half as long as that of the result.
    """
    data, rank = site.sizes(0), len(site.sizes(0))
    picked = int(site.attribute("gather_axis", 0)) % rank
    blocked = int(site.attribute("quantize_axis", 1)) % rank
    block = int(site.attribute("block_size", 128))
    stored = np.dtype(site.node.inputs[0].dtype) if site.node.inputs[0].dtype is not None else None
    entries = 2 if stored == np.uint8 and int(site.attribute("bits", 4)) == 4 else 1
    if entries == 2 and blocked != rank - 1:
        raise Unruly("its blocks do not lie along the axis that is packed")
    dims = named(rank)
    table, scales, result = list(dims), list(dims), list(dims)
    whole = data[blocked] * entries
    # Zero points of 4 bits are packed as well, two blocks in a byte.
    if picked == blocked or whole % block or (entries == 2 and site.has(3)):
        table[blocked] = scales[blocked] = "_"
        result[blocked] = str(whole)
    else:
        table[blocked] = f"({dims[blocked]} {block // entries})"
        result[blocked] = f"({dims[blocked]} {block})"
    points = list(scales)
    table[picked] = scales[picked] = points[picked] = "_"
    picks = [f"i{name}" for name in named(len(site.sizes(1)))]
    return text([table, picks, scales, points], [[*result[:picked], *picks, *result[picked + 1 :]]])


TABLE: Table = {
    **attention.MICROSOFT,
    "BiasGelu": Row("... c, c -> ... c"),
    "DequantizeLinear": replace(linear.TABLE["DequantizeLinear"], like={0: 1}),
    "DynamicQuantizeLSTM": Row(
        _dynamic_quantize_lstm,
        attribute_from(hidden_size="h"),
        zeros={1: 9, 2: 11},
        why="it is a direction or a time step",
    ),
    "DynamicQuantizeMatMul": Row(_dynamic_quantize_matmul),
    "EmbedLayerNormalization": Row(_embeddings, like={0: 2, 2: 2}, elements={1: int(TensorProto.INT32)}),
    "FastGelu": Row("... c, c -> ... c"),
    "FusedConv": linear.TABLE["Conv"],
    "FusedGemm": linear.TABLE["Gemm"],
    "FusedMatMul": Row(_fused_matmul),
    "GatherBlockQuantized": Row(_gather_blocks, why="its rows are picked by numbers", like={0: 2}),
    "Gelu": Row("... -> ..."),
    "MatMulIntegerToFloat": Row(_matmul_integer_to_float, zeros={0: 4, 1: 5}, like={0: 2}),
    "MatMulNBits": Row(_matmul_nbits, attribute_from(N="n")),
    "QGemm": Row(_qgemm, zeros={0: 2, 3: 5}, like={0: 8}, elements={0: int(TensorProto.FLOAT)}),
    "QLinearAdd": Row("..., -, -, ..., -, -, -, - -> ...", zeros={0: 2, 3: 5}, adds=Adds(0, 3)),
    "QLinearAveragePool": Row(_qlinear_pool),
    "QLinearConcat": Row(_qlinear_concat, like={0: 2}),
    "QLinearGlobalAveragePool": Row(_qlinear_pool),
    "QLinearLeakyRelu": Row("..., -, -, -, - -> ..."),
    "QLinearMul": Row("..., -, -, ..., -, -, -, - -> ..."),
    "QLinearSigmoid": Row("..., -, -, -, - -> ..."),
    "QLinearSoftmax": Row(_qlinear_softmax),
    "QLinearWhere": Row("..., ..., -, -, ..., -, -, -, - -> ...", like={0: 1}),
    "QuantizeLinear": replace(
        linear.TABLE["QuantizeLinear"], like={0: 2}, elements={0: int(TensorProto.UINT8)}
    ),
    "QuickGelu": Row("... -> ..."),
    "SkipLayerNormalization": Row(_skip_layer, adds=Adds(beside=(4,), total=3)),
    "SkipSimplifiedLayerNormalization": Row(_skip_layer),
}
