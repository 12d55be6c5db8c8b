"""Each weight is found with the dimension that its operator sums over, whatever it passes on the way."""

from __future__ import annotations

import pytest

from graphprune.model import from_proto
from graphprune.solve import solve
from graphprune.sparsity.eligibility import check_globs, layer
from graphprune.sparsity.patterns import Pattern
from graphprune.sparsity.places import Place, places
from tests.networks.fill import fill

FOUND = {
    # name: text, dimension, C, K
    "conv": ("g (float[1,8,5,5] x) => (float[1,6,3,3] y) <float[6,8,3,3] w> { y = Conv(x, w) }", 1, 8, 6),
    "conv-1d": ("g (float[1,8,5] x) => (float[1,6,3] y) <float[6,8,3] w> { y = Conv(x, w) }", 1, 8, 6),
    "grouped-conv": (
        "g (float[1,8,5,5] x) => (float[1,6,5,5] y) <float[6,4,1,1] w> { y = Conv<group=2>(x, w) }",
        1,
        4,
        6,
    ),
    "transposed-conv": (
        "g (float[1,8,5,5] x) => (float[1,6,7,7] y) <float[8,6,3,3] w> { y = ConvTranspose(x, w) }",
        0,
        8,
        6,
    ),
    "grouped-transposed-conv": (
        "g (float[1,8,5,5] x) => (float[1,6,7,7] y) <float[8,3,3,3] w> { y = ConvTranspose<group=2>(x, w) }",
        0,
        4,
        6,
    ),
    "gemm": ("g (float[2,8] x) => (float[2,6] y) <float[8,6] w> { y = Gemm(x, w) }", 0, 8, 6),
    "gemm-transposed": (
        "g (float[2,8] x) => (float[2,6] y) <float[6,8] w> { y = Gemm<transB=1>(x, w) }",
        1,
        8,
        6,
    ),
    "gemm-left": ("g (float[8,2] x) => (float[6,2] y) <float[6,8] w> { y = Gemm(w, x) }", 1, 8, 6),
    "gemm-left-transposed": (
        "g (float[8,2] x) => (float[6,2] y) <float[8,6] w> { y = Gemm<transA=1>(w, x) }",
        0,
        8,
        6,
    ),
    "matmul": ("g (float[2,3,8] x) => (float[2,3,6] y) <float[8,6] w> { y = MatMul(x, w) }", 0, 8, 6),
    "matmul-left": ("g (float[2,8,3] x) => (float[2,6,3] y) <float[6,8] w> { y = MatMul(w, x) }", 1, 8, 6),
    "matmul-one-matrix-of-a-batch": (
        "g (float[2,3,8] x) => (float[2,3,6] y) <float[1,8,6] w> { y = MatMul(x, w) }",
        1,
        8,
        6,
    ),
    "through-transpose": (
        "g (float[2,8] x) => (float[2,6] y) <float[6,8] w> { t = Transpose(w) y = MatMul(x, t) }",
        1,
        8,
        6,
    ),
    "through-a-permutation": (
        (
            "g (float[1,8,5,5] x) => (float[1,6,3,3] y) <float[3,3,8,6] w>"
            " { t = Transpose<perm=[3,2,0,1]>(w) y = Conv(x, t) }"
        ),
        2,
        8,
        6,
    ),
    "through-cast": (
        "g (float[2,8] x) => (float[2,6] y) <float16[8,6] w> { t = Cast<to=1>(w) y = MatMul(x, t) }",
        0,
        8,
        6,
    ),
    "through-qdq": (
        (
            "g (float[2,8] x) => (float[2,6] y) <float[8,6] w, float s = {0.1}, int8 z = {0}>"
            " { q = QuantizeLinear(w, s, z) t = DequantizeLinear(q, s, z) y = MatMul(x, t) }"
        ),
        0,
        8,
        6,
    ),
    "through-dequantize-per-channel": (
        (
            "g (float[1,8,5,5] x) => (float[1,6,3,3] y) <int8[6,8,3,3] w, float[6] scale>"
            " { t = DequantizeLinear<axis=0>(w, scale) y = Conv(x, t) }"
        ),
        1,
        8,
        6,
    ),
    "through-dequantize-and-transpose": (
        (
            "g (float[2,8] x) => (float[2,6] y) <int8[6,8] w, float[6] scale>"
            " { d = DequantizeLinear<axis=0>(w, scale) t = Transpose(d) y = MatMul(x, t) }"
        ),
        1,
        8,
        6,
    ),
    "shared-by-two-that-agree": (
        (
            "g (float[2,8] x, float[3,8] z) => (float[2,6] y, float[3,6] u) <float[8,6] w>"
            " { y = MatMul(x, w) u = MatMul(z, w) }"
        ),
        0,
        8,
        6,
    ),
    "shared-by-two-that-agree-behind-transpose": (
        (
            "g (float[2,8] x, float[3,8] z) => (float[2,6] y, float[3,6] u) <float[8,6] w>"
            " { y = MatMul(x, w) t = Transpose(w) u = Gemm<transB=1>(z, t) }"
        ),
        0,
        8,
        6,
    ),
}

