"""Operators that arrange elements anew without picking any: reshape, transpose, expand, tile, resize."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.rules.site import Edit, Row, Site, Table, Unruly, Written, named, text


def regroup(before: Sequence[int], after: Sequence[int]) -> str:
    """Return the rule of a reshape: the factors that both sides have in common, matched from the left.

    A stretch of dimensions in which the factors do not divide each other is pinned.

    Example:
        >>> regroup((2, 197, 2304), (2, 197, 3, 12, 64))
        'a b (c d e) -> a b c d e | c=3 d=12 e=64'
    """
    if 0 in before or 0 in after:
        raise Unruly("it is empty")
    left = ["1" if size == 1 else "_" for size in before]
    right = ["1" if size == 1 else "_" for size in after]
    sizes: dict[str, int] = {}
    for ins, outs in _stretches(before, after):
        factors = _common([before[i] for i in ins], [after[i] for i in outs])
        if factors is None:
            continue
        fresh = iter(named(sum(map(len, factors[0])), len(sizes)))
        labels: dict[int, str] = {}
        for side, dims, terms in ((left, ins, factors[0]), (right, outs, factors[1])):
            for dim, term in zip(dims, terms, strict=True):
                for number, size in term:
                    if number not in labels:
                        labels[number] = next(fresh)
                        sizes[labels[number]] = size
                words = [labels[number] for number, _ in term]
                side[dim] = words[0] if len(words) == 1 else f"({' '.join(words)})"
    grouped = {word.strip("()") for dim in (*left, *right) if "(" in dim for word in dim.split()}
    return text([left], [right], **{name: size for name, size in sizes.items() if name in grouped})


def _stretches(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Cut both sides into the shortest stretches of equal volume, leaving out dimensions of size 1."""
    ins = [i for i, size in enumerate(before) if size != 1]
    outs = [i for i, size in enumerate(after) if size != 1]
    result: list[tuple[list[int], list[int]]] = []
    while ins and outs:
        taken, given = [ins.pop(0)], [outs.pop(0)]
        a, b = before[taken[0]], after[given[0]]
        while a != b:
            if (a < b and not ins) or (a > b and not outs):
                raise Unruly(f"sizes {tuple(before)} and {tuple(after)} do not have the same volume")
            if a < b:
                taken.append(ins.pop(0))
                a *= before[taken[-1]]
            else:
                given.append(outs.pop(0))
                b *= after[given[-1]]
        result.append((taken, given))
    return result


Terms = list[list[tuple[int, int]]]


def _common(before: list[int], after: list[int]) -> tuple[Terms, Terms] | None:
    """Return the numbered common factors of both sides, or None where they do not divide."""
    left: Terms = [[] for _ in before]
    right: Terms = [[] for _ in after]
    i = j = number = 0
    a, b = before[0], after[0]
    while True:
        size = min(a, b)
        if max(a, b) % size:
            return None
        left[i].append((number, size))
        right[j].append((number, size))
        number += 1
        a, b = a // size, b // size
        if a == 1:
            i += 1
            a = before[i] if i < len(before) else 0
        if b == 1:
            j += 1
            b = after[j] if j < len(after) else 0
        if not a or not b:
            return left, right


def _reshape(site: Site) -> str:
    target = site.integers(1, "target sizes")
    if site.attribute("allowzero", 0) and 0 in target:
        raise Unruly("it is empty")
    if len(target) != len(site.output()):
        raise Unruly(_RANK)
    return regroup(site.sizes(0), site.output()).replace(" ->", ", _ ->", 1)


def _reshape_patch(edit: Edit) -> Written:
    source, before, after = edit.inputs[0], edit.site.integers(1, "target sizes"), edit.outputs[0]
    assert source is not None and after is not None
    target = [
        size
        if size == -1 or (size == 0 and source[i] == after[i]) or after[i] == edit.site.output()[i]
        else after[i]
        for i, size in enumerate(before)
    ]
    return {1: target}


def _flatten(site: Site) -> str:
    return regroup(site.sizes(0), site.output())


def _transpose(site: Site) -> str:
    dims = named(len(site.sizes(0)))
    order = site.attribute("perm") or list(reversed(range(len(dims))))
    return text([dims], [[dims[i] for i in order]])


def _named_axes(site: Site) -> list[int] | None:
    if site.has(1):
        return site.integers(1, "axes")
    return site.numbers("axes") if site.attribute("axes") is not None else None


def _squeezed(site: Site) -> list[int]:
    axes = _named_axes(site)
    return [i for i, size in enumerate(site.sizes(0)) if size == 1] if axes is None else axes


def _squeeze(site: Site) -> str:
    rank = len(site.sizes(0))
    gone = {axis % rank for axis in _squeezed(site)}
    dims = ["1" if i in gone else name for i, name in enumerate(named(rank))]
    return text([dims, "_"], [[name for i, name in enumerate(dims) if i not in gone]])


def _squeeze_patch(edit: Edit) -> Written:
    """Name the axes that go where nobody named them and one that must stay is cut to a single unit."""
    site, after = edit.site, edit.inputs[0]
    assert after is not None
    if _named_axes(site) is not None or after.count(1) == site.sizes(0).count(1):
        return {}
    return {"axes": _squeezed(site)} if site.opset < 13 else {1: _squeezed(site)}


def _unsqueeze(site: Site) -> str:
    axes = site.integers(1, "axes") if site.has(1) else list(site.attribute("axes"))
    rank = len(site.sizes(0)) + len(axes)
    new = {axis % rank for axis in axes}
    names = iter(named(len(site.sizes(0))))
    out = ["1" if i in new else next(names) for i in range(rank)]
    return text([[name for name in out if name != "1"], "_"], [out])


