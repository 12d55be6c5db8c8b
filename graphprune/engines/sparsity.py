"""What TensorRT says of 2:4 sparse weights: in the log of a build, and in the names of an engine's kernels.

Up to 10.0 the log has two lists of layers (NVIDIA, *TensorRT Developer Guide*, section *Sparsity*). Later
versions have counts, and the layers behind them in messages that only a verbose log shows; each round of
choosing kernels writes the pair anew, and the last one is the engine's. TensorRT-RTX writes nothing: what it
builds has no kernels yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

PREFIX = "(Sparsity)"
"""Messages about sparsity begin with it."""
_ELIGIBLE = re.compile(
    r"\(Sparsity\) (?:Found (\d+) layer\(s\) eligible to use sparse tactics|"
    r"Layers eligible for sparse math)(?::(.*))?",
    re.DOTALL,
)
_PICKED = re.compile(
    r"\(Sparsity\) (?:Chose (\d+) layer\(s\) using sparse tactics|"
    r"TRT inference plan picked sparse implementation for layers)(?::(.*))?",
    re.DOTALL,
)
_FUSED = " + "
_KERNEL = re.compile(r"sparse|sptensor|spmma", re.IGNORECASE)


class Sparsity(msgspec.Struct, frozen=True):
    """What a build says of sparsity.

    Attributes:
        eligible: layers whose weights have the pattern.
        picked: layers that got sparse kernels.
        eligible_layers: their names as TensorRT has them (`conv1 + relu1`); empty where they are not told.
        picked_layers: likewise.
    """

    eligible: int
    picked: int
    eligible_layers: list[str] = []
    picked_layers: list[str] = []


def said(messages: Iterable[str]) -> Sparsity | None:
    """Return what the messages of a build say of sparsity; None where they say nothing.

    >>> said(["(Sparsity) Layers eligible for sparse math: conv1, conv2",
    ...       "(Sparsity) TRT inference plan picked sparse implementation for layers: conv2"])
    Sparsity(eligible=2, picked=1, eligible_layers=['conv1', 'conv2'], picked_layers=['conv2'])
    """
    eligible: tuple[int, list[str]] | None = None
    picked: tuple[int, list[str]] = (0, [])
    for message in messages:
        found = _ELIGIBLE.search(message)
        if found is not None:
            eligible, picked = _counted(found), (0, [])
            continue
        found = _PICKED.search(message)
        if found is not None:
            picked = _counted(found)
    if eligible is None:
        return None
    return Sparsity(eligible[0], picked[0], eligible[1], picked[1])


def _counted(found: re.Match[str]) -> tuple[int, list[str]]:
    """How many layers a message means, and which, where it names as many."""
    names = [name.strip() for name in re.split(r", |\n", found[2] or "") if name.strip()]
    count = len(names) if found[1] is None else int(found[1])
    return count, names if len(names) == count else []


def nodes_of(layer: str) -> tuple[str, ...]:
    """Return the nodes of a model that a layer is made of, by its name.

    >>> nodes_of("Conv_242 + Add_248 + Relu_249")
    ('Conv_242', 'Add_248', 'Relu_249')
    """
    return tuple(part.strip() for part in layer.split(_FUSED))


def is_sparse(kernel: str) -> bool:
    """Whether a kernel, by the name that an engine's inspector gives it, makes use of sparse weights.

    >>> is_sparse("sm80_xmma_fprop_sparse_conv_interleaved_i8i8_i8i32_f32_nchw_vect_c_32kcrs_vect_c_32")
    True
    >>> is_sparse("sm80_xmma_fprop_implicit_gemm_interleaved_i8i8_i8i32_f32_tilesize256x128x64_stage4")
    False
    """
    return _KERNEL.search(kernel) is not None
