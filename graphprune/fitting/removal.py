"""Columns of a least-squares problem removed one unit after another, with prices at hand at every step.

What a removal changes is of low rank, so it is kept as factors, and worked into the large matrices only once
these have grown: one large product in place of many passes over memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Index = NDArray[np.int64]
_RANK = 256
"""Columns that are removed before the large matrices are brought up to date."""


@dataclass
class _Units:
    """The units of one number of columns.

    Attributes:
        names: the units that are left when the matrices are up to date; [units].
        at: their columns, [units, columns].
        alive: whether they are still there.
        inverse: the block of H^-1 of each, [units, columns, columns].
        power: W_u W_u' of each, of the same shape.
    """

    names: Index
    at: Index
    alive: NDArray[np.bool_]
    inverse: Numbers
    power: Numbers


class Removal:
    """A consumer under way: H^-1 and W of the columns that are left, W made up for those that are gone.

    Since the last refresh, the matrices are `inverse - left @ columns.T` and `weight - left @ gone`.
    """

    def __init__(self, inverse: Numbers, weight: Numbers, units: Index, size: int) -> None:
        """Begin with all columns.

        Args:
            inverse: H^-1, symmetric, [columns, columns].
            weight: W, [columns, outputs].
            units: the unit of each column, below `size`; -1 where the column always stays.
            size: number of units.
        """
        if weight.shape[1] > weight.shape[0]:
            # Prices are of W W', for which a square W does.
            weight = np.linalg.qr(weight.T).R.T
        self._inverse = inverse
        self._weight: Numbers = weight
        self._size = size
        self._rank = 0
        self._stay = np.ones(len(weight), bool)
        counts = np.bincount(units[units >= 0], minlength=size)
        inside = np.argsort(units, kind="stable")[np.count_nonzero(units < 0) :]
        self._units: list[_Units] = []
        for count in np.unique(counts[counts > 0]):
            names = np.flatnonzero(counts == count)
            at = inside[np.cumsum(counts)[names, None] - count + np.arange(count)]
            self._units.append(_units(names, at, self._inverse, self._weight))
        self.names: Index = np.flatnonzero(counts)
        """The units that have columns here."""
        self._most = max(_RANK, int(counts.max(initial=0)))
        self._clear()

    def prices(self) -> Numbers:
        """Return what the error rises by if a unit goes, tr(W_u' (H^-1_uu)^-1 W_u); 0 for units not here."""
        prices = np.zeros(self._size)
        for units in self._units:
            if units.at.shape[1] == 1:
                found = units.power[:, 0, 0] / units.inverse[:, 0, 0]
            else:
                found = np.einsum("ukk->u", np.linalg.solve(units.inverse, units.power))
            prices[units.names[units.alive]] = found[units.alive]
        return prices

    def remove(self, unit: int) -> None:
        """Remove the columns of one of `names`, and let the others make up for them."""
        kind, number = self._place[unit]
        if self._rank + self._units[kind].at.shape[1] > self._most:
            self._refresh()
            kind, number = self._place[unit]
        at = self._units[kind].at[number]
        new = slice(self._rank, self._rank + at.size)
        left, columns, gone = (
            self._left[:, : new.start],
            self._columns[:, : new.start],
            self._gone[: new.start],
        )
        column = self._inverse[at].T - left @ columns[at].T
        side = column @ np.linalg.inv(column[at])
        weight = self._weight[at] - left[at] @ gone
        reach = self._weight @ weight.T - left @ (gone @ weight.T)
        self._units[kind].alive[number] = False
        for units in self._units:
            _update(units, side[units.at], column[units.at], reach[units.at], weight @ weight.T)
        self._left[:, new], self._columns[:, new], self._gone[new] = side, column, weight
        self._rank = new.stop
        self._stay[at] = False

    def _refresh(self) -> None:
        """Work the factors into the matrices, and leave out what is gone."""
        stay = np.flatnonzero(self._stay)
        rank = self._rank
        left = self._left[stay, :rank]
        self._inverse = self._inverse[np.ix_(stay, stay)]
        self._inverse -= left @ self._columns[stay, :rank].T
        self._weight = self._weight[stay] - left @ self._gone[:rank]
        place = np.cumsum(self._stay) - 1
        self._units = [
            _units(units.names[units.alive], place[units.at[units.alive]], self._inverse, self._weight)
            for units in self._units
            if units.alive.any()
        ]
        self._stay = np.ones(stay.size, bool)
        self._clear()

    def _clear(self) -> None:
        """Begin with no factors."""
        rows, outputs = self._weight.shape
        self._left, self._columns = np.empty((rows, self._most)), np.empty((rows, self._most))
        self._gone = np.empty((self._most, outputs))
        self._rank = 0
        self._place: dict[int, tuple[int, int]] = {
            int(name): (kind, number)
            for kind, units in enumerate(self._units)
            for number, name in enumerate(units.names)
        }


def _units(names: Index, at: Index, inverse: Numbers, weight: Numbers) -> _Units:
    rows = weight[at]
    blocks = inverse[at[:, :, None], at[:, None, :]]
    return _Units(names, at, np.ones(names.size, bool), blocks, rows @ rows.transpose(0, 2, 1))


def _update(units: _Units, side: Numbers, column: Numbers, reach: Numbers, power: Numbers) -> None:
    """Bring the blocks of units up to date: H^-1 loses side column', W loses side W_gone."""
    turned = side.transpose(0, 2, 1)
    units.inverse -= side @ column.transpose(0, 2, 1)
    crossed = reach @ turned
    units.power += side @ power @ turned - crossed - crossed.transpose(0, 2, 1)
    units.inverse[~units.alive] = np.eye(units.at.shape[1])
    units.power[~units.alive] = 0
