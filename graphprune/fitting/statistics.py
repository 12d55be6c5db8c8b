"""What the inputs of linear operators look like on real data: means and covariances, column by column.

The model is run once, bit by bit (`graphprune.fitting.walk`), and at each operator a budget of rows of X is
summed up in float64. The results lie in files, of a cache where one is given, and are read when they are
asked for, so that memory holds those of one operator at a time.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Environment, Usage
from graphprune.feeds import Feeds
from graphprune.fitting.linear import Linear, inputs, linears, results
from graphprune.fitting.sampling import Mask, masks, pick, rows_for
from graphprune.fitting.walk import Walk
from graphprune.ir import label
from graphprune.model import Model
from graphprune.progress import Tell

Numbers = NDArray[np.float64]
"""Is told how many operators are done, of how many."""


@dataclass(frozen=True)
class Moments:
    """The rows of X of one operator, and of Y.

    Attributes:
        covariance: mean of (x - mean)(x - mean)', [blocks, columns, columns].
        mean: mean of x, [blocks, columns].
        power: mean square of each result, [blocks, outputs].
        rows: how many rows were looked at.
        effective: how many independent rows tell as much; [blocks].
    """

    covariance: Numbers
    mean: Numbers
    power: Numbers
    rows: int
    effective: Numbers

    @property
    def square(self) -> Numbers:
        """The mean square of each column, [blocks, columns]."""
        diagonal = np.diagonal(self.covariance, axis1=1, axis2=2)
        return diagonal + np.square(self.mean)


class Statistics:
    """The moments of the linear operators of a graph, by their positions in it."""

    def __init__(self, folder: Path, numbers: Iterable[int], samples: int) -> None:
        self.folder = folder
        self.numbers = frozenset(numbers)
        self.samples = samples

    def __contains__(self, number: int) -> bool:
        return number in self.numbers

    def moments(self, number: int) -> Moments:
        """Read the moments of one operator.

        Raises:
            Environment: the file is gone or damaged by now.
        """
        try:
            path = self.folder / f"{number}.npz"
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                return Moments(
                    held["covariance"], held["mean"], held["power"], int(held["rows"]), held["effective"]
                )
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise Environment(
                f"statistics in '{self.folder}' cannot be read: {error}",
                "run it again: they are gathered anew",
            ) from error


def collect(
    model: Model, batches: Iterable[Feeds], *, folder: Path | None = None, tell: Tell | None = None
) -> Statistics:
    """Run `model` over `batches` and sum up the inputs of its linear operators.

    Args:
        model: the model.
        batches: its inputs.
        folder: where the results go; without it, a folder that goes with the statistics.
        tell: is told of the progress.

    Raises:
        Refused: the model cannot be run on the inputs.
        Usage: they lead to values that are not finite.
    """
    if folder is None:
        own = Path(tempfile.mkdtemp(prefix="graphprune-"))
        try:
            found = collect(model, batches, folder=own, tell=tell)
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            raise
        weakref.finalize(found, shutil.rmtree, own, ignore_errors=True)
        return found
    items = list(linears(model.graph))
    counts: list[int] = []
    seen: list[Mask] = []

    def noted() -> Iterable[Feeds]:
        for feeds in batches:
            counts.append(max((len(array) for array in feeds.values() if array.ndim), default=1))
            seen.append(masks(feeds))
            yield feeds

    with Walk(model, noted()) as walk:
        for done, (number, it) in enumerate(items):
            walk.reach([it.source, it.target])
            moments = _moments(walk, number, it, seen, counts)
            walk.drop([it.source, it.target])
            np.savez(
                folder / f"{number}.npz",
                covariance=moments.covariance,
                mean=moments.mean,
                power=moments.power,
                rows=moments.rows,
                effective=moments.effective,
            )
            if tell is not None:
                tell(done + 1, len(items))
    return Statistics(folder, (number for number, _ in items), sum(counts))


def _moments(walk: Walk, number: int, it: Linear, seen: Sequence[Mask], counts: Sequence[int]) -> Moments:
    grams = np.zeros((2, it.blocks, it.columns, it.columns))
    totals = np.zeros((2, it.blocks, it.columns))
    power = np.zeros((it.blocks, it.outputs))
    rows = np.zeros(2)
    share = -(-rows_for(it.columns) // walk.count)
    for batch in range(walk.count):
        y = walk.value(it.target, batch)
        picks = pick(it, y, share, (number, batch), seen[batch])
        if not picks.size:
            continue
        spatial = y.shape[2:] if it.node.op in ("Conv", "ConvTranspose") else ()
        x = inputs(it, walk.value(it.source, batch), spatial, picks)
        # Rows are in the order of the samples: the two halves see other samples.
        middle = picks.size // 2
        if middle == 0 or counts[batch] == 1:
            middle = picks.size if rows[0] <= rows[1] else 0
        power += np.square(results(it, y, picks), dtype=np.float64).sum(axis=1)
        for half, part in enumerate((x[:, :middle], x[:, middle:])):
            with np.errstate(over="ignore", invalid="ignore"):
                grams[half] += part.transpose(0, 2, 1) @ part
            totals[half] += part.sum(axis=1, dtype=np.float64)
            rows[half] += part.shape[1]
    if not rows.sum():
        raise Usage(f"the data leaves {label(it.node)} without inputs", "give more samples")
    if not (np.isfinite(grams).all() and np.isfinite(power).all()):
        raise Usage(
            f"on this data the inputs of {label(it.node)} are not finite numbers",
            "look for values out of range",
        )
    count = float(rows.sum())
    covariance = grams.sum(axis=0)
    mean = _centre(covariance, totals.sum(axis=0), count)
    for half in range(2):
        _centre(grams[half], totals[half], max(1.0, float(rows[half])))
    return Moments(covariance, mean, power / count, int(count), _effective(covariance, grams, count))


def _centre(gram: Numbers, total: Numbers, rows: float) -> Numbers:
    """Make sums of x x' covariances, in place, since they may be large; return the mean."""
    mean = total / rows
    gram /= rows
    for block, about in zip(gram, mean, strict=True):
        block -= np.outer(about, about)
    return mean


def _effective(covariance: Numbers, halves: Numbers, rows: float) -> Numbers:
    """Return how many independent rows would leave the two halves as far apart as they are, [blocks].

    For n Gaussian rows E|S - C|^2 is (tr C^2 + (tr C)^2) / n, and so four times that between two halves.
    Positions of one image, and words of one text, count for less than one each.
    """
    square = np.einsum("bij,bij->b", covariance, covariance)
    trace = np.trace(covariance, axis1=1, axis2=2)
    halves[0] -= halves[1]
    apart = np.einsum("bij,bij->b", halves[0], halves[0])
    found: Numbers = np.divide(4 * (square + trace**2), apart, out=np.full_like(apart, rows), where=apart > 0)
    return np.asarray(np.clip(found, 2.0, rows), np.float64)
