"""From a cut to a verdict: the pair of models, the inputs, and what they were seen to exercise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import TensorProto

from graphprune.checks import Check, Verification
from graphprune.cut import Cut
from graphprune.duplicate import duplicate, names_of
from graphprune.errors import Refused
from graphprune.feeds import Feeds, Sizes
from graphprune.model import Model
from graphprune.precision.types import element_types, settled
from graphprune.proof.inputs import candidates, enough, redraw, scaled
from graphprune.proof.numbers import Pair, Redraw, Seen, Walk
from graphprune.proof.parts import Whole
from graphprune.proof.places import Place, places
from graphprune.proof.points import Flow, Stage, consumed, fronts, points, stages
from graphprune.proof.slices import FLOOR, is_float
from graphprune.proof.wide import widen, widened
from graphprune.shapes import Shapes
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


def cut_and_twin(
    original: Model, cut: Cut, shapes: Shapes, *, rtol: float | None, atol: float, wide: bool
) -> Pair:
    """Return the twin and the cut to be compared in stages; `wide` computes in float32 what is in 16 bits."""
    graph = original.graph
    flow = Flow(graph, settled(graph, shapes.types))
    there = places(graph, cut)
    inside = points(flow, cut.traces, there)
    masked, parts = twin_by_node(graph, cut, shapes)
    small = duplicate(cut.model.graph)
    nodes = [node for part in parts for node in part]
    others = list(small.nodes)
    if wide:
        nodes, others = widen(nodes, names_of(masked)), widen(others, names_of(small))
    found = stages(flow, shapes, inside)
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
        0.0 if wide else rounding(original),
        atol,
    )


def two_models(a: Model, b: Model, types: Mapping[str, int], *, rtol: float | None, atol: float) -> Pair:
    """Return two models of one interface to be compared at their outputs."""
    flow = Flow(a.graph, types)
    made = tuple(name for name in flow.outputs if name in flow.makers)
    stage = Stage(0, len(flow.nodes), tuple(sorted(made, key=lambda name: flow.makers[name])), ())
    there = {name: Place(name, {}) for name in (*flow.outputs, *(t.name for t in a.graph.inputs))}
    nodes = list(duplicate(a.graph).nodes), list(duplicate(b.graph).nodes)
    sides = Whole(a, nodes[0]), Whole(b, nodes[1])
    coarse = max(rounding(a), rounding(b))
    return Pair(*sides, flow, there, [stage], frozenset(), {}, {}, rtol, coarse, atol, coarse_slices=True)


def rounding(model: Model) -> float:
    """Return how much rounding between operators may change outputs (relative L2); 0 where there is none."""
    types = element_types(model.graph)
    found = [ROUNDING.get(types.get(t.name, 0), 0.0) for node in model.graph.nodes for t in node.outputs]
    return max(found, default=0.0)


def judged(
    pair: Pair,
    graph: gs.Graph,
    feeds: Sequence[Feeds] | None,
    sizes: Mapping[str, Sizes] | None,
    seed: int,
    *,
    wide: bool = False,
) -> Verification:
    """Run a pair on inputs, and say what was compared and what was seen to be exercised.

    Where an output does not move, or an input moves nothing, other magnitudes are tried.

    Raises:
        Refused: the first model runs on no inputs.
        Negative: the second does not run where the first does, or gives tensors of another type or size.
    """
    seen = Seen()
    convert: Callable[[Feeds], Feeds] = (lambda f: widened(f.items())) if wide else dict

    def again(values: Feeds, names: Sequence[str]) -> Feeds:
        return redraw(values, names, seed)

    source = iter(feeds) if feeds is not None else candidates(graph, sizes, seed)
    missing = len(feeds) if feeds is not None else enough(graph, sizes)
    ran = _walked(pair, map(convert, source), missing, again, seen)
    for _, other in scaled(ran[0], seed):
        if not _open_questions(pair, seen):
            break
        Walk(pair, [other], again, seen).run()
    found = _verdict(pair, seen)
    failed = [check for check in found.checks if not check.passed]
    if pair.rtol is None and failed and not any(check.inside for check in failed):
        found = _with_noise(pair, found, ran, seed)
    return found


def _with_noise(pair: Pair, found: Verification, ran: Sequence[Feeds], seed: int) -> Verification:
    """Allow outputs, where all stages agree, what noise as small as that of a sum grows to on the way."""
    seen = Seen()
    generator = np.random.default_rng(seed)

    def noisy(values: Feeds, names: Sequence[str]) -> Feeds:
        return {name: _noisy(array, generator) if name in names else array for name, array in values.items()}

    Walk(pair, ran, noisy, seen).run()
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


def _walked(pair: Pair, source: Iterator[Feeds], missing: int, again: Redraw, seen: Seen) -> list[Feeds]:
    """Walk over as many sets of inputs as are missing; where the original refuses one, over the next."""
    ran: list[Feeds] = []
    refusal = Refused("there are no inputs to compare on", "give some")
    while missing and (batch := list(islice(source, missing))):
        walk = Walk(pair, batch, again, seen)
        done = walk.run()
        ran += [batch[number] for number in done]
        missing -= len(done)
        refusal = walk.refusals[-1] if walk.refusals else refusal
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
