"""What TensorRT says of sparse weights is read from its own words."""

from __future__ import annotations

import pytest

from graphprune.engines.messages import logger
from graphprune.engines.sparsity import Sparsity, is_sparse, nodes_of, said

GUIDE = (
    "[03/23/2021-00:14:05] [I] [TRT] (Sparsity) Layers eligible for sparse math: conv1, conv2, conv3",
    (
        "[03/23/2021-00:14:05] [I] [TRT] (Sparsity) TRT inference plan picked sparse implementation "
        "for layers: conv2, conv3"
    ),
)
"""The developer guide of TensorRT 8, section *Sparsity*."""
ONE_LAYER = (
    "(Sparsity) Layers eligible for sparse math: Conv_0",
    "(Sparsity) TRT inference plan picked sparse implementation for layers:",
)
"""https://github.com/NVIDIA/TensorRT/issues/1403"""
FUSED = (
    (
        "(Sparsity) Layers eligible for sparse math: MatMul_401, Conv_619 + Relu_620, "
        "Conv_234 + Add_240 + Relu_241, Conv_243 + Relu_244"
    ),
    "(Sparsity) TRT inference plan picked sparse implementation for layers: Conv_234 + Add_240 + Relu_241",
)
"""From https://github.com/NVIDIA/TensorRT/issues/4056, shortened."""
COUNTS = (
    "(Sparsity) Found 39 layer(s) eligible to use sparse tactics",
    "(Sparsity) Chose 0 layer(s) using sparse tactics",
)
"""As users of TensorRT 10 quote it; the texts stand so in the library of TensorRT-RTX 1.7, too."""
NAMED = (
    "(Sparsity) Found 2 layer(s) eligible to use sparse tactics: /conv1/Conv + /relu1/Relu, /fc/Gemm",
    "(Sparsity) Chose 1 layer(s) using sparse tactics: /fc/Gemm",
)
"""The same texts, with the names behind the colon that the library's texts end with."""

LOGS = {
    "guide": (GUIDE, Sparsity(3, 2, ["conv1", "conv2", "conv3"], ["conv2", "conv3"])),
    "none-picked": (ONE_LAYER, Sparsity(1, 0, ["Conv_0"], [])),
    "fused": (
        FUSED,
        Sparsity(
            4,
            1,
            ["MatMul_401", "Conv_619 + Relu_620", "Conv_234 + Add_240 + Relu_241", "Conv_243 + Relu_244"],
            ["Conv_234 + Add_240 + Relu_241"],
        ),
    ),
    "counts": (COUNTS, Sparsity(39, 0)),
    "names": (NAMED, Sparsity(2, 1, ["/conv1/Conv + /relu1/Relu", "/fc/Gemm"], ["/fc/Gemm"])),
    "lines": (
        ("(Sparsity) Found 2 layer(s) eligible to use sparse tactics:\na\nb\n",),
        Sparsity(2, 0, ["a", "b"], []),
    ),
    "the-last-counts": ((*NAMED, *COUNTS), Sparsity(39, 0)),
    "names-that-are-not-as-many": (
        ("(Sparsity) Found 3 layer(s) eligible to use sparse tactics: a, b",),
        Sparsity(3, 0),
    ),
    "nothing": (("Detected 1 inputs and 1 output network tensors.", "sparsity"), None),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_log_of_a_build_is_read(name: str) -> None:
    messages, expected = LOGS[name]
    assert said(messages) == expected


@pytest.mark.parametrize(
    ("kernel", "sparse"),
    [
        (
            "sm80_xmma_sparse_gemm_i8i8_i8i32_f32_tn_n_tilesize128x128x128_stage3_warpsize2x2x1_sptensor16x8x64",
            True,
        ),
        ("sm90_xmma_sparse_fprop_implicit_gemm_f16f16_f16f16_f16_nhwckrsc_nhwc", True),
        ("sm80_xmma_fprop_sparse_conv_i8i8_i8i32_f32_nhwckrsc_nhwc", True),
        (
            (
                "sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32_nchw_vect_c_32_"
                "tilesize256x128x64_stage4_warpsize4x2x1_g1_tensor16x8x32_simple_t1r1s1_epifadd"
            ),
            False,
        ),
        ("", False),
    ],
    ids=["gemm", "convolution", "int8", "dense", "not-told"],
)
def test_a_sparse_kernel_is_known_by_its_name(kernel: str, sparse: bool) -> None:
    assert is_sparse(kernel) is sparse


def test_a_fused_layer_is_its_nodes() -> None:
    assert nodes_of("Conv_234 + Add_240 + Relu_241") == ("Conv_234", "Add_240", "Relu_241")


class _Severity:
    def __init__(self, name: str) -> None:
        self.name = name


class _Bindings:
    class ILogger:
        """Takes messages."""


def test_of_verbose_messages_only_those_about_sparsity_are_told() -> None:
    told: list[tuple[str, str]] = []
    log = logger(_Bindings, lambda severity, text: told.append((severity, text)), [])  # type: ignore[arg-type]
    for name, text in (("VERBOSE", "a tactic"), ("VERBOSE", COUNTS[0]), ("INFO", "detected")):
        log.log(_Severity(name), text)  # type: ignore[attr-defined]
    assert told == [("VERBOSE", COUNTS[0]), ("INFO", "detected")]
