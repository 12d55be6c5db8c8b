"""Prove on numbers that a cut computes what the masked twin computes, and that the interface is the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.cut import Cut
from graphprune.errors import Negative, Refused
from graphprune.feeds import Feeds, Sizes, is_dynamic, random_feeds, shapes_to_try
from graphprune.model import Model, outline
from graphprune.runtime import run, session
from graphprune.shapes import Shapes
from graphprune.twin import twin

TOLERANCES: Mapping[str, float] = {
    "float64": 1e-9,
    "float32": 1e-4,
    "float16": 2e-2,
    "bfloat16": 1e-1,
}
"""Largest relative L2 difference by element type; sums are taken in another order after a cut."""


@dataclass(frozen=True)
class Check:
    """One output compared at one shape.

    Attributes:
        shape: the input sizes, as text.
        output: the output's name.
        error: relative L2 difference; 0 for integers that are equal, 1 for those that are not.
        largest: largest absolute difference.
        limit: the largest relative difference that passes.
    """

    shape: str
    output: str
    error: float
    largest: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the difference is within the limit."""
        return self.error <= self.limit


@dataclass(frozen=True)
class Verification:
    """What was compared."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every output agreed at every shape."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def worst(self) -> Check:
        """The check with the largest difference in relation to its limit."""
        return max(self.checks, key=lambda check: check.error / check.limit)


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
    masked = replace(original, graph=twin(original.graph, cut, shapes))
    return _compare(masked, cut.model, feeds, sizes, rtol, atol, seed)


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
    return _compare(a, b, feeds, sizes, rtol, atol, seed)


def _compare(
    a: Model,
    b: Model,
    feeds: Sequence[Feeds] | None,
    sizes: Mapping[str, Sizes] | None,
    rtol: float | None,
    atol: float,
    seed: int,
) -> Verification:
    checks: list[Check] = []
    done = 0
    with session(a) as left, session(b) as right:
        names = [output.name for output in left.get_outputs()]
        for values in feeds or _random(a.graph, sizes, seed):
            try:
                expected = run(left, values)
            except Refused as error:
                refusal = error  # another shape may suit the original better
                continue
            done += 1
            checks += _checks(names, values, expected, run(right, values), rtol, atol)
            if feeds is None and done >= (2 if is_dynamic(a.graph, sizes) else 1):
                break
    if not done:
        raise refusal
    return Verification(tuple(checks))


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
        limit = rtol if rtol is not None else TOLERANCES.get(a.dtype.name, 0.0 if a.dtype.kind != "f" else 1e-1)
        checks.append(Check(shape, name, 0.0 if largest <= atol else error, largest, limit or 1e-12))
    return checks


def difference(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, float]:
    """Return the relative L2 and the largest absolute difference of two arrays of one shape.

    Equal infinities and NaNs at the same positions count as equal.
    """
    if a.dtype.kind not in "fV" and a.dtype.name not in TOLERANCES:
        equal = bool(np.array_equal(a, b))
        largest = 0.0 if equal or a.dtype.kind not in "iub" else float(np.max(np.abs(a.astype(float) - b.astype(float))))
        return (0.0, 0.0) if equal else (1.0, largest or 1.0)
    x, y = a.astype(np.float64), b.astype(np.float64)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    delta = np.where(same, 0.0, x - np.where(same, 0.0, y))
    if not np.isfinite(delta).all():
        return float("inf"), float("inf")
    finite = np.where(np.isfinite(x), x, 0.0)
    norm = float(np.linalg.norm(finite))
    distance = float(np.linalg.norm(delta))
    return (0.0 if distance == 0 else distance / norm if norm else float("inf")), float(
        np.max(np.abs(delta), initial=0.0)
    )


def check_interface(original: Model, pruned: Model) -> None:
    """Check that inputs and outputs are the same, in the same order.

    Raises:
        Negative: naming the first that is not.
    """
    before, after = outline(original).graph, outline(pruned).graph
    for kind, left, right in (("input", before.input, after.input), ("output", before.output, after.output)):
        if [item.name for item in left] != [item.name for item in right]:
            raise Negative(f"the {kind}s are not the same", "they must keep their names and their order")
        for a, b in zip(left, right, strict=True):
            if a.type.SerializeToString(deterministic=True) != b.type.SerializeToString(deterministic=True):
                raise Negative(f"{kind} '{a.name}' has another type or shape", "the interface must not change")


def check_valid(model: Model) -> None:
    """Run onnx's checker over the model without its larger weights.

    Raises:
        Negative: with the checker's words.
    """
    lean = outline(model)
    try:
        onnx.checker.check_model(_without_data(lean))
    except onnx.checker.ValidationError as error:
        raise Negative(f"the pruned model is not valid: {str(error).splitlines()[0]}", "please report this") from error


def _without_data(lean: onnx.ModelProto) -> onnx.ModelProto:
    """Turn initializers without data into inputs, so that the checker asks for no data."""
    known = {value.name for value in lean.graph.input}
    kept = [tensor for tensor in lean.graph.initializer if _has_data(tensor)]
    for tensor in lean.graph.initializer:
        if not _has_data(tensor) and tensor.name not in known:
            lean.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    del lean.graph.initializer[:]
    lean.graph.initializer.extend(kept)
    return lean


def _has_data(tensor: onnx.TensorProto) -> bool:
    described = {"name", "dims", "data_type", "doc_string", "metadata_props"}
    return 0 in tensor.dims or any(field.name not in described for field, _ in tensor.ListFields())
