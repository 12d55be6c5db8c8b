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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from benchmarks.reference import Unlike, exposed, gap, kept, run

Array = NDArray[Any]
Feeds = dict[str, Array]

LIMITS: Mapping[str, float] = {"float64": 1e-6, "float32": 2e-3, "float16": 5e-2}
"""The largest gap (`benchmarks.reference.gap`) by element type of an output."""

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

_SLIDING = frozenset({"Conv"})
"""What slides a filter over the axes behind the second: over those entries that stay, side by side."""


class Unjudged(Exception):
    """The judge does not know what the pruned model must be."""


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


@dataclass
class _Copy:
    """The original as it is being masked: what it held where, and what has been put into it."""

    model: ModelProto
    constants: Mapping[str, Array]
    nodes: list[NodeProto] = field(default_factory=list[NodeProto])

    def constant(self, values: Array) -> str:
        name = f"judge_{len(self.model.graph.initializer)}"
        self.model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def put(self, name: str, values: Array) -> None:
        self.nodes.append(helper.make_node("Identity", [self.constant(values)], [name]))

    def finish(self) -> ModelProto:
        nodes = [NodeProto.FromString(node.SerializeToString()) for node in self.nodes]
        del self.model.graph.node[:]
        self.model.graph.node.extend(nodes)
        return self.model

    def add(self, op: str, inputs: Sequence[str], **attributes: Any) -> str:
        output = f"judge_t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output


def twin(original: ModelProto, pruned: ModelProto, feeds: Feeds) -> ModelProto:
    """Return the original in which the entries that `pruned` does not have count for nothing.

    Raises:
        Unjudged: what is gone cannot be told.
    """
    before, after = _seen(original, feeds), _seen(pruned, feeds)
    copy = ModelProto()
    copy.CopyFrom(original)
    made = _Copy(copy, _constants(original))
    theirs, constants = _by_output(pruned), _constants(pruned)
    masks: dict[tuple[str, int], Array] = {}
    smalls: dict[tuple[str, int], Array] = {}
    for node, other in _pairs(copy, theirs):
        position = _name(node)
        for slot, (full, small) in _operands(node, other, made.constants, constants, before).items():
            smalls[position, slot] = small
            mask = _mask(full, small, f"{node.op_type} '{node.name or node.output[0]}'")
            if mask is not None:
                masks[position, slot] = mask
                node.input[slot] = made.constant((full * mask).astype(full.dtype))
    cut = {name for name, value in before.items() if name in after and value.shape != after[name].shape}
    weighed = ModelProto()
    weighed.CopyFrom(copy)
    alive = _Alive(original, feeds, before, after, masks, weighed)
    for node in copy.graph.node:
        other = next((theirs[name] for name in node.output if name in theirs), None)
        touched = [slot for slot, name in enumerate(node.input) if name in cut]
        if other is not None and touched:
            mine = {slot: smalls.get((_name(node), slot)) for slot in range(len(node.input))}
            _leave_out(made, node, other, touched, mine, before, after, alive)
        else:
            made.nodes.append(node)
    return made.finish()


def _leave_out(
    made: _Copy,
    node: NodeProto,
    other: NodeProto,
    touched: Sequence[int],
    smalls: Mapping[int, Array | None],
    before: Mapping[str, Array],
    after: Mapping[str, Array],
    alive: _Alive,
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
    made: _Copy,
    node: NodeProto,
    other: NodeProto,
    touched: Sequence[int],
    axes: Sequence[int],
    smalls: Mapping[int, Array | None],
    before: Mapping[str, Array],
    alive: _Alive,
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


def _axes(node: NodeProto, rank: int, made: _Copy) -> list[int]:
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


class _Alive:
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
                bodies = any(_has_bodies(node) for node in self._original.graph.node)
                masked = _seen(self._weighed, self._feeds) if bodies else {}
                ones = _ones(self._original, self._before, self._masks, masked)
                self._found = _seen(ones, _all_ones(self._feeds))
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
    made = _Copy(copy, _constants(original))
    for node in copy.graph.node:
        floats = [n for n in node.output if n and n in before and before[n].dtype.kind == "f"]
        if floats and (node.op_type in MAKES or _has_bodies(node)):
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
                ones = masks.get((_name(node), slot), np.ones_like(full))
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
    made: _Copy, node: NodeProto, data: Sequence[str], results: Sequence[str], before: Mapping[str, Array]
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


def _is_float(name: str, before: Mapping[str, Array], made: _Copy) -> bool:
    found = made.constants.get(name)
    found = before.get(name) if found is None else found
    return found is None or found.dtype.kind == "f"


def _has_bodies(node: NodeProto) -> bool:
    return any(item.type == AttributeProto.GRAPH for item in node.attribute)


def _padded(made: _Copy, node: NodeProto) -> None:
    """What is padded with is there where it stays; the judge takes it to be, and counts afterwards."""
    if len(node.input) > 2 and node.input[2]:
        node.input[2] = made.constant(np.ones_like(made.constants[node.input[2]]))
    elif len(node.input) > 1:
        node.input[2:] = [made.constant(np.ones((), np.float32))]


def _summed(made: _Copy, node: NodeProto, operands: Sequence[str], before: Mapping[str, Array]) -> None:
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


def _there(made: _Copy, name: str) -> str:
    none = made.add("Sub", [name, name])
    return made.add("Add", [none, made.constant(np.ones((), np.float32))])


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
    for graph in _graphs(model.graph):
        for node in graph.node:
            other = next((theirs[name] for name in node.output if name in theirs), node)
            yield node, other if other.op_type == node.op_type else node


def _name(node: NodeProto) -> str:
    """Return the first result of a node, by which it is known."""
    return next((name for name in node.output if name), "")


def _by_output(model: ModelProto) -> dict[str, NodeProto]:
    return {
        name: node for graph in _graphs(model.graph) for node in graph.node for name in node.output if name
    }


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for item in node.attribute:
            if item.type == AttributeProto.GRAPH:
                yield from _graphs(item.g)


def _constants(model: ModelProto) -> dict[str, Array]:
    """Return initializers and Constant nodes by name, those of bodies as well."""
    found: dict[str, Array] = {}
    for graph in _graphs(model.graph):
        found.update((tensor.name, numpy_helper.to_array(tensor)) for tensor in graph.initializer)
        for sparse in graph.sparse_initializer:
            values, where = (numpy_helper.to_array(part) for part in (sparse.values, sparse.indices))
            dense = np.zeros(list(sparse.dims), values.dtype)
            flat = where if where.ndim == 1 else np.ravel_multi_index(tuple(where.T), dense.shape)
            dense.reshape(-1)[flat] = values
            found[sparse.values.name] = dense
        for node in graph.node:
            if node.op_type == "Constant":
                for item in node.attribute:
                    if item.name == "value":
                        found[node.output[0]] = numpy_helper.to_array(item.t)
                    elif item.name.startswith("value_"):
                        found[node.output[0]] = np.asarray(helper.get_attribute_value(item))
    for graph in _graphs(model.graph):
        for node in graph.node:
            if node.op_type == "Identity" and node.input[0] in found:
                found[node.output[0]] = found[node.input[0]]
    return found


def _seen(model: ModelProto, feeds: Feeds) -> dict[str, Array]:
    """Return the inputs, and what each node of the main graph makes of them."""
    names = [name for node in model.graph.node for name in node.output if name]
    return {**feeds, **dict(zip(names, run(exposed(model, names), feeds, names), strict=True))}


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
