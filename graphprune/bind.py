"""Apply one rule to the axes of one node: unify what the rule names alike, and build the output's axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from graphprune.axes import Axis, leaf, product, total, unify
from graphprune.notation import Dim, Factors, Name, Operand, Parts, Picked, Pinned, Rest, Rule, Size
from graphprune.picks import Pick

Sizes = tuple[int, ...]
Axes = list[Axis]


class DoesNotFit(Exception):
    """The rule's text does not fit the operands it was given."""


@dataclass
class Bound:
    """A rule with its names bound to axes.

    Attributes:
        names: the axis of each name.
        outputs: the axes of each output (empty for one of unknown rank).
        pins: axes that the rule pins, with the reason.
        mixed: axes in which units depend on each other here.
        ordered: axes whose units must stay in order here.
        consumed: where axes that are summed over enter: name, input, dimension.
        rest: what `...` and `*!` stand for.
        picks: the positions that are picked, by their name in the rule.
    """

    names: dict[str, Axis] = field(default_factory=dict[str, Axis])
    outputs: list[Axes] = field(default_factory=list[Axes])
    pins: list[tuple[Axis, str]] = field(default_factory=list[tuple[Axis, str]])
    mixed: list[Axis] = field(default_factory=list[Axis])
    ordered: list[Axis] = field(default_factory=list[Axis])
    consumed: list[tuple[str, int, int]] = field(default_factory=list[tuple[str, int, int]])
    rest: dict[str, Axes] = field(default_factory=dict[str, Axes])
    picks: dict[str, Pick] = field(default_factory=dict[str, Pick])


def bind(rule: Rule, inputs: Sequence[Axes | None], outputs: Sequence[Sizes | None]) -> Bound:
    """Bind `rule` to the axes of the inputs (None: absent or of unknown rank) and the sizes of the outputs.

    Raises:
        DoesNotFit: where ranks or sizes contradict the rule.
    """
    bound = Bound()
    if len(inputs) > len(rule.inputs):
        raise DoesNotFit(f"{len(inputs)} operands, the rule has {len(rule.inputs)}")
    survivors = rule.output_names
    for slot, axes in enumerate(inputs):
        operand = rule.inputs[slot]
        if axes is None or operand is None:
            continue
        for position, (dim, axis) in enumerate(_pair(operand, axes, bound)):
            _bind_input(dim, axis, rule, bound)
            _note(dim, (slot, position), rule, bound, survivors)
    for slot, sizes in enumerate(outputs):
        if sizes is None:
            bound.outputs.append([])
            continue
        if slot >= len(rule.outputs):
            raise DoesNotFit(f"{slot + 1} outputs, the rule has {len(rule.outputs)}")
        bound.outputs.append(_build_output(rule.outputs[slot], sizes, rule, bound))
    return bound


def _pair(operand: tuple[Dim, ...], axes: Axes, bound: Bound) -> list[tuple[Dim, Axis]]:
    """Match the dimensions of an operand with its axes; `...` and `*` take what is left over."""
    wild = [index for index, dim in enumerate(operand) if isinstance(dim, Rest)]
    if not wild:
        if len(operand) != len(axes):
            raise DoesNotFit(f"rank {len(axes)}, the rule has {len(operand)} dimensions")
        return list(zip(operand, axes, strict=True))
    at, extra = wild[0], len(axes) - len(operand) + 1
    if extra < 0:
        raise DoesNotFit(f"rank {len(axes)}, the rule needs {len(operand) - 1}")
    middle = axes[at : at + extra]
    rest = operand[at]
    if str(rest) == "...":
        _broadcast(middle, bound)
    elif str(rest) == "*!":
        bound.rest["*!"] = middle
        bound.mixed += middle
    else:
        bound.pins += [(axis, "") for axis in middle]
    return [
        *zip(operand[:at], axes[:at], strict=True),
        *((rest, axis) for axis in middle),
        *zip(operand[at + 1 :], axes[at + extra :], strict=True),
    ]


def _broadcast(axes: Axes, bound: Bound) -> None:
    """Line `axes` up from the right with what `...` stands for so far."""
    known = bound.rest.setdefault("...", [])
    while len(known) < len(axes):
        known.insert(0, axes[len(axes) - len(known) - 1])
    for offset in range(1, len(axes) + 1):
        old, new = known[-offset], axes[-offset]
        if old.size == 1:
            known[-offset] = new
        elif new.size != 1:
            _same(old, new, bound)


def _same(a: Axis, b: Axis, bound: Bound) -> None:
    for x, y, why in unify(a, b):
        bound.pins += [(x, why), (y, why)]


def _bind_input(dim: Dim, axis: Axis, rule: Rule, bound: Bound) -> None:
    if isinstance(dim, Rest):
        return
    if isinstance(dim, Pinned):
        bound.pins.append((axis, ""))
    elif isinstance(dim, Size):
        if dim.size != axis.size:
            raise DoesNotFit(f"size {axis.size}, the rule has {dim.size}")
        bound.pins.append((axis, ""))
    elif isinstance(dim, Name):
        known = bound.names.get(dim.name)
        if known is None or known.size == 1:
            bound.names[dim.name] = axis
        elif axis.size != 1:
            _same(known, axis, bound)
        if dim.name in rule.sizes and bound.names[dim.name].size not in (1, rule.sizes[dim.name]):
            raise DoesNotFit(f"'{dim.name}' is {bound.names[dim.name].size}, not {rule.sizes[dim.name]}")
    else:
        built = _build(dim, axis.size, rule, bound)
        if built.size != axis.size:
            raise DoesNotFit(f"{dim} is {built.size}, the dimension is {axis.size}")
        _same(axis, built, bound)


