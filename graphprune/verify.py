"""Prove on numbers that a cut computes what the masked twin computes, and that the interface is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray
from onnx import GraphProto, ValueInfoProto

from graphprune.around import Around, Drawn, pair
from graphprune.checks import Check, Verification, difference, limit_of
from graphprune.cut import Cut
from graphprune.cuts import Cuts, take
from graphprune.errors import Negative, Refused
from graphprune.feeds import Feeds, Sizes, is_dynamic, random_feeds, redrawn, shapes_to_try
from graphprune.intake import check_operators
from graphprune.model import Model, outline
from graphprune.precision.smooth import rounding, smoothed
from graphprune.probes import expose, probes
from graphprune.runtime import Opened, run, session
from graphprune.shapes import Shapes, infer
from graphprune.twin import twin


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

    Beside the outputs, the tensors behind a last sigmoid, softmax, clip or the like are compared, since an
    output that is saturated hides differences. Where values are rounded to fewer bits between operators, so
    that last digits become steps, the models are compared without that rounding as well.

    Args:
        original: the model that was cut.
        cut: the result, with what was cut at each node.
        shapes: the original's concrete sizes, as `Solution.shapes` has them.
        feeds: inputs to compare on; without them random ones, at two shapes where dimensions are dynamic.
        sizes: sizes for graph inputs.
        rtol: largest relative L2 difference; by element type where it is not given.
        atol: an output whose largest absolute difference is no more than this passes.
        seed: seed of the random inputs.

    Raises:
        Negative: an output differs, the interface changed, or the model is not valid.
        Refused: the original itself cannot be run.
    """
    check_interface(original, cut.model)
    check_valid(cut.model)
    inside: Mapping[str, Cuts] = probes(original.graph, cut)
    masked = expose(replace(original, graph=twin(original.graph, cut, shapes)), inside)
    smaller = expose(cut.model, inside)
    holes = pair(original, masked, smaller, shapes.types, cut)
    inputs: Iterable[Feeds] | None = feeds
    if holes is not None:
        masked, smaller, inside = holes.left, holes.right, {**inside, **holes.stays}
        inputs = Drawn(original.graph, holes, feeds, sizes or {}, seed)
    found = _compare(masked, smaller, inputs, sizes, rtol, atol, seed, inside, holes)
    if not (found.passed or found.vacuous or rtol is not None):
        found = _without_rounding(masked, smaller, found, inputs, sizes, atol, seed, inside, holes)
    return replace(found, not_run=holes.not_run) if holes is not None else found


def _without_rounding(
    masked: Model,
    smaller: Model,
    found: Verification,
    feeds: Iterable[Feeds] | None,
    sizes: Mapping[str, Sizes] | None,
    atol: float,
    seed: int,
    inside: Mapping[str, Cuts],
    holes: Around | None,
) -> Verification:
    """Return the verdict on models that differ by more than their outputs' types explain.

    Where values are rounded between operators, last digits become steps. Such models must be equal where
    nothing is rounded, and differ by no more than the coarsest type inside explains where it is.
    """
    coarse = rounding(masked)
    pair = (smoothed(masked), smoothed(smaller)) if coarse else (None, None)
    if pair[0] is None or pair[1] is None:
        return found
    strict = _compare(pair[0], pair[1], feeds, sizes, None, atol, seed, inside, holes)
    if not strict.passed:
        return found
    loose = tuple(replace(check, limit=max(check.limit, coarse)) for check in found.checks)
    return Verification((*loose, *strict.checks))


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
    check_interface(a, b)
    holes = pair(a, a, b, infer(a.graph).types)
    if holes is None:
        return _compare(a, b, feeds, sizes, rtol, atol, seed)
    given = Drawn(a.graph, holes, feeds, sizes or {}, seed)
    found = _compare(holes.left, holes.right, given, sizes, rtol, atol, seed, holes=holes)
    return replace(found, not_run=holes.not_run)


