"""Search for an order of a matrix' columns in which an N:M pattern along them keeps more.

An N:M pattern keeps the N largest of every M consecutive entries of a row. Which columns stand together
decides how much that is, and a network does not care about the order of its channels (Pool and Yu 2021,
"Channel Permutations for N:M Sparsity"). Only which columns share a group of M counts, so this is a partition
into groups, and a step is a swap of two columns of two groups.

All swaps are priced together: where column i of a group goes and x comes, a row keeps its N - 1 largest
others and the larger of x and the next one, so the table of all (i, x) is a sum of maxima over rows. Steps
are drawn at a temperature that falls (Kirkpatrick et al. 1983): groups are paired at random, and of the M x
M swaps of a pair and no swap one is drawn as in a heat bath. At last swaps follow until none helps. Where
there are few groups that is done several times, from random orders.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.positions import Index
from graphprune.sparsity.patterns import Pattern

Matrix = NDArray[np.float32]

SWEEPS = 1000
"""How often two groups are looked at together, where work permits."""
WORK = 4_000_000_000
"""Numbers that a search may touch, about 2 seconds of one core; the temperature falls the faster."""

_CHUNK = 256
"""Columns that are looked at together; the table of swaps grows with the square."""
_STEP = 120_000
"""What a step costs beside the table, in numbers touched."""
_TILE = 1 << 17
"""Numbers that stay in a core's cache."""
_FEW, _STARTS = 6, 10
"""Up to so many groups the search starts so often."""
_HOT, _COLD = 0.2, 0.05
"""First and last temperature, in standard deviations of what a swap of the first table changes."""


def kept(matrix: NDArray[Any], pattern: Pattern, order: Index | None = None) -> float:
    """Return the sum of magnitudes that N:M keeps of `matrix` [rows, columns], columns in `order`.

    >>> matrix = np.array([[4.0, 3.0, 2.0, 1.0]])
    >>> kept(matrix, Pattern(1, 2)), kept(matrix, Pattern(2, 4))
    (6.0, 7.0)
    """
    n, m = pattern.keep, pattern.of
    size = np.abs(matrix)
    if order is not None:
        size = size[:, order]
    groups = np.sort(size.reshape(len(size), -1, m), axis=-1)
    return float(groups[..., m - n :].sum(dtype=np.float64))


