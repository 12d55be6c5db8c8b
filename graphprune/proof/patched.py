"""What a cut must write down anew, derived a second time: from the positions that stay, not by the rules.

Operators are given sizes (Reshape, Expand, Tile, Split ..), positions (Slice, Gather, ScatterND), amounts
(Pad) and counts (groups, heads). The rules say how a cut rewrites them; here it is asked of what was written
whether it does to the positions that stay what the original did to them. Nothing of `graphprune.rules` is
used, so that a mistake there is found here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any, TypeVar

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.cuts import Cuts, take
from graphprune.positions import Index
from graphprune.surgery import Trace

Array = NDArray[Any]
Sizes = tuple[int, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Patched:
    """A node of the original and its counterpart in the file.

    Attributes:
        node: the node of the original.
        file: its counterpart.
        trace: what was cut around it.
        inputs: sizes in the original, by operand; None where they are not known.
        outputs: likewise, by output.
        before: small values of the original's operands; None where they are not known.
        after: small values of the file's operands, likewise.
    """

    node: gs.Node
    file: gs.Node
    trace: Trace
    inputs: Sequence[Sizes | None]
    outputs: Sequence[Sizes | None]
    before: Sequence[Array | None]
    after: Sequence[Array | None]

    def kept(self, slot: int, dim: int, *, output: bool = False) -> Index | None:
        """Return the positions that stay along a dimension: all, where it was not cut.

        None where they differ along another dimension, or the size is not known.
        """
        index = self._cuts(slot, output).get(dim)
        if index is None:
            sizes = _at(self.outputs if output else self.inputs, slot)
            return None if sizes is None else np.arange(sizes[dim])
        return index if index.ndim == 1 else None

    def is_cut(self, slot: int, dim: int, *, output: bool = False) -> bool:
        """Whether positions along a dimension went or moved."""
        return dim in self._cuts(slot, output)

    def sizes(self, slot: int, *, output: bool = False) -> Sizes | None:
        """Return the sizes of an operand, or of an output, after the cut."""
        full = _at(self.outputs if output else self.inputs, slot)
        if full is None:
            return None
        cuts = self._cuts(slot, output)
        return tuple(
            size if dim not in cuts else cuts[dim].shape[0 if cuts[dim].ndim == 1 else dim]
            for dim, size in enumerate(full)
        )

    def _cuts(self, slot: int, output: bool) -> Cuts:
        return (self.trace.outputs if output else self.trace.inputs).get(slot, {})

    def axis(self, default: int = 0) -> int:
        """Return the attribute `axis`, counted from the front."""
        axis, sizes = int(self.node.attrs.get("axis", default)), _at(self.inputs, 0)
        return axis + len(sizes) if axis < 0 and sizes is not None else axis

    def numbers(self, slot: int, name: str, *, file: bool) -> list[int] | None:
        """Return integers that are an operand, or an attribute in old operator sets."""
        node, values = (self.file, self.after) if file else (self.node, self.before)
        if name in node.attrs:
            value: Any = node.attrs[name]
            return [int(item) for item in value]
        found = _at(values, slot)
        return None if found is None else [int(item) for item in found.reshape(-1)]


def _at(values: Sequence[T | None], slot: int) -> T | None:
    return values[slot] if slot < len(values) else None


Answer = bool | None
"""Whether what was written is right; None where it cannot be told."""


def _reshape(at: Patched) -> Answer:
    inputs, outputs, new = at.sizes(0), at.sizes(0, output=True), _at(at.after, 1)
    if inputs is None or outputs is None or new is None:
        return None
    target = [int(size) for size in new.reshape(-1)]
    if len(target) != len(outputs):
        return False
    if not at.node.attrs.get("allowzero"):
        target = [inputs[i] if size == 0 and i < len(inputs) else size for i, size in enumerate(target)]
    if target.count(-1) > 1:
        return False
    if -1 in target:
        others = -prod(target)
        if others <= 0 or prod(inputs) % others:
            return None if not prod(inputs) else False
        target[target.index(-1)] = prod(inputs) // others
    return tuple(target) == outputs and _is_open_as_before(at, 1)


def _is_open_as_before(at: Patched, slot: int) -> bool:
    """Whether sizes that were not cut are written as they were: what was -1 or 0 is no number now."""
    old, new = _at(at.before, slot), _at(at.after, slot)
    if old is None or new is None or old.size != new.size:
        return True
    pairs = zip(old.reshape(-1).tolist(), new.reshape(-1).tolist(), strict=True)
    lead = len(_at(at.outputs, 0) or ()) - old.size
    return all(a == b or at.is_cut(0, i + lead, output=True) for i, (a, b) in enumerate(pairs))


def _expand(at: Patched) -> Answer:
    inputs, outputs, new = at.sizes(0), at.sizes(0, output=True), _at(at.after, 1)
    if inputs is None or outputs is None or new is None:
        return None
    try:
        reached = np.broadcast_shapes(inputs, tuple(int(size) for size in new.reshape(-1)))
    except ValueError:
        return False
    return reached == outputs and _is_open_as_before(at, 1)


def _constant_of_shape(at: Patched) -> Answer:
    outputs, new = at.sizes(0, output=True), _at(at.after, 0)
    return None if outputs is None or new is None else tuple(map(int, new.reshape(-1))) == outputs


def _tile(at: Patched) -> Answer:
    inputs, outputs, new = at.sizes(0), at.sizes(0, output=True), _at(at.after, 1)
    if inputs is None or outputs is None or new is None:
        return None
    times = [int(item) for item in new.reshape(-1)]
    return tuple(size * many for size, many in zip(inputs, times, strict=True)) == outputs


def _resize(at: Patched) -> Answer:
    outputs, old, new = at.sizes(0, output=True), _at(at.before, 3), _at(at.after, 3)
    if outputs is None or old is None or new is None or old.shape != new.shape:
        return None
    axes = [int(a) % len(outputs) for a in at.node.attrs.get("axes") or range(len(outputs))]
    same = zip(axes, old.reshape(-1).tolist(), new.reshape(-1).tolist(), strict=True)
    return all(b == (outputs[axis] if at.is_cut(0, axis, output=True) else a) for axis, a, b in same)


def _split(at: Patched) -> Answer:
    axis = at.axis()
    sizes = [at.sizes(i, output=True) for i in range(len(at.node.outputs))]
    new, whole = at.numbers(1, "split", file=True), at.sizes(0)
    if whole is None or any(each is None for each in sizes):
        return None
    wanted = [each[axis] for each in sizes if each is not None]
    if new is None:
        parts = len(wanted)
        longest = -(-whole[axis] // parts)
        new = [longest] * (parts - 1) + [whole[axis] - longest * (parts - 1)]
    return new == wanted


def _slice(at: Patched) -> Answer:
    full, new_full = _at(at.inputs, 0), at.sizes(0)
    parts: dict[bool, list[Any]] = {}
    for file in (False, True):
        found: list[Any] = [
            at.numbers(i, name, file=file) for i, name in enumerate(("starts", "ends", "axes"), 1)
        ]
        found.append(at.numbers(4, "steps", file=file))
        if found[0] is None or found[1] is None:
            return None
        found[2] = found[2] if found[2] is not None else list(range(len(found[0])))
        found[3] = found[3] if found[3] is not None else [1] * len(found[0])
        parts[file] = found
    if full is None or new_full is None or parts[True][2:] != parts[False][2:]:
        return None if full is None else False
    for i, axis in enumerate(parts[False][2]):
        axis = int(axis) % len(full)
        kept, stays = at.kept(0, axis), at.kept(0, axis, output=True)
        if kept is None or stays is None:
            continue
        picks = [
            _picked(int(given[0][i]), int(given[1][i]), int(given[3][i]), sizes[axis])
            for given, sizes in ((parts[False], full), (parts[True], new_full))
        ]
        if not np.array_equal(picks[0][stays], kept[picks[1]]):
            return False
    return True


def _picked(start: int, end: int, step: int, size: int) -> Index:
    stop = None if step < 0 and end < -size else end
    return np.arange(size)[slice(start, stop, step)]


def _pad(at: Patched) -> Answer:
    full = _at(at.inputs, 0)
    old, new = at.numbers(1, "pads", file=False), at.numbers(1, "pads", file=True)
    if full is None or old is None or new is None or len(old) != len(new):
        return None
    axes = at.numbers(3, "axes", file=False) or list(range(len(full)))
    for i, axis in enumerate(axes):
        kept, stays = at.kept(0, axis % len(full)), at.kept(0, axis % len(full), output=True)
        if kept is None or stays is None:
            continue
        before, after = ([each[i], each[i + len(axes)]] for each in (old, new))
        if not np.array_equal(_padded(np.arange(full[axis]), *before)[stays], _padded(kept, *after)):
            return False
    return True


def _padded(positions: Index, before: int, after: int) -> Index:
    inside = positions[max(0, -before) : len(positions) + min(0, after)]
    return np.concatenate([np.full(max(0, before), -1), inside, np.full(max(0, after), -1)])


def _gather(at: Patched) -> Answer:
    axis = at.axis()
    picks = {d - axis: index for d, index in at.trace.outputs.get(0, {}).items()}
    return _renumbered(at, axis, {d: index for d, index in picks.items() if d >= 0})


def _gather_elements(at: Patched) -> Answer:
    return _renumbered(at, at.axis(), at.trace.outputs.get(0, {}))


def _gather_nd(at: Patched) -> Answer:
    old, batch = _at(at.before, 1), int(at.node.attrs.get("batch_dims", 0))
    if old is None or old.shape[-1] != 1:
        return None
    picks = at.trace.outputs.get(0, {})
    return _renumbered(at, batch, {d: index for d, index in picks.items() if d < old.ndim - 1})


def _scatter_nd(at: Patched) -> Answer:
    old = _at(at.before, 1)
    if old is None or old.shape[-1] != 1:
        return None
    return _renumbered(at, 0, at.trace.inputs.get(2, {}))


def _renumbered(at: Patched, axis: int, picks: Mapping[int, Index]) -> Answer:
    """Whether operand 1 holds, for each index that stays, its rank among the positions that stay."""
    old, new, full, kept = _at(at.before, 1), _at(at.after, 1), _at(at.inputs, 0), at.kept(0, axis)
    if old is None or new is None or full is None or kept is None:
        return None
    picks = {d: index for d, index in picks.items() if d < old.ndim}
    if any(index.ndim > 1 for index in picks.values()):
        return None
    if np.any(old >= full[axis]) or np.any(old < -full[axis]):
        return None  # the original does not run
    wanted = take(old, picks) % full[axis]
    if wanted.shape != new.shape or not kept.size:
        return False
    if np.any(new >= kept.size) or np.any(new < -kept.size):
        return False
    return bool(np.array_equal(kept[new % kept.size], wanted))


def _squeeze(at: Patched) -> Answer:
    full, named = _at(at.inputs, 0), at.numbers(1, "axes", file=False)
    new, after = at.numbers(1, "axes", file=True), at.sizes(0)
    if full is None or after is None:
        return None
    gone = {a % len(full) for a in named} if named is not None else {i for i, n in enumerate(full) if n == 1}
    now = {a % len(full) for a in new} if new is not None else {i for i, n in enumerate(after) if n == 1}
    return gone == now


OPERANDS: Mapping[str, tuple[tuple[int, ...], Callable[[Patched], Answer]]] = {
    "ConstantOfShape": ((0,), _constant_of_shape),
    "Expand": ((1,), _expand),
    "Gather": ((1,), _gather),
    "GatherElements": ((1,), _gather_elements),
    "GatherND": ((1,), _gather_nd),
    "Pad": ((1,), _pad),
    "Reshape": ((1,), _reshape),
    "Resize": ((3,), _resize),
    "ScatterND": ((1,), _scatter_nd),
    "Slice": ((1, 2), _slice),
    "Split": ((1,), _split),
    "Squeeze": ((1,), _squeeze),
    "Tile": ((1,), _tile),
}
"""The operands that a cut rewrites, by operator of ONNX, and the question whether it did so rightly."""


def _blocks(at: Patched, slot: int, dim: int, name: str, *, output: bool = False) -> int | None:
    """Return how many of the blocks that the attribute `name` counts along a dimension are left."""
    sizes, count = _at(at.outputs if output else at.inputs, slot), int(at.node.attrs.get(name, 1))
    if sizes is None or not count or sizes[dim] % count:
        return None
    return _whole(at, slot, dim, sizes[dim] // count, output=output)


def _whole(at: Patched, slot: int, dim: int, size: int, *, output: bool = False) -> int | None:
    """Return how many blocks of `size` positions still have some."""
    kept = at.kept(slot, dim, output=output)
    return None if kept is None or not size else len(np.unique(kept // size))


def _last(at: Patched, slot: int, *, output: bool = False) -> int:
    sizes = _at(at.outputs if output else at.inputs, slot)
    return -1 if sizes is None else len(sizes) - 1


def _key_heads(at: Patched) -> int | None:
    """Key-value heads of GroupQueryAttention: of the key, or of the stretch behind the query where packed."""
    heads, shared = int(at.node.attrs["num_heads"]), int(at.node.attrs["kv_num_heads"])
    query = _at(at.inputs, 0)
    if query is None:
        return None
    if len(at.node.inputs) > 1 and at.node.inputs[1].name:
        return _whole(at, 1, _last(at, 1), query[-1] // heads)
    size, kept = query[-1] // (heads + 2 * shared), at.kept(0, _last(at, 0))
    if kept is None:
        return None
    keys = kept[(kept >= heads * size) & (kept < (heads + shared) * size)]
    return len(np.unique(keys // size))


def _packed_heads(at: Patched) -> int | None:
    """Heads of com.microsoft.Attention, whose weight is (3 h d) along its last dimension."""
    sizes, heads, kept = _at(at.inputs, 1), int(at.node.attrs["num_heads"]), at.kept(1, 1)
    if sizes is None or kept is None:
        return None
    return len(np.unique(kept // (sizes[1] // 3 // heads) % heads))


def _packed_sizes(at: Patched) -> list[int] | None:
    sizes, kept = _at(at.inputs, 1), at.kept(1, 1)
    if sizes is None or kept is None or "qkv_hidden_sizes" not in at.node.attrs:
        return None
    return [int(np.count_nonzero(kept // (sizes[1] // 3) == part)) for part in range(3)]


def _group(slot: int) -> Callable[[Patched], int | None]:
    return lambda at: _blocks(at, slot, 1, "group")


def _count(slot: int, dim: int) -> Callable[[Patched], int | None]:
    def count(at: Patched) -> int | None:
        sizes = at.sizes(slot)
        return None if sizes is None else sizes[dim]

    return count


def _scale(at: Patched) -> float | None:
    """The scale of attention, which it takes from its head size where none is given: that of the original."""
    given = float(at.node.attrs.get("scale") or 0.0)
    sizes = _head_size(at.node, _at(at.inputs, 0), _at(at.inputs, 1))
    if given or sizes is None:
        return given or None
    if not at.file.attrs.get("scale") and _head_size(at.file, at.sizes(0), at.sizes(1)) == sizes:
        return None
    return 1 / sqrt(sizes)


def _head_size(node: gs.Node, query: Sizes | None, second: Sizes | None) -> int | None:
    if query is None or len(query) == 4:
        return None if query is None else query[-1]
    heads = int(node.attrs.get("num_heads") or node.attrs.get("q_num_heads") or 0)
    packed = node.op == "Attention" and "num_heads" in node.attrs
    width = (second[-1] // 3 if second is not None else None) if packed else query[-1]
    return width // heads if heads and width is not None else None


def _query_heads(name: str, slot: int) -> Callable[[Patched], int | None]:
    return lambda at: _blocks(at, slot, _last(at, slot), name)


def _result_heads(name: str) -> Callable[[Patched], int | None]:
    return lambda at: _blocks(at, 0, _last(at, 0, output=True), name, output=True)


MICROSOFT = "com.microsoft"
ATTRIBUTES: Mapping[tuple[str, str, str], Callable[[Patched], Any]] = {
    ("", "Conv", "group"): _group(0),
    ("", "ConvTranspose", "group"): _group(0),
    ("", "ConvInteger", "group"): _group(0),
    ("", "QLinearConv", "group"): _group(0),
    ("", "DeformConv", "group"): _group(0),
    (MICROSOFT, "FusedConv", "group"): _group(0),
    ("", "GroupNormalization", "num_groups"): lambda at: _blocks(at, 0, 1, "num_groups"),
    ("", "RNN", "hidden_size"): _count(2, 2),
    ("", "GRU", "hidden_size"): _count(2, 2),
    ("", "LSTM", "hidden_size"): _count(2, 2),
    (MICROSOFT, "DynamicQuantizeLSTM", "hidden_size"): _count(2, 1),
    (MICROSOFT, "MatMulNBits", "N"): _count(1, 0),
    ("", "Attention", "q_num_heads"): _query_heads("q_num_heads", 0),
    ("", "Attention", "kv_num_heads"): _query_heads("kv_num_heads", 1),
    ("", "Attention", "scale"): _scale,
    ("", "RotaryEmbedding", "num_heads"): _query_heads("num_heads", 0),
    (MICROSOFT, "RotaryEmbedding", "num_heads"): _query_heads("num_heads", 0),
    (MICROSOFT, "Attention", "num_heads"): _packed_heads,
    (MICROSOFT, "Attention", "qkv_hidden_sizes"): _packed_sizes,
    (MICROSOFT, "Attention", "scale"): _scale,
    (MICROSOFT, "MultiHeadAttention", "num_heads"): _result_heads("num_heads"),
    (MICROSOFT, "MultiHeadAttention", "scale"): _scale,
    (MICROSOFT, "GroupQueryAttention", "num_heads"): _result_heads("num_heads"),
    (MICROSOFT, "GroupQueryAttention", "kv_num_heads"): _key_heads,
}
"""What an attribute must be after the cut, by domain, operator and name; None where it cannot be told."""

GIVEN: Mapping[str, tuple[str, ...]] = {
    "Pad": ("pads",),
    "Slice": ("starts", "ends"),
    "Split": ("split", "num_outputs"),
    "Squeeze": ("axes",),
}
"""Attributes that stand for operands in old operator sets, and that are asked of with these."""
