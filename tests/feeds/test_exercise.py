"""What sizes leave without influence."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.feeds.exercise import conditions, dead_taps, violations
from graphprune.symbols.expression import Expr
from tests.feeds.known import graph_of, known


def _taps_by_hand(size: int, out: int, kernel: int, stride: int, dilation: int, before: int) -> int:
    data = range(size)
    return sum(
        not any(position * stride + tap * dilation - before in data for position in range(out))
        for tap in range(kernel)
    )


def test_dead_taps_are_those_that_no_position_puts_on_data() -> None:
    generator = np.random.default_rng(0)
    for _ in range(500):
        size, out, kernel, stride, dilation = (int(each) for each in generator.integers(1, 6, 5))
        before = int(generator.integers(0, 4))
        given = (size, out, kernel, stride, dilation, before)
        assert dead_taps(*given) == _taps_by_hand(*given), given


_NET = """
<ir_version: 8, opset_import: ["": 17]>
net (float[1, 3, h, w] x) => (float[1, 4, h, w] y)
<float[4,3,3,3] k, float[4] s, float[4] z>
{{ a = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, k)
  {node} }}
"""


def _missed(node: str, h: int, w: int) -> tuple[str, ...]:
    graph = graph_of(_NET.format(node=node))
    shapes = {"x": "1,3,h,w", "k": "4,3,3,3", "a": "1,4,h,w", "y": "1,4,h,w", "s": "4", "z": "4"}
    asked = conditions(graph, known(graph, shapes))
    return violations(asked, lambda size: size.value({"h": h, "w": w}))[1]


@pytest.mark.parametrize(
    ("node", "needs"),
    [
        ("y = Softmax <axis=3> (a)", "the elements"),
        ("y = InstanceNormalization (a, s, z)", ""),
        ("y = Relu (a)", ""),
    ],
)
def test_one_place_is_too_little_for_taps_and_for_what_runs_along_an_axis(node: str, needs: str) -> None:
    assert not _missed(node, 2, 2)
    along_one = _missed(node, 2, 1)
    assert any("taps" in text for text in along_one)
    assert any(needs in text for text in along_one if "taps" not in text) == bool(needs)


def test_sizes_that_cannot_be_otherwise_are_named_too() -> None:
    graph = graph_of("""
        <ir_version: 8, opset_import: ["": 17]>
        net (float[1, 4] x) => (float[1, 1] y)
        <float[4, 1] w> { a = MatMul (x, w)  y = Softmax <axis=1> (a) }
    """)
    asked = conditions(graph, known(graph, {"x": "1,4", "w": "4,1", "a": "1,1", "y": "1,1"}))
    count, texts = violations(asked, Expr.as_int)
    assert count == 1
    assert "Softmax" in texts[0]
