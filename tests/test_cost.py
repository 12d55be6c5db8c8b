"""Costs are those counted by hand: parameters, multiply-accumulates of one sample, bytes of weights."""

from __future__ import annotations

import numpy as np
import pytest

from graphprune.cost import Cost, cost, counted_at
from graphprune.model import from_proto
from graphprune.plan import Plan
from graphprune.solution import Solution
from graphprune.solve import solve
from tests.networks.fill import fill
from tests.networks.solved import prunable, solved


def solution_of(text: str) -> Solution:
    return solve(from_proto(fill(text)).graph)


LSTM_GATES = 4 * 8


@pytest.mark.parametrize(
    ("text", "params", "macs"),
    [
        (
            """g (float[1, 3, 8, 8] x) => (float[1, 6, 8, 8] y) <float[6, 3, 3, 3] w, float[6] b>
            { y = Conv <pads = [1, 1, 1, 1]> (x, w, b) }""",
            6 * 3 * 9 + 6,
            6 * 8 * 8 * 3 * 9,
        ),
        (
            """g (float[1, 8, 8, 8] x) => (float[1, 12, 4, 4] y) <float[12, 2, 3, 3] w>
            { y = Conv <group = 4, strides = [2, 2], pads = [1, 1, 1, 1]> (x, w) }""",
            12 * 2 * 9,
            12 * 4 * 4 * 2 * 9,
        ),
        (
            """g (float[1, 8, 8, 8] x) => (float[1, 8, 8, 8] y) <float[8, 1, 3, 3] w>
            { y = Conv <group = 8, pads = [1, 1, 1, 1]> (x, w) }""",
            8 * 9,
            8 * 8 * 8 * 9,
        ),
        (
            """g (float[1, 4, 5, 5] x) => (float[1, 6, 10, 10] y) <float[4, 6, 2, 2] w>
            { y = ConvTranspose <strides = [2, 2]> (x, w) }""",
            4 * 6 * 4,
            4 * 5 * 5 * 6 * 4,
        ),
        (
            """g (float[3, 4] x) => (float[3, 5] y) <float[5, 4] w, float[5] b>
            { y = Gemm <transB = 1> (x, w, b) }""",
            5 * 4 + 5,
            3 * 5 * 4,
        ),
        (
            """g (float[4, 3] x) => (float[3, 5] y) <float[4, 5] w>
            { y = Gemm <transA = 1> (x, w) }""",
            4 * 5,
            3 * 5 * 4,
        ),
        (
            "g (float[2, 7, 4] x) => (float[2, 7, 6] y) <float[4, 6] w> { y = MatMul (x, w) }",
            4 * 6,
            2 * 7 * 6 * 4,
        ),
        (
            "g (float[2, 7, 4] x, float[2, 4, 9] z) => (float[2, 7, 9] y) { y = MatMul (x, z) }",
            0,
            2 * 7 * 9 * 4,
        ),
        (
            """g (float[2, 7, 4] x) => (float[2, 7, 3, 5] y) <float[4, 3, 5] w>
            { y = Einsum <equation = "bsi,ihd->bshd"> (x, w) }""",
            4 * 3 * 5,
            2 * 7 * 4 * 3 * 5,
        ),
        (
            """g (float[5, 2, 6] x) => (float[5, 1, 2, 8] y)
            <float[1, 32, 6] w, float[1, 32, 8] r, float[1, 64] b>
            { y = LSTM <hidden_size = 8> (x, w, r, b) }""",
            LSTM_GATES * (6 + 8 + 2),
            5 * 2 * LSTM_GATES * (6 + 8),
        ),
        (
            """g (float[5, 2, 6] x) => (float[5, 2, 2, 8] y) <float[2, 24, 6] w, float[2, 24, 8] r>
            { y = GRU <hidden_size = 8, direction = "bidirectional"> (x, w, r) }""",
            2 * 24 * (6 + 8),
            5 * 2 * 2 * 24 * (6 + 8),
        ),
        (
            """<ir_version: 10, opset_import: ["" : 23]>
            g (float[1, 5, 32] q, float[1, 7, 16] k, float[1, 7, 16] v) => (float[1, 5, 32] y)
            { y = Attention <q_num_heads = 4, kv_num_heads = 2> (q, k, v) }""",
            0,
            4 * 5 * 7 * (8 + 8),
        ),
        (
            """<ir_version: 10, opset_import: ["" : 18, "com.microsoft" : 1]>
            g (float[1, 5, 12] x) => (float[1, 5, 32] y) <float[12, 96] w, float[96] b>
            { y = com.microsoft.Attention <num_heads = 4> (x, w, b) }""",
            12 * 96 + 96,
            5 * 12 * 96 + 4 * 5 * 5 * (8 + 8),
        ),
        (
            """<ir_version: 10, opset_import: ["" : 18, "com.microsoft" : 1]>
            g (float[4, 3] x) => (float[3, 5] y) <float[4, 5] w>
            { y = com.microsoft.FusedMatMul <transA = 1> (x, w) }""",
            4 * 5,
            3 * 5 * 4,
        ),
        (
            """g (float[2, 4] x) => (float[2, 4] y)
            <float[4] s, float[4] b, float[1, 4] c, int64[2] shape = {2, 4}>
            { n = LayerNormalization (x, s, b) a = Add (n, c) y = Reshape (a, shape) }""",
            4 + 4 + 4,
            0,
        ),
    ],
    ids=[
        "conv",
        "grouped and strided",
        "depthwise",
        "transposed",
        "gemm",
        "gemm of a transpose",
        "matmul",
        "matmul of activations",
        "einsum",
        "lstm",
        "gru in both directions",
        "fused attention",
        "fused attention with its projections",
        "fused matmul of a transpose",
        "norm and sum",
    ],
)
def test_an_operator_costs_what_a_count_by_hand_says(text: str, params: int, macs: int) -> None:
    found = cost(solution_of(text))
    assert (found.params, found.macs) == (params, macs)


