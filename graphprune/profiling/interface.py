"""The inputs that several models have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from graphprune.errors import Refused, Usage
from graphprune.feeds import inputs_of
from graphprune.ir import dimensions
from graphprune.profiling.subjects import Subject

Dims = tuple[int | str | None, ...]
"""Sizes: numbers, symbols, None where a size is open."""


@dataclass(frozen=True)
class Inputs:
    """What all models say of their inputs together.

    Attributes:
        dims: sizes by name; None where the rank is open.
        batched: whether the leading axes of all inputs count samples.
        fixed: how many samples an inference takes, where a model says so.
    """

    dims: Mapping[str, Dims | None]
    batched: bool
    fixed: int | None


def inputs_for(subjects: Sequence[Subject]) -> Inputs:
    """Return the inputs of `subjects`; a size that one of them fixes is fixed.

    Raises:
        Usage: names, element types, ranks or fixed sizes differ.
        Refused: an input is no tensor.
    """
    first, *others = subjects
    dims = {name: shape for name, (shape, _) in _declared(first).items()}
    for other in others:
        for name, shape in _shared(first, other).items():
            try:
                dims[name] = _merged(dims[name], shape)
            except ValueError:
                raise _unlike(
                    f"input {name} is {show(shape)} in {other.name}, {show(dims[name])} in {first.name}"
                ) from None
    leading = [shape[0] if shape else None for shape in dims.values() if shape is not None]
    numbers = {size for size in leading if isinstance(size, int)}
    mixed = len(numbers) > 1 or (numbers != {1} and numbers and any(not isinstance(n, int) for n in leading))
    batched = bool(dims) and all(dims.values()) and not mixed
    return Inputs(dims, batched, next(iter(numbers), None) if batched else None)


def show(dims: Dims | None) -> str:
    """A shape as messages show it.

    >>> show(("batch", 3, None)), show(()), show(None)
    ('[batch, 3, ?]', 'a scalar', 'of any rank')
    """
    if dims is None:
        return "of any rank"
    return f"[{', '.join('?' if size is None else str(size) for size in dims)}]" if dims else "a scalar"


def _declared(subject: Subject) -> dict[str, tuple[Dims | None, str]]:
    """Sizes and element types of a model's inputs by name."""
    found: dict[str, tuple[Dims | None, str]] = {}
    for tensor in inputs_of(subject.model.graph):
        if tensor.type != "tensor_type":
            raise Refused(
                f"{subject.name}: input {tensor.name} is no tensor ({tensor.type})",
                "only models of tensors can be timed",
            )
        kind = tensor.dtype if tensor.dtype is not None else np.float32
        kind = onnx.helper.tensor_dtype_to_np_dtype(kind) if isinstance(kind, int) else np.dtype(kind)
        sizes = tuple(
            size if (isinstance(size, str) and size) or (isinstance(size, int) and size > 0) else None
            for size in dimensions(tensor)
        )
        found[tensor.name] = (None if tensor.shape is None else sizes, kind.name)
    return found


def _shared(first: Subject, other: Subject) -> dict[str, Dims | None]:
    """The sizes that `other` says of its inputs, which have the names and types of the first model's."""
    ours, theirs = _declared(first), _declared(other)
    for name in (*ours, *theirs):
        if name not in theirs or name not in ours:
            alone = first if name in ours else other
            raise _unlike(f"only {alone.name} has an input {name}")
        if ours[name][1] != theirs[name][1]:
            raise _unlike(
                f"input {name} is {theirs[name][1]} in {other.name}, {ours[name][1]} in {first.name}"
            )
    return {name: shape for name, (shape, _) in theirs.items()}


def _unlike(what: str) -> Usage:
    return Usage(f"the models cannot be timed on the same inputs: {what}", "profile them one by one")


def _merged(ours: Dims | None, theirs: Dims | None) -> Dims | None:
    """What two models say of one shape; raises `ValueError` where they contradict each other."""
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    merged: list[int | str | None] = []
    for one, other in zip(ours, theirs, strict=True):
        if isinstance(one, int) and isinstance(other, int) and one != other:
            raise ValueError
        merged.append(one if isinstance(one, int) or not isinstance(other, int) else other)
    return tuple(merged)
