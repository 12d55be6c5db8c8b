"""Every row of the rule table against the operator itself: what it lets a cut remove can be removed."""

from __future__ import annotations

import onnx
import pytest

from graphprune import rules
from graphprune.rules.check import BY_BLOCKS, TOGETHER
from tests.rules.case import Case
from tests.rules.cases import CASES
from tests.rules.sweep import OPERATORS, confirmed, node_cases, outcome, quick_cases, written_out_cases

UNCONFIRMED = {
    "Shape": "its value follows the cut, on purpose",
    "Size": "its value follows the cut, on purpose",
}
"""Rows that cannot be compared with the operator, each with the reason."""


def problems(cases: tuple[Case, ...]) -> list[str]:
    return [problem for case in cases for problem in outcome(case).problems]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_cut_equals_the_masked_operator_on_our_cases(case: Case) -> None:
    found = outcome(case)
    assert not found.refused, found.refused
    assert not found.problems
    sizes = [finding.size for finding in found.findings if finding.group not in (TOGETHER, BY_BLOCKS)]
    assert tuple(sorted(sizes)) == case.cuts


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_cut_equals_the_masked_operator_on_node_tests_of_onnx(operator: str) -> None:
    assert problems(quick_cases(operator)) == []


@pytest.mark.slow
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_cut_equals_the_masked_operator_on_every_node_test_of_onnx(operator: str) -> None:
    assert problems(node_cases()[operator]) == []


@pytest.mark.slow
def test_a_cut_equals_the_masked_graph_where_an_operator_is_written_out_as_a_function() -> None:
    cases = written_out_cases()
    assert sum(len(outcome(case).findings) for case in cases) > 1000
    assert problems(cases) == []


def test_every_row_is_confirmed_by_a_real_cut() -> None:
    found = confirmed(outcome(case) for operator in OPERATORS for case in quick_cases(operator))
    assert set(OPERATORS) - found == set(UNCONFIRMED)
    assert len(found) >= 150


def test_our_cases_are_of_operators_that_have_a_row() -> None:
    assert {case.operator for case in CASES} <= set(OPERATORS)


def test_every_operator_of_onnx_has_a_row_or_a_reason_to_be_pinned() -> None:
    schemas = {schema.name for schema in onnx.defs.get_all_schemas_with_history() if not schema.domain}
    assert schemas - set(rules.TABLE[""]) - set(rules.PINNED) - rules.BODIES == set()


def test_no_operator_has_both_a_row_and_a_reason_to_be_pinned() -> None:
    assert (set(rules.TABLE[""]) | rules.BODIES) & set(rules.PINNED) == set()


def test_every_pinned_operator_is_one_of_onnx_and_has_a_reason() -> None:
    schemas = {schema.name for schema in onnx.defs.get_all_schemas_with_history()}
    assert set(rules.PINNED) - schemas == set()
    assert all(rules.PINNED.values())