def test_bytes_count_every_constant_by_its_type_and_parameters_only_values() -> None:
    text = """
        g (float16[1, 3, 4, 4] x) => (float16[1, 8] y)
        <float16[8, 3, 4, 4] w, float16[8] b, int64[2] shape = {1, 8}>
        { c = Conv (x, w, b) y = Reshape (c, shape) }"""
    assert cost(solution_of(text)) == Cost(8 * 48 + 8, 8 * 48, 2 * (8 * 48 + 8) + 2 * 8)


def test_quantised_weights_are_parameters_of_one_byte() -> None:
    text = """
        g (uint8[1, 3, 4, 4] x) => (uint8[1, 8, 1, 1] y)
        <int8[8, 3, 4, 4] w, float s = {0.5}, uint8 z = {3}, int8 zw = {0}>
        { y = QLinearConv (x, s, z, w, s, zw, s, z) }"""
    found = cost(solution_of(text))
    assert found.macs == 8 * 48
    assert found.bytes == 8 * 48 + 4 + 1 + 1
    assert found.params == 8 * 48 + 1 + 1 + 1


def test_a_symbolic_batch_counts_as_one_sample() -> None:
    text = "g (float[{}, 3, 8, 8] x) => (float[{}, 6, 8, 8] y) <float[6, 3, 1, 1] w> {{ y = Conv (x, w) }}"
    assert cost(solution_of(text.format("batch", "batch"))).macs == cost(solution_of(text.format(1, 1))).macs


def test_a_weight_that_two_layers_share_is_counted_once_and_calculated_with_twice() -> None:
    text = """
        g (float[1, 4] x) => (float[1, 4] y) <float[4, 4] w>
        { a = MatMul (x, w) r = Relu (a) y = MatMul (r, w) }"""
    assert cost(solution_of(text)) == Cost(16, 2 * 16, 64)


def test_a_plan_makes_both_sides_of_a_layer_cheaper() -> None:
    _, solution = solved("conv-chain")
    first, second = prunable(solution)
    plan = Plan({first.name: np.arange(6), second.name: np.arange(3)}, {first.name: 8, second.name: 12})
    expected = [(6, 3, 9, 64), (3, 6, 9, 36), (5, 3, 1, 36)]  # outputs, inputs, window, pixels
    assert cost(solution, plan).macs == sum(o * i * k * p for o, i, k, p in expected)
    norm = 4 * 6
    assert cost(solution, plan).params == sum(o * i * k + o for o, i, k, _ in expected) + norm


def test_a_shared_bias_that_is_cut_in_two_ways_is_counted_twice() -> None:
    _, solution = solved("three-that-share-a-bias")
    first, second, third = (group.name for group in prunable(solution))
    sizes = dict.fromkeys((first, second, third), 8)
    alike = Plan(dict.fromkeys(sizes, np.array([0, 1, 2, 3])), sizes)
    apart = Plan(
        dict(zip(sizes, np.arange(8)[[[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]]], strict=True)), sizes
    )
    assert cost(solution, apart).params - cost(solution, alike).params == 8


@pytest.mark.parametrize(
    ("sizes", "open_sizes"),
    [("1, 3, 8, 8", False), ("N, 3, 8, 8", False), ("1, 3, H, W", True), ("N, 3, H, W", True)],
)
def test_the_sizes_that_macs_are_counted_at_are_told_where_the_model_leaves_them_open(
    sizes: str, open_sizes: bool
) -> None:
    out = sizes.replace("3", "6", 1)
    solution = solution_of(
        f"""g (float[{sizes}] x) => (float[{out}] y) <float[6, 3, 3, 3] w>
        {{ y = Conv <pads = [1, 1, 1, 1]> (x, w) }}"""
    )
    told = counted_at(solution)
    assert bool(told) == open_sizes
    if told:
        name, _, shape = told[0].partition(":")
        batch, channels, height, width = map(int, shape.split("x"))
        assert (name, batch, channels) == ("x", 1, 3)
        assert cost(solution).macs == 6 * height * width * 3 * 9
