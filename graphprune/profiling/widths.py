"""The channels that a step of a runtime works on, and whether devices like their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.ir import shape_of
from graphprune.tiles import MULTIPLES

_WEIGHTS = {
    "Conv": 1,
    "FusedConv": 1,
    "ConvInteger": 1,
    "ConvTranspose": 1,
    "QLinearConv": 3,
    "Gemm": 1,
    "FusedGemm": 1,
    "QGemm": 3,
    "MatMul": 1,
    "FusedMatMul": 1,
    "MatMulInteger": 1,
    "MatMulIntegerToFloat": 1,
    "DynamicQuantizeMatMul": 1,
    "QLinearMatMul": 3,
}
"""The operand that is the weight, by operator."""


@dataclass(frozen=True)
class Width:
    """The weight of a step.

    Attributes:
        inputs: channels that it reads.
        outputs: channels that it makes.
        itemsize: bytes of an element.
        groups: of a convolution; as many as `inputs` in a depthwise one.
    """

    inputs: int
    outputs: int
    itemsize: int
    groups: int = 1

    def __str__(self) -> str:
        depthwise = self.groups > 1 and self.groups == self.inputs == self.outputs
        return f"{self.outputs} depthwise" if depthwise else f"{self.inputs}x{self.outputs}"

    def misaligned(self, before: Width | None = None) -> str:
        """Say which of the numbers are none that devices like; those that were so `before` are left out.

        >>> Width(64, 41, 4).misaligned(Width(64, 64, 4))
        '41 out: no multiple of 8'
        """
        multiple = MULTIPLES.get(self.itemsize, 1)
        counts = {"in": self.inputs, "out": self.outputs}
        known = {"in": before.inputs, "out": before.outputs} if before else {}
        odd = [name for name, count in counts.items() if count % multiple and count != known.get(name)]
        if not odd:
            return ""
        if len(odd) == 2 and self.inputs == self.outputs:
            return f"{self.inputs} in and out: no multiple of {multiple}"
        return f"{' and '.join(f'{counts[name]} {name}' for name in odd)}: no multiple of {multiple}"


def width_of(tensors: Mapping[str, gs.Tensor], outputs: Sequence[str], made: Collection[str]) -> Width | None:
    """Return the largest weight in what lies between tensors that a step makes and those of other steps.

    Args:
        tensors: the model's, by name.
        outputs: the tensors that the step makes.
        made: the tensors that all steps make.
    """
    found = [width for node in _covered(tensors, outputs, made) if (width := _width(node)) is not None]
    return max(found, key=lambda width: width.inputs * width.outputs, default=None)


def _covered(
    tensors: Mapping[str, gs.Tensor], outputs: Sequence[str], made: Collection[str]
) -> Iterator[gs.Node]:
    """The nodes that a step carries out: those behind its outputs, up to what other steps make."""
    waiting = [tensors[name] for name in outputs if name in tensors]
    seen: set[int] = set()
    while waiting:
        for node in waiting.pop().inputs:
            if id(node) not in seen:
                seen.add(id(node))
                yield node
                waiting += [tensor for tensor in node.inputs if tensor.name not in made]


def _width(node: gs.Node) -> Width | None:
    slot = _WEIGHTS.get(node.op)
    if slot is None or slot >= len(node.inputs):
        return None
    weight = _constant(node.inputs[slot])
    if weight is None or len(shape := shape_of(weight)) < 2:
        return None
    size = np.dtype(weight.dtype).itemsize
    groups = int(node.attrs.get("group", 1))
    if node.op == "ConvTranspose":
        return Width(shape[0], shape[1] * groups, size, groups)
    if "Conv" in node.op:
        return Width(shape[1] * groups, shape[0], size, groups)
    rows, columns = prod(shape[:-1]) if len(shape) == 2 else shape[-2], shape[-1]
    return Width(columns, rows, size) if node.attrs.get("transB") else Width(rows, columns, size)


def _constant(tensor: gs.Tensor) -> gs.Constant | None:
    """The constant that a weight is, or is made of when the model runs."""
    while not isinstance(tensor, gs.Constant):
        if not tensor.inputs or tensor.inputs[0].op not in ("DequantizeLinear", "Cast", "Identity"):
            return None
        tensor = tensor.inputs[0].inputs[0]
    return tensor
