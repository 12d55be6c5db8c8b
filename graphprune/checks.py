"""Two arrays compared: how far apart they are, and how far they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Usage

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
        error: relative L2 difference; 0 for integers that are equal, 1 for those that are not. Of a tensor
            inside, the root mean square of the error over the spread, in the slice where it is worst.
        largest: largest absolute difference.
        limit: the largest relative difference that passes.
        varied: whether the tensor was seen to be another one for other inputs; a constant proves nothing.
        inside: whether it is a tensor inside: of each stage, the worst one stands for all that passed.
    """

    shape: str
    output: str
    error: float
    largest: float
    limit: float
    varied: bool = True
    inside: bool = False

    @property
    def passed(self) -> bool:
        """Whether the difference is within the limit."""
        return self.error <= self.limit


@dataclass(frozen=True)
class Verification:
    """What was compared, and what was seen to be exercised.

    Attributes:
        checks: outputs from end to end; and of each stage what differs, or else the worst of what does not.
        compared: how many tensors were compared in all.
        unmoved: outputs that no inputs were seen to change, nor what stands in front of them.
        silent: inputs that reach an output, and were not seen to change anything that is compared.
        dead: inputs that no output depends on.
        units: how many units that stay were looked at, where they are summed over.
        still: how many of these never varied.
        not_run: nodes that ONNX Runtime cannot run; what they read and what stands behind them was compared.
        notes: what else was not looked at, and why.
    """

    checks: tuple[Check, ...]
    compared: int = 0
    unmoved: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    units: int = 0
    still: int = 0
    not_run: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every tensor agreed at every shape, and at least one of them was not a constant."""
        return all(check.passed for check in self.checks) and not self.vacuous

    @property
    def vacuous(self) -> bool:
        """Whether no output was seen to vary, so that nothing is proved."""
        return not any(check.varied for check in self.checks if not check.inside)

    @property
    def worst(self) -> Check:
        """The check with the largest difference in relation to its limit."""
        return max(self.checks, key=lambda check: check.error / check.limit)

    @property
    def not_exercised(self) -> tuple[str, ...]:
        """What the comparison was not seen to exercise, a phrase each."""
        said = [f"not proved for output {name}, which nothing moved" for name in self.unmoved]
        said += [f"not proved for {name}, which changed nothing" for name in self.silent]
        if self.still:
            said.append(f"{self.still} of {self.units} units were never alive; compared as weights")
        if self.dead:
            said.append(f"no output depends on {', '.join(self.dead)}")
        return (*said, *self.notes)


def check_tolerances(rtol: float | None, atol: float) -> None:
    """Refuse tolerances that any model passes, or none.

    Raises:
        Usage: one is negative or no number, or `rtol` is 1 or more.
    """
    if rtol is not None and not 0 <= rtol < 1:
        what = f"a relative difference of {rtol} proves nothing" if rtol >= 1 else f"rtol {rtol} is no limit"
        raise Usage(what, "give a number from 0 to 1, as --rtol 1e-3")
    if not 0 <= atol < float("inf"):
        what = f"an absolute difference of {atol} proves nothing" if atol > 0 else f"atol {atol} is no limit"
        raise Usage(what, "give a number from 0 on, as --atol 1e-3")


def limit_of(dtype: np.dtype[Any], rtol: float | None) -> float:
    """Return the largest relative difference that passes for an element type, never quite 0."""
    by_type = TOLERANCES.get(dtype.name, 1e-1 if dtype.kind in "fV" else 0.0)
    return (rtol if rtol is not None else by_type) or 1e-12


def difference(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """Return the relative L2 and the largest absolute difference of two arrays of one shape.

    Equal infinities and NaNs at the same positions are not compared.
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
    with np.errstate(invalid="ignore"):
        delta = np.where(same, 0.0, x - np.where(same, 0.0, y))
    if not np.isfinite(delta).all():
        return float("inf"), float("inf")
    finite = np.where(np.isfinite(x), x, 0.0)
    norm = float(np.linalg.norm(finite))
    distance = float(np.linalg.norm(delta))
    return (0.0 if distance == 0 else distance / norm if norm else float("inf")), float(
        np.max(np.abs(delta), initial=0.0)
    )
