"""Our own cases, by the files of rules: what the node tests of the onnx package leave open."""

from __future__ import annotations

from tests.rules.case import Case
from tests.rules.cases import (
    attention,
    convolutions,
    elementwise,
    integers,
    layout,
    linear,
    microsoft,
    ml,
    norms,
    quantised,
    quantised_products,
    recurrent,
    reduce,
    select,
)

CASES: tuple[Case, ...] = (
    *elementwise.CASES,
    *convolutions.CASES,
    *linear.CASES,
    *integers.CASES,
    *norms.CASES,
    *reduce.CASES,
    *layout.CASES,
    *select.CASES,
    *recurrent.CASES,
    *attention.CASES,
    *microsoft.CASES,
    *ml.CASES,
    *quantised.CASES,
    *quantised_products.CASES,
)
