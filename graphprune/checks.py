"""Two arrays compared: how far apart they are, and how far they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOLERANCES: Mapping[str, float] = {
    "float64": 1e-9,
    "float32": 1e-4,
    "float16": 2e-2,
    "bfloat16": 1e-1,
}
"""Largest relative L2 difference by element type; sums are taken in another order after a cut."""


@dataclass(frozen=True)
class Check:
    """One tensor compared at one shape.

    Attributes:
        shape: the input sizes, as text.
        output: the name of the output, or of the tensor inside that was compared with it.
        error: relative L2 difference; 0 for integers that are equal, 1 for those that are not.
        largest: largest absolute difference.
        limit: the largest relative difference that passes.
        varied: whether the expected values are not all the same; a constant proves nothing.
    """

    shape: str
    output: str
    error: float
    largest: float
    limit: float
    varied: bool = True

    @property
    def passed(self) -> bool:
        """Whether the difference is within the limit."""
        return self.error <= self.limit


@dataclass(frozen=True)
class Verification:
    """What was compared.

    Attributes:
        checks: the comparisons.
        not_run: nodes that ONNX Runtime cannot run; what they read and what stands behind them was compared.
    """

    checks: tuple[Check, ...]
    not_run: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every tensor agreed at every shape, and at least one of them was not a constant."""
        return all(check.passed for check in self.checks) and not self.vacuous

    @property
    def vacuous(self) -> bool:
        """Whether all that was compared were constants, so that nothing is proved."""
        return not any(check.varied for check in self.checks)

    @property
    def worst(self) -> Check:
        """The check with the largest difference in relation to its limit."""
        return max(self.checks, key=lambda check: check.error / check.limit)


def limit_of(dtype: np.dtype[Any], rtol: float | None) -> float:
    """Return the largest relative difference that passes for an element type, never quite 0."""
    by_type = TOLERANCES.get(dtype.name, 1e-1 if dtype.kind in "fV" else 0.0)
    return (rtol if rtol is not None else by_type) or 1e-12


def difference(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """Return the relative L2 and the largest absolute difference of two arrays of one shape.

    Equal infinities and NaNs at the same positions count as equal.
    """
    if a.dtype.kind not in "fV" and a.dtype.name not in TOLERANCES:
        equal = bool(np.array_equal(a, b))
        largest = (
            0.0
            if equal or a.dtype.kind not in "iub"
            else float(np.max(np.abs(a.astype(float) - b.astype(float))))
        )
        return (0.0, 0.0) if equal else (1.0, largest or 1.0)
    x, y = a.astype(np.float64), b.astype(np.float64)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    delta = np.where(same, 0.0, x - np.where(same, 0.0, y))
    if not np.isfinite(delta).all():
        return float("inf"), float("inf")
    finite = np.where(np.isfinite(x), x, 0.0)
    norm = float(np.linalg.norm(finite))
    distance = float(np.linalg.norm(delta))
    return (0.0 if distance == 0 else distance / norm if norm else float("inf")), float(
        np.max(np.abs(delta), initial=0.0)
    )
