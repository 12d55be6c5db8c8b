"""What a pruned model must compute, made from the two files alone; nothing of graphprune's is asked.

Each weight of the pruned model is looked for in the original's weight at the same place: the same operand of
the node that makes the tensor of the same name. What is found says which entries a cut took away. They are
set to zero in a copy of the original, and the copy must give what the pruned model gives, at any sizes. A
norm over an axis that was cut sees the entries that stay, so it gets them alone in the copy as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
Feeds = Mapping[str, Array]
FLOATS = frozenset("f")

NORMS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = {
    "LayerNormalization": ((0,), (1, 2), (0,)),
    "RMSNormalization": ((0,), (1,), (0,)),
    "SimplifiedLayerNormalization": ((0,), (1,), (0,)),
    "SkipLayerNormalization": ((0, 1), (2, 3, 4), (0, 3)),
    "SkipSimplifiedLayerNormalization": ((0, 1), (2, 3), (0, 3)),
}
"""Norms over the last axis: operands that hold data, operands that hold weights, results that hold data."""

MEANS = frozenset({"ReduceMean"})
"""Means whose operand is zero where units are removed; the mean of those that stay is larger by the ratio."""


class Unlike(Exception):
    """A weight of the pruned model that is no part of the original's, or a pair that cannot be compared."""


@dataclass(frozen=True)
class Use:
    """A weight at one operand of one node: in the original, and in the pruned model."""

    node: int
    slot: int
    full: Array
    small: Array


def constants(model: onnx.ModelProto) -> dict[str, Array]:
    """Initializers and Constant nodes of the main graph, by tensor, and what an Identity makes of them."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            found.update(
                (node.output[0], numpy_helper.to_array(item.t))
                for item in node.attribute
                if item.name == "value"
            )
        elif node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def uses(original: onnx.ModelProto, pruned: onnx.ModelProto) -> list[Use]:
    """Every weight that both models have at the same place."""
    before, after = constants(original), constants(pruned)
    nodes = {name: node for node in pruned.graph.node for name in node.output if name}
    found: list[Use] = []
    for position, node in enumerate(original.graph.node):
        other = next((nodes[name] for name in node.output if name in nodes), None)
        if other is None or other.op_type != node.op_type:
            continue
        for slot, (mine, theirs) in enumerate(zip(node.input, other.input, strict=False)):
            if mine in before and theirs in after:
                found.append(Use(position, slot, before[mine], after[theirs]))
    return found


def kept(full: Array, small: Array) -> dict[int, Array]:
    """Which positions of `full` are left in `small`, along each axis that is shorter.

    A slice that stayed holds more of the values of `small` than one that went.

    Raises:
        Unlike: `small` is no selection of `full`.
    """
    if full.ndim != small.ndim:
        raise Unlike(f"a weight of shape {full.shape} became one of shape {small.shape}")
    there = np.isin(full, small)
    found: dict[int, Array] = {}
    for axis, (long, short) in enumerate(zip(full.shape, small.shape, strict=True)):
        if short > long:
            raise Unlike(f"a weight of shape {full.shape} became one of shape {small.shape}")
        if short < long:
            counts = there.sum(axis=tuple(i for i in range(full.ndim) if i != axis))
            rows = np.sort(np.argsort(-counts, kind="stable")[:short])
            found[axis] = _in_order(full, small) if full.ndim == 1 else rows
    taken = full
    for axis, index in found.items():
        taken = np.take(taken, index, axis)
    if not np.array_equal(taken, small, equal_nan=True):
        raise Unlike(f"a weight of shape {small.shape} is no selection of the original's {full.shape}")
    return found


def _in_order(full: Array, small: Array) -> Array:
    """Positions of a vector's entries in a longer one, in order; a vector may hold a value twice."""
    positions: list[int] = []
    start = 0
    for value in small:
        later = np.flatnonzero(full[start:] == value)
        if not later.size:
            raise Unlike(f"a vector of {small.size} entries is no selection of the original's {full.size}")
        positions.append(start + int(later[0]))
        start = positions[-1] + 1
    return np.array(positions, np.int64)


