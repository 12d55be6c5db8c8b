"""Quantised weights as the numbers they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.ir import read
from graphprune.weights import Weight, stored

if TYPE_CHECKING:
    from graphprune.groups import Place

QUANTISED = {("DequantizeLinear", 0): (1, 2), ("QLinearConv", 3): (4, 5)}
"""The operands that hold the scale and the zero point of a quantised weight, by operator and operand."""


def weight_values(tensor: gs.Constant, place: Place) -> NDArray[Any] | Weight:
    """The values of `tensor`, not read yet where it can be told what they are; quantised weights at `place`
    as the numbers they stand for.
    """
    held = stored(tensor)
    operands = QUANTISED.get((place.node.op, place.slot))
    scale, zero = (None, None) if operands is None else (_operand(place.node, slot) for slot in operands)
    if scale is None or scale.ndim > 1:
        return held if isinstance(held, Weight) else read(tensor)
    values = read(tensor)
    axis = int(place.node.attrs.get("axis", 1)) if place.node.op == "DequantizeLinear" else 0
    numbers = values.astype(np.float32)
    if zero is not None:
        numbers -= _along(zero, axis, values.ndim)
    return numbers * _along(scale, axis, values.ndim)


def _along(numbers: NDArray[Any], axis: int, rank: int) -> NDArray[np.float32]:
    """Return one number, or one for each position of `axis`, as they broadcast against `rank` dimensions."""
    shape = [1] * rank
    if numbers.size > 1:
        shape[axis] = -1
    return numbers.astype(np.float32).reshape(shape)


def _operand(node: gs.Node, slot: int) -> NDArray[Any] | None:
    if slot >= len(node.inputs):
        return None
    tensor = node.inputs[slot]
    return read(tensor) if isinstance(tensor, gs.Constant) else None
