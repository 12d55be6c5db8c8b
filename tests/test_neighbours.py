"""What an operator without a schema writes is told by its neighbours, where these make sense."""

from __future__ import annotations

import onnx.parser
import pytest

from graphprune.model import from_proto
from graphprune.solve import solve

WRONG = {
    "an order of axes that are not there": "b = Transpose <perm = [0, 1, 2, 9]> (a)",
    "an order with an axis twice": "b = Transpose <perm = [0, 1, 1]> (a)",
    "a new axis twice": "b = Unsqueeze (a, twice)",
    "a new axis far away": "b = Unsqueeze (a, far)",
    "an axis that goes twice": "b = Squeeze (a, twice)",
    "a kernel of one dimension": "b = Conv (a, line)",
    "a matrix of one dimension": "b = Gemm (a, line)",
    "numbers put together": "b = Concat <axis = 3> (a, one)",
    "a size that is negative": "b = Reshape (a, below)",
    "a scale of two dimensions": "b = BatchNormalization (a, square, square, square, square)",
}


@pytest.mark.parametrize("node", WRONG.values(), ids=WRONG)
def test_a_node_that_does_not_fit_its_operator_tells_nothing(node: str) -> None:
    """ONNX Runtime, which would refuse it, cannot be asked: it does not have the operator in front."""
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17, "acme" : 1]>
g (float[2, 3] x) => (float y, float[2, 2] z)
<float[3, 8] w = {{{", ".join("1" * 24)}}}, float[8, 2] v = {{{", ".join("1" * 16)}}},
 float[3] line = {{1, 2, 3}}, int64[2] twice = {{1, 1}}, int64[1] far = {{99}}, int64[2] below = {{-7, -1}},
 float one = {{1}}, float[2, 2] square = {{1, 2, 3, 4}}>
{{
  a = acme.Unknown (x)
  {node}
  y = acme.Other (b)
  c = MatMul (x, w)
  d = Relu (c)
  z = MatMul (d, v)
}}""")
    groups = solve(from_proto(model).graph).groups
    assert [group.size for group in groups if group.prunable] == [8]