def masked(full: Array, index: Mapping[int, Array]) -> Array:
    """`full` with zeros where a position is not among those that stay."""
    result = full.copy()
    for axis, stays in index.items():
        gone = np.setdiff1d(np.arange(int(full.shape[axis])), stays)
        result[(slice(None),) * axis + (gone,)] = 0
    return result


class _Copy:
    """A copy of the original that gets constants and nodes of its own."""

    def __init__(self, original: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(original)
        self.nodes: list[onnx.NodeProto] = []

    def constant(self, values: Array) -> str:
        name = f"reference_{len(self.model.graph.initializer)}"
        self.model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def finish(self) -> onnx.ModelProto:
        del self.model.graph.node[:]
        self.model.graph.node.extend(self.nodes)
        return self.model


def reference(original: onnx.ModelProto, pruned: onnx.ModelProto, feeds: Feeds) -> onnx.ModelProto:
    """The original with zeros where the pruned model has no entry.

    Args:
        original: the model that was pruned, weights inside.
        pruned: the result.
        feeds: inputs that both take: what a mean is taken over is seen in a run.

    Raises:
        Unlike: a weight of the pruned model is not the original's.
    """
    lengths = averaged(original, pruned, feeds)
    first = _masked_model(original, pruned, lengths, {})
    centred = _centred(original, first, lengths, feeds)
    return _masked_model(original, pruned, lengths, centred) if centred else first


def _centred(
    original: onnx.ModelProto,
    masked_model: onnx.ModelProto,
    lengths: Mapping[str, tuple[int, int]],
    feeds: Feeds,
) -> dict[str, Array]:
    """Where a mean is subtracted from what it was taken of, which entries stay: those not zero before.

    Units that went are zero in front of the subtraction and must be zero behind it.
    """
    means = {node.output[0]: node.input[0] for node in original.graph.node if node.output[0] in lengths}
    subtracted = {
        node.output[0]: node.input[0]
        for node in original.graph.node
        if node.op_type == "Sub" and means.get(node.input[1]) == node.input[0]
    }
    if not subtracted:
        return {}
    names = sorted(set(subtracted.values()))
    seen = dict(zip(names, run(exposed(masked_model, names), feeds, names), strict=True))
    masks: dict[str, Array] = {}
    for result, operand in subtracted.items():
        values = seen[operand]
        masks[result] = (values.reshape(-1, values.shape[-1]) != 0).any(axis=0).astype(values.dtype)
    return masks


def _masked_model(
    original: onnx.ModelProto,
    pruned: onnx.ModelProto,
    lengths: Mapping[str, tuple[int, int]],
    centred: Mapping[str, Array],
) -> onnx.ModelProto:
    """The original with masked weights.

    Args:
        original: the model that was pruned, weights inside.
        pruned: the result.
        lengths: for a mean's result, how many entries it is taken over in the two models (see `averaged`).
        centred: for the result of a subtraction, what it is multiplied by.

    Raises:
        Unlike: a weight of the pruned model is not the original's.
    """
    copy = _Copy(original)
    by_node: dict[int, dict[int, Use]] = {}
    for use in uses(original, pruned):
        by_node.setdefault(use.node, {})[use.slot] = use
    nodes = list(copy.model.graph.node)
    for position, node in enumerate(nodes):
        here = by_node.get(position, {})
        apart = {slot: whole for slot, use in here.items() if (whole := _in_groups(node, use)) is not None}
        index = _chosen(node, {slot: use for slot, use in here.items() if slot not in apart})
        if node.op_type in NORMS and index:
            _compress(copy, node, here, next(iter(index.values())))
            continue
        for slot, whole in apart.items():
            node.input[slot] = copy.constant(whole)
        for slot, axes in index.items():
            if axes:
                node.input[slot] = copy.constant(masked(here[slot].full, axes))
        ratio = lengths.get(node.output[0])
        if ratio is not None:
            _rescale(copy, node, np.asarray(ratio[0] / ratio[1], np.float32))
            continue
        if node.output[0] in centred:
            _rescale(copy, node, centred[node.output[0]])
            continue
        copy.nodes.append(node)
    return copy.finish()


def _chosen(node: onnx.NodeProto, here: Mapping[int, Use]) -> dict[int, dict[int, Array]]:
    """For each float weight of a node that was cut, what stays along each axis."""
    if node.op_type == "MatMulNBits":
        return _blocks(here)
    cut = {slot: use for slot, use in here.items() if use.full.shape != use.small.shape}
    changed = {
        slot: use
        for slot, use in here.items()
        if slot not in cut
        and use.full.dtype.kind in FLOATS
        and use.full.size > 1
        and not np.array_equal(use.full, use.small, equal_nan=True)
    }
    if changed:
        raise Unlike(f"a weight of {node.op_type} '{node.name}' has other values")
    return {slot: kept(use.full, use.small) for slot, use in cut.items() if use.full.dtype.kind in FLOATS}


def _in_groups(node: onnx.NodeProto, use: Use) -> Array | None:
    """The masked weight of a convolution in groups, which keep positions of their own; None elsewhere."""
    groups = next((item.i for item in node.attribute if item.name == "group"), 1)
    if node.op_type != "Conv" or groups == 1 or use.slot != 1 or use.full.shape[1] == use.small.shape[1]:
        return None
    if use.full.shape[0] % groups or use.small.shape[0] % groups:
        raise Unlike(f"{node.op_type} '{node.name}' has another number of groups")
    parts = zip(np.split(use.full, groups), np.split(use.small, groups), strict=True)
    return np.concatenate([masked(full, kept(full, small)) for full, small in parts])


def _blocks(here: Mapping[int, Use]) -> dict[int, dict[int, Array]]:
    """Weights of 4 bits in blocks: the scales say what stays, and no scale is no weight."""
    if 2 not in here or here[2].full.size == here[2].small.size:
        return {}
    packed, scales = here[1], here[2]
    rows, blocks = packed.full.shape[:2]
    few_rows, few_blocks = packed.small.shape[:2]
    axes = kept(scales.full.reshape(rows, blocks), scales.small.reshape(few_rows, few_blocks))
    flat = masked(np.ones((rows, blocks), bool), axes).reshape(scales.full.shape)
    index: dict[int, dict[int, Array]] = {2: {}}
    if scales.full.ndim == 1:
        index[2] = {0: np.flatnonzero(flat)}
    else:
        index[2] = axes
    if 5 in here and here[5].full.shape != here[5].small.shape:
        index[5] = kept(here[5].full, here[5].small)
    return index


def _compress(copy: _Copy, node: onnx.NodeProto, here: Mapping[int, Use], axes: Mapping[int, Array]) -> None:
    """Let a norm see the entries that stay alone, and put its results back where they were."""
    data, weights, results = NORMS[node.op_type]
    (stays,) = axes.values()
    full = next(use.full.shape[-1] for slot, use in here.items() if slot in weights)
    index = copy.constant(stays.astype(np.int64))
    for slot in data:
        if slot < len(node.input) and node.input[slot]:
            made = copy.add(
                "Gather", [node.input[slot], index], f"{node.input[slot]}_stays_{node.output[0]}", axis=-1
            )
            node.input[slot] = made
    for slot in weights:
        if slot in here:
            node.input[slot] = copy.constant(here[slot].small)
    copy.nodes.append(node)
    back = np.zeros((len(stays), full), np.float32)
    back[np.arange(len(stays)), stays] = 1
    places = copy.constant(back)
    for slot in results:
        if slot < len(node.output) and node.output[slot]:
            name = node.output[slot]
            node.output[slot] = f"{name}_stays"
            copy.add("MatMul", [node.output[slot], places], name)


def _rescale(copy: _Copy, node: onnx.NodeProto, factor: Array) -> None:
    name = node.output[0]
    node.output[0] = f"{name}_all"
    copy.nodes.append(node)
    copy.add("Mul", [node.output[0], copy.constant(factor)], name)


def averaged(original: onnx.ModelProto, pruned: onnx.ModelProto, feeds: Feeds) -> dict[str, tuple[int, int]]:
    """Over how many entries each mean is taken in both models, seen in a run; those that differ alone."""
    there = {name for node in pruned.graph.node for name in node.output}
    made = {name for node in original.graph.node for name in node.output}
    wanted = {
        node.output[0]: node.input[0]
        for node in original.graph.node
        if node.op_type in MEANS and node.output[0] in there and node.input[0] in there & made
    }
    if not wanted:
        return {}
    names = sorted({*wanted.values(), *wanted})
    before, after = (
        dict(zip(names, run(exposed(m, names), feeds, names), strict=True)) for m in (original, pruned)
    )
    found: dict[str, tuple[int, int]] = {}
    for result, operand in wanted.items():
        counts = [math.prod(side[operand].shape) // max(side[result].size, 1) for side in (before, after)]
        if counts[0] != counts[1] and all(counts):
            found[result] = (counts[0], counts[1])
    return found


def exposed(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model with further outputs."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    present = {output.name for output in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    return copy


def read(path: Path) -> onnx.ModelProto:
    """A model whose weights lie inside the file."""
    model: onnx.ModelProto = onnx.ModelProto.FromString(path.read_bytes())
    return model


def store(model: onnx.ModelProto, path: Path) -> None:
    """Write a model with its weights inside the file."""
    path.write_bytes(model.SerializeToString())


def session(model: onnx.ModelProto | str) -> ort.InferenceSession:
    """The model in ONNX Runtime as it stands, on one thread."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.log_severity_level = 4
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model if isinstance(model, str) else model.SerializeToString()
    return ort.InferenceSession(source, settings, providers=["CPUExecutionProvider"])


def run(
    model: onnx.ModelProto | ort.InferenceSession, feeds: Feeds, names: Sequence[str] | None = None
) -> list[Array]:
    """The outputs; feeds that the model has no input for are left out."""
    opened = model if isinstance(model, ort.InferenceSession) else session(model)
    wanted = {item.name for item in opened.get_inputs()}
    found: list[Array] = opened.run(names, {name: value for name, value in feeds.items() if name in wanted})
    return found


def gap(expected: Array, found: Array) -> float:
    """The largest relative difference of any slice along any axis; small slices count as 2 % of the whole.

    Infinity where shapes differ or a number became none. What is no number in `expected` is not compared.
    """
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return math.inf
    if expected.dtype.kind not in "fV":
        return 0.0 if np.array_equal(expected, found) else 1.0
    a, b = expected.astype(np.float64), found.astype(np.float64)
    finite = np.isfinite(a)
    if not np.isfinite(b[finite]).all():
        return math.inf
    a, error = (
        np.where(finite, a, 0),
        np.where(finite, np.where(np.isfinite(b), b, 0) - np.where(finite, a, 0), 0),
    )
    if not a.size or not error.any():
        return 0.0
    whole = math.sqrt(float(np.square(a).mean()))
    worst = math.sqrt(float(np.square(error).mean())) / max(whole, 1e-30)
    for axis in range(a.ndim if a.ndim > 1 else 0):
        rest = tuple(i for i in range(a.ndim) if i != axis)
        size = np.sqrt(np.square(a).mean(rest))
        wrong = np.sqrt(np.square(error).mean(rest))
        worst = max(worst, float((wrong / np.maximum(size, max(0.02 * whole, 1e-30))).max()))
    return worst
