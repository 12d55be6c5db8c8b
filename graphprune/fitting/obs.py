"""Which units to remove when the weights that stay make up for it in closed form.

A consumer computes X W. Without the columns S of X, and with the best W for those that stay, its error is
tr(W_S' (H^-1_SS)^-1 W_S) for H = X'X: Hassibi and Stork 1993, *Optimal Brain Surgeon*, eq. 5, for a set of
columns as in Kurtic et al. 2023, *ZipLM*, eq. 4. Units are removed one by one, each time the cheapest, and
H^-1 and W are brought up to date after each (eq. 5 there), so that the next choice sees what was made up for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphprune.errors import Refused
from graphprune.fitting.removal import Index, Numbers, Removal


@dataclass(frozen=True)
class Consumer:
    """One block of an operator that sums over a group's units.

    Attributes:
        gram: H, the mean over rows of x x' (centred where the operator's bias can be moved);
            [columns, columns].
        weight: W, [columns, outputs].
        units: the unit that each column belongs to, or -1 where it always stays; [columns].
    """

    gram: Numbers
    weight: Numbers
    units: Index


@dataclass(frozen=True)
class Path:
    """The order in which units go, and the relative error of the consumers after each step.

    Attributes:
        order: all units, the first to go first; [units].
        errors: the mean over consumers of the squared error over the variance of their results once the
            units up to here are gone, weights made up; rising; [units].
    """

    order: Index
    errors: Numbers

    def scores(self) -> Numbers:
        """Return what each unit added to the error when it went, rising along the order; [units]."""
        steps = np.maximum.accumulate(np.diff(self.errors, prepend=0.0))
        out = np.empty_like(steps)
        out[self.order] = steps
        return out


def eliminate(consumers: Sequence[Consumer], size: int, ridge: float = 1e-3) -> Path:
    """Remove all of `size` units one after another.

    A consumer whose results are all zero has no say.

    Args:
        consumers: who sums over them; at least one.
        size: number of units.
        ridge: what is added to the diagonal of H, as a share of its mean; above 0.

    Raises:
        Refused: a number is not finite.
    """
    removals = [removal for consumer in consumers if (removal := _begun(consumer, size, ridge)) is not None]
    felt: list[list[int]] = [[] for _ in range(size)]
    prices = np.zeros((len(removals), size))
    for number, removal in enumerate(removals):
        prices[number] = removal.prices()
        for unit in removal.names:
            felt[int(unit)].append(number)
    gone = np.zeros(size)  # infinite for those that are gone
    order = np.empty(size, np.int64)
    errors = np.empty(size)
    total = 0.0
    for step in range(size):
        rise = prices.sum(axis=0) + gone
        unit = int(np.argmin(rise))
        total += max(0.0, float(rise[unit])) / len(consumers)
        order[step], errors[step], gone[unit] = unit, total, np.inf
        for number in felt[unit]:
            removals[number].remove(unit)
            prices[number] = removals[number].prices()
    return Path(order, errors)


def _begun(consumer: Consumer, size: int, ridge: float) -> Removal | None:
    """Return a removal with prices relative to the variance of the results; None where they are zero."""
    gram, weight = consumer.gram, consumer.weight
    if not (np.isfinite(gram).all() and np.isfinite(weight).all()):
        raise Refused("values that are not finite", "check the data, and that the model can take it")
    energy = float(np.sum(weight * (gram @ weight)))
    if energy <= 0:
        return None
    pushed = gram.copy()
    pushed.flat[:: len(gram) + 1] += ridge * float(np.trace(gram)) / len(gram)
    inverse: Numbers = np.asarray(np.linalg.inv(pushed), np.float64)
    del pushed
    inverse = inverse + inverse.T
    inverse /= 2
    return Removal(inverse, weight / np.sqrt(energy), consumer.units, size)
