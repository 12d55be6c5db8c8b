"""Our own cases, one file for each file of rules: what the node tests of the onnx package leave open."""

from __future__ import annotations

from tests.rules.case import Case
from tests.rules.cases import (
    attention,
    elementwise,
    layout,
    linear,
    microsoft,
    norms,
    quantised,
    recurrent,
    reduce,
    select,
)

CASES: tuple[Case, ...] = (
    *elementwise.CASES,
    *linear.CASES,
    *norms.CASES,
    *reduce.CASES,
    *layout.CASES,
    *select.CASES,
    *recurrent.CASES,
    *attention.CASES,
    *microsoft.CASES,
    *quantised.CASES,
)
