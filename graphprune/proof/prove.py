"""From a cut to a verdict: the pair of models, the inputs, and what they were seen to exercise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune.around import Around
from graphprune.around import pair as pair_around
from graphprune.checks import Check, Verification
from graphprune.cut import Cut
from graphprune.cuts import Cuts
from graphprune.duplicate import duplicate, names_of
from graphprune.errors import Refused
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.precision.types import element_types, settled
from graphprune.proof.inputs import Sample, Source
from graphprune.proof.numbers import Pair, Redraw, Seen, Walk
from graphprune.proof.parts import Whole
from graphprune.proof.places import Place, places
from graphprune.proof.points import AllSizes, Flow, Stage, consumed, fronts, points, stages
from graphprune.proof.slices import FLOOR, is_float
from graphprune.proof.wide import widen
from graphprune.shapes import Shapes
from graphprune.surgery import Trace
from graphprune.twin import twin_by_node

ROUNDING: Mapping[int, float] = {
    int(TensorProto.FLOAT16): 2e-2,
    int(TensorProto.BFLOAT16): 1e-1,
    int(TensorProto.INT8): 1e-1,
    int(TensorProto.UINT8): 1e-1,
}
"""Element types that activations are rounded to, and the relative L2 difference that this may make."""
_MOST_NOISE = 0.1
"""The largest difference of an output that is ever put down to noise."""


@dataclass(frozen=True)
class Open:
    """Two models without what ONNX Runtime cannot run.

    Attributes:
        original: the first.
        cut: the second, with what was cut at each node that is left.
        shapes: sizes and types of the first.
        given: what stays of the tensors that are given in the place of what is not run.
        around: what was taken out; None where nothing was.
    """

    original: Model
    cut: Cut
    shapes: Shapes
    given: Mapping[str, Cuts]
    around: Around | None = None


def opened(original: Model, cut: Cut, shapes: Shapes) -> Open:
    """Return original and cut without the nodes that cannot be run, their operands as further outputs.

    Raises:
        Negative: such a node is not in the smaller model, or is another one there.
    """
    around = pair_around(original, original, cut.model, shapes.types, cut)
    if around is None:
        return Open(original, cut, shapes, {})
    gone = {hole.position for hole in around.found}
    left = [at for at in range(len(cut.traces)) if at not in gone]
    traces = [cut.traces[at] for at in left]
    nodes = [cut.nodes[at] for at in left]
    sizes, given = dict(shapes.sizes), dict[str, Cuts]()
    others = {node.outputs[0].name: node for node in around.right.graph.nodes if node.outputs}
    probes: dict[str, Cuts] = {}
    for hole in around.found:
        trace, node = cut.traces[hole.position], original.graph.nodes[hole.position]
        probes |= {
            name: trace.inputs.get(key, {}) if isinstance(key, int) else {}
            for key, name in hole.reads.items()
        }
        for slot, name in hole.writes.items():
            given[name] = trace.outputs.get(slot, {})
            if node.outputs[slot].name in sizes:
                sizes[name] = sizes[node.outputs[slot].name]
    for node in around.left.graph.nodes[len(left) :]:
        name = node.outputs[0].name
        cuts = {0: probes[name]} if probes[name] else {}
        traces.append(Trace(cuts, cuts, (), False, {}))
        nodes.append(others[name] if name in others else gs.Node("Identity", name))
        if node.inputs[0].name in sizes:
            sizes[name] = sizes[node.inputs[0].name]
    small = Cut(around.right, tuple(traces), tuple(nodes))
    return Open(around.left, small, replace(shapes, sizes=sizes), given, around)


def cut_and_twin(
    original: Model,
    cut: Cut,
    shapes: Shapes,
    *,
    rtol: float | None,
    atol: float,
    wide: bool,
    given: Mapping[str, Cuts] | None = None,
    sizes: AllSizes | None = None,
) -> Pair:
    """Return the twin and the cut to be compared in stages; `wide` computes in float32 what is in 16 bits.

    `sizes` are those of tensors at which they will be run, as far as they are known.
    """
    graph = original.graph
    flow = Flow(graph, settled(graph, shapes.types))
    there = places(graph, cut, given or {})
    inside = points(flow, cut.traces, there)
    masked, parts = twin_by_node(graph, cut, shapes)
    small = duplicate(cut.model.graph)
    nodes = [node for part in parts for node in part]
    others = list(small.nodes)
    if wide:
        nodes, others = widen(nodes, names_of(masked)), widen(others, names_of(small))
    found = stages(flow, {**shapes.sizes, **(sizes or {})}, inside)
    units = {name: dim for name, dim in consumed(flow, cut.traces).items() if name in inside}
    return Pair(
        Whole(replace(original, graph=masked), nodes),
        Whole(replace(cut.model, graph=small), others),
        flow,
        there,
        found,
        frozenset(inside),
        shapes.sizes,
        units,
        rtol,
        0.0 if wide else rounding(graph, flow.types),
        atol,
        wide=wide,
    )


def two_models(a: Model, b: Model, types: Mapping[str, int], *, rtol: float | None, atol: float) -> Pair:
    """Return two models of one interface to be compared at their outputs."""
    flow = Flow(a.graph, types)
    made = tuple(name for name in flow.outputs if name in flow.makers)
    stage = Stage(0, len(flow.nodes), tuple(sorted(made, key=lambda name: flow.makers[name])), ())
    there = {name: Place(name, {}) for name in (*flow.outputs, *(t.name for t in a.graph.inputs))}
    nodes = list(duplicate(a.graph).nodes), list(duplicate(b.graph).nodes)
    sides = Whole(a, nodes[0]), Whole(b, nodes[1])
    coarse = max(rounding(a.graph, settled(a.graph, types)), rounding(b.graph, element_types(b.graph)))
    return Pair(*sides, flow, there, [stage], frozenset(), {}, {}, rtol, coarse, atol, coarse_slices=True)


def rounding(graph: gs.Graph, types: Mapping[str, int]) -> float:
    """Return how much rounding between operators may change outputs (relative L2); 0 where there is none.

    Args:
        graph: a model's.
        types: the element types of its tensors, by name.
    """
    found = [ROUNDING.get(types.get(t.name, 0), 0.0) for node in graph.nodes for t in node.outputs]
    return max(found, default=0.0)


def judged(pair: Pair, source: Source, seed: int) -> Verification:
    """Run a pair on inputs, and say what was compared and what was seen to be exercised.

    Where an output does not move, or an input moves nothing, other magnitudes are tried.

    Raises:
        Refused: the first model runs on no inputs.
        Negative: the second does not run where the first does, or gives tensors of another type or size.
    """
    seen = Seen()

    def again(sample: Sample, names: Sequence[str]) -> Feeds:
        return sample.again(names, seed)

    ran = _walked(pair, source, again, seen)
    for other in ran[0].scaled(seed):
        if not _open_questions(pair, seen):
            break
        Walk(pair, [other], again, seen).run()
    found = replace(_verdict(pair, seen), notes=source.left_out)
    failed = [check for check in found.checks if not check.passed]
    if pair.rtol is None and failed and not any(check.inside for check in failed):
        found = _with_noise(pair, found, ran, seed)
    return found


def _with_noise(pair: Pair, found: Verification, ran: Sequence[Sample], seed: int) -> Verification:
    """Allow outputs, where all stages agree, what noise as small as that of a sum grows to on the way."""
    seen = Seen()
    generator = np.random.default_rng(seed)

    def noisy(sample: Sample, names: Sequence[str]) -> Feeds:
        feeds = sample.feeds.items()
        return {name: _noisy(array, generator) if name in names else array for name, array in feeds}

    for sample in ran:
        Walk(pair, [sample], noisy, seen).run()
    checks = (
        c if c.inside else replace(c, limit=max(c.limit, min(_MOST_NOISE, seen.shifts.get(c.output, 0.0))))
        for c in found.checks
    )
    return replace(found, checks=tuple(checks))


def _noisy(array: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
    if not is_float(array):
        return array
    noise = 1 + FLOOR * generator.standard_normal(array.shape)
    return np.asarray(array * noise).astype(array.dtype)


def _walked(pair: Pair, source: Source, again: Redraw, seen: Seen) -> list[Sample]:
    """Walk over all samples; where the original refuses one, over those that may take its place."""
    ran: list[Sample] = []
    refusal = Refused("there are no inputs to compare on", "give some")
    waiting = list(source.samples)
    instead: dict[int, Iterator[Sample]] = {}
    while waiting:
        walk = Walk(pair, waiting, again, seen)
        done = set(walk.run())
        ran += [sample for number, sample in enumerate(waiting) if number in done]
        refusal = walk.refusals[0] if walk.refusals else refusal
        nexts: list[Sample] = []
        for number, sample in enumerate(waiting):
            if number in done:
                continue
            others = instead.pop(id(sample), None) or source.instead(sample)
            for other in islice(others, 1):
                instead[id(other)] = others
                nexts.append(other)
        waiting = nexts
    if not ran:
        raise refusal
    return ran


def _open_questions(pair: Pair, seen: Seen) -> bool:
    flow = pair.flow
    still = [name for name in flow.outputs if name in flow.makers and not _is_proved(name, pair, seen)]
    return bool(still or _silent(pair, seen))


def _is_proved(name: str, pair: Pair, seen: Seen) -> bool:
    """Whether an output, or what stands in front of it, was seen to move."""
    return name in seen.moved or bool(seen.moved & fronts(pair.flow, name) & pair.points)


def _silent(pair: Pair, seen: Seen) -> list[str]:
    """Return the inputs that reach an output and were not seen to change anything."""
    names = [tensor.name for tensor in pair.flow.graph.inputs]
    return [name for name in names if name not in seen.influences and pair.flow.reaches(name)]


def _verdict(pair: Pair, seen: Seen) -> Verification:
    flow = pair.flow
    proved = {name: _is_proved(name, pair, seen) for name in flow.outputs}
    checks = tuple(_varied(check, proved, seen) for check in seen.checks)
    alive = [int(np.count_nonzero(units)) for units in seen.alive.values()]
    return Verification(
        checks,
        compared=seen.compared,
        unmoved=tuple(name for name, moves in proved.items() if not moves),
        silent=tuple(_silent(pair, seen)),
        dead=tuple(t.name for t in flow.graph.inputs if not flow.is_used(t.name)),
        units=sum(units.size for units in seen.alive.values()),
        still=sum(units.size for units in seen.alive.values()) - sum(alive),
    )


def _varied(check: Check, proved: Mapping[str, bool], seen: Seen) -> Check:
    if check.inside:
        return replace(check, varied=check.varied and check.output in seen.moved)
    return replace(check, varied=check.varied and proved.get(check.output, check.varied))
