"""Normalisations, softmax, pooling: operators in which the units of an axis may depend on each other."""

from __future__ import annotations

from graphprune.rules.site import Row, Site, Table, Unruly, attribute_from, named, text


def _batch(site: Site) -> str:
    if int(site.attribute("training_mode", 0)):
        return "n! c *!, c, c, c, c -> n! c *!, c, c"
    return "n c ..., c, c, c, c -> n c ..., c, c, c, c"


def _group(site: Site) -> str:
    groups = int(site.attribute("num_groups"))
    affine = "g" if site.sizes(1) == (groups,) and site.opset < 21 else "(g c)"
    return f"n (g c!) *!, {affine}, {affine} -> n (g c!) *! | g={groups}"


def layer(site: Site) -> str:
    """Rule of LayerNormalization and its kin: every axis from `axis` on is mixed."""
    rank = len(site.sizes(0))
    first = site.axis(-1)
    dims = named(rank)
    marked = [name + "!" if index >= first else name for index, name in enumerate(dims)]
    affine = [dims[rank - len(site.sizes(slot)) :] for slot in (1, 2) if site.has(slot)]
    statistics = [name if index < first else "1" for index, name in enumerate(dims)]
    return text([marked, *affine], [marked, statistics, statistics])


def _along_axis(default: int) -> Row:
    def rule(site: Site) -> str:
        axis = site.axis(default)
        dims = [name + "!" * (i == axis) for i, name in enumerate(named(len(site.sizes(0))))]
        return text([dims], [dims])

    return Row(rule)


def _softmax(site: Site) -> str:
    rank = len(site.sizes(0))
    axis = site.axis(-1 if site.opset >= 13 else 1)
    flattened = site.opset < 13
    dims = [name + "!" * (i == axis or (flattened and i >= axis)) for i, name in enumerate(named(rank))]
    return text([dims], [dims])


def _mean_variance(site: Site) -> str:
    rank = len(site.sizes(0))
    axes = {axis % rank for axis in site.attribute("axes", [0, 2, 3])}
    dims = [name + "!" * (i in axes) for i, name in enumerate(named(rank))]
    return text([dims], [dims])


def _max_pool(site: Site) -> str:
    if len(site.node.outputs) > 1 and site.node.outputs[1].name:
        raise Unruly("its second output numbers the elements of the whole tensor")
    return "n c * -> n c *"


TABLE: Table = {
    "BatchNormalization": Row(_batch),
    "InstanceNormalization": Row("n c *!, c, c -> n c *!"),
    "GroupNormalization": Row(_group, attribute_from(num_groups="g")),
    "LayerNormalization": Row(layer),
    "RMSNormalization": Row(layer),
    "SimplifiedLayerNormalization": Row(layer),
    "LpNormalization": _along_axis(-1),
    "LRN": Row("n c! * -> n c! *", why="a window slides over it"),
    "MeanVarianceNormalization": Row(_mean_variance),
    "Softmax": Row(_softmax),
    "LogSoftmax": Row(_softmax),
    "Hardmax": Row(_softmax),
    "MaxPool": Row(_max_pool, why="a window slides over it"),
    **{
        op: Row("n c * -> n c *", why="a window slides over it")
        for op in ("AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool")
    },
    "GridSample": Row("n c *, n * -> n c *", why="it is sampled at positions"),
    "RoiAlign": Row("_ c *, *, _ -> _ c *", why="it is sampled at positions"),
    "MaxRoiPool": Row("_ c *, * -> _ c *", why="it is sampled at positions"),
}
