"""Sparse weights of one linear operator, from what its inputs look like.

| method | what goes | what stays |
|---|---|---|
| magnitude | the smallest abs(w) | as it is |
| wanda | the smallest abs(w) |x|, |x| the norm of the input that it multiplies | as it is |
| sparsegpt | the smallest w^2 / (H^-1)_jj, H = X'X | makes up for what went |

wanda: Sun et al. 2023, *A Simple and Effective Pruning Approach for Large Language Models*, eq. 1, compared
within each output. sparsegpt: Frantar and Alistarh 2023, *SparseGPT*, algorithm 1, with N:M masks chosen for
each M columns as in section 3.4.

Weights are [columns, outputs] here, column `i * taps + t` being input channel `i` at tap `t`
(`graphprune.fitting.linear`). A pattern runs over consecutive channels at one tap, so that columns are put in
the order (M channels, tap, channel within them) first.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graphprune.sparsity.patterns import Pattern, best_of, highest

Method = Literal["magnitude", "wanda", "sparsegpt"]
Numbers = NDArray[np.float64]
DAMPING = 0.01
"""What is added to the diagonal of H, as a share of its mean: that of the paper."""
DAMPINGS = tuple(DAMPING / 4 * 4**power for power in range(6))
"""What is tried where weights are moved: the one with which one half of the data predicts the other best."""
_BLOCK = 128
"""Columns between two updates of all that are to come (the paper's B)."""


def order(channels: int, taps: int, of: int) -> NDArray[np.int64]:
    """Return the columns in an order in which `of` consecutive ones are consecutive channels at one tap.

    >>> order(4, 2, 2)
    array([0, 2, 1, 3, 4, 6, 5, 7])
    """
    numbers = np.arange(channels * taps, dtype=np.int64).reshape(channels // of, of, taps)
    return np.ascontiguousarray(numbers.transpose(0, 2, 1)).reshape(-1)


def wanda(w: Numbers, gram: Numbers, taps: int, pattern: Pattern | None, sparsity: float) -> Numbers:
    """Return W with zeros where abs(w) |x| is smallest.

    Args:
        w: the weight, [columns, outputs].
        gram: X'X or a multiple of it, [columns, columns]; not zero.
        taps: entries of the window.
        pattern: the pattern, or None.
        sparsity: without a pattern, the share of each output's weights that goes.
    """
    scores = importance(w, gram)
    if pattern is not None:
        split = scores.reshape(-1, taps, w.shape[1])
        return np.where(best_of(split, 0, pattern).reshape(w.shape), w, 0.0)
    stay = np.stack([highest([column], sparsity)[0] for column in scores.T], axis=1)
    return np.where(stay, w, 0.0)


def importance(w: Numbers, gram: Numbers) -> Numbers:
    """Return abs(w) |x| of each weight, up to a factor; [columns, outputs]."""
    norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    out: Numbers = np.abs(w) * norms[:, None]
    return out


def sparsegpt(
    w: Numbers,
    gram: Numbers,
    taps: int,
    pattern: Pattern | None,
    sparsity: float,
) -> Numbers:
    """Return W with zeros, and the rest moved so that X W changes least; arguments as of `wanda`.

    Columns are done one after another. What a weight that goes would have added is laid onto the columns that
    are still to come, by the rows of the Cholesky factor of H^-1.
    """
    columns = len(w)
    of = 1 if pattern is None else pattern.of
    turn = order(columns // taps, taps, of)
    rows = w.T[:, turn].copy()
    factor = _factor(gram[np.ix_(turn, turn)])
    step = -(-_BLOCK // of) * of
    for start in range(0, columns, step):
        stop = min(start + step, columns)
        part, upper = rows[:, start:stop], factor[start:stop, start:stop]
        diagonal = np.diagonal(upper)
        errors = np.zeros_like(part)
        keep = np.ones(part.shape, np.bool_)
        if pattern is None:
            keep = highest([np.square(part / diagonal)], sparsity)[0]
        for at in range(stop - start):
            if pattern is not None and at % of == 0:
                here = slice(at, at + of)
                keep[:, here] = best_of(np.square(part[:, here] / diagonal[here]), 1, pattern)
            lost = np.where(keep[:, at], 0.0, part[:, at]) / diagonal[at]
            part[:, at + 1 :] -= lost[:, None] * upper[at, at + 1 :]
            part[~keep[:, at], at] = 0.0
            errors[:, at] = lost
        rows[:, stop:] -= errors @ factor[start:stop, stop:]
    out = np.empty_like(w)
    out[turn] = rows.T
    return out


def _factor(gram: Numbers) -> Numbers:
    """Return the upper Cholesky factor U of (H + damping)^-1 = U'U, with the paper's damping."""
    pushed = gram.copy()
    pushed.flat[:: len(gram) + 1] += DAMPING * float(np.trace(gram)) / len(gram)
    inverse = np.linalg.inv(pushed)
    return np.asarray(np.linalg.cholesky((inverse + inverse.T) / 2).T, np.float64)


def corrected(w: Numbers, gram: Numbers, cross: Numbers, damping: float = DAMPING) -> Numbers:
    """Return the weights that bring X W nearest to wanted results, pulled towards `w` by the damping.

    Args:
        w: the weight, [columns, outputs].
        gram: X'X, [columns, columns].
        cross: X'Y of the same rows, [columns, outputs].
    """
    push = damping * float(np.trace(gram)) / len(gram)
    pushed = gram.copy()
    pushed.flat[:: len(gram) + 1] += push
    return np.asarray(np.linalg.solve(pushed, cross + push * w), np.float64)


def damping_of(w: Numbers, grams: Numbers, crosses: Numbers) -> float:
    """Return the damping for all the data: half of that with which one half of it serves the other best.

    What data cannot tell from noise falls with its amount, and so does the pull that is right (ridge
    regression: noise variance over rows). Twice the rows of a half want half of its damping.

    Args:
        w: the weight, [columns, outputs].
        grams: X'X of each half over its rows, [2, columns, columns].
        crosses: X'Y likewise, [2, columns, outputs].
    """
    errors: dict[float, float] = {}
    for damping in DAMPINGS:
        errors[damping] = 0.0
        for train, test in ((0, 1), (1, 0)):
            new = corrected(w, grams[train], crosses[train], damping)
            errors[damping] += float(np.sum(new * (grams[test] @ new - 2 * crosses[test])))
    return min(errors, key=lambda each: errors[each]) / 2
