"""Which entries of the original's tensors a pruned model has, told by ones and zeros that run through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper

from tests.fuzz.copies import Array, Copy, Feeds, Unjudged, constants, has_bodies, name_of, seen

_LINEAR = (
    "Conv ConvTranspose Gemm MatMul ConvInteger MatMulInteger QLinearConv QLinearMatMul FusedConv "
    "FusedMatMul LSTM GRU RNN Einsum Attention MultiHeadAttention GroupQueryAttention PackedAttention"
)
"""What sums products: entries of operands that are zero add nothing."""
_MOVES = (
    "Reshape Transpose Flatten Squeeze Unsqueeze Concat Split Slice Gather GatherElements GatherND Pad "
    "Expand Tile DepthToSpace SpaceToDepth Resize Upsample Identity Cast Dropout Trilu ReverseSequence "
    "ScatterND ScatterElements Compress Shape Size"
)
"""What moves entries and computes nothing."""
_REDUCTIONS = (
    "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp ReduceProd"
)
_NORMS = (
    "Softmax LogSoftmax Hardmax LayerNormalization RMSNormalization GroupNormalization InstanceNormalization "
    "LpNormalization LRN MeanVarianceNormalization SimplifiedLayerNormalization ArgMax ArgMin TopK "
    "CumSum"
)
"""What is computed over an axis; with `_REDUCTIONS`, what must see the entries that stay alone."""
_POOLS = "MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool"
_MAKES = "Constant ConstantOfShape Range EyeLike RandomNormal RandomUniform"


LINEAR, MOVES, REDUCTIONS, NORMS, POOLS, MAKES = (
    frozenset(names.split()) for names in (_LINEAR, _MOVES, _REDUCTIONS, _NORMS, _POOLS, _MAKES)
)


class Alive:
    """Which entries of the original's tensors the pruned model has, found when it is first asked."""

    def __init__(
        self,
        original: ModelProto,
        feeds: Feeds,
        before: Mapping[str, Array],
        after: Mapping[str, Array],
        masks: Mapping[tuple[str, int], Array],
        weighed: ModelProto,
    ) -> None:
        self._weighed = weighed
        self._original, self._feeds, self._before, self._after = original, feeds, before, after
        self._masks = masks
        self._found: Mapping[str, Array] | None = None

    def mask(self, name: str) -> Array:
        """Return ones where an entry of the tensor is there in the pruned model, and zeros elsewhere."""
        if self._found is None:
            try:
                bodies = any(has_bodies(node) for node in self._original.graph.node)
                masked = seen(self._weighed, self._feeds) if bodies else {}
                ones = _ones(self._original, self._before, self._masks, masked)
                self._found = seen(ones, _all_ones(self._feeds))
            except Exception as error:
                raise Unjudged(f"which entries stay: {str(error)[:200]}") from error
        mask = self._found.get(name)
        if mask is None or mask.shape != self._before[name].shape:
            raise Unjudged(f"which entries of {name} stay")
        mask = (mask > 0.5).astype(self._before[name].dtype)
        if mask.sum(dtype=np.float64) != self._after[name].size:
            raise Unjudged(f"which entries of {name} stay: {mask.sum()} of {self._after[name].size}")
        return mask

    def positions(self, name: str, axis: int) -> NDArray[np.int64]:
        """Return the positions along an axis that stay."""
        mask = self.mask(name)
        found = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if len(found) != self._after[name].shape[axis]:
            raise Unjudged(f"other positions of {name} stay at other places")
        return found.astype(np.int64)


def _all_ones(feeds: Feeds) -> Feeds:
    return {name: np.ones_like(v) if v.dtype.kind == "f" else v for name, v in feeds.items()}


