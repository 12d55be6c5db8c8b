"""Quantiles of the normal distribution and of Student's t."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

_LARGE = 400
"""Degrees of freedom from which on an expansion around the normal quantile is exact to seven digits."""


def normal(probability: float) -> float:
    """Return the quantile of the normal distribution.

    >>> round(normal(0.975), 6)
    1.959964
    """
    return NormalDist().inv_cdf(probability)


def two_sided(level: float) -> float:
    """Return how many standard errors an interval of this level reaches to either side."""
    return normal(0.5 + level / 2)


@cache
def student(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t with so many degrees of freedom, one at least.

    By bisection of its distribution function, a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4);
    for many degrees of freedom by an expansion (26.7.5).

    >>> round(student(0.975, 4), 4), round(student(0.975, 1), 4)
    (2.7764, 12.7062)
    """
    if probability < 0.5:
        return -student(1 - probability, freedom)
    if freedom >= _LARGE:
        z = normal(probability)
        first = (z**3 + z) / 4
        second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
        third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
        return z + first / freedom + second / freedom**2 + third / freedom**3
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _within(angle, freedom) < 2 * probability - 1 else (low, angle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def _within(angle: float, freedom: int) -> float:
    """The probability that |t| is below sqrt(freedom) tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    term = cosine if freedom % 2 else 1.0
    total = term if freedom > 1 else 0.0
    for number in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= cosine**2 * (number - 1) / number
        total += term
    return 2 / math.pi * (angle + sine * total) if freedom % 2 else sine * total
