"""Prove on numbers that a cut computes what the masked twin computes, and that the interface is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import onnx_graphsurgeon as gs
from onnx import GraphProto, ValueInfoProto

from graphprune.around import Around, Drawn
from graphprune.around import pair as pair_around
from graphprune.checks import Verification, check_tolerances
from graphprune.cut import Cut
from graphprune.errors import Negative, Refused
from graphprune.feeds import Feeds, Sizes
from graphprune.intake import check_operators
from graphprune.model import Model, outline
from graphprune.proof.inputs import Source, belonging, given, guessed, most
from graphprune.proof.numbers import Pair
from graphprune.proof.prove import cut_and_twin, judged, opened, two_models
from graphprune.proof.wide import can_widen
from graphprune.shapes import Shapes, infer
from graphprune.symbols.facts import Facts


def verify(
    original: Model,
    cut: Cut,
    shapes: Shapes,
    *,
    feeds: Sequence[Feeds] | None = None,
    sizes: Mapping[str, Sizes] | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> Verification:
    """Compare the cut model with the masked twin of the original in unoptimised ONNX Runtime.

    Both run in stages (`graphprune.proof`). What a stage of the cut makes of its own tensors is compared
    slice by slice with the twin's, or where that is not close enough what it makes of the twin's; the outputs
    are compared from end to end as well. Values of 16 bits are computed in float32.

    Args:
        original: the model that was cut.
        cut: the result, with what was cut at each node.
        shapes: the original's concrete sizes, as `Solution.shapes` has them.
        feeds: inputs to compare on; without them random ones, at two shapes where dimensions are dynamic.
        sizes: sizes for graph inputs.
        rtol: largest relative L2 difference of an output, and a tenth of what a slice of a tensor may differ
            by in relation to its spread; both by element type where it is not given.
        atol: a tensor whose largest absolute difference is no more than this passes.
        seed: seed of the random inputs.

    Raises:
        Negative: the interface changed, or the model is not valid or does not run.
        Refused: the original itself cannot be run.
        Usage: a tolerance that any model passes.
    """
    check_tolerances(rtol, atol)
    check_interface(original, cut.model)
    check_valid(cut.model)
    left = opened(original, cut, shapes)
    wide = can_widen(left.original.graph)
    source = _source(original.graph, left.around, feeds, sizes, seed, shapes.facts)
    pair = cut_and_twin(
        left.original,
        left.cut,
        left.shapes,
        rtol=rtol,
        atol=atol,
        wide=wide,
        given=left.given,
        sizes=most(source, shapes.facts),
    )
    return _judged(pair, source, left.around, seed)


def compare(
    a: Model,
    b: Model,
    *,
    feeds: Sequence[Feeds] | None = None,
    sizes: Mapping[str, Sizes] | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> Verification:
    """Compare two models with the same interface output by output, as `verify` does with the twin."""
    check_tolerances(rtol, atol)
    check_interface(a, b)
    shapes = infer(a.graph, sizes)
    types = shapes.types
    around = pair_around(a, a, b, types)
    left, right = (a, b) if around is None else (around.left, around.right)
    pair = two_models(left, right, types, rtol=rtol, atol=atol)
    source = _source(a.graph, around, feeds, sizes, seed, shapes.facts)
    return _judged(pair, source, around, seed)


def _source(
    graph: gs.Graph,
    around: Around | None,
    feeds: Sequence[Feeds] | None,
    sizes: Mapping[str, Sizes] | None,
    seed: int,
    known: Facts,
) -> Source:
    """Return the inputs that were given, or such as are planned for the graph."""
    if around is not None:
        return guessed(Drawn(graph, around, feeds, sizes or {}, seed), graph, sizes)
    return belonging(graph, sizes, seed, known) if feeds is None else given(feeds)


def _judged(pair: Pair, source: Source, around: Around | None, seed: int) -> Verification:
    found = judged(pair, source, seed)
    return replace(found, not_run=around.not_run) if around is not None else found


def check_interface(original: Model, pruned: Model) -> None:
    """Check that inputs and outputs are the same, in the same order.

    Raises:
        Negative: naming the first that is not.
    """
    before, after = outline(original).graph, outline(pruned).graph
    fed = [[value for value in graph.input if not _has_default(value, graph)] for graph in (before, after)]
    for kind, left, right in (("input", *fed), ("output", before.output, after.output)):
        if [item.name for item in left] != [item.name for item in right]:
            raise Negative(f"the {kind}s are not the same", "they must keep their names and their order")
        for a, b in zip(left, right, strict=True):
            if a.type.SerializeToString(deterministic=True) != b.type.SerializeToString(deterministic=True):
                raise Negative(
                    f"{kind} '{a.name}' has another type or shape", "the interface must not change"
                )


def _has_default(value: ValueInfoProto, graph: GraphProto) -> bool:
    """Whether an input is an initializer as well, as old models list them all; those may be cut."""
    return any(value.name == tensor.name for tensor in graph.initializer)


def check_valid(model: Model) -> None:
    """Run onnx's checker over the model without its weights.

    Raises:
        Negative: with the checker's words.
    """
    try:
        check_operators(outline(model))
    except Refused as error:
        raise Negative(f"the pruned model is not valid: {error.what}", "please report this") from error