def efficacy(matrix: NDArray[Any], pattern: Pattern, order: Index) -> float:
    """Return how much of what the pattern loses to the best choice in each row `order` wins back, in percent.

    The best choice keeps the largest N/M of every row, wherever they are (Pool and Yu 2021, section 5).
    """
    n, m = pattern.keep, pattern.of
    columns = matrix.shape[1]
    rows = np.sort(np.abs(matrix), axis=1)[:, columns - columns * n // m :]
    before, best = kept(matrix, pattern), float(rows.sum(dtype=np.float64))
    return 100 * (kept(matrix, pattern, order) - before) / (best - before) if best > before else 0.0


def search(
    matrix: NDArray[Any],
    pattern: Pattern,
    *,
    sweeps: int = SWEEPS,
    seed: int = 0,
    work: int | None = None,
) -> Index:
    """Return an order of the columns in which the pattern keeps no less, and mostly more.

    Where an entry is not finite, that is the order that there is.

    The same arguments give the same order; groups and the columns in them are sorted.

    Args:
        matrix: [rows, columns]; the columns are a multiple of M.
        pattern: N:M, 0 < N < M.
        sweeps: how often two groups are looked at together.
        seed: of the steps that are drawn.
        work: numbers that may be touched; by default `WORK`, and for more than `SWEEPS` in proportion.
    """
    n, m = pattern.keep, pattern.of
    columns = matrix.shape[1]
    if not 0 < n < m or columns % m:
        raise ValueError(f"{columns} columns are no groups of {pattern}")
    same = np.arange(columns, dtype=np.int64)
    if columns == m or not matrix.size:
        return same
    sizes = np.abs(np.ascontiguousarray(matrix.T), dtype=np.float32)
    if not np.isfinite(sizes).all():
        return same
    work = WORK * max(SWEEPS, sweeps) // SWEEPS if work is None else work
    random = np.random.default_rng(seed)
    best, most = same, kept(matrix, pattern)
    starts = _STARTS if columns <= _FEW * m else 1
    for number in range(starts):
        start = random.permutation(columns) if number else same
        groups = start.reshape(-1, m).copy()
        found = np.sort(_Search(sizes, groups, n, random, sweeps // starts, work // starts).run(), axis=1)
        order = found[np.argsort(found[:, 0])].reshape(-1)
        if (now := kept(matrix, pattern, order)) > most:
            best, most = order, now
    return best


@dataclass
class _Search:
    """A search under way.

    Attributes:
        sizes: magnitudes, a row a column of the matrix.
        groups: the columns of each group, [groups, M].
        n: how many of a group stay.
        random: what draws the steps.
        sweeps: as `search` has it.
        work: likewise.
        done: numbers touched so far.
    """

    sizes: Matrix
    groups: Index
    n: int
    random: np.random.Generator
    sweeps: int
    work: int
    done: int = 0

    def run(self) -> Index:
        """Anneal chunks of groups, drawn anew in every round, and return the groups."""
        count, m = self.groups.shape
        chunk = min(count, max(2, _CHUNK // m))
        chunks = -(-count // chunk)
        table_size = self.sizes.size * chunk * m
        rounds = 1 if chunks == 1 else min(4 * chunks, max(2, self.work // (4 * table_size)))
        steps = max(1, round(self.sweeps * (count - 1) / rounds))
        heat = 0.0
        for number in range(rounds):
            if self.done >= self.work:
                break
            for part in np.array_split(self.random.permutation(count), chunks):
                table = _Table(self.sizes[self.groups[part].reshape(-1)], self.n, m)
                self.done += table.update(np.arange(len(part)))
                heat = heat or table.spread()
                share = (number + 1) / rounds
                self.groups[part] = self.groups[part].reshape(-1)[
                    self._anneal(table, steps, heat, number / rounds, share)
                ]
        return self.groups

    def _anneal(self, table: _Table, steps: int, heat: float, first: float, last: float) -> Index:
        """Return the best groups of a chunk that were met from `first` to `last` of the way down."""
        best, most = table.groups.copy(), float(table.kept.sum())
        step = 0
        allowed, start = self.work * last, self.done
        while step < steps:
            spent = (self.done - start) / max(1.0, allowed - start)
            way = max(step / steps, spent)
            if way >= 1:
                break
            share = first + (last - first) * way
            self.done += _STEP + table.step(self.random, heat * _HOT * (_COLD / _HOT) ** share)
            step += 1
            if (now := float(table.kept.sum())) > most:
                best, most = table.groups.copy(), now
        table.groups = best
        self.done += table.update(np.arange(len(best)))
        while touched := table.descend():
            self.done += touched
        return table.groups


class _Table:
    """What every swap of two columns of a chunk changes; columns are counted within the chunk."""

    def __init__(self, sizes: Matrix, n: int, m: int) -> None:
        self.sizes = np.ascontiguousarray(sizes)
        self.n, self.m = n, m
        columns, rows = sizes.shape
        self.groups: Index = np.arange(columns, dtype=np.int64).reshape(-1, m)
        self.kept = np.zeros(columns // m, np.float32)
        self.gains = np.zeros((columns, columns), np.float32)
        self.tile = rows if rows * columns <= _TILE else max(64, _TILE // columns)
        self.ones = np.ones(self.tile, np.float32)

    def update(self, changed: Index) -> int:
        """Price anew the columns of groups that changed; return how many numbers that touched."""
        members = self.groups[changed]
        values = self.sizes[members]
        ranked = np.sort(values, axis=1)
        last = ranked[:, self.m - self.n, None]
        self.kept[changed] = ranked[:, self.m - self.n :].sum(axis=(1, 2))
        # Without one that stays the next one does; without another, the last that stays gives way alone.
        rest = np.where(values >= last, ranked[:, self.m - self.n - 1, None], last)
        lost = np.maximum(values, last).sum(axis=2)
        self.gains[members.reshape(-1)] = self._maxima(rest.reshape(-1, rest.shape[2])) - lost.reshape(-1, 1)
        return int(members.size * self.sizes.size)

    def _maxima(self, rest: Matrix) -> Matrix:
        """Return the sums over rows of the larger of `rest` [k, rows] and each column: [k, columns]."""
        columns, rows = self.sizes.shape
        out = np.zeros((len(rest), columns), np.float32)
        if self.tile == rows:
            at_once = max(1, _TILE // self.sizes.size)
            for start in range(0, len(rest), at_once):
                larger = np.maximum(rest[start : start + at_once, None], self.sizes[None])
                out[start : start + at_once] = larger @ self.ones
            return out
        room = np.empty((columns, self.tile), np.float32)
        for start in range(0, rows, self.tile):
            tile = self.sizes[:, start : start + self.tile]
            larger, ones = room[:, : tile.shape[1]], self.ones[: tile.shape[1]]
            for number, line in enumerate(rest[:, start : start + self.tile]):
                np.maximum(line, tile, out=larger)
                out[number] += larger @ ones
        return out

    def spread(self) -> float:
        """The standard deviation of what swaps of columns of two groups change."""
        of = np.empty(len(self.sizes), np.int64)
        of[self.groups.reshape(-1)] = np.repeat(np.arange(len(self.groups)), self.m)
        return float(np.std((self.gains + self.gains.T)[of[:, None] != of]))

    def step(self, random: np.random.Generator, temperature: float) -> int:
        """Pair the groups at random and swap, or not, in every pair; return the numbers touched."""
        half = len(self.groups) // 2
        drawn = random.permutation(len(self.groups))
        left, right = drawn[:half], drawn[half : 2 * half]
        a, b = self.groups[left][:, :, None], self.groups[right][:, None, :]
        change = (self.gains[a, b] + self.gains[b, a]).reshape(half, -1)
        noise = random.gumbel(size=(half, change.shape[1] + 1)) * temperature
        score = change + noise[:, 1:]
        swap = score.argmax(axis=1)
        go = np.flatnonzero(score[np.arange(half), swap] > noise[:, 0])
        return self._swap(left[go], right[go], swap[go]) if go.size else 0

    def descend(self) -> int:
        """Carry out the best swap of all groups that are each other's best; 0 where none helps."""
        count = len(self.groups)
        flat = self.groups.reshape(-1)
        change = self.gains[np.ix_(flat, flat)]
        change = (change + change.T).reshape(count, self.m, count, self.m).swapaxes(1, 2)
        change = change.reshape(count, count, -1)
        best = change.max(axis=2)
        np.fill_diagonal(best, -np.inf)
        partner, each = best.argmax(axis=1), np.arange(count)
        # Rounding must not pass for a gain, or two groups would swap to and fro for ever.
        helps = best.max(axis=1) > 1e-6 * self.kept.max()
        go = np.flatnonzero(helps & (partner[partner] == each) & (each < partner))
        if not go.size and helps.any():
            go = best.max(axis=1).argmax()[None]
        return self._swap(go, partner[go], change[go, partner[go]].argmax(axis=1)) if go.size else 0

    def _swap(self, left: Index, right: Index, swap: Index) -> int:
        i, j = np.divmod(swap, self.m)
        moved = self.groups[left, i]
        self.groups[left, i] = self.groups[right, j]
        self.groups[right, j] = moved
        return self.update(np.concatenate([left, right]))
