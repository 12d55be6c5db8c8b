"""Compensation: weights with which a cut model computes what the original computes, as nearly as can be.

Operator by operator, in the order in which they run, the original and the cut model run side by side over the
same samples. Each operator's weights are fitted anew to *what it really gets*, behind all operators that were
fitted before it, so that errors do not pile up: He et al. 2017, *Channel Pruning*, section 3.2 with eq. 4;
Frantar and Alistarh 2022, *OBC*, section 5 (sequential compensation).

| by | what is fitted to the original's results |
|---|---|
| lstsq | all weights and the bias: least squares with a ridge towards the weights that were there |
| bn | scale and shift of each output: its mean and variance are set to the original's |

`bn` is that of Jordan et al. 2023, *REPAIR*, section 3: batch-norm re-estimation, whether or not there is a
norm to write it into.

Where results are added to a shortcut, the operator is fitted to what the sum was, less what the shortcut
now is (He et al. 2017, section 3.3), so that a block also mends what the shortcut carries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphprune.cut import Cut
from graphprune.duplicate import names_of
from graphprune.feeds import Feeds
from graphprune.fitting import ridge
from graphprune.fitting.clipped import ROWS_A_COLUMN, Held
from graphprune.fitting.downstream import Downstream, downstream
from graphprune.fitting.linear import Linear, Rows, inputs, matrix, results
from graphprune.fitting.linear_write import put
from graphprune.fitting.makeup import Pair, pairs
from graphprune.fitting.sampling import ROWS, Mask, masks, pick, rows_for
from graphprune.fitting.walk import Walk
from graphprune.model import Model
from graphprune.progress import Tell
from graphprune.solution import Solution

Numbers = NDArray[np.float64]
By = Literal["lstsq", "bn"]


@dataclass(frozen=True)
class Fit:
    """How well one operator's results match the original's.

    Attributes:
        name: the operator.
        before: squared error over the variance of the original's results, as the operator was cut.
        after: the same once it was fitted.
        ridge: the strength of the ridge that was chosen.
    """

    name: str
    before: float
    after: float
    ridge: float


@dataclass
class _Side:
    """Both models under way, the masks of their batches, and all names of the smaller graph."""

    original: Walk
    smaller: Walk
    masks: list[Mask]
    names: set[str]


def compensate(
    model: Model,
    solution: Solution,
    cut: Cut,
    batches: Callable[[], Iterable[Feeds]],
    *,
    by: By = "lstsq",
    rows: int = ROWS,
    tell: Tell | None = None,
) -> list[Fit]:
    """Fit every linear operator of the cut model, whose graph is changed in place.

    Args:
        model: the original.
        solution: its axes.
        cut: the cut model.
        batches: yields the inputs, the same each time.
        by: what is fitted.
        rows: how many rows of each operator are looked at, in all.
        tell: is told how many operators are done, of how many.

    Raises:
        Refused: a model cannot be run on the inputs.
    """
    items = pairs(solution, cut)
    nodes = [id(pair.after.node) for pair in items]
    ways = {
        pair.number: downstream(cut.model.graph, pair.after, nodes[at + 1 :]) for at, pair in enumerate(items)
    }
    seen: list[Mask] = []

    def noted() -> Iterable[Feeds]:
        for feeds in batches():
            seen.append(masks(feeds))
            yield feeds

    fits: list[Fit] = []
    with Walk(model, noted()) as original, Walk(cut.model, batches()) as smaller:
        side = _Side(original, smaller, seen, names_of(cut.model.graph))
        for pair in items:
            original.want(_wanted(pair, ways[pair.number]))
        for done, pair in enumerate(items):
            fit = _fit(side, pair, ways[pair.number], by, rows)
            if fit is not None:
                fits.append(fit)
            if tell is not None:
                tell(done + 1, len(items))
    return fits


def _wanted(pair: Pair, way: Downstream) -> list[str]:
    """Return the tensors of the original that an operator is fitted to."""
    return [pair.before.target, *([way.sum] if way.other else [])]


def _fit(side: _Side, pair: Pair, way: Downstream, by: By, rows: int) -> Fit | None:
    new = pair.after
    needed = [new.source, *([way.other] if way.other else [])]
    side.original.reach(_wanted(pair, way))
    side.smaller.reach(needed)
    normal, held = ridge.Normal(new.blocks, new.columns, new.outputs), Held()
    share = -(-rows_for(new.columns, rows) // side.original.count)
    for batch in range(side.original.count):
        rows_of = _rows(side, pair, way, batch, share)
        if rows_of is not None:
            x, y, low, high = rows_of
            normal.add(x, y, alone=side.original.value(pair.before.target, batch).shape[:1] == (1,))
            held.add(x, y, low, high)
    side.original.drop(_wanted(pair, way))
    side.smaller.drop(needed)
    w, b = matrix(new)
    start = np.concatenate([w, b[:, None, :]], axis=1)
    spread = held.spread()
    if spread <= 0:
        return None
    fitted, strength = ridge.best(normal, start) if by == "lstsq" else (_rescaled(normal, start), 0.0)
    if by == "lstsq" and way.clips and sum(normal.rows) >= ROWS_A_COLUMN * new.columns:
        fitted = held.refit(normal.sums()[0], start, fitted, strength)
    put(side.smaller.model.graph, new, fitted[:, :-1], fitted[:, -1], side.names)
    return Fit(new.node.name or new.target, held.error(start) / spread, held.error(fitted) / spread, strength)


def _rows(
    side: _Side, pair: Pair, way: Downstream, batch: int, share: int
) -> tuple[Rows, Rows, Rows, Rows] | None:
    """Return rows of X, the results that are wanted, and the bounds between which they matter, if any."""
    old, new = pair.before, pair.after
    y = side.original.value(old.target, batch)
    picks = pick(old, y, share, (pair.number, batch), side.masks[batch])
    if not picks.size:
        return None
    spatial = y.shape[2:] if new.node.op in ("Conv", "ConvTranspose") else ()
    x = inputs(new, side.smaller.value(new.source, batch), spatial, picks)
    if not way.other:
        low, high = way.bounds(0.0, new.outputs)
        return x, _chosen(results(old, y, picks), pair), low, high
    total = _chosen(results(old, side.original.value(way.sum, batch), picks), pair)
    added = np.broadcast_to(side.smaller.value(way.other, batch), _shape(y, new))
    other = results(new, added, picks)
    low, high = way.bounds(other, new.outputs)
    return x, way.results(total, other, new.outputs), low, high


def _chosen(full: Rows, pair: Pair) -> Rows:
    """Return the results that stay: blocks and outputs."""
    return np.take_along_axis(full[pair.blocks], pair.outputs[:, None, :], axis=2)


def _shape(y: NDArray[np.generic], it: Linear) -> tuple[int, ...]:
    sizes = list(y.shape)
    sizes[it.target_dim] = it.blocks * it.outputs
    return tuple(sizes)


def _rescaled(normal: ridge.Normal, start: Numbers) -> Numbers:
    """Return weights with which every output has the original's mean and variance."""
    rows = max(1, sum(normal.rows))
    gram, cross, power = (each / rows for each in normal.sums())
    ours = np.einsum("bk,bkm->bm", gram[:, -1, :], start)
    wide = np.maximum(np.einsum("bkm,bkl,blm->bm", start, gram, start) - np.square(ours), 0)
    theirs = cross[:, -1, :]
    aim = np.maximum(power - np.square(theirs), 0)
    scale = np.sqrt(np.divide(aim, wide, out=np.ones_like(aim), where=wide > 1e-12))
    out: Numbers = start * scale[:, None, :]
    out[:, -1, :] += theirs - ours * scale
    return out


def summary(fits: Sequence[Fit]) -> Mapping[str, object]:
    """Return what is told of the fits in the record of a run."""
    if not fits:
        return {"operators": 0}
    return {
        "operators": len(fits),
        "median_error_before": round(float(np.median([fit.before for fit in fits])), 6),
        "median_error_after": round(float(np.median([fit.after for fit in fits])), 6),
        "worst": max(fits, key=lambda fit: fit.after).name,
    }