def _build(dim: Dim, size: int, rule: Rule, bound: Bound) -> Axis:
    """Return the axis that `dim` describes; the one name in it that is not known takes what is left."""
    if isinstance(dim, Name):
        if dim.name not in bound.names:
            bound.names[dim.name] = leaf(rule.sizes.get(dim.name, size))
        return bound.names[dim.name]
    if isinstance(dim, Size):
        fixed = leaf(dim.size)
        bound.pins.append((fixed, ""))
        return fixed
    if isinstance(dim, Picked):
        at = np.array(rule.picks[dim.by], np.int64)
        pick = bound.picks.setdefault(dim.by, Pick(bound.names[dim.name], at, leaf(len(at))))
        return pick.result
    if not isinstance(dim, Factors | Parts):
        fixed = leaf(size)
        bound.pins.append((fixed, ""))
        return fixed
    sizes = [_known_size(part, rule, bound) for part in dim.dims]
    open_parts = [index for index, known in enumerate(sizes) if known is None]
    if len(open_parts) > 1:
        raise DoesNotFit(f"more than one size of {dim} is open")
    known = [value for value in sizes if value is not None]
    if isinstance(dim, Factors):
        remaining = size // prod(known) if prod(known) else 0
        return product(
            _build(part, remaining if value is None else value, rule, bound)
            for part, value in zip(dim.dims, sizes, strict=True)
        )
    remaining = size - sum(known)
    if remaining < 0:
        raise DoesNotFit(f"the parts of {dim} exceed {size}")
    return total(
        _build(part, remaining if value is None else value, rule, bound)
        for part, value in zip(dim.dims, sizes, strict=True)
    )


def _known_size(dim: Dim, rule: Rule, bound: Bound) -> int | None:
    if isinstance(dim, Size):
        return dim.size
    if isinstance(dim, Picked):
        return len(rule.picks[dim.by])
    if isinstance(dim, Name):
        known = bound.names.get(dim.name)
        return known.size if known is not None else rule.sizes.get(dim.name)
    if isinstance(dim, Factors | Parts):
        sizes = [_known_size(part, rule, bound) for part in dim.dims]
        given = [size for size in sizes if size is not None]
        if len(given) < len(sizes):
            return None
        return prod(given) if isinstance(dim, Factors) else sum(given)
    return None


def _note(dim: Dim, place: tuple[int, int], rule: Rule, bound: Bound, survivors: frozenset[str]) -> None:
    """Remember mixed axes and where contracted ones enter: at which operand and dimension."""
    if isinstance(dim, Name):
        axis = bound.names[dim.name]
        if dim.mark in ("!", "^"):
            bound.mixed.append(axis)
            bound.ordered += [axis] if dim.mark == "^" else []
        elif dim.mark == "_":
            bound.pins.append((axis, ""))
        elif dim.mark == "~" or dim.name not in survivors:
            bound.consumed.append((dim.name, *place))
    elif isinstance(dim, Factors | Parts):
        for part in dim.dims:
            _note(part, place, rule, bound, survivors)


def _build_output(operand: Operand, sizes: Sizes, rule: Rule, bound: Bound) -> Axes:
    if operand is None:
        fresh = [leaf(size) for size in sizes]
        bound.pins += [(axis, "") for axis in fresh]
        return fresh
    built: Axes = []
    extra = len(sizes) - sum(not isinstance(dim, Rest) for dim in operand)
    for dim in operand:
        if not isinstance(dim, Rest):
            if len(built) >= len(sizes):
                raise DoesNotFit(f"an output of rank {len(sizes)}, the rule has {len(operand)} dimensions")
            built.append(_build(dim, sizes[len(built)], rule, bound))
        elif str(dim) in bound.rest:
            built += bound.rest[str(dim)]
        else:
            fresh = [leaf(size) for size in sizes[len(built) : len(built) + extra]]
            bound.pins += [(axis, "") for axis in fresh]
            built += fresh
    if tuple(axis.size for axis in built) != sizes:
        raise DoesNotFit(f"an output of sizes {sizes}, the rule gives {[axis.size for axis in built]}")
    return built


def sizes_of(rule: Rule, inputs: Sequence[Sizes | None]) -> list[Sizes | None]:
    """Return the sizes of the outputs as far as they follow from those of the inputs and the rule alone.

    Raises:
        DoesNotFit: where ranks or sizes contradict the rule.
    """
    axes = [None if sizes is None else [leaf(size) for size in sizes] for sizes in inputs]
    bound = bind(rule, axes, [])
    results: list[Sizes | None] = []
    for operand in rule.outputs:
        found: list[int | None] = []
        for dim in operand or ():
            if isinstance(dim, Rest):
                rest = bound.rest.get(str(dim))
                found += [None] if rest is None else [axis.size for axis in rest]
            else:
                found.append(_known_size(dim, rule, bound))
        known = [size for size in found if size is not None]
        results.append(None if operand is None or len(known) < len(found) else tuple(known))
    return results