LEFT = {
    "depthwise": (
        "g (float[1,8,5,5] x) => (float[1,8,3,3] y) <float[8,1,3,3] w> { y = Conv<group=8>(x, w) }",
        "C = 1 is no multiple of 4",
    ),
    "stem": (
        "g (float[1,3,5,5] x) => (float[1,8,3,3] y) <float[8,3,3,3] w> { y = Conv(x, w) }",
        "C = 3 is no multiple of 4",
    ),
    "group-of-a-transposed-conv": (
        "g (float[1,8,5,5] x) => (float[1,12,5,5] y) <float[8,3,1,1] w> { y = ConvTranspose<group=4>(x, w) }",
        "C = 2 is no multiple of 4",
    ),
    "shared-along-two-dimensions": (
        (
            "g (float[2,8] x) => (float[2,8] y, float[2,8] u) <float[8,8] w>"
            " { y = MatMul(x, w) t = Transpose(w) u = MatMul(x, t) }"
        ),
        "sum over different dimensions of it",
    ),
    "also-a-table": (
        (
            "g (float[2,8] x, int64[2] i) => (float[2,6] y, float[2,6] u) <float[8,6] w>"
            " { y = MatMul(x, w) u = Gather(w, i) }"
        ),
        "Gather 'u' reads it, too",
    ),
    "also-an-output": (
        (
            "g (float[2,8] x) => (float[2,6] y, float[8,6] t)"
            " <float16[8,6] w> { t = Cast<to=1>(w) y = MatMul(x, t) }"
        ),
        "it is read outside the graph's nodes",
    ),
    "a-batch-of-matrices": (
        "g (float[2,3,8] x) => (float[2,3,6] y) <float[2,8,6] w> { y = MatMul(x, w) }",
        "it is a batch of matrices",
    ),
    "double": (
        "g (double[2,8] x) => (double[2,6] y) <double[8,6] w> { y = MatMul(x, w) }",
        "there are no sparse kernels of double",
    ),
    "uint8": (
        (
            "g (float[2,8] x) => (float[2,6] y) <uint8[8,6] w, float s = {0.1}>"
            " { t = DequantizeLinear(w, s) y = MatMul(x, t) }"
        ),
        "there are no sparse kernels of uint8",
    ),
    "zero-point": (
        (
            "g (float[2,8] x) => (float[2,6] y) <int8[8,6] w, float s = {0.1}, int8 z = {3}>"
            " { t = DequantizeLinear(w, s, z) y = MatMul(x, t) }"
        ),
        "its zero point in DequantizeLinear 't' is not 0",
    ),
}


def found(text: str) -> tuple[Place, ...]:
    return places(solve(from_proto(fill(text)).graph))


@pytest.mark.parametrize("name", FOUND)
def test_a_weight_has_the_dimension_that_its_operator_sums_over(name: str) -> None:
    text, axis, channels, outputs = FOUND[name]
    (place,) = found(text)
    row = layer(place, Pattern(2, 4))
    assert (row.weight, row.axis, row.channels, row.outputs, row.reason) == ("w", axis, channels, outputs, "")
    assert row.eligible
    assert not row.likely


@pytest.mark.parametrize("name", LEFT)
def test_a_weight_that_may_not_be_sparse_has_a_reason(name: str) -> None:
    text, reason = LEFT[name]
    row = layer(found(text)[0], Pattern(2, 4))
    assert not row.eligible
    assert reason in row.reason


def test_constants_that_nobody_multiplies_by_are_no_weights() -> None:
    text = "g (float[2,8] x) => (float[2,8] y) <float[2,8] w> { y = Add(x, w) }"
    assert not found(text)


def test_without_a_pattern_any_length_will_do() -> None:
    (place,) = found(LEFT["depthwise"][0])
    assert layer(place, None).eligible


@pytest.mark.parametrize(("size", "likely"), [((256, 256), True), ((252, 256), False), ((256, 255), False)])
def test_from_256_channels_on_a_sparse_kernel_is_likely(size: tuple[int, int], likely: bool) -> None:
    c, k = size
    text = f"g (float[1,{c}] x) => (float[1,{k}] y) <float[{c},{k}] w> {{ y = Gemm(x, w) }}"
    (place,) = found(text)
    assert layer(place, Pattern(2, 4)).likely is likely
    assert not layer(place, Pattern(1, 4)).likely


WIDE = {
    "one-group": ("Conv", "float[256,256,1,1] w", "", True),
    "groups-of-256": ("Conv", "float[512,256,1,1] w", "<group = 2>", True),
    "narrow-groups": ("Conv", "float[512,128,1,1] w", "<group = 4>", False),
    "few-outputs-a-group": ("Conv", "float[256,256,1,1] w", "<group = 2>", False),
    "transposed": ("ConvTranspose", "float[256,256,1,1] w", "", False),
}


@pytest.mark.parametrize("name", WIDE)
def test_channels_count_by_group_and_transposed_convolutions_have_no_sparse_kernels(name: str) -> None:
    op, weight, attributes, likely = WIDE[name]
    groups = int(attributes[-2]) if attributes else 1
    channels = 256 if op == "ConvTranspose" else int(weight.split(",")[1]) * groups
    text = (
        f"g (float[1,{channels},4,4] x) => (float[n,k,h,l] y) <{weight}> {{ y = {op} {attributes} (x, w) }}"
    )
    (place,) = found(text)
    row = layer(place, Pattern(2, 4))
    assert row.eligible
    assert row.likely is likely


def test_a_weight_can_be_ignored_by_its_name() -> None:
    (place,) = found(FOUND["gemm"][0])
    row = layer(place, Pattern(2, 4), ["w*"])
    assert (row.eligible, row.reason) == (False, "it is ignored")
    check_globs([place], ["w*"])


def test_fp16_and_bf16_weights_are_eligible() -> None:
    for element in ("float16", "bfloat16"):
        text = f"g ({element}[2,8] x) => ({element}[2,6] y) <{element}[8,6] w> {{ y = MatMul(x, w) }}"
        (place,) = found(text)
        assert layer(place, Pattern(2, 4)).eligible, element
