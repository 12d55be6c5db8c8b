"""Whether a pruned model is what it must be, told from the two files alone by numpy, onnx and ONNX Runtime.

The judge knows nothing of groups, of rules, or of the plan. In the weights of random networks no value stands
twice, so the entries that a cut took away can be told; they are set to zero in a copy of the original. Where
units are summed over without a weight (heads that are multiplied, norms, means, a softmax), the copy gets
nodes that leave out what is gone: which entries of a tensor these are is told by a third network, through
which ones and zeros run in place of numbers. The copy and the pruned model must then give the same.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper

from benchmarks.reference import Unlike, gap, kept, run
from tests.fuzz.alive import LINEAR, NORMS, REDUCTIONS, Alive
from tests.fuzz.copies import Array, Copy, Feeds, Unjudged, constants, graphs, name_of, seen

LIMITS: Mapping[str, float] = {"float64": 1e-6, "float32": 2e-3, "float16": 5e-2}
"""The largest gap (`benchmarks.reference.gap`) by element type of an output."""

_SLIDING = frozenset({"Conv"})
"""What slides a filter over the axes behind the second: over those entries that stay, side by side."""


def judge(original: ModelProto, pruned: ModelProto, seed: int = 0) -> str:
    """Return what is wrong with `pruned`; nothing is.

    Raises:
        Unjudged: the original does not run on random inputs, or the judge cannot tell what must come out.
    """
    feeds = [_runs_on(original, seed), _runs_on(original, seed + 1)]
    try:
        found = [run(pruned, each) for each in feeds]
    except Exception as error:  # noqa: BLE001  whatever ONNX Runtime raises
        return f"the original runs, and what was made of it does not: {str(error)[:300]}"
    for each, outputs in zip(feeds, found, strict=True):
        expected = run(twin(original, pruned, each), each)
        for info, want, have in zip(original.graph.output, expected, outputs, strict=True):
            limit = LIMITS.get(want.dtype.name, 0.0)
            distance = gap(want, have)
            if distance > limit:
                return f"output {info.name} is {distance:.2g} from the masked original's"
    return ""


def _runs_on(model: ModelProto, seed: int) -> Feeds:
    """Return random inputs that the model runs on, sizes that it leaves open chosen for it."""
    said = ""
    for size in (2, 3, 1, 4, 6, 8, 16):
        feeds = inputs(model, size, seed)
        try:
            outputs = run(model, feeds)
        except Exception as error:  # noqa: BLE001  whatever ONNX Runtime raises
            said = str(error)
            continue
        if all(np.isfinite(np.asarray(each, np.float64)).all() for each in outputs if each.dtype.kind == "f"):
            return feeds
        said = "not finite"
    raise Unjudged(f"the original does not run: {said[:200]}")


def inputs(model: ModelProto, size: int, seed: int) -> Feeds:
    """Return random values for the inputs of a model; open sizes are `size`."""
    defaults = {tensor.name for tensor in model.graph.initializer}
    feeds: Feeds = {}
    for value in model.graph.input:
        if value.name in defaults:
            continue
        kind = value.type.tensor_type
        shape = [dim.dim_value if dim.dim_value > 0 else size for dim in kind.shape.dim]
        if np.prod(shape, dtype=np.float64) > 1e6:
            raise Unjudged(f"an input of {shape}")
        draw = np.random.default_rng([seed, *value.name.encode()])
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type or TensorProto.FLOAT)
        if dtype.kind == "f":
            feeds[value.name] = draw.standard_normal(shape).astype(dtype)
        elif dtype.kind in "iub":
            feeds[value.name] = draw.integers(0, 2, shape).astype(dtype)
        else:
            raise Unjudged(f"an input of {dtype}")
    return feeds


def twin(original: ModelProto, pruned: ModelProto, feeds: Feeds) -> ModelProto:
    """Return the original in which the entries that `pruned` does not have count for nothing.

    Raises:
        Unjudged: what is gone cannot be told.
    """
    before, after = seen(original, feeds), seen(pruned, feeds)
    copy = ModelProto()
    copy.CopyFrom(original)
    made = Copy(copy, constants(original))
    theirs, held = _by_output(pruned), constants(pruned)
    masks: dict[tuple[str, int], Array] = {}
    smalls: dict[tuple[str, int], Array] = {}
    for node, other in _pairs(copy, theirs):
        position = name_of(node)
        for slot, (full, small) in _operands(node, other, made.constants, held, before).items():
            smalls[position, slot] = small
            mask = _mask(full, small, f"{node.op_type} '{node.name or node.output[0]}'")
            if mask is not None:
                masks[position, slot] = mask
                node.input[slot] = made.constant((full * mask).astype(full.dtype))
    cut = {name for name, value in before.items() if name in after and value.shape != after[name].shape}
    weighed = ModelProto()
    weighed.CopyFrom(copy)
    alive = Alive(original, feeds, before, after, masks, weighed)
    for node in copy.graph.node:
        other = next((theirs[name] for name in node.output if name in theirs), None)
        touched = [slot for slot, name in enumerate(node.input) if name in cut]
        if other is not None and touched:
            mine = {slot: smalls.get((name_of(node), slot)) for slot in range(len(node.input))}
            _leave_out(made, node, other, touched, mine, before, after, alive)
        else:
            made.nodes.append(node)
    return made.finish()


def _leave_out(
    made: Copy,
    node: NodeProto,
    other: NodeProto,
    touched: Sequence[int],
    smalls: Mapping[int, Array | None],
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    alive: Alive,
) -> None:
    """Put `node` into the copy so that what it sums or computes over is without the entries that are gone."""
    axes: list[int] = []
    if node.op_type in REDUCTIONS | NORMS | _SLIDING:
        full, small = before[node.input[0]].shape, after[node.input[0]].shape
        axes = [axis for axis in _axes(node, len(full), made) if full[axis] != small[axis]]
    if axes:
        _compress(made, node, other, touched, axes, smalls, before, alive)
        return
    weighed = any(small is not None for slot, small in smalls.items() if slot not in touched)
    if node.op_type in LINEAR and not weighed:
        for slot in touched:
            mask = alive.mask(node.input[slot])
            node.input[slot] = made.add("Mul", [node.input[slot], made.constant(mask)])
    made.nodes.append(node)


def _compress(
    made: Copy,
    node: NodeProto,
    other: NodeProto,
    touched: Sequence[int],
    axes: Sequence[int],
    smalls: Mapping[int, Array | None],
    before: Mapping[str, Array],
    alive: Alive,
) -> None:
    """Let `node` see only the entries that stay along `axes`, and put its results back where they were.

    Where an entry went, anything may stand: what sums over it has no weight there.
    """
    name = node.input[0]
    stays = {axis: alive.positions(name, axis) for axis in axes}
    for slot in touched:
        for axis in axes:
            if before[node.input[slot]].ndim == before[name].ndim:
                index = made.constant(stays[axis])
                node.input[slot] = made.add("Gather", [node.input[slot], index], axis=axis)
    for slot, small in smalls.items():
        if small is not None and small.dtype.kind == "f":
            node.input[slot] = made.constant(small)
    del node.attribute[:]
    node.attribute.extend(other.attribute)
    made.nodes.append(node)
    if node.op_type in REDUCTIONS or node.op_type in ("ArgMax", "ArgMin", "TopK"):
        return
    result = node.output[0]
    node.output[0] = f"{result}_stays"
    back = node.output[0]
    for axis in axes:
        places = np.zeros(before[name].shape[axis], np.int64)
        places[stays[axis]] = np.arange(len(stays[axis]))
        back = made.add("Gather", [back, made.constant(places)], axis=axis)
    made.nodes.append(helper.make_node("Identity", [back], [result]))


def _axes(node: NodeProto, rank: int, made: Copy) -> list[int]:
    """Return the axes that a node computes over."""
    given = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    op = node.op_type
    if op in REDUCTIONS:
        axes = given.get("axes")
        if axes is None and len(node.input) > 1 and node.input[1]:
            axes = made.constants.get(node.input[1])
        found = range(rank) if axes is None else (int(axis) for axis in np.asarray(axes).reshape(-1))
        return sorted({axis % rank for axis in found})
    if op in ("GroupNormalization", "LRN"):
        return [1]
    if op == "InstanceNormalization" or op in _SLIDING:
        return list(range(2, rank))
    if op == "MeanVarianceNormalization":
        return [axis % rank for axis in given.get("axes", [0, 2, 3])]
    version = next((e.version for e in made.model.opset_import if e.domain in ("", "ai.onnx")), 1)
    if op in ("Softmax", "LogSoftmax", "Hardmax") and version < 13:
        return list(range(given.get("axis", 1) % rank, rank))
    if op in ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"):
        return list(range(given.get("axis", -1) % rank, rank))
    if op == "CumSum":
        return list(range(rank))
    return [given.get("axis", 0 if op in ("ArgMax", "ArgMin") else -1) % rank]


def _mask(full: Array, small: Array, where: str) -> Array | None:
    """Return ones where an entry of a weight is left; None where all are.

    Raises:
        Unjudged: that cannot be told.
    """
    if full.dtype.kind != "f":
        if full.shape != small.shape and (full.ndim > 1 or full.dtype.itemsize < 4):
            raise Unjudged(f"{where} has a weight of {full.dtype}")
        return None
    if full.shape == small.shape:
        if np.array_equal(full, small, equal_nan=True):
            return None
        if full.size == 1:
            return None
        raise Unjudged(f"a weight of {where} has other values")
    if full.ndim != small.ndim:
        raise Unjudged(f"a weight of {where} has another rank")
    if len(np.unique(full)) == full.size:
        mask = np.isin(full, small)
        if not np.array_equal(full[mask], small.reshape(-1)):
            raise Unjudged(f"a weight of {where} is no selection of the original's")
        return mask
    try:
        index = kept(full, small)
    except Unlike as error:
        raise Unjudged(str(error)) from error
    mask = np.ones(full.shape, bool)
    for axis, stays in index.items():
        gone = np.setdiff1d(np.arange(int(full.shape[axis])), stays)
        others = (each for each in index.items() if each[0] != axis)
        rows = np.moveaxis(functools.reduce(lambda a, b: np.take(a, b[1], b[0]), others, full), axis, 0)
        if any(np.array_equal(rows[a], rows[b], equal_nan=True) for a in gone for b in stays):
            raise Unjudged(f"{where} has a weight that holds the same twice")
        mask[(slice(None),) * axis + (gone,)] = False
    return mask


def _operands(
    node: NodeProto,
    other: NodeProto,
    mine: Mapping[str, Array],
    theirs: Mapping[str, Array],
    before: Mapping[str, Array],
) -> dict[int, tuple[Array, Array]]:
    """Return each operand that is constant in both models.

    What the original computes may be constant in the other: there it was computed before.
    """
    found: dict[int, tuple[Array, Array]] = {}
    for slot, (one, two) in enumerate(zip(node.input, other.input, strict=False)):
        if two in theirs:
            full = mine.get(one, before.get(one))
            if full is not None:
                found[slot] = full, theirs[two]
    return found


def _pairs(model: ModelProto, theirs: Mapping[str, NodeProto]) -> Iterator[tuple[NodeProto, NodeProto]]:
    """Yield each node with the one that makes the same in the other model, or itself where none does."""
    for graph in graphs(model.graph):
        for node in graph.node:
            other = next((theirs[name] for name in node.output if name in theirs), node)
            yield node, other if other.op_type == node.op_type else node


def _by_output(model: ModelProto) -> dict[str, NodeProto]:
    return {
        name: node for graph in graphs(model.graph) for node in graph.node for name in node.output if name
    }


def answer(question: Mapping[str, Any]) -> tuple[int, str]:
    """Judge two files: 0 where nothing is wrong, 1 where something is, 2 where that cannot be told."""
    original, pruned = (
        ModelProto.FromString(Path(question[name]).read_bytes()) for name in ("original", "pruned")
    )
    try:
        said = judge(original, pruned)
    except Unjudged as error:
        return 2, str(error)
    return (1, said) if said else (0, "")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(answer({"original": sys.argv[1], "pruned": sys.argv[2]}))
    else:
        from tests.fuzz.serve import answers

        answers(answer)