def _compare(
    a: Model,
    b: Model,
    feeds: Iterable[Feeds] | None,
    sizes: Mapping[str, Sizes] | None,
    rtol: float | None,
    atol: float,
    seed: int,
    inside: Mapping[str, Cuts] | None = None,
    holes: Around | None = None,
) -> Verification:
    checks: list[Check] = []
    seen: list[list[NDArray[Any]]] = []
    last: Feeds = {}
    refusal = Refused("there are no inputs to compare on", "give some")
    with session(a) as left, ExitStack() as stack:
        right = _open(b, stack)
        names = [output.name for output in left.get_outputs()]
        enough = 2 if is_dynamic(a.graph, sizes) else 1
        for values in feeds or _random(a.graph, sizes, seed):
            try:
                expected = _stay(names, run(left, values), inside)
            except Refused as error:
                refusal = error  # another shape may suit the original better
                continue
            seen.append(expected)
            last = values
            checks += _checks(names, values, expected, _rerun(right, values, holes), rtol, atol)
            if (feeds is None or holes is not None) and len(seen) >= enough:
                break
        if seen and not any(check.varied for check in checks):
            other = redrawn(last, seed + 1)
            again = _stay(names, run(left, other), inside)
            checks += _checks(names, other, again, _rerun(right, other, holes), rtol, atol)
            if any(difference(x, y)[1] > 0 for x, y in zip(seen[-1], again, strict=True)):
                checks = [replace(check, varied=True) for check in checks]
    if not seen:
        raise refusal
    return Verification(tuple(checks))


def _stay(
    names: Sequence[str], full: list[NDArray[Any]], inside: Mapping[str, Cuts] | None
) -> list[NDArray[Any]]:
    """Return what stays of the tensors inside the twin that are compared."""
    for number, name in enumerate(names):
        full[number] = take(full[number], (inside or {}).get(name, {}))
    return full


def _open(model: Model, stack: ExitStack) -> Opened:
    """Open the second model, after the first was opened."""
    try:
        return stack.enter_context(session(model))
    except Refused as error:
        raise Negative(
            f"the original opens and the other does not: {error.what}", "please report this"
        ) from error


def _rerun(opened: Opened, feeds: Feeds, holes: Around | None) -> list[NDArray[Any]]:
    """Run the second model on inputs that the first took; that it cannot is an answer, not a refusal."""
    try:
        return run(opened, holes.second(feeds) if holes else feeds)
    except Refused as error:
        raise Negative(
            f"the original runs and the other does not: {error.what}", "please report this"
        ) from error


def _varies(array: NDArray[Any]) -> bool:
    """Whether numbers differ from each other; what is no number proves nothing."""
    flat = array.reshape(-1)
    if array.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    return bool(flat.size > 1 and np.any(flat != flat[0]))


def _random(graph: gs.Graph, sizes: Mapping[str, Sizes] | None, seed: int) -> list[Feeds]:
    return [
        random_feeds(graph, shape, seed + number) for number, shape in enumerate(shapes_to_try(graph, sizes))
    ]


def _checks(
    names: Sequence[str],
    feeds: Feeds,
    expected: Sequence[NDArray[Any]],
    found: Sequence[NDArray[Any]],
    rtol: float | None,
    atol: float,
) -> list[Check]:
    shape = ", ".join(f"{name}:{'x'.join(map(str, array.shape))}" for name, array in feeds.items())
    checks: list[Check] = []
    for number, (a, b) in enumerate(zip(expected, found, strict=True)):
        name = names[number] if number < len(names) else f"output {number}"
        if a.shape != b.shape or a.dtype != b.dtype:
            raise Negative(
                f"output '{name}' is {b.dtype}{list(b.shape)}, it was {a.dtype}{list(a.shape)}",
                "please report this with the model",
            )
        error, largest = difference(a, b)
        error = 0.0 if largest <= atol else error
        checks.append(Check(shape, name, error, largest, limit_of(a.dtype, rtol), _varies(a)))
    return checks


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
