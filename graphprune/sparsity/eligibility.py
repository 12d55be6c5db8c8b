"""Which weights may have a pattern, as TensorRT has it, and which of them it is likely to make use of.

TensorRT uses 2:4 sparse kernels for convolutions and fully connected layers where, for every output channel
and every pixel of the kernel, each four consecutive input channels have two zeros: weights [K, C, R, S] with
C (of one group) a multiple of 4, known at build time; and it wants float16 or int8 (NVIDIA, *TensorRT
documentation*, section *Structured Sparsity*,
https://docs.nvidia.com/deeplearning/tensorrt/10.16.1/inference-library/io-formats-sparsity.html and
https://docs.nvidia.com/deeplearning/tensorrt/11.1.0/inference-library/data-formats-tensors.html). Products
of matrices count, too: its log lists MatMul and Gemm (https://github.com/NVIDIA/TensorRT/issues/2169). The
library of TensorRT-RTX 1.7 names sparse kernels of bfloat16 and float8 beside those of float16 and int8, and
none of float32: in TF32 tensor cores know 1:2 alone (NVIDIA, *PTX ISA*, mma.sp), so that float32 weights
count once the model is cast. Of transposed convolutions no page says that they have sparse kernels: they may
have the pattern, and are never called likely.

Eligible is not picked: the builder times sparse and dense kernels and takes the faster, and the sparse ones
are faster from about 256 input and 256 output channels on (https://github.com/NVIDIA/TensorRT/issues/3849, of
each group), where kernels of 3x3 gain sooner than those of 1x1. Picked is not faster: that only a measurement
says (`graphprune.sparsity.faster`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from graphprune.elements import NAMES, number_of
from graphprune.errors import Usage
from graphprune.ir import shape_of
from graphprune.sparsity.patterns import Pattern
from graphprune.sparsity.places import Place
from graphprune.weights import SparseWeight, stored

ELEMENTS = ("FLOAT", "FLOAT16", "BFLOAT16", "INT8", "FLOAT8E4M3FN")
"""Element types, as ONNX names them; float32 counts on the way to one of the others."""
PICKED = 256
"""Input and output channels from which on sparse kernels are likely the faster ones."""


@dataclass(frozen=True)
class Layer:
    """One weight, and whether it may be sparse.

    Attributes:
        weight: the name of the constant.
        operator: the operator that multiplies by it, or the first of them.
        element: its element type as ONNX calls it.
        shape: its sizes.
        axis: the dimension that is summed over; None where there is no such one.
        channels: the entries that are summed over, C; 0 likewise.
        outputs: the output channels, K; 0 likewise.
        eligible: whether it may have the pattern.
        reason: why not, or ''.
        likely: whether a builder is likely to pick a sparse kernel; never without 2:4.
    """

    weight: str
    operator: str
    element: str
    shape: tuple[int, ...]
    axis: int | None
    channels: int
    outputs: int
    eligible: bool
    reason: str
    likely: bool


def layer(place: Place, pattern: Pattern | None, ignore: Sequence[str] = ()) -> Layer:
    """Return what there is to say of a weight.

    Args:
        place: where it stands.
        pattern: the pattern; None for unstructured sparsity, which asks for no length.
        ignore: globs over names of weights and operators that are to stay dense.
    """
    tensor = place.tensor
    element = NAMES[number_of(np.dtype(tensor.dtype))]
    known = bool(place.uses)
    axis, length, outputs = (place.axis, place.length, place.outputs) if known else (None, 0, 0)
    reason = place.reason
    if any(fnmatchcase(name, glob) for glob in ignore for name in names(place)):
        reason = "it is ignored"
    elif not reason and isinstance(stored(tensor), SparseWeight):
        reason = "its zeros are not stored"
    elif not reason and element not in ELEMENTS and not (pattern is None and element == "DOUBLE"):
        reason = f"there are no sparse kernels of {element.lower()}"
    elif not reason and pattern is not None and length % pattern.of:
        reason = f"C = {length} is no multiple of {pattern.of}"
    eligible = not reason
    likely = eligible and pattern == Pattern(2, 4) and min(length, _made_at_once(place)) >= PICKED
    return Layer(
        tensor.name, place.label, element, shape_of(tensor), axis, length, outputs, eligible, reason, likely
    )


def _made_at_once(place: Place) -> int:
    """The output channels of one group; 0 for operators without sparse kernels."""
    node = place.uses[0].node
    return 0 if node.op == "ConvTranspose" else place.outputs // int(node.attrs.get("group", 1))


def names(place: Place) -> tuple[str, ...]:
    """Return the names that a glob may mean: of the weight and of the operators."""
    return (place.tensor.name, *(use.node.name for use in place.uses if use.node.name))


def check_globs(places: Iterable[Place], ignore: Sequence[str]) -> None:
    """Refuse a glob that matches nothing: a typing error would go unnoticed.

    Raises:
        Usage: there is one.
    """
    known = [name for place in places for name in names(place)]
    for glob in ignore:
        if not any(fnmatchcase(name, glob) for name in known):
            raise Usage(
                f"--ignore '{glob}' matches no weight and no operator that multiplies by one",
                "`graphprune inspect MODEL --show weights` lists them",
            )
