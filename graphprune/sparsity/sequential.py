"""Sparse weights by what operators really get: in the order in which they run, behind all that went before.

The dense and the sparse model run side by side, bit by bit. At each operator, H = X'X is summed up over the
inputs that the sparse model has there, the operator is made sparse, and the sparse model runs on with its new
weight (Frantar and Alistarh 2023, *SparseGPT*, section 4: layers are compressed in order, each fed by the
compressed ones). Before that the weight is moved to what brings the results nearest to those of the dense
model, since the inputs are no longer the dense model's.

`wanda` moves no weights, so that errors pile up and the sparse model's inputs say little of what matters: it
takes the norms of the dense model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.feeds import Feeds
from graphprune.fitting.linear import Linear, constant, fixed_names, inputs, laid_out, matrix, results
from graphprune.fitting.sampling import Mask, masks, pick, rows_for
from graphprune.fitting.walk import Walk
from graphprune.ir import label, shape_of
from graphprune.model import Model
from graphprune.progress import Tell
from graphprune.sparsity import methods
from graphprune.sparsity.methods import Method, Numbers
from graphprune.sparsity.patterns import Pattern

Batches = Callable[[], Iterable[Feeds]]
SCARCE = 0.1
"""The damping where there is one batch only, so that no half can be held against the other."""


@dataclass(frozen=True)
class Aim:
    """What the weights are to become.

    Attributes:
        method: how it is chosen what goes.
        pattern: the pattern, or None for unstructured sparsity.
        sparsity: without a pattern, the share of weights that goes.
        bias: with data, whether biases that are there take up the mean of what goes, too.
    """

    method: Method
    pattern: Pattern | None
    sparsity: float = 0.0
    bias: bool = False


def sparsify_in_order(
    dense: Model,
    sparse: Model,
    items: Mapping[int, tuple[Linear, Linear]],
    batches: Batches,
    aim: Aim,
    tell: Tell | None = None,
) -> None:
    """Make operators of `sparse` sparse, whose weights are changed in place.

    Args:
        dense: the model as it was.
        sparse: a copy of it with constants of its own.
        items: by position in the graph, the operators: in `dense`, and in `sparse`.
        batches: yields the inputs, the same each time.
        aim: what is wanted.
        tell: is told how many operators are done, of how many.

    Raises:
        Refused: a model cannot be run on the inputs, or they lead to values that are not finite.
    """
    seen: list[Mask] = []

    def noted() -> Iterable[Feeds]:
        for feeds in batches():
            seen.append(masks(feeds))
            yield feeds

    with Walk(dense, noted()) as first, Walk(sparse, batches()) as second:
        for old, _ in items.values():
            first.want(_asked(old, aim))
        for done, (number, (old, new)) in enumerate(sorted(items.items())):
            first.reach(_asked(old, aim))
            second.reach([new.source])
            moves = aim.bias and _own_bias(new, sparse.graph)
            sums = _sums(first, second, number, old, new, seen, moves, aim)
            first.drop(_asked(old, aim))
            second.drop([new.source])
            _write(new, sums, aim, moves)
            if tell is not None:
                tell(done + 1, len(items))


def _asked(old: Linear, aim: Aim) -> list[str]:
    """Return the tensors of the dense model that an operator is judged by."""
    return [old.target, *([old.source] if aim.method == "wanda" else [])]


@dataclass(frozen=True)
class _Sums:
    """Means over rows: of x x', of x y', of x and of y, x of the sparse model and y of the dense one.

    gram is [blocks, columns, columns], cross [blocks, columns, outputs], x [blocks, columns],
    y [blocks, outputs]. Where the bias is to move, gram and cross are centred; else y is without the bias.
    For `wanda`, gram is of the dense model's x and is not centred. dampings has one for each block.
    """

    gram: Numbers
    cross: Numbers
    x: Numbers
    y: Numbers
    dampings: list[float]


def _sums(
    first: Walk,
    second: Walk,
    number: int,
    old: Linear,
    new: Linear,
    seen: list[Mask],
    moves: bool,
    aim: Aim,
) -> _Sums:
    grams = np.zeros((2, new.blocks, new.columns, new.columns))
    crosses = np.zeros((2, new.blocks, new.columns, new.outputs))
    x_total, y_total = np.zeros((new.blocks, new.columns)), np.zeros((new.blocks, new.outputs))
    bias = np.float32(0) if moves else matrix(old)[1].astype(np.float32)[:, None, :]
    share = -(-rows_for(new.columns) // first.count)
    rows = np.zeros(2)
    for batch in range(first.count):
        whole = first.value(old.target, batch)
        picks = pick(old, whole, share, (number, batch), seen[batch])
        if not picks.size:
            continue
        spatial = whole.shape[2:] if new.node.op in ("Conv", "ConvTranspose") else ()
        x = inputs(new, second.value(new.source, batch), spatial, picks)
        y = results(old, whole, picks) - bias
        with np.errstate(over="ignore", invalid="ignore"):
            if aim.method == "wanda":
                dense = inputs(old, first.value(old.source, batch), spatial, picks)
                grams[batch % 2] += dense.transpose(0, 2, 1) @ dense
            else:
                grams[batch % 2] += x.transpose(0, 2, 1) @ x
                crosses[batch % 2] += x.transpose(0, 2, 1) @ y
        x_total += x.sum(axis=1, dtype=np.float64)
        y_total += y.sum(axis=1, dtype=np.float64)
        rows[batch % 2] += picks.size
    if not (np.isfinite(grams).all() and np.isfinite(crosses).all()):
        what = f"on this data the inputs of {label(new.node)} are not finite numbers"
        raise Refused(what, "look for values out of range")
    all_rows = max(1.0, float(rows.sum()))
    gram: Numbers = grams.sum(axis=0) / all_rows
    cross: Numbers = crosses.sum(axis=0) / all_rows
    x_total, y_total = x_total / all_rows, y_total / all_rows
    for half in range(2):
        grams[half] /= max(1.0, rows[half])
        crosses[half] /= max(1.0, rows[half])
    if moves and aim.method != "wanda":
        for each in (gram, *grams):
            each -= x_total[:, :, None] * x_total[:, None, :]
        for each in (cross, *crosses):
            each -= x_total[:, :, None] * y_total[:, None, :]
    dampings = [SCARCE] * new.blocks
    if aim.method == "sparsegpt" and rows.all():
        w = matrix(new)[0]
        dampings = [methods.damping_of(w[b], grams[:, b], crosses[:, b]) for b in range(new.blocks)]
    return _Sums(gram, cross, x_total, y_total, dampings)


def _own_bias(it: Linear, graph: gs.Graph) -> bool:
    """Whether an operator has a bias that nobody else reads."""
    if it.bias is None:
        return False
    tensor = constant(*it.bias)
    return len(tensor.outputs) == 1 and tensor.name not in fixed_names(graph)


def _write(it: Linear, sums: _Sums, aim: Aim, moves: bool) -> None:
    """Give an operator its new weight, in the type of the old one, and its new bias."""
    w, _ = matrix(it)
    made = np.empty_like(w)
    for block in range(it.blocks):
        made[block] = _block(w[block], sums, block, it.taps, aim)
    _put(it.weight, laid_out(it, made))
    if moves and it.bias is not None:
        holder, operand = it.bias
        # The weight as it was stored decides what the mean of the results is.
        flat = (sums.y - np.einsum("bk,bkm->bm", sums.x, matrix(it)[0])).reshape(-1)
        if holder.op == "Gemm":
            flat = flat / float(holder.attrs.get("beta", 1.0))
        old = constant(holder, operand)
        _put(old, flat.reshape(shape_of(old)))


def _put(tensor: gs.Constant, values: NDArray[np.float64]) -> None:
    """Replace the values of a constant.

    Raises:
        Refused: one has no place in its type. The constant is as it was.
    """
    with np.errstate(over="ignore"):  # float16 ends at 65504
        cast = np.ascontiguousarray(values).astype(tensor.dtype)
    if not np.isfinite(cast.astype(np.float64)).all():
        what = f"new values of '{tensor.name}' are not finite as {np.dtype(tensor.dtype).name}"
        raise Refused(what, "leave its operator alone with --ignore")
    tensor.values = cast


def _block(w: Numbers, sums: _Sums, block: int, taps: int, aim: Aim) -> Numbers:
    gram, damping = sums.gram[block], sums.dampings[block]
    if aim.method == "magnitude" or not np.diagonal(gram).any():  # where nothing varies, the smallest may go
        return methods.wanda(w, np.eye(len(gram)), taps, aim.pattern, aim.sparsity)
    if aim.method == "wanda":
        return methods.wanda(w, gram, taps, aim.pattern, aim.sparsity)
    moved = methods.corrected(w, gram, sums.cross[block], damping)
    return methods.sparsegpt(moved, gram, taps, aim.pattern, aim.sparsity)
