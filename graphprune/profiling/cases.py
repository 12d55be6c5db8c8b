"""What models are timed on: the shapes of their inputs at each batch, and values for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphprune.data import open_data
from graphprune.errors import Usage
from graphprune.feeds import Feeds, random_feeds
from graphprune.profiling.interface import Dims, Inputs, inputs_for, show
from graphprune.profiling.subjects import Subject
from graphprune.shape_text import Shapes, fit_shapes

_IMAGE, _OTHER = 224, 128
"""Sizes that a hint proposes for open dimensions."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        batches: numbers of samples of an inference, one after another; without any, what `shapes` or the
            models say, else 1.
        shapes: of inputs that the models leave open; where a batch is given, the leading axis gives way.
        data: real inputs, as `--data` names them, the first samples of which are taken; they have the sizes
            that the models and `shapes` leave open. None for random ones.
        seed: of the random inputs.
    """

    batches: tuple[int, ...] = ()
    shapes: Shapes | None = None
    data: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Case:
    """Shapes of all inputs; `batch` is the number of samples, None where no axis counts them."""

    batch: int | None
    shapes: Shapes


def cases(subjects: Sequence[Subject], wanted: Wanted) -> tuple[Case, ...]:
    """Return the shapes at which all models are timed, one case for each batch.

    Raises:
        Usage: the models have different inputs, a size is open or does not fit, or the data do not.
        Refused: an input is no tensor.
    """
    inputs = inputs_for(subjects)
    given = fit_shapes(wanted.shapes or {}, inputs.dims)
    for batch in wanted.batches:
        _check_batch(batch, inputs)
    found: list[Case] = []
    chosen: tuple[int | None, ...] = wanted.batches or (None,)
    for count in chosen:
        if wanted.data is not None and wanted.data != "random" and inputs.dims:
            feeds = _samples(subjects[0], wanted.data, inputs, given, count, wanted.seed)
            sizes = fit_shapes({name: array.shape for name, array in feeds.items()}, inputs.dims)
        else:
            sizes = _filled(inputs, given, count, subjects[0].name)
        found.append(Case(_samples_of(inputs, sizes), sizes))
    return tuple(found)


def feeds_for(case: Case, subjects: Sequence[Subject], wanted: Wanted) -> Feeds:
    """Return values for the inputs of all models in a case of `cases`."""
    if wanted.data is None or wanted.data == "random" or not case.shapes:
        return random_feeds(subjects[0].model.graph, case.shapes, wanted.seed)
    inputs = inputs_for(subjects)
    given = fit_shapes(wanted.shapes or {}, inputs.dims)
    return _samples(subjects[0], wanted.data, inputs, given, case.batch, wanted.seed)


def _check_batch(batch: int, inputs: Inputs) -> None:
    if batch < 1:
        raise Usage(f"a batch of {batch} holds nothing", "give at least 1")
    if not inputs.batched:
        raise Usage(
            "the model has no batch to choose: its inputs share no leading axis", "give sizes with --shape"
        )
    if inputs.fixed is not None and inputs.fixed != batch:
        raise Usage(
            f"the model takes {inputs.fixed} samples at a time, a batch of {batch} is asked for",
            "export it with a dynamic leading axis, or leave --batch out",
        )


def _filled(inputs: Inputs, given: Shapes, batch: int | None, name: str) -> Shapes:
    """All sizes: those that are given, those of the models, and one for each symbol."""
    symbols: dict[str, int] = {}
    for each, shape in given.items():
        known = inputs.dims[each] or ()
        symbols |= {dim: size for dim, size in zip(known, shape) if isinstance(dim, str)}
    counted = [dims[0] for dims in inputs.dims.values() if dims] if inputs.batched else []
    if batch is not None:
        symbols |= {dim: batch for dim in counted if isinstance(dim, str)}
    first = next((shape[0] for shape in given.values() if shape), 1)
    lead = inputs.fixed or batch or first
    found = Shapes()
    open_names: list[str] = []
    for each, dims in inputs.dims.items():
        if each in given:
            found[each] = (batch, *given[each][1:]) if batch is not None else given[each]
            continue
        sizes = [
            dim if isinstance(dim, int) else symbols.get(dim or "", lead if inputs.batched and not at else 0)
            for at, dim in enumerate(dims or ())
        ]
        found[each] = tuple(sizes)
        if dims is None or 0 in sizes:
            open_names.append(each)
    if open_names:
        one = open_names[0]
        proposals = " ".join(f"{each}:{_proposed(inputs.dims[each], found[each])}" for each in open_names)
        raise Usage(
            f"{name}: input {one} is {show(inputs.dims[one])}, and not all its sizes are known",
            f"give them, as --shape {proposals}, or real inputs with --data",
        )
    return found


def _proposed(dims: Dims | None, sizes: tuple[int, ...]) -> str:
    if dims is None:
        return "1x3x224x224"
    wanted = [
        size or (1 if not at else _IMAGE if len(sizes) == 4 and at > 1 else _OTHER)
        for at, size in enumerate(sizes)
    ]
    return "x".join(map(str, wanted))


def _samples(
    subject: Subject, data: str, inputs: Inputs, given: Shapes, batch: int | None, seed: int
) -> Feeds:
    """The first samples of the data, as many as an inference takes."""
    count = batch or inputs.fixed or 1
    opened = open_data(data, subject.model.graph, sizes=given, seed=seed)
    found = next(opened.batches(count))
    if inputs.batched and found.count < count:
        raise Usage(
            f"{data} holds {found.count} samples of one shape, a batch of {count} is asked for",
            "give more samples, or leave --data out",
        )
    return found.feeds


def _samples_of(inputs: Inputs, sizes: Shapes) -> int | None:
    leads = {shape[0] for shape in sizes.values() if shape}
    return leads.pop() if inputs.batched and len(leads) == 1 else None
