"""Reductions, searches and scans along axes."""

from __future__ import annotations

from graphprune.rules.site import Row, Site, Table, Unruly, named, text


def _axes(site: Site, rank: int) -> set[int]:
    axes = site.integers(1, "axes") if site.has(1) else site.numbers("axes")
    if axes:
        return {axis % rank for axis in axes}
    return set() if site.attribute("noop_with_empty_axes", 0) else set(range(rank))


def _reduction(mark: str) -> Row:
    def rule(site: Site) -> str:
        rank = len(site.sizes(0))
        axes = _axes(site, rank)
        dims = [name + mark * (i in axes) for i, name in enumerate(named(rank))]
        keep = site.attribute("keepdims", 1)
        out = ["1" if i in axes else name for i, name in enumerate(named(rank)) if keep or i not in axes]
        return text([dims, "_"], [out])

    return Row(rule)


def _searching(inputs: int, outputs: int) -> Row:
    """Rule of operators that compare, order or count along one axis: it is pinned there."""

    def rule(site: Site) -> str:
        rank = len(site.sizes(0))
        axis = site.axis(-1 if site.node.op == "TopK" else 0)
        dims = ["_" if i == axis else name for i, name in enumerate(named(rank))]
        out = dims
        if site.node.op.startswith("Arg") and not site.attribute("keepdims", 1):
            out = [name for i, name in enumerate(dims) if i != axis]
        return text([dims, *["*"] * (inputs - 1)], [out] * outputs)

    return Row(rule, why="its values are ranked")


def _cumulative(site: Site) -> str:
    rank = len(site.sizes(0))
    axes = site.integers(1, "axis")
    if not rank:
        raise Unruly("it runs over a scalar")
    dims = ["_" if i == axes[0] % rank else name for i, name in enumerate(named(rank))]
    return text([dims, "*"], [dims])


def _one_hot(site: Site) -> str:
    rank = len(site.sizes(0))
    axis = int(site.attribute("axis", -1)) % (rank + 1)
    dims = named(rank)
    return text([dims, "*", "*"], [[*dims[:axis], "_", *dims[axis:]]])


def _trilu(site: Site) -> str:
    return "... _ _, * -> ... _ _"


def _reverse_sequence(site: Site) -> str:
    dims = ["_" if i < 2 else name for i, name in enumerate(named(len(site.sizes(0))))]
    return text([dims, "_"], [dims])


_MIXED = (
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare"
)

TABLE: Table = {
    "ReduceSum": _reduction(""),
    **{op: _reduction("!") for op in _MIXED.split()},
    "ArgMax": _searching(1, 1),
    "ArgMin": _searching(1, 1),
    "TopK": _searching(2, 2),
    "CumSum": Row(_cumulative, why="it is summed up in order"),
    "CumProd": Row(_cumulative, why="it is summed up in order"),
    "OneHot": Row(_one_hot, why="indices point into it"),
    "Trilu": Row(_trilu, why="a triangle is cut out of it"),
    "ReverseSequence": Row(_reverse_sequence, why="it is reversed"),
}
