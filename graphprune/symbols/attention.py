"""Sizes around fused attention: caches grow by the new positions, and masks are as long as keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx_graphsurgeon as gs

from graphprune.ir import is_default_domain, label
from graphprune.symbols.expression import Expr, floordiv, maximum, number
from graphprune.symbols.walk import ONE, Operator, Shape, Walk

Shapes = Sequence[Shape | None]


def _mask(walk: Walk, node: gs.Node, slot: int, *last: Expr) -> None:
    """Note that the last dimensions of a mask or bias broadcast against these sizes."""
    mask = walk.shape(node, slot)
    if mask is not None and len(mask) >= 2:
        for size, wanted in zip(reversed(mask), reversed(last)):
            walk.broadcast([(size,), (wanted,)], node)


def _standard(walk: Walk, node: gs.Node) -> Shapes:
    query, key, value = (walk.shape(node, slot) for slot in range(3))
    if query is None or key is None or value is None:
        return [None] * len(node.outputs)
    if len(query) == 3:
        heads, shared = int(node.attrs["q_num_heads"]), int(node.attrs["kv_num_heads"])
        width, depth = floordiv(key[2], number(shared)), floordiv(value[2], number(shared))
        batch, new, keys, kv = query[0], query[1], key[1], number(shared)
        result: Shape = (batch, new, depth * heads)
    else:
        batch, _, new, width = query
        kv, keys, depth = key[1], key[2], value[3]
        result = (*query[:3], depth)
    past = walk.shape(node, 4)
    total = keys if past is None else past[2] + keys
    _mask(walk, node, 3, new, total)
    queries = number(int(node.attrs["q_num_heads"])) if len(query) == 3 else query[1]
    shapes = [result, (batch, kv, total, width), (batch, kv, total, depth), (batch, queries, new, total)]
    return shapes[: len(node.outputs)]


def _multi_head(walk: Walk, node: gs.Node) -> Shapes:
    query, key, value = (walk.shape(node, slot) for slot in range(3))
    if query is None or key is None or value is None or len(query) != 3:
        return [None] * len(node.outputs)
    heads = int(node.attrs["num_heads"])
    apart = len(key) == 4
    width = key[3] if apart else floordiv(key[2], number(heads))
    depth = value[3] if len(value) == 4 else floordiv(value[2], number(heads))
    past = walk.shape(node, 6)
    new = key[2] if apart else key[1]
    shared = len(node.inputs) > 8 and bool(node.inputs[8].name)
    total = new if past is None else past[2] if shared else past[2] + new
    _mask(walk, node, 5, query[1], total)
    padding = walk.shape(node, 4)
    if padding is not None and len(padding) >= 2:
        walk.equal(padding[-1], total, node)
    cache = (query[0], number(heads), total)
    shapes = [
        (query[0], query[1], depth * heads),
        (*cache, width),
        (*cache, depth),
        (query[0], number(heads), query[1], total),
    ]
    return shapes[: len(node.outputs)]


def _packed(walk: Walk, node: gs.Node) -> Shapes:
    """com.microsoft.Attention, with one weight for queries, keys and values."""
    data, weight = walk.shape(node, 0), walk.shape(node, 1)
    if data is None or weight is None:
        return [None] * len(node.outputs)
    heads = number(int(node.attrs["num_heads"]))
    given: list[Any] = node.attrs.get("qkv_hidden_sizes") or []
    sizes = [int(size) for size in given]
    hidden = number(sizes[2]) if sizes else floordiv(weight[1], number(3))
    past, new = walk.shape(node, 4), data[1]
    shared = bool(node.attrs.get("past_present_share_buffer", 0))
    total = new if past is None else past[3] if shared else past[3] + new
    mask = walk.shape(node, 3)
    if mask is not None and len(mask) >= 2:
        walk.equal(mask[-1], total, node)
    _mask(walk, node, 5, new, total)
    cache = (number(2), data[0], heads, total, floordiv(hidden, heads))
    return [(data[0], new, hidden), cache][: len(node.outputs)]


def _grouped_query(walk: Walk, node: gs.Node) -> Shapes:
    """com.microsoft.GroupQueryAttention: `total_sequence_length` is past and new positions together.

    Where the cache's length is a number it is a buffer that is shared: it stays as long as it is, and how
    much of it is in use is free. The kernel wants one of: batch 1, one new position, an empty cache.
    """
    query, past = walk.shape(node, 0), walk.shape(node, 3)
    heads, shared = int(node.attrs["num_heads"]), int(node.attrs["kv_num_heads"])
    if query is None or len(query) != 3:
        return [None] * len(node.outputs)
    packed = walk.shape(node, 1) is None
    width = floordiv(query[2], number(heads + 2 * shared if packed else heads))
    batch, new = query[:2]
    given = walk.listed(node, 6)
    total = given[0] if given else None
    if past is None:
        size = new if total is None else total
    elif walk.system.reduced(past[2]).is_number and total is not None:
        size = maximum(past[2], total)
        walk.below(total, node, 3, 2)
        walk.system.one_of(batch - ONE, new - ONE, total - new)
    else:
        size = past[2] + new
        walk.system.one_of(batch - ONE, new - ONE, past[2])
        if total is not None:
            walk.likely.append((total, size, label(node)))
    walk.below(size if total is None else total, node, 7, 0)
    _mask(walk, node, 10, new, size)
    lengths = node.inputs[5].name if len(node.inputs) > 5 else ""
    if lengths and lengths not in walk.tops and total is not None:
        walk.tops[lengths] = (total - 1,)
    cache = (batch, number(shared), size, width)
    shapes = [(batch, new, width * heads), cache, cache, (batch, number(heads), new, size)]
    return shapes[: len(node.outputs)]


def _rotary(walk: Walk, node: gs.Node) -> Shapes:
    data = walk.shape(node, 0)
    first, places = (1, 3) if is_default_domain(node) else (2, 1)
    cache = walk.shape(node, first)
    if data is not None and cache is not None and len(cache) == 2:
        top = walk.top(node, places)
        if top is not None and len(top) == 1:
            walk.below(top[0] + 1, node, first, 0)
        elif places < len(node.inputs):
            walk.below(data[-2], node, first, 0)
    return [data]


def _embeddings(walk: Walk, node: gs.Node) -> Shapes:
    ids, words = walk.shape(node, 0), walk.shape(node, 2)
    if ids is None or words is None:
        return [None] * len(node.outputs)
    if len(node.inputs) < 9 or not node.inputs[8].name:
        walk.below(ids[1], node, 3, 0)
    shapes = [(*ids, words[1]), (ids[0],), (*ids, words[1])]
    return shapes[: len(node.outputs)]


def _attention(walk: Walk, node: gs.Node) -> Shapes:
    return (_standard if is_default_domain(node) else _packed)(walk, node)


TABLE: dict[str, Operator] = {
    "Attention": _attention,
    "EmbedLayerNormalization": _embeddings,
    "GroupQueryAttention": _grouped_query,
    "MultiHeadAttention": _multi_head,
    "RotaryEmbedding": _rotary,
}
