"""Which operators sum over a group, and which of their columns belong to which unit."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.fitting.consumers import uses
from graphprune.solution import Solution
from tests.calibrated import prepared
from tests.networks.solved import solved


def felt(solution: Solution) -> dict[str, dict[str, list[list[int]]]]:
    """For each group, the unit of each column of each operator that sums over it, block by block."""
    return {
        group: {use.it.node.name: use.units.tolist() for use in here}
        for group, here in uses(solution).items()
    }


def test_an_operator_behind_a_concat_sums_over_both_groups() -> None:
    _, solution = prepared(
        """g (float[1, 3, 4, 4] x) => (float[1, 2, 2, 2] y)
        <float[2, 3, 1, 1] w0, float[3, 3, 1, 1] w1, float[2, 5, 3, 1] w2>
        { [left] a = Conv (x, w0) [right] b = Conv (x, w1) c = Concat <axis = 1> (a, b)
          [last] y = Conv <strides = [1, 2]> (c, w2) }"""
    )
    found = felt(solution)
    assert found["left"] == {"last": [[0, 0, 0, 1, 1, 1] + [-1] * 9]}
    assert found["right"] == {"last": [[-1] * 6 + [0, 0, 0, 1, 1, 1, 2, 2, 2]]}


def test_each_block_of_a_grouped_convolution_sums_over_its_own_units() -> None:
    """16 channels are 4 blocks of 4: what may go is the same channel of each block, or a block as a whole."""
    _, solution = solved("grouped")
    found = felt(solution)
    assert found["reduce:2"] == {"grouped": [[unit for unit in range(4) for _ in range(9)]] * 4}
    assert found["reduce"] == {"last": [[block for block in range(4) for _ in range(6)]]}
    assert found["grouped"] == {"last": [[unit for _ in range(4) for unit in range(6)]]}


def test_a_depthwise_convolution_carries_units_through() -> None:
    _, solution = solved("depthwise")
    found = felt(solution)
    assert "depthwise" not in found["expand"]
    assert found["expand"] == {"project": [list(range(16))]}
    assert set(found["stem"]) == {"expand", "last"}, "the multiplier makes two channels of each unit"
    assert found["stem"]["last"] == [[unit for unit in range(8) for _ in range(2)]]


def test_a_group_that_only_a_depthwise_convolution_reads_is_not_there() -> None:
    _, solution = prepared(
        """g (float[1, 3, 4, 4] x) => (float[1, 1, 4, 4] y)
        <float[4, 3, 1, 1] w0, float[4, 1, 1, 1] dw, int64[1] channels = {1}>
        { [first] a = Conv (x, w0) [depthwise] b = Conv <group = 4> (a, dw)
          y = ReduceSum (b, channels) }"""
    )
    assert [group.name for group in solution.groups if group.prunable] == ["first"]
    assert felt(solution) == {}


def test_a_unit_in_front_of_flatten_has_a_column_for_each_position() -> None:
    _, solution = solved("flatten-gemm")
    found = felt(solution)
    assert found["conv"] == {"hidden": [[unit for unit in range(8) for _ in range(4)]]}
    assert found["hidden"] == {"last": [list(range(10))]}


@pytest.mark.parametrize("kind", ["heads", "head-dims"])
def test_heads_and_their_dims_share_the_columns_of_the_product_behind_attention(kind: str) -> None:
    _, solution = solved("attention-separate")
    heads, dims = np.divmod(np.arange(32), 8)
    expected = {"heads": heads, "head-dims": dims}[kind].tolist()
    found = {
        group.name: felt(solution)[group.name]
        for group in solution.groups
        if group.kind == kind and group.name in felt(solution)
    }
    assert list(found.values()) == [{"out": [expected]}]


def test_query_and_key_dims_are_summed_over_by_no_linear_operator() -> None:
    _, solution = solved("attention-separate")
    dims = [group.name for group in solution.groups if group.kind == "head-dims" and group.prunable]
    assert len(dims) == 2
    assert len([name for name in dims if name in uses(solution)]) == 1


def test_a_weight_on_the_left_sums_over_the_last_dimension_but_one() -> None:
    _, solution = prepared(
        """g (float[2, 3, 5] x) => (float[2, 2, 5] y) <float[4, 3] w0, float[2, 4] w1>
        { [first] a = MatMul (w0, x) r = Relu (a) [second] y = MatMul (w1, r) }"""
    )
    ((use,),) = uses(solution).values()
    assert (use.it.node.name, use.it.slot, use.number) == ("second", 0, 2)
    assert use.units.tolist() == [[0, 1, 2, 3]]


def test_what_is_pinned_is_not_asked_for() -> None:
    _, solution = solved("mlp")
    found = uses(solution)
    assert set(found) == {group.name for group in solution.groups if group.prunable}
    assert all(here for here in found.values())
