"""Intervals of shares of right answers, of their difference and of their ratio, under two models.

Counts are of a table of pairs: `both` right, right under the `original` alone, right under the `candidate`
alone, out of `count`. All may be arrays, and need not be whole (see `clusters`).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
_HALVINGS = 50


def wilson(right: ArrayLike, count: ArrayLike, z: ArrayLike) -> Ends:
    """Return the interval of a share.

    Wilson 1927, Journal of the American Statistical Association 22:209-212: the shares whose own standard
    error is not further than z from what was seen.
    """
    right, count, z = _floats(right, count, z)
    share, square = right / count, z * z
    middle = share + square / (2 * count)
    half = z * np.sqrt(np.maximum(share * (1 - share), 0) / count + square / (4 * count * count))
    scale = 1 + square / count
    return np.clip((middle - half) / scale, 0, 1), np.clip((middle + half) / scale, 0, 1)


def difference(original: ArrayLike, candidate: ArrayLike, count: ArrayLike, z: ArrayLike) -> Ends:
    """Return the interval of how much larger the original's share is than the candidate's.

    Tango 1998, Statistics in Medicine 17:891-908, equations 10 to 15: the differences that a score test
    does not reject, with the discordance that is likeliest under each of them.

    Args:
        original: pairs that only the original gets right.
        candidate: pairs that only the candidate gets right.
        count: all pairs.
        z: standard errors to either side.
    """
    b, c, n, z = _floats(original, candidate, count, z)

    def score(at: Floats) -> Floats:
        variance = n * (2 * _won(b, c, n, at) + at * (1 - at))
        return _divided(b - c - n * at, variance)

    middle = (b - c) / n
    return _solved(score, z, -np.ones_like(middle), middle), _solved(score, -z, middle, np.ones_like(middle))


def least_difference(original: ArrayLike, candidate: ArrayLike, count: ArrayLike, z: ArrayLike) -> Floats:
    """Return the lower end of the same, by likelihood: for the far tails in which normal ones fail.

    The least difference under which twice the logarithm of the likelihood ratio (Newcombe 1998, Statistics
    in Medicine 17:2635-2650, method 5) is no more than the square of z. Where 9 of 10 samples are lost and
    none is won, Tango's test sees too little; where only few may be lost, it takes the tail of a skewed count
    for a normal one and sees too much.
    """
    b, c, n, z = _floats(original, candidate, count, z)
    middle = (b - c) / n
    best = _logs(b, b / n) + _logs(c, c / n) + _logs(n - b - c, 1 - (b + c) / n)

    def score(at: Floats) -> Floats:
        alone = _won(b, c, n, at)
        here = _logs(b, alone + at) + _logs(c, alone) + _logs(n - b - c, 1 - 2 * alone - at)
        return np.sqrt(np.maximum(2 * (best - here), 0))

    return _solved(score, z, -np.ones_like(middle), middle)


def least_share(right: ArrayLike, count: ArrayLike, z: ArrayLike) -> Floats:
    """Return the lower end of a share by likelihood, likewise."""
    right, count, z = _floats(right, count, z)
    best = _logs(right, right / count) + _logs(count - right, 1 - right / count)

    def score(at: Floats) -> Floats:
        return np.sqrt(np.maximum(2 * (best - _logs(right, at) - _logs(count - right, 1 - at)), 0))

    return _solved(score, z, np.zeros_like(right), right / count)


def quotient(
    both: ArrayLike, original: ArrayLike, candidate: ArrayLike, count: ArrayLike, z: ArrayLike
) -> Ends:
    """Return the interval of the candidate's share over the original's.

    Tang, Tang and Chan 2003, Statistics in Medicine 22:1217-1233 (the score test of Nam and Blackwelder
    2002, 21:689-699, inverted). From 0, where the candidate may be right in nothing, to infinity.
    """
    a, b, c, n, z = _floats(both, original, candidate, count, z)
    right = a + b + c

    def score(at: Floats) -> Floats:
        # Solved for the share r / (1 + r), so that the ratio is bounded
        r = at / np.maximum(1 - at, 1e-9)
        first = n * (1 + r)
        second = (a + b) * r**2 - (a + c + 2 * b)
        third = b * (1 - r) * right / n
        root = np.sqrt(np.maximum(second**2 - 4 * first * third, 0))
        alone = (root - second) / (2 * first)
        variance = n * (1 + r) * alone + right * (r - 1)
        return _divided((a + c) - (a + b) * r, variance)

    known = (a + b) + (a + c) > 0
    middle = np.where(known, (a + c) / np.where(known, (a + b) + (a + c), 1), 0.5)
    low = _solved(score, z, np.zeros_like(middle), middle)
    high = _solved(score, -z, middle, np.ones_like(middle))
    low, high = np.where(known, low, 0), np.where(known, high, 1)
    with np.errstate(divide="ignore"):
        return low / (1 - low), np.where(high > 1 - 1e-9, np.inf, high / (1 - high))


def _floats(*values: ArrayLike) -> list[Floats]:
    return [np.asarray(value, np.float64) for value in np.broadcast_arrays(*values)]


def _won(b: Floats, c: Floats, n: Floats, at: Floats) -> Floats:
    """The likeliest share that only the candidate gets right, where the difference is `at` (Tango's q21)."""
    second = (2 * n - b + c) * at - b - c
    root = np.sqrt(np.maximum(second**2 + 8 * n * c * at * (1 - at), 0))
    found: Floats = np.maximum((root - second) / (4 * n), 0)
    return found


def _logs(count: Floats, share: Floats) -> Floats:
    """count log(share), 0 for a count of 0."""
    some = count > 1e-12
    return np.where(some, count * np.log(np.where(some, np.maximum(share, 1e-300), 1)), 0)


def _divided(distance: Floats, variance: Floats) -> Floats:
    """Standard errors of a distance; of none without variance, infinitely many of any other."""
    positive = variance > 1e-15
    scaled = distance / np.sqrt(np.where(positive, variance, 1))
    beyond = np.where(np.abs(distance) < 1e-12, 0.0, np.copysign(np.inf, distance))
    return np.where(positive, scaled, beyond)


def _solved(score: Callable[[Floats], Floats], goal: Floats, low: Floats, high: Floats) -> Floats:
    """Where `score`, which falls, comes to `goal`, by bisection."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = score(middle) > goal
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2
