"""What the window of a convolution sees, for chosen positions of the results and not for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

Sizes = tuple[int, ...]
Index = NDArray[np.int64]
AUTO_PADS = ("", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
"""What `auto_pad` may be."""


def windows(
    node: gs.Node, x: NDArray[Any], window: Sizes, spatial: Sizes, picks: Index
) -> NDArray[np.float32]:
    """Return the entries of `x` under each tap of the window: [taps, picks, channels of x], 0 in the padding.

    Args:
        node: a Conv or a ConvTranspose. For the latter, the entries are those that the tap carries to the
            position of the result, and 0 where the stride leaves none.
        x: what is convolved, [batch, channels, ...].
        window: the sizes of the kernel.
        spatial: the sizes of the results without batch and channels.
        picks: numbers of positions among batch and `spatial`.
    """
    sample, *at = np.unravel_index(picks, (x.shape[0], *spatial))
    pads = _pads(node, x.shape[2:], window, spatial)
    strides, dilations = (numbers(node, name, len(window)) for name in ("strides", "dilations"))
    last = np.moveaxis(x, 1, -1)
    out = np.zeros((int(np.prod(window)), picks.size, x.shape[1]), np.float32)
    for number, tap in enumerate(np.ndindex(*window)):
        inside = np.ones(picks.size, bool)
        place: list[Index] = []
        for dim, offset in enumerate(tap):
            if node.op == "Conv":
                where = at[dim] * strides[dim] + offset * dilations[dim] - pads[dim]
            else:
                where, rest = np.divmod(at[dim] + pads[dim] - offset * dilations[dim], strides[dim])
                inside &= rest == 0
            inside &= (where >= 0) & (where < x.shape[2 + dim])
            place.append(where)
        chosen = np.flatnonzero(inside)
        out[number, chosen] = last[(sample[chosen], *(where[chosen] for where in place))]
    return out


def numbers(node: gs.Node, name: str, rank: int) -> list[int]:
    """Return an attribute with one number for each dimension of the window, 1 where it is not given."""
    given: list[Any] = node.attrs.get(name) or [1] * rank
    return [int(item) for item in given]


def _pads(node: gs.Node, sizes: Sizes, window: Sizes, spatial: Sizes) -> list[int]:
    """Return the padding before each spatial dimension (Conv and ConvTranspose in ONNX's Operators.md)."""
    auto = str(node.attrs.get("auto_pad", "NOTSET"))
    shaped = node.op == "ConvTranspose" and bool(node.attrs.get("output_shape"))
    if auto == "VALID" and not shaped:
        return [0] * len(window)
    if auto in ("NOTSET", "") and not shaped:
        given: list[Any] = node.attrs.get("pads") or [0] * (2 * len(window))
        return [int(item) for item in given[: len(window)]]
    strides, dilations = (numbers(node, name, len(window)) for name in ("strides", "dilations"))
    more: list[Any] = node.attrs.get("output_padding") or [0] * len(window)
    before: list[int] = []
    for dim, taps in enumerate(window):
        reach = (taps - 1) * dilations[dim] + 1
        if node.op == "Conv":
            total = (spatial[dim] - 1) * strides[dim] + reach - sizes[dim]
        else:
            total = (sizes[dim] - 1) * strides[dim] + int(more[dim]) + reach - spatial[dim]
        total = max(0, total)
        # Of an odd number, the odd one is behind for SAME_UPPER; where only a shape is given, it is in front.
        before.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
    return before
