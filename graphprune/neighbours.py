"""The rank and the sizes of tensors that nothing declares, from the operators that read them.

An input without a shape, or what an operator without a schema writes, is told by its neighbours: a
convolution by its weight has so many dimensions and so many channels, a Gemm reads matrices, a Transpose says
the rank. What is found is handed on through operators that keep the shape, backwards and forwards, until
nothing changes.

A tensor that is broadcast is taken to be as large as what it is combined with. That is on the safe side: all
the tensors that are looked for are pinned in every axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.ir import dimensions, is_default_domain, read, shape_of

Partial = tuple[int | None, ...]
"""The sizes of a tensor of known rank; None where nothing tells one."""
Told = Iterator[tuple[gs.Tensor, Partial]]
_ROUNDS = 20


def untold(graph: gs.Graph, known: Mapping[str, Sequence[int]]) -> dict[str, Partial]:
    """Return what the operators of `graph` tell of tensors that are not in `known`.

    Sizes that the model declares for tensors inside (`value_info`) fill in what is left: they may be wrong,
    a weight is not.

    Args:
        graph: nodes in topological order.
        known: sizes by tensor name.

    Example: of an input without a shape that only a convolution with a weight of 64 x 3 x 3 x 3 reads, it is
    told that it is (None, 3, None, None).
    """
    missing = {t.name: t for node in graph.nodes for t in (*node.inputs, *node.outputs) if _is_open(t, known)}
    if not missing:
        return {}
    found: dict[str, Partial] = {}
    for tensor in graph.outputs:
        if tensor.name in missing and tensor.shape is not None:
            found[tensor.name] = _declared(tensor)
    _settle(graph, known, found)
    for name, tensor in missing.items():
        if tensor.shape is not None:
            _note(name, _declared(tensor), known, found)
    _settle(graph, known, found)
    return found


def _is_open(tensor: gs.Tensor, known: Mapping[str, Sequence[int]]) -> bool:
    return bool(tensor.name) and not isinstance(tensor, gs.Constant) and tensor.name not in known


def _declared(tensor: gs.Tensor) -> Partial:
    return tuple(size if isinstance(size, int) and size >= 0 else None for size in dimensions(tensor))


def _settle(graph: gs.Graph, known: Mapping[str, Sequence[int]], found: dict[str, Partial]) -> None:
    def view(tensor: gs.Tensor) -> Partial | None:
        if isinstance(tensor, gs.Constant):
            return shape_of(tensor)
        sizes = known.get(tensor.name)
        return found.get(tensor.name) if sizes is None else tuple(sizes)

    for _ in range(_ROUNDS):
        changed = False
        for nodes in (reversed(graph.nodes), graph.nodes):
            for node in nodes:
                tell = _TELL.get(node.op) if is_default_domain(node) or node.op in _ALSO else None
                for tensor, sizes in tell(node, view) if tell is not None and node.inputs else ():
                    if _is_open(tensor, known):
                        changed = _note(tensor.name, sizes, known, found) or changed
        if not changed:
            return


def _note(name: str, sizes: Partial, known: Mapping[str, Sequence[int]], found: dict[str, Partial]) -> bool:
    """Add what is told to what is known of a tensor; what was there first stays. Whether it is news."""
    before = found.get(name)
    if before is not None and len(before) != len(sizes):
        return False
    after = sizes if before is None else tuple(a if a is not None else b for a, b in zip(before, sizes))
    found[name] = after
    return after != before


View = Callable[[gs.Tensor], Partial | None]
Tell = Callable[[gs.Node, View], Told]


def _keeping(*operands: int) -> Tell:
    """Of operators whose result has the shape of these operands, or that they are broadcast to."""

    def tell(node: gs.Node, view: View) -> Told:
        out = view(node.outputs[0])
        read_from = [node.inputs[slot] for slot in operands if slot < len(node.inputs)]
        if out is not None:
            yield from ((tensor, out) for tensor in read_from)
        shapes = [view(tensor) for tensor in read_from]
        if len(shapes) == 1 and shapes[0] is not None:
            yield node.outputs[0], shapes[0]

    return tell


def _all(node: gs.Node, view: View) -> Told:
    yield from _keeping(*range(len(node.inputs)))(node, view)


def _convolution(weight: int, transposed: bool = False) -> Tell:
    def tell(node: gs.Node, view: View) -> Told:
        sizes = view(node.inputs[weight])
        if sizes is None or len(sizes) < 2:
            return
        group = int(node.attrs.get("group", 1))
        into, out = (sizes[0], _times(sizes[1], group)) if transposed else (_times(sizes[1], group), sizes[0])
        rest = (None,) * (len(sizes) - 2)
        yield node.inputs[0], (None, into, *rest)
        yield node.outputs[0], (None, out, *rest)

    return tell


def _times(size: int | None, factor: int) -> int | None:
    return None if size is None else size * factor


def _gemm(node: gs.Node, view: View) -> Told:
    a, b = view(node.inputs[0]) or (None, None), view(node.inputs[1]) or (None, None)
    flip_a, flip_b = bool(node.attrs.get("transA", 0)), bool(node.attrs.get("transB", 0))
    if len(a) != 2 or len(b) != 2:
        return
    rows, inner = a[::-1] if flip_a else a
    other, columns = b[::-1] if flip_b else b
    inner = other if inner is None else inner
    yield node.inputs[0], (inner, rows) if flip_a else (rows, inner)
    yield node.inputs[1], (columns, inner) if flip_b else (inner, columns)
    yield node.outputs[0], (rows, columns)


def _matmul(node: gs.Node, view: View) -> Told:
    """A matrix on one side leaves the rank to the other."""
    left, right = node.inputs[:2]
    a, b, out = view(left), view(right), view(node.outputs[0])
    if b is not None and len(b) == 2:
        if out:
            yield left, (*out[:-1], b[0])
        if a is not None and len(a) > 1:
            yield node.outputs[0], (*a[:-1], b[1])
    elif a is not None and len(a) == 2:
        if out is not None and len(out) > 1:
            yield right, (*out[:-2], a[1], out[-1])
        if b is not None and len(b) > 1:
            yield node.outputs[0], (*b[:-2], a[0], b[-1])


def _per_channel(node: gs.Node, view: View) -> Told:
    scale = view(node.inputs[1])
    for one, other in ((node.inputs[0], node.outputs[0]), (node.outputs[0], node.inputs[0])):
        sizes = view(one)
        if sizes is not None and scale is not None and len(scale) == 1 and len(sizes) > 1:
            yield other, (sizes[0], scale[0], *sizes[2:])


def _pool(node: gs.Node, view: View) -> Told:
    kernel = node.attrs.get("kernel_shape")
    size = 1 if node.op.startswith("Global") else None
    for one, other in ((node.inputs[0], node.outputs[0]), (node.outputs[0], node.inputs[0])):
        sizes = view(one)
        if sizes is not None and len(sizes) > 2:
            inner = size if other is node.outputs[0] else None
            yield other, (*sizes[:2], *(inner,) * (len(sizes) - 2))
        elif kernel is not None:
            yield other, (None,) * (2 + len(kernel))


def _transpose(node: gs.Node, view: View) -> Told:
    order = [int(at) for at in node.attrs.get("perm") or ()]
    if not order or sorted(order) != list(range(len(order))):
        return
    into, out = view(node.inputs[0]), view(node.outputs[0])
    empty = (None,) * len(order)
    before, after = into or empty, out or empty
    if len(before) == len(after) == len(order):
        yield node.inputs[0], tuple(after[order.index(at)] for at in range(len(order)))
        yield node.outputs[0], tuple(before[at] for at in order)


def _reshape(node: gs.Node, view: View) -> Told:
    target = _numbers(node, 1)
    if target is None:
        return
    into = view(node.inputs[0]) or ()
    zero = bool(node.attrs.get("allowzero", 0))
    yield (
        node.outputs[0],
        tuple(
            size if size > 0 or (zero and not size) else into[at] if not size and at < len(into) else None
            for at, size in enumerate(target)
        ),
    )


def _numbers(node: gs.Node, slot: int) -> list[int] | None:
    """Return the integers of a constant operand."""
    operand = node.inputs[slot] if slot < len(node.inputs) else None
    if not isinstance(operand, gs.Constant) or np.dtype(operand.dtype).kind not in "iu":
        return None
    return [int(item) for item in read(operand).reshape(-1)]


def _axes(node: gs.Node) -> list[int] | None:
    return [int(axis) for axis in node.attrs["axes"]] if "axes" in node.attrs else _numbers(node, 1)


def _unsqueeze(node: gs.Node, view: View) -> Told:
    """Of Unsqueeze, and with the sides changed of Squeeze."""
    axes = _axes(node)
    if axes is None:
        return
    short, long = (0, 1) if node.op == "Unsqueeze" else (1, 0)
    ends = (node.inputs[0], node.outputs[0])
    small, large = view(ends[short]), view(ends[long])
    rank = len(large) if large is not None else len(small or ()) + len(axes)
    if any(not -rank <= axis < rank for axis in axes) or len({axis % rank for axis in axes}) < len(axes):
        return
    if large is not None:
        gone = {axis % rank for axis in axes}
        yield ends[short], tuple(size for at, size in enumerate(large) if at not in gone)
    elif small is not None:
        ones, rest = {axis % rank for axis in axes}, iter(small)
        yield ends[long], tuple(1 if at in ones else next(rest) for at in range(rank))


def _concat(node: gs.Node, view: View) -> Told:
    tensors = [*node.inputs, node.outputs[0]]
    shapes = [sizes for sizes in map(view, tensors) if sizes is not None]
    if not shapes:
        return
    rank = len(shapes[0])
    if not rank:
        return
    axis = int(node.attrs.get("axis", 0)) % rank
    dims = [next((s[at] for s in shapes if len(s) == rank and s[at] is not None), None) for at in range(rank)]
    views = [view(tensor) for tensor in tensors]
    along = [None if sizes is None or len(sizes) != rank else sizes[axis] for sizes in views]
    # Of all pieces but one, and the whole, the one that is left follows.
    open_at = [at for at, size in enumerate(along) if size is None]
    known = [size for size in along[:-1] if size is not None]
    if len(open_at) == 1:
        whole = along[-1]
        left = sum(known) if whole is None else whole - sum(known)
        along[open_at[0]] = left if left > 0 else None
    for tensor, size in zip(tensors, along, strict=True):
        yield tensor, (*dims[:axis], size, *dims[axis + 1 :])


def _same_rank(node: gs.Node, view: View) -> Told:
    """Of operators that keep the rank, and sizes they may change."""
    ends = (node.inputs[0], *node.outputs)
    rank = next((len(sizes) for sizes in map(view, ends) if sizes is not None), None)
    if rank is not None:
        yield from ((tensor, (None,) * rank) for tensor in ends)


def _flatten(node: gs.Node, _: View) -> Told:
    yield node.outputs[0], (None, None)


def _of_rank(rank: int) -> Tell:
    def tell(node: gs.Node, _: View) -> Told:
        yield node.inputs[0], (None,) * rank
        yield node.outputs[0], (None,) * rank

    return tell


def _normalised(node: gs.Node, view: View) -> Told:
    """Of a norm over the last axes: they are as long as its scale."""
    yield from _keeping(0)(node, view)
    sizes, scale = view(node.inputs[0]), view(node.inputs[1])
    if (
        sizes is not None
        and scale is not None
        and len(scale) <= len(sizes)
        and node.attrs.get("axis", -1) == -1
    ):
        yield node.inputs[0], (*sizes[: len(sizes) - len(scale)], *scale)


def _recurrent(node: gs.Node, view: View) -> Told:
    """A sequence of batches (with layout 1, a batch of sequences), and its hidden states by direction."""
    weight, again = view(node.inputs[1]), view(node.inputs[2])
    if weight is None or again is None or len(weight) != 3 or len(again) != 3:
        return
    ways, hidden = again[0], again[2]
    first = bool(node.attrs.get("layout", 0))
    yield node.inputs[0], (None, None, weight[2])
    whole: Partial = (None, None, ways, hidden) if first else (None, ways, None, hidden)
    last: Partial = (None, ways, hidden) if first else (ways, None, hidden)
    yield from ((tensor, whole if at == 0 else last) for at, tensor in enumerate(node.outputs))


_UNARY = (
    "Abs Cast Ceil Celu Clip CumSum DequantizeLinear Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish "
    "Hardmax Identity LeakyRelu Log LogSoftmax LpNormalization Mish Neg QuantizeLinear Reciprocal Relu Round "
    "Selu Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh ThresholdedRelu Trilu"
)
_BINARY = "Add Div Mul PRelu Pow Sub"
_TELL: Mapping[str, Tell] = {
    **dict.fromkeys(_UNARY.split(), _keeping(0)),
    **dict.fromkeys(_BINARY.split(), _keeping(0, 1)),
    **dict.fromkeys(("Max", "Mean", "Min", "Sum"), _all),
    "Where": _keeping(1, 2),
    **dict.fromkeys(("Conv", "ConvInteger", "DeformConv", "FusedConv"), _convolution(1)),
    "ConvTranspose": _convolution(1, transposed=True),
    "QLinearConv": _convolution(3),
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "MatMul": _matmul,
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization"), _per_channel),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), _normalised),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool", "MaxPool"), _pool),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _recurrent),
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _unsqueeze,
    "Concat": _concat,
    "Flatten": _flatten,
    **dict.fromkeys(("Pad", "Resize", "Slice", "Split", "Tile", "TopK"), _same_rank),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _of_rank(4)),
    "LRN": _keeping(0),
    "GroupNormalization": _keeping(0),
}
_ALSO = ("FusedConv", "FusedGemm")
"""Operators of com.microsoft that tell as ONNX's own do."""