def _expand(site: Site) -> str:
    target, before, after = site.integers(1, "target sizes"), site.sizes(0), site.output()
    if len(after) != max(len(target), len(before)):
        raise Unruly(_RANK)
    out = named(len(after))
    aligned = out[len(after) - len(before) :]
    ins = [
        "1" if size == 1 and after[len(after) - len(before) + i] != 1 else aligned[i]
        for i, size in enumerate(before)
    ]
    return text([ins, "_"], [out])


def _expand_patch(edit: Edit) -> Written:
    before, after, full = edit.site.integers(1, "target sizes"), edit.outputs[0], edit.site.output()
    assert after is not None
    offset = len(after) - len(before)
    return {
        1: [
            size if size == 1 or after[offset + i] == full[offset + i] else after[offset + i]
            for i, size in enumerate(before)
        ]
    }


def _constant_of_shape(site: Site) -> str:
    site.integers(0, "sizes")
    return text(["_"], [named(len(site.output()))])


def _constant_of_shape_patch(edit: Edit) -> Written:
    assert edit.outputs[0] is not None
    return {0: list(edit.outputs[0])}


def _tile(site: Site) -> str:
    repeats = site.integers(1, "repeats")
    dims = named(len(repeats))
    out = [name if times == 1 else f"(r{name} {name})" for name, times in zip(dims, repeats, strict=True)]
    sizes = {f"r{name}": times for name, times in zip(dims, repeats, strict=True) if times != 1}
    return text([dims, "_"], [out], **sizes)


def _tile_patch(edit: Edit) -> Written:
    repeats = edit.site.integers(1, "repeats")
    dims = named(len(repeats))
    return {1: [edit.kept.get(f"r{name}", times) for name, times in zip(dims, repeats, strict=True)]}


def _resize(site: Site) -> str:
    if site.attribute("coordinate_transformation_mode") in ("tf_crop_and_resize", b"tf_crop_and_resize"):
        raise Unruly("it crops")
    if site.attribute("keep_aspect_ratio_policy", "stretch") not in ("stretch", b"stretch"):
        raise Unruly("it chooses its sizes by the aspect ratio")
    if site.has(3):
        site.integers(3, "target sizes")
    before, after, scales = site.sizes(0), site.output(), _scales(site)
    dims = [
        name if before[i] == after[i] and scales[i] == 1 else "_" for i, name in enumerate(named(len(before)))
    ]
    return text([dims, *["_"] * (len(site.node.inputs) - 1)], [dims])


def _scales(site: Site) -> list[float]:
    """Return the scale of each dimension; a scale of 1.2 may well keep a size of 4, but not its positions."""
    rank = len(site.sizes(0))
    if site.has(3):
        return [after / before for before, after in zip(site.sizes(0), site.output(), strict=True)]
    given: list[float] = site.attribute("scales") or []
    if not given:
        value = site.value(2 if site.node.op == "Resize" and site.opset > 10 else 1)
        if value is None:
            raise Unruly("its scales are computed from data")
        given = [float(scale) for scale in value.reshape(-1)]
    axes = [axis % rank for axis in site.numbers("axes") or range(rank)]
    scales = dict(zip(axes, given, strict=True))
    return [scales.get(axis, 1.0) for axis in range(rank)]


def _resize_patch(edit: Edit) -> Written:
    if not edit.site.has(3):
        return {}
    rank = len(edit.site.sizes(0))
    axes = [axis % rank for axis in edit.site.numbers("axes") or range(rank)]
    sizes, after, full = edit.site.integers(3, "target sizes"), edit.outputs[0], edit.site.output()
    assert after is not None
    return {
        3: [
            size if after[axis] == full[axis] else after[axis] for axis, size in zip(axes, sizes, strict=True)
        ]
    }


def _depth_to_space(site: Site) -> str:
    return f"n ({_depth(site)}) * -> n c *"


def _space_to_depth(site: Site) -> str:
    return f"n c * -> n ({_depth(site)}) *"


def _depth(site: Site) -> str:
    """Return how a depth is made of channels and places in a block (SpaceToDepth: `mode` since opset 27)."""
    block = int(site.attribute("blocksize"))
    crd = site.attribute("mode", "DCR") in ("CRD", b"CRD")
    return f"c {block} {block}" if crd else f"{block} {block} c"


_RANK = "its output has another rank than its target"
_FACTORS = "its factors do not divide those of the target, or it is a vector of sizes"

TABLE: Table = {
    "Reshape": Row(_reshape, _reshape_patch, sizes=(1,), why=_FACTORS),
    "Flatten": Row(_flatten, why=_FACTORS),
    "Transpose": Row(_transpose),
    "Squeeze": Row(_squeeze, _squeeze_patch),
    "Unsqueeze": Row(_unsqueeze),
    "Expand": Row(_expand, _expand_patch, sizes=(1,)),
    "ConstantOfShape": Row(_constant_of_shape, _constant_of_shape_patch, sizes=(0,)),
    "Tile": Row(_tile, _tile_patch, sizes=(1,)),
    "Resize": Row(_resize, _resize_patch, sizes=(3,), why="it is resampled"),
    "Upsample": Row(_resize, why="it is resampled"),
    "DepthToSpace": Row(_depth_to_space, why="it becomes space"),
    "SpaceToDepth": Row(_space_to_depth, why="it comes from space"),
    "Shape": Row("- -> _"),
    "Size": Row("- -> "),
}
