"""Let the weights that stay make up for the inputs that went, from the statistics of the original alone.

For one operator, with the columns R of X that stay and S that go, on the rows that the original saw:

| by | W_R becomes | b becomes | source |
|---|---|---|---|
| bias | W_R | b + mean_S W_S | An et al. 2024, *FLAP*, eq. 6 |
| obs | W_R + H_RR^-1 H_RS W_S, H the covariance | b + mean (W - W_new) | Hassibi and Stork 1993, *OBS* |

Neither sees the errors that operators before have made (`graphprune.fitting.compensate` does).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphprune.bind import Axes
from graphprune.cut import Cut
from graphprune.duplicate import names_of
from graphprune.fitting.linear import Linear, fixed_names, linear, matrix
from graphprune.fitting.linear_write import put
from graphprune.fitting.shrinkage import shrunk
from graphprune.fitting.statistics import Moments, Statistics
from graphprune.solution import Solution

Numbers = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pair:
    """An operator before and after a cut.

    Attributes:
        number: its position in the original's graph.
        before: the original.
        after: what the cut made of it.
        blocks: the blocks that stay.
        columns: in each of them, the columns of X that stay, [blocks, columns].
        outputs: and the outputs, [blocks, outputs].
    """

    number: int
    before: Linear
    after: Linear
    blocks: Index
    columns: Index
    outputs: Index

    @property
    def lost(self) -> bool:
        """Whether a block that stays has lost columns."""
        return bool(self.columns.shape[1] < self.before.columns)


def pairs(solution: Solution, cut: Cut) -> list[Pair]:
    """Return the linear operators of the original that the smaller graph still has, in order."""
    living = {id(node) for node in cut.model.graph.nodes}
    fixed = fixed_names(solution.graph)
    found: list[Pair] = []
    for number, (old, new) in enumerate(zip(solution.graph.nodes, cut.nodes, strict=True)):
        if id(new) not in living:
            continue
        before, after = linear(old, fixed), linear(new, fixed)
        if not isinstance(before, Linear) or not isinstance(after, Linear):
            continue
        trace = cut.traces[number]
        fed = _kept(
            trace.inputs.get(before.feed, {}), before.feed_dim, solution.nodes[number].inputs[before.feed]
        )
        made = _kept(trace.outputs.get(0, {}), before.target_dim, solution.nodes[number].outputs[0])
        channels = _apart(fed, before.blocks, before.channels, after.channels)
        outputs = _apart(made, before.blocks, before.outputs, after.outputs)
        if channels is None or outputs is None:
            continue
        blocks = channels[0] if fed is not None else outputs[0]
        if len(blocks) != after.blocks or not {*blocks} <= {*channels[0]} & {*outputs[0]}:
            continue
        taps = np.arange(before.taps)
        columns = (_rows(channels, blocks)[:, :, None] * before.taps + taps).reshape(len(blocks), -1)
        found.append(Pair(number, before, after, blocks, columns, _rows(outputs, blocks)))
    return found


def _kept(cuts: dict[int, Index], dim: int, axes: Axes | None) -> Index | None:
    rank = len(axes or ())
    return cuts.get(dim if dim >= 0 else dim + rank)


def _apart(kept: Index | None, blocks: int, size: int, left: int) -> tuple[Index, Index] | None:
    """Return the blocks that stay, and what stays in each; None where they do not keep equally many."""
    if kept is None:
        return np.arange(blocks), np.broadcast_to(np.arange(size), (blocks, size))
    of, inner = np.divmod(kept, size)
    living = of[np.sort(np.unique(of, return_index=True)[1])]  # a plan may put blocks in another order
    if any(np.sum(of == block) != left for block in living):
        return None
    return living, np.stack([inner[of == block] for block in living])


def _rows(parts: tuple[Index, Index], blocks: Index) -> Index:
    """Return what stays in each of `blocks`."""
    place = {int(block): at for at, block in enumerate(parts[0])}
    return parts[1][[place[int(block)] for block in blocks]]


def make_up(solution: Solution, cut: Cut, statistics: Statistics, by: Literal["bias", "obs"]) -> int:
    """Change the weights of the cut model's operators that have lost inputs; return how many.

    The graph of `cut` is changed in place.
    """
    changed = 0
    names = names_of(cut.model.graph)
    for pair in pairs(solution, cut):
        if not pair.lost or pair.number not in statistics:
            continue
        moments = statistics.moments(pair.number)
        w, b = matrix(pair.before)
        new = np.empty((len(pair.blocks), pair.columns.shape[1], pair.outputs.shape[1]))
        bias = np.empty((len(pair.blocks), pair.outputs.shape[1]))
        for at, block in enumerate(pair.blocks):
            stay, out = pair.columns[at], pair.outputs[at]
            old = w[block][:, out]
            new[at] = old[stay] if by == "bias" else best(moments, int(block), old, stay)
            bias[at] = b[block, out] + moments.mean[block] @ old - moments.mean[block, stay] @ new[at]
        put(cut.model.graph, pair.after, new, bias, names)
        changed += 1
    return changed


def best(moments: Moments, block: int, weight: Numbers, stay: Index) -> Numbers:
    """Return the weights of the columns that stay with which X W is nearest to what it was."""
    pushed = shrunk(moments.covariance[block], float(moments.effective[block]))
    return np.asarray(np.linalg.solve(pushed[np.ix_(stay, stay)], pushed[stay] @ weight), np.float64)
