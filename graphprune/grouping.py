"""From solved axes to groups: which leaves stand in weights, what they are, and what pins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.axes import Axis, leaves
from graphprune.groups import Group, Kind, Place, Role
from graphprune.kinds import kinds
from graphprune.notation import Rest
from graphprune.positions import terms
from graphprune.solution import Applied

Marks = list[tuple[Axis, str]]
"""Axes with what is to be said of their leaves."""


@dataclass
class _Found:
    """The leaves of the constants, by identity, in order of first appearance."""

    order: dict[int, Axis] = field(default_factory=dict[int, Axis])
    places: dict[int, list[Place]] = field(default_factory=dict[int, "list[Place]"])
    together: dict[int, set[int]] = field(default_factory=dict[int, "set[int]"])


def groups(applied: Sequence[Applied], pins: Marks, mixed: Marks, bare: bool = False) -> tuple[Group, ...]:
    """Return the groups in order of first appearance.

    Args:
        applied: what was applied to each node.
        pins: axes that are pinned, with the reason.
        mixed: axes whose units depend on each other, with the operator that makes them.
        bare: whether constants of every type have groups.
    """
    reasons, mixers = _first_mark(pins), _first_mark(mixed)
    roles = kinds(applied)
    convolved = _leaves_of_filters(applied)
    found = _leaves_of_constants(applied, bare)
    called = _names(sorted(found.order, key=lambda key: key in reasons), found.places)
    return tuple(
        Group(
            name=called[key],
            kind=_kind(roles.get(key), key in mixers, key in convolved, found.places[key]),
            size=axis.size,
            mixed=mixers.get(key, ""),
            reason=reasons.get(key, ""),
            places=tuple(found.places[key]),
            siblings=tuple(sorted(called[other] for other in found.together.get(key, ()))),
            axis=axis,
        )
        for key, axis in found.order.items()
    )


def _first_mark(marks: Marks) -> dict[int, str]:
    first: dict[int, str] = {}
    for axis, why in marks:
        for part in leaves(axis):
            first.setdefault(id(part), why)
    return first


def _leaves_of_constants(applied: Sequence[Applied], bare: bool) -> _Found:
    found = _Found()
    for item in applied:
        node = item.site.node
        for slot, (tensor, axes) in enumerate(zip(node.inputs, item.inputs, strict=True)):
            if (
                not isinstance(tensor, gs.Constant)
                or axes is None
                or not _is_weight(item, slot, tensor, bare)
            ):
                continue
            windows = _windows(item, slot, len(axes))
            for dim, axis in enumerate(axes):
                if dim in windows:
                    continue
                role = _role(item, slot, dim, len(axes))
                for part in leaves(axis):
                    if part.size > 1:
                        found.order.setdefault(id(part), part)
                        place = Place(tensor, dim, axis, part, role, node, slot)
                        found.places.setdefault(id(part), []).append(place)
                for term in terms(axis):
                    ids = {id(part) for part in term if part.size > 1}
                    for key in ids:
                        found.together.setdefault(key, set()).update(ids - {key})
    return found


def _windows(applied: Applied, slot: int, rank: int) -> range:
    """Return the dimensions of a filter that slide: height and width are no units, and nothing to prune."""
    dims = applied.rule.inputs[slot] if applied.rule is not None and "Conv" in applied.site.node.op else None
    at = next((at for at, dim in enumerate(dims or ()) if isinstance(dim, Rest)), None)
    return range(0) if dims is None or at is None else range(at, at + rank - len(dims) + 1)


def _is_weight(applied: Applied, slot: int, tensor: gs.Constant, bare: bool) -> bool:
    """Whether an operand holds values, not sizes or indices."""
    if applied.rule is not None and applied.rule.inputs[slot] is None:
        return False
    if bare:
        return True
    dtype = np.dtype(tensor.dtype)
    return dtype.kind != "b" and not (dtype.kind in "iu" and dtype.itemsize >= 4)


def _role(applied: Applied, slot: int, dim: int, rank: int) -> Role:
    if applied.bound is None:
        return "other"
    if any((slot, dim) == (at, position) for _, at, position in applied.bound.consumed):
        return "in"
    sizes = applied.site.inputs[slot] or ()
    if rank == 1 or sum(size > 1 for size in sizes) == 1:
        return "vector"
    return "out"


def _leaves_of_filters(applied: Sequence[Applied]) -> set[int]:
    """Return the leaves of the filters of convolutions, also of those that are dequantised or cast first."""
    return {
        id(part)
        for item in applied
        if "Conv" in item.site.node.op and item.bound is not None
        for axes in (item.inputs[3 if item.site.node.op == "QLinearConv" else 1],)
        for axis in axes or ()
        for part in leaves(axis)
    }


def _kind(role: Kind | None, mixed: bool, convolved: bool, places: list[Place]) -> Kind:
    if role is not None:
        return role
    if mixed:
        return "width"
    return "channels" if convolved or any("Conv" in place.node.op for place in places) else "neurons"


def _names(order: Sequence[int], places: dict[int, list[Place]]) -> dict[int, str]:
    """Name every group after the first operator that produces its units, in the given order."""
    called: dict[int, str] = {}
    taken: dict[str, int] = {}
    used: set[str] = set()
    for key in order:
        found = places[key]
        place = next((p for p in found if p.role == "out"), found[0])
        base = place.node.name or next((t.name for t in place.node.outputs if t.name), place.tensor.name)
        name = base
        while name in used:
            taken[base] = taken.get(base, 1) + 1
            name = f"{base}:{taken[base]}"
        used.add(name)
        called[key] = name
    return called
