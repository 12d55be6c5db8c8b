"""Operators of com.microsoft that ONNX Runtime's optimisers and quantiser put into models."""

from __future__ import annotations

from graphprune.rules import attention, linear, norms
from graphprune.rules.site import Row, Site, Table, Unruly, attribute_from, named, text


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
    # The scale of the left operand comes from all of its values.
    scale, point = _per_column(site, 2, 3)
    return f"... m k!, k n, {scale}, {point}, n -> ... m n"


def _matmul_integer_to_float(site: Site) -> str:
    scale, point = _per_column(site, 3, 5)
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
    dims = "n * c" if site.attribute("channels_last", 0) else "n c *"
    return f"{dims}, -, -, -, - -> {dims}"


def _group_norm(site: Site) -> str:
    groups = int(site.attribute("groups"))
    dims = "n *! (g c!)" if site.attribute("channels_last", 1) else "n (g c!) *!"
    return f"{dims}, (g c), (g c) -> {dims} | g={groups}"


def _skip_layer(site: Site) -> str:
    operands = {"SkipLayerNormalization": "c, c, c", "SkipSimplifiedLayerNormalization": "c, c"}[site.node.op]
    return f"... c!, ... c, {operands} -> ... c!, ... 1, ... 1, ... c"


_CONV = "n (g i) *, (g o) i *, (g o), n (g o) * -> n (g o) *"

TABLE: Table = {
    **attention.MICROSOFT,
    "BiasAdd": Row("n s c, c, n s c -> n s c"),
    "BiasGelu": Row("... c, c -> ... c"),
    "BiasSplitGelu": Row("b s (2 c), (2 c) -> b s c"),
    "DequantizeLinear": linear.TABLE["DequantizeLinear"],
    "DynamicQuantizeMatMul": Row(_dynamic_quantize_matmul),
    "EmbedLayerNormalization": Row("b s, b s, _ c!, _ c, _ c, c, c, b s, * -> b s c!, b, b s c"),
    "FastGelu": Row("... c, c -> ... c"),
    "FusedConv": Row(
        lambda site: f"{_CONV} | g={int(site.attribute('group', 1))}", attribute_from(group="g")
    ),
    "FusedGemm": linear.TABLE["Gemm"],
    "FusedMatMul": Row(_fused_matmul),
    "Gelu": Row("... -> ..."),
    "GroupNorm": Row(_group_norm, attribute_from(groups="g")),
    "MatMulIntegerToFloat": Row(_matmul_integer_to_float, zeros={0: 4, 1: 5}),
    "MatMulNBits": Row(_matmul_nbits, attribute_from(N="n")),
    "QGemm": Row(_qgemm, zeros={0: 2, 3: 5}),
    "QLinearAdd": Row("..., -, -, ..., -, -, -, - -> ..."),
    "QLinearAveragePool": Row(_qlinear_pool),
    "QLinearConcat": Row(_qlinear_concat),
    "QLinearGlobalAveragePool": Row(_qlinear_pool),
    "QLinearLeakyRelu": Row("..., -, -, -, - -> ..."),
    "QLinearMul": Row("..., -, -, ..., -, -, -, - -> ..."),
    "QLinearSigmoid": Row("..., -, -, -, - -> ..."),
    "QuantizeLinear": linear.TABLE["QuantizeLinear"],
    "QuickGelu": Row("... -> ..."),
    "SimplifiedLayerNormalization": Row(norms.layer),
    "SkipLayerNormalization": Row(_skip_layer),
    "SkipSimplifiedLayerNormalization": Row(_skip_layer),
}
