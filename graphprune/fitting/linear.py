"""Linear operators with constant weights, each seen as the equations X W + b = Y.

| operator | a row of X | blocks |
|---|---|---|
| Conv, any rank | the patch of the input under the window at one output position | `group` |
| ConvTranspose, any rank | the input entries that reach one output position | `group` |
| Gemm | a row of A | 1 |
| MatMul, weight on the right | a vector along the last dimension | 1 |
| MatMul, weight on the left | a vector along the last dimension but one | 1 |

Column `i * taps + t` of X is input channel `i` (counted within its block) at tap `t` of the window. X and Y
are made for chosen rows only, since neighbouring positions of an image say much the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.errors import Refused
from graphprune.fitting.windows import AUTO_PADS, windows
from graphprune.ir import is_default_domain, label, read, read_by_bodies, shape_of
from graphprune.weights import SparseWeight, stored

Rows = NDArray[np.float32]
"""Rows of X or Y, one block after another: [blocks, rows, columns]."""
Picks = NDArray[np.int64]
"""Numbers of rows, among all that a batch has."""


@dataclass(frozen=True, eq=False)
class Linear:
    """One linear operator.

    Attributes:
        node: the operator.
        feed: the operand that is multiplied.
        slot: the operand that is the weight.
        blocks: groups of a convolution, which are multiplied apart; 1 elsewhere.
        channels: input channels of a block.
        taps: entries of the window.
        outputs: output channels of a block.
        bias: the operator and the operand that hold the bias, or None where there is none yet.
    """

    node: gs.Node
    feed: int
    slot: int
    blocks: int
    channels: int
    taps: int
    outputs: int
    bias: tuple[gs.Node, int] | None

    @property
    def weight(self) -> gs.Constant:
        """The constant that is the weight."""
        return constant(self.node, self.slot)

    @property
    def source(self) -> str:
        """The name of the tensor that is multiplied."""
        return str(self.node.inputs[self.feed].name)

    @property
    def target(self) -> str:
        """The name of the tensor that holds Y: behind the bias, wherever that is added."""
        last = self.node if self.bias is None else self.bias[0]
        return str(last.outputs[0].name)

    @property
    def columns(self) -> int:
        """Columns of X in a block."""
        return self.channels * self.taps

    @property
    def feed_dim(self) -> int:
        """The dimension of the multiplied operand that is summed over; from the end where negative."""
        if self.node.op in ("Conv", "ConvTranspose"):
            return 1
        if self.node.op == "Gemm":
            return 0 if self.node.attrs.get("transA", 0) else 1
        return -1 if self.slot == 1 else -2

    @property
    def target_dim(self) -> int:
        """The dimension of Y's tensor along which output channels lie; likewise."""
        if self.node.op in ("Conv", "ConvTranspose"):
            return 1
        return -2 if self.node.op == "MatMul" and self.slot == 0 else -1


def constant(node: gs.Node, slot: int) -> gs.Constant:
    """Return an operand that is known to be a constant."""
    tensor = node.inputs[slot]
    assert isinstance(tensor, gs.Constant)
    return tensor


def linear(node: gs.Node, fixed: Collection[str] = ()) -> Linear | str:
    """Return `node` as a linear operator, or why it is none: '' where it is of another kind altogether.

    `fixed` are the names of tensors that are read by more than nodes (`fixed_names`): a product of such a
    name does not count the addition behind it as its bias.
    """
    if not is_default_domain(node) or node.op not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return ""
    slots = [slot for slot in (0, 1) if isinstance(node.inputs[slot], gs.Constant)]
    if len(slots) != 1:
        return ""
    slot = slots[0]
    weight = constant(node, slot)
    sizes = shape_of(weight)
    dtype: np.dtype[Any] = np.dtype(weight.dtype)
    if dtype.kind not in "fV" or dtype.itemsize < 2:
        return f"its weight is {dtype.name}"
    if isinstance(stored(weight), SparseWeight):
        return "its weight is sparse"
    if weight.name in fixed or any(reader is not node for reader in weight.outputs):
        return "its weight is shared with another operator"
    if node.op in ("Conv", "ConvTranspose"):
        if slot != 1:
            return "its weight is the first operand"
        return _convolution(node, sizes)
    if len(sizes) != 2:
        return f"its weight has {len(sizes)} dimensions"
    return _gemm(node, slot, sizes) if node.op == "Gemm" else _product(node, slot, sizes, fixed)


