"""Operators that take stretches or single elements of axes: concat, split, slice, pad, gather, scatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.rules.site import Edit, Row, Site, Table, Unruly, Written, named, text

_END = np.iinfo(np.int64).max
MOST_PICKS = 1 << 14
"""How many positions are followed one by one; of longer lists the axis is pinned."""


def _concat(site: Site) -> str:
    rank = len(site.output())
    axis = site.axis(0, rank)
    dims = named(rank)
    parts = [f"p{i}" for i in range(len(site.node.inputs))]
    sizes: dict[str, int] = {}
    for slot, part in enumerate(parts):
        sizes[part] = site.sizes(slot)[axis]
    ins = [[*dims[:axis], part, *dims[axis + 1 :]] for part in parts]
    out = [*dims[:axis], f"({' + '.join(parts)})" if len(parts) > 1 else parts[0], *dims[axis + 1 :]]
    return text(ins, [out], **sizes)


def _split(site: Site) -> str:
    rank = len(site.sizes(0))
    axis = site.axis(0)
    dims = named(rank)
    parts = [f"p{i}" for i in range(len(site.node.outputs))]
    if site.has(1) and site.value(1) is None:
        pinned = [*dims[:axis], "_", *dims[axis + 1 :]]
        return text([pinned, "_"], [pinned] * len(parts))
    sizes = {part: site.output(slot)[axis] for slot, part in enumerate(parts)}
    whole = f"({' + '.join(parts)})" if len(parts) > 1 else parts[0]
    return text(
        [[*dims[:axis], whole, *dims[axis + 1 :]], "_"],
        [[*dims[:axis], part, *dims[axis + 1 :]] for part in parts],
        **sizes,
    )


def _split_patch(edit: Edit) -> Written:
    axis = edit.site.axis(0)
    after = [sizes[axis] if sizes else 0 for sizes in edit.outputs]
    if after == [edit.site.output(slot)[axis] for slot in range(len(after))]:
        return {}
    if edit.site.has(1):
        return {1: after}
    if edit.site.attribute("split") is not None:
        return {"split": after}
    if len(set(after)) == 1:
        return {}
    return {"split": after} if edit.site.opset < 13 else {1: after, "num_outputs": None}


def _slice_bounds(site: Site) -> dict[int, tuple[int, int, int] | None]:
    """Return start, end and step by axis, counted from the front; None where computed from data."""
    rank = len(site.sizes(0))
    if not site.has(1):
        starts: list[int | None] = list(site.attribute("starts"))
        ends: list[int | None] = list(site.attribute("ends"))
        axes = list(site.attribute("axes") or range(len(starts)))
        steps: list[int | None] = [1] * len(starts)
    else:
        count = site.sizes(1)[0]
        axes = site.integers(3, "axes") if site.has(3) else list(range(count))
        if any(site.has(slot) and site.value(slot) is None for slot in (1, 2, 4)):
            return {axis % rank: None for axis in axes}
        starts, ends = site.entries(1, "starts"), site.entries(2, "ends")
        steps = site.entries(4, "steps") if site.has(4) else [1] * len(starts)
    bounds: dict[int, tuple[int, int, int] | None] = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if start is None or end is None or step is None:
            bounds[axis % rank] = None
            continue
        size = site.sizes(0)[axis % rank]
        low, high, stride = slice(start, end if step > 0 or end >= -size else None, step).indices(size)
        bounds[axis % rank] = (low, high, stride)
    return bounds


def _slice(site: Site) -> str:
    dims = named(len(site.sizes(0)))
    ins, out = list(dims), list(dims)
    sizes: dict[str, int] = {}
    picks: dict[str, Sequence[int]] = {}
    for axis, bound in _slice_bounds(site).items():
        size, left = site.sizes(0)[axis], site.output()[axis]
        name = dims[axis]
        if bound is not None and bound[2] == 1 and left:
            low = bound[0]
            ins[axis] = _stretch(name, low, size - low - left)
            if left != size:
                sizes |= {f"p{name}": low, name: left, f"q{name}": size - low - left}
        elif bound is not None and bound[2] > 1 and left * bound[2] == size and bound[0] < bound[2]:
            ins[axis] = f"({name} {bound[2]})"
        elif bound is not None and bound[2] == -1 and 0 < left <= MOST_PICKS:
            out[axis] = f"{name}[at{name}]"
            picks[f"at{name}"] = range(bound[0], bound[0] - left, -1)
        else:
            ins[axis] = out[axis] = "_"
    operands = [ins, *["_"] * (len(site.node.inputs) - 1)]
    rule = text(operands, [out], **{name: size for name, size in sizes.items() if size})
    if not picks:
        return rule
    return f"{rule}{'' if '|' in rule else ' |'} {_positions(**picks)}"


def _stretch(name: str, before: int, after: int) -> str:
    """Return the dimension of which `name` is the stretch between `before` and `after` positions."""
    parts = [*([f"p{name}"] if before else []), name, *([f"q{name}"] if after else [])]
    return f"({' + '.join(parts)})" if len(parts) > 1 else name


def _slice_patch(edit: Edit) -> Written:
    site, after, full = edit.site, edit.inputs[0], edit.site.sizes(0)
    assert after is not None
    dims = named(len(full))
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for position, (axis, bound) in enumerate(_slice_bounds(site).items()):
        if bound is None or after[axis] == full[axis]:
            continue
        if bound[2] == -1:
            at = edit.picks[f"at{dims[axis]}"]  # what lies between two that stay and were picked was picked
            starts[position], ends[position] = int(at[0]), int(at[-1]) - 1 if at[-1] else -_END
            continue
        if bound[2] != 1:
            ends[position] = _END
            continue
        low = edit.kept.get(f"p{dims[axis]}", 0)
        starts[position], ends[position] = low, low + edit.kept[dims[axis]]
    if not starts and not ends:
        return {}
    if site.has(1):
        return {1: _with(edit, 1, starts), 2: _with(edit, 2, ends)}
    old = list(site.attribute("starts")), list(site.attribute("ends"))
    new = (
        [fresh.get(i, bound) for i, bound in enumerate(given)] for given, fresh in zip(old, (starts, ends))
    )
    return dict(zip(("starts", "ends"), new))


def _with(edit: Edit, slot: int, changed: Mapping[int, int]) -> list[int]:
    """Return the entries of an operand with some changed; what is sized at run time stays as it is."""
    found: list[int] = []
    now = edit.values[slot]
    for i, entry in enumerate(edit.site.entries(slot, "bounds")):
        if i not in changed and entry is None:
            assert now is not None  # what has an entry that is known is a small value
            found.append(int(now.reshape(-1)[i]))
        else:
            found.append(changed.get(i, entry or 0))
    return found


def _pad_amounts(site: Site) -> dict[int, tuple[int, int] | None]:
    """Return what is added before and after, by axis; None where that is sized at run time."""
    rank = len(site.sizes(0))
    pads = site.entries(1, "amounts") if site.has(1) else [int(i) for i in site.attribute("pads")]
    axes = site.integers(3, "axes") if site.has(3) else list(range(rank))
    found: dict[int, tuple[int, int] | None] = {}
    for i, axis in enumerate(axes):
        before, after = pads[i], pads[i + len(axes)]
        found[axis % rank] = None if before is None or after is None else (before, after)
    return found


def _pad(site: Site) -> str:
    dims = named(len(site.sizes(0)))
    ins, out = list(dims), list(dims)
    sizes: dict[str, int] = {}
    constant = site.attribute("mode", "constant") in ("constant", b"constant")
    for axis, amounts in _pad_amounts(site).items():
        name = dims[axis]
        if amounts is None:
            ins[axis] = out[axis] = "_"
            continue
        before, after = amounts
        if not before and not after:
            continue
        if not constant or before * after < 0:
            ins[axis] = out[axis] = "_"
            continue
        side = out if before + after > 0 else ins
        side[axis] = _stretch(name, abs(before), abs(after))
        inner = min(site.sizes(0)[axis], site.output()[axis])
        sizes |= {f"p{name}": abs(before), name: inner, f"q{name}": abs(after)}
    operands = [ins, "_", "*", "_"][: max(1, len(site.node.inputs))]
    return text(operands, [out], **{name: size for name, size in sizes.items() if size})


def _pad_patch(edit: Edit) -> Written:
    dims = named(len(edit.site.sizes(0)))
    amounts = _pad_amounts(edit.site)
    changed: dict[int, int] = {}
    for position, (axis, found) in enumerate(amounts.items()):
        if found is None:
            continue
        name, sign = dims[axis], 1 if sum(found) > 0 else -1
        for side, amount, at in (("p", found[0], position), ("q", found[1], position + len(amounts))):
            if amount and f"{side}{name}" in edit.kept:
                changed[at] = sign * edit.kept[f"{side}{name}"]
    if edit.site.has(1):
        return {1: _with(edit, 1, changed)} if changed else {}
    old = [int(amount) for amount in edit.site.attribute("pads")]
    return {"pads": [changed.get(i, amount) for i, amount in enumerate(old)]}


@dataclass(frozen=True)
class _Taken:
    """Positions of an axis that constant indices take out.

    Attributes:
        axis: the axis.
        at: the positions, counted from the front.
        shape: the dimensions that take its place, of which one at most is longer than 1.
    """

    axis: int
    at: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def is_run(self) -> bool:
        """Whether they are consecutive."""
        return self.at == tuple(range(self.at[0], self.at[0] + len(self.at)))

    @property
    def long(self) -> int:
        """The dimension along which they lie, or -1 where there is none."""
        return next((i for i, size in enumerate(self.shape) if size > 1), len(self.shape) - 1)


def _taken(site: Site, most: int = MOST_PICKS) -> _Taken | None:
    """Return the positions that a Gather takes, or a GatherND or ScatterND of one axis.

    None where they are not known, or more than `most`.
    """
    value = site.value(1)
    single = site.node.op == "Gather"  # the others have an index for each axis, here for one
    axis = site.axis(0) if single else int(site.attribute("batch_dims", 0))
    if value is None or not value.size or not (single or value.shape[-1] == 1):
        return None
    if not single:
        rows = value.reshape(prod(value.shape[:axis]), *value.shape[axis:-1])
        if np.any(rows != rows[0]):
            return None
        value = rows[0]
    if sum(size > 1 for size in value.shape) > 1:
        return None
    at = _from_front(value, site.sizes(0)[axis]) if value.size <= most else None
    return None if at is None else _Taken(axis, at, value.shape)


def _from_front(indices: NDArray[Any], size: int) -> tuple[int, ...] | None:
    """Return indices of an axis of `size`, counted from its front; None where one is not there."""
    if indices.min() < -size or indices.max() >= size:
        return None  # the runtime refuses it
    return tuple(int(item) % size for item in indices.reshape(-1))


def _take(site: Site, taken: _Taken) -> tuple[str, list[str], list[str], str]:
    """Return the words of a rule for an axis that positions are taken out of.

    They are the axis, what takes its place, the indices, and what stands behind the bar.
    """
    size, name = site.sizes(0)[taken.axis], named(len(site.sizes(0)))[taken.axis]
    long = taken.long
    index = ["_" if i == long else "1" for i in range(len(taken.shape))]
    if not taken.is_run:
        picked = [f"{name}[at]" if i == long else "1" for i in range(len(taken.shape))]
        return name, picked, index, _positions(at=taken.at)
    first, count = taken.at[0], len(taken.at)
    picked = [name if i == long else "1" for i in range(len(taken.shape))]
    sizes = {f"p{name}": first, name: count, f"q{name}": size - first - count}
    whole = _stretch(name, first, size - first - count)
    known = " ".join(f"{key}={size}" for key, size in sizes.items() if size and "+" in whole)
    return whole, picked, index, known


def _positions(**picks: Sequence[int]) -> str:
    """Return the positions that `[name]` stands for, as they stand behind the bar of a rule."""
    return " ".join(f"{name}={','.join(map(str, at))}," for name, at in picks.items())


def _gather(site: Site) -> str:
    axis = site.axis(0)
    dims = named(len(site.sizes(0)))
    taken = _taken(site)
    if taken is None:
        picks = [f"i{name}" for name in named(len(site.sizes(1)))]
        ins = [*dims[:axis], "_", *dims[axis + 1 :]]
        return text([ins, picks], [[*dims[:axis], *picks, *dims[axis + 1 :]]])
    whole, picked, index, known = _take(site, taken)
    rule = text(
        [[*dims[:axis], whole, *dims[axis + 1 :]], index], [[*dims[:axis], *picked, *dims[axis + 1 :]]]
    )
    return f"{rule} | {known}"


def _gather_patch(edit: Edit) -> Written:
    taken = _taken(edit.site)
    return {} if taken is None else _renumber(edit, taken)


def _renumber(edit: Edit, taken: _Taken) -> Written:
    """Return the indices, operand 1, as they are after a cut of the axis that they count along."""
    source, full = edit.inputs[0], edit.site.sizes(0)
    assert source is not None
    batch = 0 if edit.site.node.op == "Gather" else taken.axis  # dimensions that the indices have as well
    if source[taken.axis] == full[taken.axis] and source[:batch] == full[:batch]:
        return {}
    if taken.is_run:
        name = named(len(source))[taken.axis]
        first = edit.kept.get(f"p{name}", 0)
        at = np.arange(first, first + edit.kept[name])
    else:
        at = edit.picks["at"]
    index = at.reshape([-1 if i == taken.long else 1 for i in range(len(taken.shape))])
    if edit.site.node.op == "Gather":
        return {1: index}
    return {1: np.broadcast_to(index[..., None], (*source[:batch], *index.shape, 1))}


def _gather_elements(site: Site) -> str:
    axis = site.axis(0)
    data, index = site.sizes(0), site.sizes(1)
    at = _alike_elsewhere(site, axis)
    if at is not None:
        dims = named(len(data))
        whole = [name if i == axis or data[i] == index[i] else "_" for i, name in enumerate(dims)]
        taken = [f"{name}[at]" if i == axis else name for i, name in enumerate(whole)]
        read = ["_" if i == axis else name for i, name in enumerate(whole)]
        return f"{text([whole, read], [taken])} | {_positions(at=at)}"
    dims = ["_" if i == axis or data[i] != index[i] else name for i, name in enumerate(named(len(data)))]
    return text([dims, dims], [dims])


def _alike_elsewhere(site: Site, axis: int) -> tuple[int, ...] | None:
    """Return the indices along `axis`, operand 1, where they are known and do not differ along others."""
    value = site.value(1)
    if value is None or not value.size:
        return None
    along = np.moveaxis(value, axis, -1).reshape(-1, value.shape[axis])
    if along.shape[1] > MOST_PICKS or np.any(along != along[0]):
        return None
    return _from_front(along[0], site.sizes(0)[axis])


def _gather_elements_patch(edit: Edit) -> Written:
    after = edit.outputs[0]
    if "at" not in edit.picks or after is None:
        return {}
    axis = edit.site.axis(0)
    along = [-1 if dim == axis else 1 for dim in range(len(after))]
    return {1: np.broadcast_to(edit.picks["at"].reshape(along), after)}


def _gather_nd(site: Site) -> str:
    batch, depth = int(site.attribute("batch_dims", 0)), site.sizes(1)[-1]
    data = named(len(site.sizes(0)))
    taken = _taken(site)
    if taken is None:
        picks = [f"i{name}" for name in named(len(site.sizes(1)) - 1 - batch)]
        ins = [*data[:batch], *["_"] * depth, *data[batch + depth :]]
        return text([ins, [*data[:batch], *picks, "_"]], [[*data[:batch], *picks, *data[batch + depth :]]])
    whole, picked, index, known = _take(site, taken)
    ins = [*data[:batch], whole, *data[batch + 1 :]]
    rule = text([ins, [*data[:batch], *index, "1"]], [[*data[:batch], *picked, *data[batch + 1 :]]])
    return f"{rule} | {known}"


def _run(site: Site) -> _Taken | None:
    """Return the consecutive positions of the first axis that a ScatterND writes over, if it does."""
    taken = _taken(site, most=site.sizes(0)[0])  # no run is longer than its axis
    return taken if taken is not None and taken.is_run else None


def _scatter_nd(site: Site) -> str:
    depth, lead = site.sizes(1)[-1], len(site.sizes(1)) - 1
    data = named(len(site.sizes(0)))
    run = _run(site)
    if run is None:
        dims = ["_" if i < depth else name for i, name in enumerate(data)]
        return text([dims, "*", [*["_"] * lead, *dims[depth:]]], [dims])
    # What is written over is a stretch of the first axis; the updates' one long dimension lies along it.
    whole, written, index, known = _take(site, run)
    dims = [whole, *data[1:]]
    return f"{text([dims, [*index, '1'], [*written, *data[1:]]], [dims])} | {known}"


def _scatter_nd_patch(edit: Edit) -> Written:
    run = _run(edit.site)
    return {} if run is None else _renumber(edit, run)


def _compress(site: Site) -> str:
    if site.attribute("axis") is None:
        raise Unruly("it flattens")
    axis = site.axis(0)
    dims = ["_" if i == axis else name for i, name in enumerate(named(len(site.sizes(0))))]
    return text([dims, "_"], [dims])


TABLE: Table = {
    "Concat": Row(_concat),
    "Split": Row(_split, _split_patch, sizes=(1,)),
    "Slice": Row(_slice, _slice_patch, sizes=(1, 2, 3, 4), why="positions along it are picked"),
    "Pad": Row(_pad, _pad_patch, sizes=(1, 3), why="it is padded with copies of its own values"),
    "Gather": Row(_gather, _gather_patch, sizes=(1,), why="positions along it are picked"),
    "GatherElements": Row(
        _gather_elements, _gather_elements_patch, sizes=(1,), why="positions along it are picked"
    ),
    "GatherND": Row(_gather_nd, _gather_patch, sizes=(1,), why="positions along it are picked"),
    "ScatterND": Row(_scatter_nd, _scatter_nd_patch, sizes=(1,), why="positions along it are picked"),
    "Compress": Row(_compress, why="positions along it are picked"),
}