def _ones(
    original: ModelProto,
    before: Mapping[str, Array],
    masks: Mapping[tuple[str, int], Array],
    masked: Mapping[str, Array],
) -> ModelProto:
    """Return the network through which ones and zeros run: one where an entry is there.

    Args:
        original: the original.
        before: what its nodes make.
        masks: ones where entries of weights are left, by the first result of their node and the operand.
        masked: what the nodes make with masked weights; empty where there are no bodies.
    """
    copy = ModelProto()
    copy.CopyFrom(original)
    made = Copy(copy, constants(original))
    for node in copy.graph.node:
        floats = [n for n in node.output if n and n in before and before[n].dtype.kind == "f"]
        if floats and (node.op_type in MAKES or has_bodies(node)):
            # What is made of sizes is there. What comes out of a body is where it is not zero in the masked
            # original; where units that went make no zeros, the count tells.
            for name in floats:
                ones = node.op_type in MAKES or not masked
                there = np.ones_like(before[name]) if ones else masked[name] != 0
                made.put(name, there.astype(before[name].dtype))
            continue
        if not floats:
            made.nodes.append(node)
            continue
        operands = list(node.input)
        for slot, name in enumerate(node.input):
            full = made.constants.get(name)
            if full is not None and full.dtype.kind == "f" and full.size:
                ones = masks.get((name_of(node), slot), np.ones_like(full))
                operands[slot] = made.constant(ones.astype(full.dtype))
        data = [n for n, old in zip(operands, node.input, strict=True) if n and _is_float(old, before, made)]
        if node.op_type in MOVES:
            node.input[:] = operands
            made.nodes.append(node)
            if node.op_type == "Pad":
                _padded(made, node)
            continue
        if node.op_type in LINEAR | REDUCTIONS | POOLS:
            _summed(made, node, operands, before)
        else:
            _entry_by_entry(made, node, data, floats, before)
    return made.finish()


def _entry_by_entry(
    made: Copy, node: NodeProto, data: Sequence[str], results: Sequence[str], before: Mapping[str, Array]
) -> None:
    """What is computed so is there where all operands are; the scale of a norm lies along its axis."""
    found = data[0] if data else made.constant(np.ones_like(before[results[0]]))
    if node.op_type not in NORMS and node.op_type not in ("BatchNormalization", "PRelu"):
        for each in data[1:]:
            found = made.add("Mul", [found, each])
    for name in results:
        same = before[name].shape == before.get(node.input[0], np.empty(0)).shape or len(data) > 1
        found = found if same else made.constant(np.ones_like(before[name]))
        made.nodes.append(helper.make_node("Identity", [found], [name]))


def _is_float(name: str, before: Mapping[str, Array], made: Copy) -> bool:
    found = made.constants.get(name)
    found = before.get(name) if found is None else found
    return found is None or found.dtype.kind == "f"


def _padded(made: Copy, node: NodeProto) -> None:
    """What is padded with is there where it stays; the judge takes it to be, and counts afterwards."""
    if len(node.input) > 2 and node.input[2]:
        node.input[2] = made.constant(np.ones_like(made.constants[node.input[2]]))
    elif len(node.input) > 1:
        node.input[2:] = [made.constant(np.ones((), np.float32))]


def _summed(made: Copy, node: NodeProto, operands: Sequence[str], before: Mapping[str, Array]) -> None:
    """A sum is there where any of its terms is; where it has weights, these tell."""
    weighed = [slot for slot, name in enumerate(node.input) if name in made.constants and slot]
    node.input[:] = operands
    if node.op_type in ("LSTM", "GRU", "RNN"):
        for name in node.output:
            if name:
                made.nodes.append(
                    helper.make_node("Identity", [made.constant(np.ones_like(before[name]))], [name])
                )
        return
    if node.op_type in ("Conv", "ConvTranspose", "Gemm") and weighed:
        node.input[0] = _there(made, node.input[0])
        if len(node.input) > 2:
            del node.input[2:]
    elif node.op_type == "MatMul" and (weighed or operands[0] != node.input[0]):
        node.input[0] = _there(made, node.input[0]) if weighed else node.input[0]
    results = [name for name in node.output if name]
    node.output[:] = [name and f"{name}_sum" for name in node.output]
    made.nodes.append(node)
    for name in results:
        sign = made.add("Sign", [f"{name}_sum"])
        made.nodes.append(helper.make_node("Identity", [sign], [name]))


def _there(made: Copy, name: str) -> str:
    none = made.add("Sub", [name, name])
    return made.add("Add", [none, made.constant(np.ones((), np.float32))])
