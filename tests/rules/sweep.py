"""Every row of the rule table against its operator: the cases of the onnx package's node tests, and ours."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import onnx
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from graphprune import rules
from graphprune.errors import Refused
from graphprune.rules.check import Finding, check
from tests.rules.case import Array, Case
from tests.rules.cases import CASES

OPERATORS = tuple(
    ".".join(filter(None, (domain, operator))) for domain, table in rules.TABLE.items() for operator in table
)
"""Every operator that has a row, as `domain.name`."""
QUICK = 12
"""How many of the onnx package's cases of one operator are enough for every day."""
OLDER = 24
"""An opset that every supported ONNX Runtime knows."""
_NOISY = (
    "cast",
    "castlike",
    "lpnormalization",
    "reduce_log_sum",
    "reduce_log_sum_exp",
    "reducemax",
    "reducemin",
)
"""Modules of the onnx package that warn of overflow and division by zero while they make their cases."""


@dataclass(frozen=True)
class Outcome:
    """What came of one case: a finding for each cut, or why ONNX Runtime refuses the operator as it is."""

    case: Case
    findings: tuple[Finding, ...] = ()
    refused: str = ""

    @property
    def problems(self) -> tuple[str, ...]:
        """What went wrong, each beginning with the case."""
        return tuple(
            f"{self.case}: {finding.group} ({finding.size}): {finding.problem}"
            for finding in self.findings
            if finding.problem
        )


def operator_of(node_domain: str, op_type: str) -> str:
    """Return an operator as `domain.name`, with ONNX's own domain left out."""
    return ".".join(filter(None, (node_domain if node_domain != "ai.onnx" else "", op_type)))


@cache
def node_cases() -> dict[str, tuple[Case, ...]]:
    """Return the onnx package's cases of operators that have a row, by operator.

    Left out are cases of more than one node (operators written out as functions) and those whose operands
    are not all tensors.
    """
    found: dict[str, list[Case]] = {operator: [] for operator in OPERATORS}
    for test in _load():
        if test.model is None or len(test.model.graph.node) != 1:
            continue
        node = test.model.graph.node[0]
        operator, operands = operator_of(node.domain, node.op_type), _operands(test)
        if operator in found and operands is not None:
            found[operator].append(Case(operator, test.name, test.model, operands))
    return {operator: tuple(cases) for operator, cases in found.items()}


def written_out_cases() -> tuple[Case, ...]:
    """Return the onnx package's cases of several nodes: operators written out as functions."""
    return tuple(
        Case("", test.name, test.model, operands)
        for test in _load()
        if test.model is not None and len(test.model.graph.node) > 1
        if (operands := _operands(test)) is not None
    )


def _operands(test: TestCase) -> dict[str, Array] | None:
    """Return the operands of a case by name, or None where they are not all tensors."""
    if test.model is None or test.data_sets is None:
        return None
    names = [value.name for value in test.model.graph.input]
    values = list(_tensors(test.data_sets[0][0]))
    return dict(zip(names, values, strict=True)) if len(names) == len(values) else None


def _tensors(values: Iterable[object]) -> Iterator[Array]:
    for value in values:
        if isinstance(value, np.ndarray | np.generic):
            yield np.asarray(value)
        elif isinstance(value, onnx.TensorProto):
            yield onnx.numpy_helper.to_array(value)


def _load() -> list[TestCase]:
    with warnings.catch_warnings():
        for module in _NOISY:
            warnings.filterwarnings(
                "ignore", category=RuntimeWarning, module=rf"onnx\.backend\.test\.case\.node\.{module}"
            )
        return load_model_tests(kind="node")


def own_cases(operator: str) -> tuple[Case, ...]:
    """Return our own cases of an operator."""
    return tuple(case for case in CASES if case.operator == operator)


def thin(cases: tuple[Case, ...], most: int = QUICK) -> tuple[Case, ...]:
    """Return at most `most` of `cases`, evenly spread, always the same ones."""
    if len(cases) <= most:
        return cases
    return tuple(cases[number * len(cases) // most] for number in range(most))


@cache
def outcome(case: Case) -> Outcome:
    """Cut every group of one case and compare with the masked operator.

    The onnx package is ahead of ONNX Runtime: a case that it refuses is tried as one of an older version.
    """
    refused = ""
    for model in (case.model, _older(case.model)):
        try:
            return Outcome(case, tuple(check(model, case.operands)))
        except Refused as error:
            refused = refused or error.what
    return Outcome(case, refused=refused)


def _older(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(copy.ir_version, 10)
    for opset in copy.opset_import:
        if not opset.domain:
            opset.version = min(opset.version, OLDER)
    return copy


def confirmed(outcomes: Iterable[Outcome]) -> set[str]:
    """Return the operators of which at least one cut was carried out and every one was right."""
    tried: dict[str, list[str]] = {}
    for item in outcomes:
        tried.setdefault(item.case.operator, []).extend(finding.problem for finding in item.findings)
    return {operator for operator, problems in tried.items() if problems and not any(problems)}


def quick_cases(operator: str) -> tuple[Case, ...]:
    """Return what is tried every day: our own cases, and some of the onnx package's."""
    return (*own_cases(operator), *thin(node_cases()[operator]))
