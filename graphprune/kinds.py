"""What the units of a leaf are, as far as products of tensors tell: heads, head dims, experts, tokens.

It is told by where the operands of products come from. Two activations that are multiplied are attention:
what weights have made and the product sums over are dims of a head, and so is what it mixes over positions;
what weights have made and it keeps apart are heads. A weight is a weight also where an index picks it
(adapters, experts), and then there is no attention. A weight that has an axis in common with the activation
and does not sum over it is a bank of experts. What goes through products with weights as rows, and is summed
over by none, are positions: where a constant holds such, these are learned tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphprune.axes import Axis, leaves
from graphprune.bind import Bound
from graphprune.groups import Kind
from graphprune.notation import Rule, names
from graphprune.rules.site import AttentionRole
from graphprune.solution import Applied

_ATTENTION = frozenset(["MatMul", "Einsum", "FusedMatMul"])
_PRODUCTS = _ATTENTION | {"Gemm"}
_CARRIES = frozenset(
    [
        *("Cast", "DequantizeLinear", "Expand", "Flatten", "Gather", "GatherElements", "GatherND"),
        *("Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
    ]
)
"""Operators whose first operand, where it is a weight, comes out as one."""
_PICKS = frozenset(["Gather", "GatherND"])


@dataclass
class _Seen:
    """Leaves by identity, as products with weights see them.

    Attributes:
        made: those along which a weight makes or sums over units.
        used: those that are summed over with a weight.
        rows: those of the other operand that are neither summed over nor in the weight.
        shared: those of both operands that are not summed over.
    """

    made: set[int] = field(default_factory=set[int])
    used: set[int] = field(default_factory=set[int])
    rows: set[int] = field(default_factory=set[int])
    shared: set[int] = field(default_factory=set[int])


def kinds(applied: Sequence[Applied]) -> dict[int, Kind]:
    """Return the kind of each leaf, by identity, of which products tell it."""
    weights = _weights(applied)
    seen = _Seen()
    for item in applied:
        _look(item, weights, seen)
    positions = seen.rows - seen.used
    made = seen.made - positions
    found: dict[int, Kind] = {}
    told: list[tuple[int, AttentionRole]] = []
    for item in applied:
        if item.bound is None or item.row is None or item.rule is None:
            continue
        if item.row.roles:
            told += _named(item.row.roles, item.bound)
        elif item.site.node.op in _ATTENTION and not _multiplies_weights(item, weights, positions):
            roles, others = _attention(item.rule, item.bound, made)
            told += roles
            positions |= others
    wanted: AttentionRole
    for wanted in ("heads", "head-dims"):
        for key, kind in told:
            if kind == wanted and not (kind == "head-dims" and key in seen.shared):
                found.setdefault(key, kind)
    for key in seen.shared:
        found.setdefault(key, "experts")
    for key in positions - made:
        found.setdefault(key, "tokens")
    return found


def _weights(applied: Iterable[Applied]) -> set[str]:
    """Return the names of the tensors that are weights, also those that indices of run time pick."""
    found: set[str] = set()
    for item in applied:
        node, site = item.site.node, item.site
        found.update(tensor.name for tensor, fixed in zip(node.inputs, site.fixed, strict=True) if fixed)
        if node.op not in _CARRIES or not node.inputs or node.inputs[0].name not in found:
            continue
        sizes = site.inputs[0] or ()
        # What is left of one pick must be a matrix: a row of a table is an activation.
        if node.op not in _PICKS or sum(size > 1 for size in sizes[1:]) > 1:
            found.update(tensor.name for tensor in node.outputs if tensor.name)
    return found


def _leaves(axes: Iterable[Axis]) -> set[int]:
    return {id(part) for axis in axes for part in leaves(axis) if part.size > 1}


def _look(item: Applied, weights: set[str], seen: _Seen) -> None:
    """Note what a product of an activation and a weight says of leaves."""
    bound, node = item.bound, item.site.node
    if bound is None or not bound.consumed:
        return
    summed = _leaves(bound.names[name] for name, _, _ in bound.consumed)
    slots = [slot for slot, axes in enumerate(item.inputs) if axes is not None]
    held = {slot for slot in slots if node.inputs[slot].name in weights}
    summing = {slot for _, slot, _ in bound.consumed}
    if not held & summing or not summing - held:
        return
    for slot in held & summing:
        own = _leaves(item.inputs[slot] or ())
        seen.made |= own
        seen.used |= summed & own
        if node.op in _PRODUCTS:
            others = _leaves(axis for other in summing - held for axis in item.inputs[other] or ())
            seen.rows |= others - own - summed
            if own - others - summed:
                seen.shared |= (own & others) - summed


def _multiplies_weights(item: Applied, weights: set[str], positions: set[int]) -> bool:
    """Whether an operand is a weight; queries that are constant have positions, and are none."""
    return any(
        tensor.name in weights and not (fixed and _leaves(axes or ()) & positions)
        for tensor, axes, fixed in zip(
            item.site.node.inputs[:2], item.inputs[:2], item.site.fixed[:2], strict=True
        )
    )


def _named(roles: Mapping[str, AttentionRole], bound: Bound) -> Iterator[tuple[int, AttentionRole]]:
    """Yield the roles that an attention operator gives the names of its rule."""
    for name, kind in roles.items():
        for key in _leaves([bound.names[name]] if name in bound.names else []):
            yield key, kind


def _attention(rule: Rule, bound: Bound, made: set[int]) -> tuple[list[tuple[int, AttentionRole]], set[int]]:
    """Return the heads and head dims that a product of two activations tells, and its positions."""
    consumed = {name for name, _, _ in bound.consumed}
    operands = [{each.name for each in names(operand)} for operand in rule.inputs]
    batch = [bound.names[n] for n in bound.names if n not in consumed and all(n in each for each in operands)]
    apart = _leaves([*bound.rest.get("...", []), *batch]) & made
    every = _leaves(bound.names.values())
    summed = _leaves(bound.names[name] for name in consumed)
    # What a product sums over is either what weights have made, or positions; the other axes are the other.
    dims = (summed & made) or (every & made) - apart
    positions = every - summed if summed & made else summed
    roles: list[tuple[int, AttentionRole]] = [(key, "heads") for key in apart]
    return [*roles, *((key, "head-dims") for key in dims)], positions - made
