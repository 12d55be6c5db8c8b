"""Random graphs of operators that move, join and combine axes: a cut equals the masked graph."""

from __future__ import annotations

import onnx
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from graphprune.rules.check import check
from tests.rules.sketch import sketched

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def compare(data: st.DataObject, nodes: int) -> None:
    sketch = sketched(data, nodes)
    assume(sketch.nodes)
    model = sketch.model()
    problems = [finding for finding in check(model, sketch.constants) if finding.problem]
    assert not problems, f"{problems}\n{onnx.printer.to_text(model)}"


@settings(max_examples=40, suppress_health_check=SLOW)
@given(st.data())
def test_a_cut_of_a_random_graph_equals_the_masked_graph(data: st.DataObject) -> None:
    compare(data, nodes=6)


@pytest.mark.slow
@settings(max_examples=1000, derandomize=False, suppress_health_check=SLOW)
@given(st.data())
def test_a_cut_of_many_random_graphs_equals_the_masked_graph(data: st.DataObject) -> None:
    compare(data, nodes=10)
