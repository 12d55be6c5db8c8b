"""How samples lie in the inputs of a model, and whether given arrays fit them.

Inputs either share a leading axis that counts samples, which may be fixed (`float[1, 3, 8, 8] x`), or they
do not (a scalar among them, `float[2, N, 64] state` beside `float[N, 512] x`); then a sample is one value of
every input, as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from graphprune.errors import Refused, Usage
from graphprune.feeds import Sizes, inputs_of
from graphprune.ir import dimensions
from graphprune.nearest import did_you_mean

Dims = tuple[int | None, ...]


@dataclass(frozen=True)
class Input:
    """An input of the model: `dims` are its sizes, None where one is free; None where the rank is."""

    name: str
    dtype: np.dtype[Any]
    dims: Dims | None


@dataclass(frozen=True)
class Layout:
    """The inputs in the model's order.

    Attributes:
        inputs: the inputs.
        shared: whether their leading axis counts samples; otherwise a sample is a whole value of each.
        fixed: how many samples the model takes at a time, where the model says so.
    """

    inputs: tuple[Input, ...]
    shared: bool
    fixed: int | None

    def sample(self, name: str) -> Dims | None:
        """The sizes of one sample of an input."""
        dims = self[name].dims
        return dims[1:] if dims is not None and self.shared else dims

    def __getitem__(self, name: str) -> Input:
        return next(one for one in self.inputs if one.name == name)

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        return [one.name for one in self.inputs]


def layout_of(graph: gs.Graph, sizes: Mapping[str, Sizes] | None = None) -> Layout:
    """Read the inputs of `graph`; `sizes` (input name -> shape) fix what the model leaves open, but for the
    number of samples.

    Raises:
        Refused: the model has no input, or one that is no tensor.
    """
    inputs = tuple(_read(tensor, (sizes or {}).get(tensor.name)) for tensor in inputs_of(graph))
    if not inputs:
        raise Refused("the model has no input", "there is nothing to feed data to")
    declared = [_free(dimensions(tensor)) for tensor in inputs_of(graph) if tensor.shape is not None]
    leading = {dims[0] for dims in declared if dims}
    numbers = leading - {None}
    known = numbers == {1} or (len(numbers) == 1 and None not in leading) or not numbers
    shared = known and all(declared)
    return Layout(inputs, shared, next(iter(numbers), None) if shared else None)


def _free(dims: Iterable[int | str | None]) -> Dims:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in dims)


def _read(tensor: gs.Variable, given: Sizes | None) -> Input:
    if tensor.type != "tensor_type":
        raise Refused(f"input {tensor.name} is no tensor ({tensor.type})", "it cannot be fed with data")
    dims = _free(dimensions(tensor)) if tensor.shape is not None else None
    if given is not None:
        dims = tuple(size or wanted for size, wanted in zip(dims or (None,) * len(given), given))
    kind = tensor.dtype if tensor.dtype is not None else np.float32
    kind = onnx.helper.tensor_dtype_to_np_dtype(kind) if isinstance(kind, int) else np.dtype(kind)
    return Input(tensor.name, kind, dims)


def match(layout: Layout, keys: Sequence[str], label_key: str, where: str) -> dict[str, str]:
    """Input name -> the key that holds its values; a single input takes a single key of any name.

    Raises:
        Usage: a key is no input, or an input has no key.
    """
    names = layout.names
    given = [key for key in keys if key in names or key != label_key]
    if len(names) == len(given) == 1:
        return {names[0]: given[0]}
    for key in given:
        if key not in names:
            hint = did_you_mean(key, names)
            if not hint.startswith("did"):
                hint = f"inputs are {', '.join(names)}; name labels with --label-key"
            raise Usage(f"{where}: the model has no input {key}", hint)
    for name in names:
        if name not in given:
            hint = f"it holds {', '.join(given)}" if given else "give its values under that name"
            raise Usage(f"{where}: there are no values for input {name}", hint)
    return {name: name for name in names}


def fit(layout: Layout, shapes: Mapping[str, Sizes], where: str, *, one: bool) -> bool:
    """Whether arrays of these shapes (input name -> shape) hold many samples along their leading axes.

    With `one`, shapes without that axis are a single sample.

    Raises:
        Usage: a rank or a size is not the model's, or the leading axes differ.
    """
    many = not one or any(_rank(layout, name) in (None, len(shape)) for name, shape in shapes.items())
    for name, shape in shapes.items():
        dims = layout.sample(name)
        found = shape[1:] if many else shape
        if (many and not shape) or (dims is not None and not _agrees(found, dims)):
            raise Usage(
                f"{where}: input {name} is {written(shape)}, the model takes {_expected(layout, name)}",
                _advice(found, dims or ()),
            )
    counts = {name: shape[0] for name, shape in shapes.items()} if many else {}
    check_counts(counts, where)
    return many


def check_counts(counts: Mapping[str, int], where: str) -> None:
    """Raise `Usage` unless all arrays (name -> length of the leading axis) hold equally many samples."""
    if len(set(counts.values())) > 1:
        listing = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise Usage(
            f"{where}: the numbers of samples differ: {listing}", "the leading axes must be equally long"
        )


def _rank(layout: Layout, name: str) -> int | None:
    dims = layout.sample(name)
    return None if dims is None else len(dims) + 1


def _agrees(shape: Sizes, dims: Dims) -> bool:
    return len(shape) == len(dims) and all(fixed in (None, size) for size, fixed in zip(shape, dims))


def _advice(found: Sizes, dims: Dims) -> str:
    if None not in dims and sorted(found) == sorted(size for size in dims if size is not None):
        return "the axes are in another order: transpose them"
    return f"the leading axis counts samples: give N{''.join(f'x{_size(size)}' for size in dims)}"


def _expected(layout: Layout, name: str) -> str:
    return written(layout[name].dims or ())


def _size(size: int | None) -> str:
    return "?" if size is None else str(size)


def written(shape: Dims) -> str:
    """A shape as messages show it.

    >>> written((None, 3, 8, 8)), written(())
    ('?x3x8x8', 'a scalar')
    """
    return "x".join(_size(size) for size in shape) or "a scalar"
