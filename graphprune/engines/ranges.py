"""The shapes that an engine takes: smallest, best and largest, for every input that has no fixed shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphprune.engines.options import BuildOptions, Range, Sizes
from graphprune.errors import Refused, Usage
from graphprune.feeds import inputs_of
from graphprune.ir import dimensions
from graphprune.model import Model
from graphprune.shape_text import fit_shapes


def ranges(model: Model, options: BuildOptions) -> dict[str, Range]:
    """Return the range of every input with a dimension that is open, as trtexec reads its options.

    A shape that is not given is the optimum; an optimum that is not given is the largest, or the smallest.

    Raises:
        Usage: a shape fits no input, or the smallest, best and largest are not in order.
        Refused: an input has an open dimension, and nothing is given for it.
    """
    inputs = {tensor.name: tensor for tensor in inputs_of(model.graph)}
    options = named(model, options)
    least, best, most = options.min_shapes, options.opt_shapes, options.max_shapes
    found: dict[str, Range] = {}
    for name, tensor in inputs.items():
        sizes = dimensions(tensor)
        known = best.get(name) or most.get(name) or least.get(name)
        if tensor.shape is not None and all(isinstance(size, int) and size >= 0 for size in sizes):
            continue
        if known is None:
            shown = "x".join(str(size) if size not in (None, "") else "?" for size in sizes) or "unknown"
            raise Refused(
                f"input {name} is {shown}: an engine is built for sizes that are known",
                f"give them: --shape {name}:{_example(sizes)}, and --min-shapes, --max-shapes for a range",
            )
        found[name] = Range(least.get(name, known), known, most.get(name, known))
        _check(name, found[name])
    return found


def named(model: Model, options: BuildOptions) -> BuildOptions:
    """Return the options with a name for every shape; raises `Usage` where a shape fits no input."""
    declared = {tensor.name: tensor.shape for tensor in inputs_of(model.graph)}
    return replace(
        options,
        min_shapes=fit_shapes(dict(options.min_shapes), declared),
        opt_shapes=fit_shapes(dict(options.opt_shapes), declared),
        max_shapes=fit_shapes(dict(options.max_shapes), declared),
    )


def fitted(options: BuildOptions, sizes: Mapping[str, Sizes]) -> dict[str, Sizes]:
    """Return `sizes` where no range is given that includes them, else the optimum that was asked for.

    Raises:
        Usage: a size lies outside its range.
    """
    chosen: dict[str, Sizes] = {}
    for name, shape in sizes.items():
        low, high = options.min_shapes.get(name, shape), options.max_shapes.get(name, shape)
        if not _ordered(low, shape, high):
            shown = " to ".join("x".join(map(str, each)) for each in (low, high))
            raise Usage(f"{'x'.join(map(str, shape))} of input {name} is not in {shown}", "give --max-shapes")
        chosen[name] = options.opt_shapes.get(name, shape)
    return chosen


def _ordered(low: Sizes, middle: Sizes, high: Sizes) -> bool:
    same = len(low) == len(middle) == len(high)
    return same and all(a <= b <= c for a, b, c in zip(low, middle, high))


def _check(name: str, found: Range) -> None:
    if not _ordered(*found):
        shown = ", ".join("x".join(map(str, shape)) for shape in found)
        raise Usage(
            f"the smallest, best and largest shape of input {name} are not in order: {shown}",
            "--min-shapes up to --opt-shapes up to --max-shapes",
        )


def _example(sizes: list[int | str | None]) -> str:
    if not sizes:
        return "1x3x224x224"
    wanted = [1, 3, 224, 224] if len(sizes) == 4 else [1] * len(sizes)
    return "x".join(
        str(size) if isinstance(size, int) and size > 0 else str(one) for size, one in zip(sizes, wanted)
    )
