"""Fused attention: ONNX's own operators and those that ONNX Runtime's optimisers emit.

Heads are `(k r)`: `k` key-value heads, each shared by `r` query heads; head dims are `d` for queries and keys
and `e` for values. Where the scale is left to the operator it follows from the head size, so that a cut of
head dims writes the old scale down.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

from graphprune.rules.site import AttentionRole, Edit, Row, Site, Table, Unruly, Written, text

_STEPS = "it is a position in the sequence, or a head that is rotated as a whole"
_ROLES: dict[str, AttentionRole] = {
    "k": "heads",
    "r": "heads",
    "h": "heads",
    "d": "head-dims",
    "e": "head-dims",
}


def _scale(edit: Edit, full: int) -> Written:
    """Write down the scale that the operator would have taken from the head size before the cut."""
    given = edit.site.attribute("scale", 0.0)
    return {"scale": 1.0 / sqrt(full)} if not given and edit.kept["d"] != full else {}


def _mask(site: Site, slot: int, heads: str) -> str:
    """Return the dimensions of a mask or bias that is added to the scores."""
    if not site.has(slot):
        return "-"
    sizes = site.sizes(slot)
    names = ["b", heads, "_", "_"][4 - len(sizes) :]
    return " ".join("1" if size == 1 else name for name, size in zip(names, sizes, strict=True))


def _standard(site: Site) -> str:
    query, key = site.sizes(0), site.sizes(1)
    if len(query) == 3:
        heads, shared = int(site.attribute("q_num_heads")), int(site.attribute("kv_num_heads"))
        inputs = ["b _ (k r d~)", "b _ (k d)", "b _ (k e)"]
        out = "b _ (k r e)"
    else:
        heads, shared = query[1], key[1]
        inputs = ["b (k r) _ d~", "b k _ d", "b k _ e"]
        out = "b (k r) _ e"
    if shared == 0 or heads % shared:
        raise Unruly("its heads are not a multiple of its key-value heads")
    inputs += [_mask(site, 3, "(k r)"), "b k _ d", "b k _ e", "b"]
    return text(inputs, [out, "b k _ d", "b k _ e", "b (k r) _ _"], k=shared, r=heads // shared)


def _standard_patch(edit: Edit) -> Written:
    site = edit.site
    query = site.sizes(0)
    size = query[-1] // int(site.attribute("q_num_heads")) if len(query) == 3 else query[-1]
    counts: Written = {}
    if len(query) == 3:
        counts = {"q_num_heads": edit.kept["k"] * edit.kept["r"], "kv_num_heads": edit.kept["k"]}
    return {**counts, **_scale(edit, size)}


def _rotary(heads_attribute: str, cache: int, partial: str) -> Callable[[Site], str]:
    """Return the rule of a rotary embedding: the pairs of a head are rotated together, so it stays whole."""

    def rule(site: Site) -> str:
        rank = len(site.sizes(0))
        others = ["*"] * (len(site.node.inputs) - 1)
        if rank == 4:
            return text(["b_ h s_ d_", *others], ["b_ h s_ d_"])
        heads = int(site.attribute(heads_attribute, 0))
        if not heads:
            if int(site.attribute(partial, 0)):
                raise Unruly("its head size is not written down")
            heads = site.sizes(0)[-1] // (2 * site.sizes(cache)[-1])
        size = site.sizes(0)[-1] // heads
        return text([f"b_ s_ (h {size})", *others], [f"b_ s_ (h {size})"])

    return rule


def _rotary_patch(attribute: str) -> Callable[[Edit], Written]:
    def patch(edit: Edit) -> Written:
        return {attribute: edit.kept["h"]} if edit.site.attribute(attribute, 0) else {}

    return patch


def _multi_head(site: Site) -> str:
    heads = int(site.attribute("num_heads"))
    if len(site.sizes(0)) != 3 or not site.has(1) or not site.has(2):
        raise Unruly("its query, key and value are packed")
    # The kernel wants one head size of keys and values whose heads come apart, and of those with a past.
    apart = len(site.sizes(1)) == 4
    e = "d" if apart or site.has(7) else "e"
    total = _total(site, 6, site.sizes(1)[2 if apart else 1], shared=site.has(8))
    inputs = [
        "b s_ (h d!)",
        "b h t_ d" if apart else "b t_ (h d)",
        "b h t_ d" if apart else f"b t_ (h {e})",
        f"((h d) + (h d) + (h {e}))",
        "*",
        _mask(site, 5, "h"),
        "b h _ d",
        f"b h _ {e}",
    ]
    inputs += ["*"] * max(0, len(site.node.inputs) - len(inputs))
    outputs = [f"b s_ (h {e})", f"b h {total} d", f"b h {total} {e}", f"b h s_ {total}"]
    return text(inputs, outputs, h=heads)


def _total(site: Site, past: int, new: int, *, shared: bool) -> int:
    """Return how many positions a cache holds afterwards; a shared buffer is as long as it was."""
    before = site.sizes(past)[-2] if site.has(past) else 0
    return before if shared else before + new


def _multi_head_patch(edit: Edit) -> Written:
    heads = int(edit.site.attribute("num_heads"))
    return {"num_heads": edit.kept["h"], **_scale(edit, edit.site.sizes(0)[-1] // heads)}


def _packed(site: Site) -> str:
    """Rule of com.microsoft.Attention: one weight for queries, keys and values."""
    heads = int(site.attribute("num_heads"))
    sizes = site.numbers("qkv_hidden_sizes")
    if sizes and len(set(sizes)) != 1:
        raise Unruly("its queries, keys and values have different sizes")
    if int(site.attribute("do_rotary", 0)):
        raise Unruly("it rotates the pairs of a head")
    whole = "(3 h d!)"
    inputs = ["b s_ i", f"i {whole}", whole, "*", "_ b h _ d", _mask(site, 5, "h"), "*"]
    total = _total(site, 4, site.sizes(0)[1], shared=bool(site.attribute("past_present_share_buffer", 0)))
    return text(inputs, ["b s_ (h d)", f"2 b h {total} d"], h=heads)


def _packed_patch(edit: Edit) -> Written:
    heads = int(edit.site.attribute("num_heads"))
    written: Written = {"num_heads": edit.kept["h"], **_scale(edit, edit.site.sizes(1)[1] // 3 // heads)}
    if edit.site.attribute("qkv_hidden_sizes"):
        written["qkv_hidden_sizes"] = [edit.kept["h"] * edit.kept["d"]] * 3
    return written


def _grouped_query(site: Site) -> str:
    """Rule of GroupQueryAttention; heads stay whole, since they are rotated in pairs."""
    if any(site.has(slot) for slot in (12, 13)):
        raise Unruly("its caches are quantised")
    heads, shared = int(site.attribute("num_heads")), int(site.attribute("kv_num_heads"))
    repeat = heads // shared
    packed = not site.has(1)
    width = site.sizes(0)[-1] // (heads + 2 * shared if packed else heads)
    query = f"(k r {width})"
    inputs = [
        f"b_ s_ ({query} + (k {width}) + (k {width}))" if packed else f"b_ s_ {query}",
        f"b_ t_ (k {width})",
        f"b_ t_ (k {width})",
        f"b_ k _ {width}",
        f"b_ k _ {width}",
        *["*"] * 5,
        _mask(site, 10, "(k r)"),
        "(k r)",
        *["*"] * 4,
    ]
    length = site.value(6)
    total: str | int = "_"
    if length is not None:
        total = max(int(length.reshape(-1)[0]), site.sizes(3)[-2] if site.has(3) else 0)
    cache = f"b_ k {total} {width}"
    return text(inputs, [f"b_ s_ {query}", cache, cache, f"b_ (k r) s_ {total}"], k=shared, r=repeat)


def _grouped_query_patch(edit: Edit) -> Written:
    return {"num_heads": edit.kept["k"] * edit.kept["r"], "kv_num_heads": edit.kept["k"]}


TABLE: Table = {
    "Attention": Row(_standard, _standard_patch, roles=_ROLES, why=_STEPS),
    "RotaryEmbedding": Row(
        _rotary("num_heads", 1, "rotary_embedding_dim"), _rotary_patch("num_heads"), roles=_ROLES, why=_STEPS
    ),
}
MICROSOFT: Table = {
    "Attention": Row(_packed, _packed_patch, roles=_ROLES, why=_STEPS),
    "MultiHeadAttention": Row(_multi_head, _multi_head_patch, roles=_ROLES, why=_STEPS),
    "GroupQueryAttention": Row(_grouped_query, _grouped_query_patch, roles=_ROLES, why=_STEPS),
    "RotaryEmbedding": Row(
        _rotary("num_heads", 2, "rotary_embedding_dim"), _rotary_patch("num_heads"), roles=_ROLES, why=_STEPS
    ),
}