def _convolution(node: gs.Node, sizes: tuple[int, ...]) -> Linear | str:
    blocks = int(node.attrs.get("group", 1))
    given = len(node.inputs) > 2 and bool(node.inputs[2].name)
    if given and not isinstance(node.inputs[2], gs.Constant):
        return "its bias is computed"
    auto = str(node.attrs.get("auto_pad", ""))
    if auto not in AUTO_PADS:
        return f"its auto_pad is '{auto}'"
    outputs, channels = (sizes[0] // blocks, sizes[1])
    if node.op == "ConvTranspose":
        channels, outputs = sizes[0] // blocks, sizes[1]
    return Linear(node, 0, 1, blocks, channels, prod(sizes[2:]), outputs, (node, 2) if given else None)


def _gemm(node: gs.Node, slot: int, sizes: tuple[int, ...]) -> Linear | str:
    if slot != 1:
        return "its weight is the first operand"
    channels, outputs = reversed(sizes) if node.attrs.get("transB", 0) else sizes
    given = len(node.inputs) > 2 and bool(node.inputs[2].name)
    if given and not (isinstance(node.inputs[2], gs.Constant) and _is_row(node.inputs[2], int(outputs))):
        return "its bias is not one number an output"
    if float(node.attrs.get("alpha", 1.0)) == 0 or (given and float(node.attrs.get("beta", 1.0)) == 0):
        return "it multiplies by 0"
    return Linear(node, 0, 1, 1, int(channels), 1, int(outputs), (node, 2) if given else None)


def _is_row(bias: gs.Constant, outputs: int) -> bool:
    """Whether a bias has one number an output, along the last dimension."""
    sizes = shape_of(bias)
    return prod(sizes) == outputs and (outputs == 1 or sizes[-1] == outputs)


def _product(node: gs.Node, slot: int, sizes: tuple[int, ...], fixed: Collection[str]) -> Linear | str:
    if slot == 0 and node.inputs[1].shape is not None and len(node.inputs[1].shape) == 1:
        return _VECTOR
    channels, outputs = sizes if slot == 1 else (sizes[1], sizes[0])
    bias = None if node.outputs[0].name in fixed else _added(node, slot, outputs)
    return Linear(node, 1 - slot, slot, 1, channels, 1, outputs, bias)


_VECTOR = "it multiplies a vector from the left"


def _added(node: gs.Node, slot: int, outputs: int) -> tuple[gs.Node, int] | None:
    """Return the `Add` of one number an output that follows a product, and alone reads it."""
    readers = list(node.outputs[0].outputs)
    if len(readers) != 1 or readers[0].op != "Add" or not is_default_domain(readers[0]):
        return None
    if readers[0].attrs:  # `axis` and `broadcast` of the first opsets: other rules of broadcasting
        return None
    for operand, tensor in enumerate(readers[0].inputs):
        if isinstance(tensor, gs.Constant):
            sizes = shape_of(tensor)
            along = sizes[-1:] if slot == 1 else sizes[-2:-1]
            if along == (outputs,) and prod(sizes) == outputs:
                return readers[0], operand
    return None


def fixed_names(graph: gs.Graph) -> frozenset[str]:
    """Return the names that are read by more than the nodes of `graph`: its outputs, and what bodies read."""
    return frozenset({tensor.name for tensor in graph.outputs} | read_by_bodies(graph))


def linears(graph: gs.Graph) -> Iterator[tuple[int, Linear]]:
    """Yield the linear operators of `graph` with their positions in it."""
    fixed = fixed_names(graph)
    for number, node in enumerate(graph.nodes):
        found = linear(node, fixed)
        if isinstance(found, Linear):
            yield number, found


def row_count(it: Linear, y: NDArray[Any]) -> int:
    """Return how many rows the batch has whose results are `y`."""
    return int(y.size) // max(1, int(y.shape[_along(y, it.target_dim)]))


def results(it: Linear, y: NDArray[Any], picks: Picks) -> Rows:
    """Return rows of Y from the tensor of results: [blocks, picks, outputs].

    `y` may have fewer or more output channels than the operator, but a multiple of its blocks.
    """
    last = np.moveaxis(y, _along(y, it.target_dim), -1)
    rows = last.reshape(-1, last.shape[-1])[picks]
    apart = rows.reshape(len(rows), it.blocks, -1).transpose(1, 0, 2)
    return np.ascontiguousarray(apart, dtype=np.float32)


def inputs(it: Linear, x: NDArray[Any], spatial: tuple[int, ...], picks: Picks) -> Rows:
    """Return rows of X from the tensor that is multiplied: [blocks, picks, columns].

    Args:
        it: the operator.
        x: what it multiplies.
        spatial: the sizes of the results of a convolution without batch and channels; () elsewhere.
        picks: which rows.

    Raises:
        Refused: a matrix times a vector, which is known only now.
    """
    if it.node.op not in ("Conv", "ConvTranspose"):
        if it.slot == 0 and x.ndim == 1:
            raise Refused(f"{label(it.node)}: {_VECTOR}", "give the vector a second dimension")
        last = np.moveaxis(x, _along(x, it.feed_dim), -1)
        return last.reshape(-1, last.shape[-1])[picks].astype(np.float32)[None]
    seen = windows(it.node, x, shape_of(it.weight)[2:], spatial, picks)
    # [taps, rows, blocks * channels] -> [blocks, rows, channels * taps]
    split = seen.reshape(it.taps, picks.size, it.blocks, -1).transpose(2, 1, 3, 0)
    return np.ascontiguousarray(split).reshape(it.blocks, picks.size, -1)


def _along(array: NDArray[Any], dim: int) -> int:
    """Return `dim` as `array` has it: a vector times a matrix has one dimension, however it is counted."""
    return max(dim, -array.ndim)


def matrix(it: Linear) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return W [blocks, columns, outputs] and b [blocks, outputs] (zeros where there is no bias)."""
    weight = read(it.weight).astype(np.float64)
    if it.node.op == "Conv":
        w = weight.reshape(it.blocks, it.outputs, it.columns).transpose(0, 2, 1)
    elif it.node.op == "ConvTranspose":
        split = weight.reshape(it.blocks, it.channels, it.outputs, it.taps)
        w = split.transpose(0, 1, 3, 2).reshape(it.blocks, it.columns, it.outputs)
    elif it.node.op == "Gemm":
        turned = weight.T if it.node.attrs.get("transB", 0) else weight
        w = float(it.node.attrs.get("alpha", 1.0)) * turned[None]
    else:
        w = (weight if it.slot == 1 else weight.T)[None]
    b = np.zeros((it.blocks, it.outputs))
    if it.bias is not None:
        node, operand = it.bias
        b = read(constant(node, operand)).astype(np.float64).reshape(it.blocks, it.outputs)
        if node.op == "Gemm":
            b = b * float(node.attrs.get("beta", 1.0))
    return np.ascontiguousarray(w), b


def laid_out(it: Linear, w: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W [blocks, columns, outputs] in the shape of the operator's weight."""
    shape = shape_of(it.weight)
    if it.node.op == "Conv":
        return w.transpose(0, 2, 1).reshape(shape)
    if it.node.op == "ConvTranspose":
        split = w.reshape(it.blocks, it.channels, it.taps, it.outputs)
        return split.transpose(0, 1, 3, 2).reshape(shape)
    plain: NDArray[np.float64] = w[0]
    if it.node.op == "Gemm":
        plain = plain / float(it.node.attrs.get("alpha", 1.0))
        return plain.T if it.node.attrs.get("transB", 0) else plain
    return plain if it.slot == 1 else plain.T
