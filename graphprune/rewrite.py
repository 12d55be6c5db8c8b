"""Rewrite the sizes that operators are given, and restore values that were computed from shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune import rules
from graphprune.cuts import take
from graphprune.errors import Refused
from graphprune.evaluate import small_values
from graphprune.ir import is_default_domain, label
from graphprune.picks import Pick
from graphprune.positions import Apart
from graphprune.rewire import set_input
from graphprune.solution import Applied
from graphprune.surgery import Trace, Work, fresh

_Sizes = NDArray[np.int64]
_INTEGERS = frozenset([int(onnx.TensorProto.INT32), int(onnx.TensorProto.INT64)])


def patch(node: gs.Node, applied: Applied, trace: Trace, work: Work) -> None:
    """Write the sizes that the operator is given, where its axes have others now."""
    row, bound, site = applied.row, applied.bound, applied.site
    assert row is not None and bound is not None
    after = tuple(work.values.get(tensor.name) if tensor.name else None for tensor in node.inputs)
    changed = (
        trace.inputs
        or trace.outputs
        or any(_differs(site.value(slot), after[slot]) for slot in row.sizes if slot < len(after))
    )
    if row.patch is None or not changed:
        return
    edit = rules.Edit(
        site,
        tuple(None if axes is None else tuple(map(work.count, axes)) for axes in applied.inputs),
        tuple(None if axes is None else tuple(map(work.count, axes)) for axes in applied.outputs),
        {name: work.count(axis) for name, axis in bound.names.items()},
        after,
        {name: _renumbered(pick, work) for name, pick in bound.picks.items()},
    )
    for place, wanted in row.patch(edit).items():
        if isinstance(place, str):
            if wanted is None:
                node.attrs.pop(place, None)
            elif node.attrs.get(place) != wanted:
                node.attrs[place] = wanted
        else:
            _write_operand(node, place, np.asarray(wanted, dtype=np.int64), work)


def _renumbered(pick: Pick, work: Work) -> _Sizes:
    """Return the positions of a pick that stay, each as its rank among those of the base that stay."""
    base, result = work.keep(pick.base), work.keep(pick.result)
    assert not isinstance(base, Apart)
    assert not isinstance(result, Apart)
    at = pick.at if result is None else pick.at[result]
    if base is None:
        return at
    rank = np.full(pick.base.size, -1, np.int64)
    rank[base] = np.arange(len(base))
    return rank[at]


def _differs(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    return a is not None and b is not None and not np.array_equal(a, b)


def _write_operand(node: gs.Node, slot: int, wanted: NDArray[np.int64], work: Work) -> None:
    """Make operand `slot` hold `wanted`, keeping what is computed at run time where that comes out right."""
    while len(node.inputs) <= slot:
        node.inputs.append(gs.Variable.empty())
    tensor = node.inputs[slot]
    current = work.values.get(tensor.name) if tensor.name else None
    if current is None or isinstance(tensor, gs.Constant) or current.size != wanted.size:
        if current is not None and np.array_equal(current.reshape(-1), wanted.reshape(-1)):
            return
        _demand_numbers(node, tensor, wanted, work)
        dtype = np.int64 if current is None else current.dtype
        shape = wanted.shape if current is None or current.size != wanted.size else current.shape
        value = wanted.astype(dtype).reshape(shape)
        constant = gs.Constant(fresh(f"{tensor.name or node.outputs[0].name + '_sizes'}_cut", work), value)
        set_input(node, slot, constant)
        work.values[constant.name], work.sizes[constant.name] = value, tuple(value.shape)
        return
    flat, target = current.reshape(-1), wanted.reshape(-1)
    if np.array_equal(flat, target):
        return
    divisor, factor, offset = (
        _for_all_sizes(node, tensor, each, work) for each in _factors(node, flat.tolist(), target.tolist())
    )
    _scale(node, slot, divisor, factor, offset, work)
    work.values[node.inputs[slot].name] = wanted.astype(current.dtype).reshape(current.shape)


def _demand_numbers(node: gs.Node, tensor: gs.Tensor, wanted: _Sizes, work: Work) -> None:
    """Raise `Refused` where numbers that stand for symbols would be written down as sizes."""
    shapes = work.solution.shapes
    if isinstance(tensor, gs.Constant) or not shapes.sized_by(tensor.name):
        return
    entries = shapes.facts.entries.get(tensor.name)
    told = wanted.reshape(-1).tolist()
    if entries is None or any(
        size > 0 and not entry.is_number for entry, size in zip(entries.reshape(-1), told, strict=True)
    ):
        raise _not_followed(node, tensor, work)


def _not_followed(node: gs.Node, tensor: gs.Tensor, work: Work) -> Refused:
    symbols = work.solution.shapes.sized_by(tensor.name) or "data"
    return Refused(
        f"what {label(node)} is given is computed from sizes at run time (by {symbols}) and is not restored",
        "leave the groups of this operator alone with --ignore",
    )


def _factors(node: gs.Node, have: list[int], want: list[int]) -> tuple[_Sizes, _Sizes, _Sizes]:
    """Return divisors, factors and offsets that turn sizes computed at run time into the wanted ones.

    A size that came out as 0 (channels over a group count that the cut undercut) does not depend on the
    inputs any more: it is replaced.
    """
    divisors, multiples, offsets = (np.full(len(have), n, np.int64) for n in (1, 1, 0))
    for i, (old, new) in enumerate(zip(have, want, strict=True)):
        if old == new:
            continue
        if old < 0 or new <= 0:
            raise Refused(
                f"{label(node)} computes sizes {have} at run time that would have to become {want}",
                "leave the groups of this operator alone with --ignore",
            )
        if old == 0:
            multiples[i], offsets[i] = 0, new
        else:
            divisors[i], multiples[i] = old // gcd(old, new), new // gcd(old, new)
    return divisors, multiples, offsets


def _scale(
    node: gs.Node, slot: int, divisor: NDArray[Any], factor: NDArray[Any], offset: NDArray[Any], work: Work
) -> None:
    """Insert `operand / divisor * factor + offset` before operand `slot`."""
    tensor = node.inputs[slot]
    value = work.values[tensor.name]
    for op, array, neutral in (("Div", divisor, 1), ("Mul", factor, 1), ("Add", offset, 0)):
        if np.all(array == neutral):
            continue
        result = gs.Variable(fresh(f"{tensor.name}_{op.lower()}", work))
        by = np.asarray(array.astype(value.dtype).reshape(value.shape if array.ndim else ()), order="C")
        constant = gs.Constant(fresh(f"{result.name}_by", work), by)
        work.new.append(gs.Node(op, name=result.name, inputs=[node.inputs[slot], constant], outputs=[result]))
        set_input(node, slot, result)
        work.sizes[result.name] = tuple(value.shape)


def _loses(node: gs.Node, slot: int, old: NDArray[Any], new: NDArray[Any], work: Work) -> bool:
    """Whether an operator rounds a size that was cut, so that what it gives can be scaled no more.

    Of `(batch heads) / 4` is left `batch`; of `(batch 2) / 4` nothing that tells it.
    """
    if not is_default_domain(node) or slot or np.array_equal(old, new) or not work.solution.shapes.symbols:
        return False
    if node.op in ("Floor", "Ceil", "Round"):
        return True
    if node.op == "Cast":
        return (old.dtype.kind == "f") == (int(node.attrs["to"]) in _INTEGERS)
    if node.op not in ("Div", "Mod") or old.dtype.kind not in "iu" or old.size != 1:
        return False
    entries = work.solution.shapes.facts.entries.get(node.inputs[0].name)
    divisor = work.values.get(node.inputs[1].name)
    if entries is None or divisor is None or divisor.size != 1 or not old.all() or not divisor.all():
        return True
    common = gcd(*entries.reshape(-1)[0].terms.values())
    return bool(common * int(new.reshape(-1)[0]) % (int(old.reshape(-1)[0]) * int(divisor.reshape(-1)[0])))


def _is_open(node: gs.Node, work: Work) -> bool:
    """Whether a node makes tensors of as many elements as the inputs say, which are no sizes any more."""
    known = work.solution.shapes.facts.shapes
    made = [size for tensor in node.outputs for size in known.get(tensor.name, ())]
    return any(not size.is_number for size in made)


def restore(node: gs.Node, applied: Applied, trace: Trace, work: Work) -> None:
    """Give the operator the values that it was given before, where cut sizes changed them on the way.

    What was computed from cut weights is another matter: it is what the masked weights give.
    """
    skip: Sequence[int] = applied.row.sizes if applied.row is not None else ()
    if node.op in ("Shape", "Size"):
        return
    goes_on = not _is_open(node, work) and small_values(node, work.values, work.sizes, applied.site.opset)
    # What a patch has added behind the operands was given by nobody.
    for slot, (tensor, before) in enumerate(zip(list(node.inputs), applied.site.node.inputs, strict=False)):
        old = work.solution.shapes.values.get(before.name)
        new = work.values.get(tensor.name) if tensor.name else None
        if slot in skip or old is None or new is None or tensor.name not in work.from_sizes:
            continue
        if goes_on and not _loses(node, slot, old, new, work):
            continue
        keep_value(node, slot, take(old, trace.inputs.get(slot, {})), work)


def keep_value(node: gs.Node, slot: int, expected: NDArray[Any], work: Work) -> None:
    """Let operand `slot`, a small known tensor, be what is expected of it, where it came out otherwise."""
    tensor = node.inputs[slot]
    new = work.values[tensor.name]
    same = np.array_equal(new, expected, equal_nan=new.dtype.kind == "f")
    if same or new.shape != expected.shape:
        return
    shapes = work.solution.shapes
    if shapes.symbols and new.dtype.kind == "f" and np.all(new != 0):
        factor = _for_all_sizes(node, tensor, expected / new, work)
        _scale(node, slot, np.ones_like(factor), factor, np.zeros_like(factor), work)
        work.values[node.inputs[slot].name] = expected
    elif shapes.symbols and new.dtype.kind in "iu":
        _write_operand(node, slot, expected.astype(np.int64), work)
    elif shapes.symbols and shapes.sized_by(tensor.name):
        raise _not_followed(node, tensor, work)
    else:
        kept = gs.Constant(fresh(f"{tensor.name}_kept", work), np.asarray(expected, order="C"))
        set_input(node, slot, kept)


def _for_all_sizes(node: gs.Node, tensor: gs.Tensor, factors: NDArray[Any], work: Work) -> NDArray[Any]:
    """Return factors that fit a tensor at all sizes: one number, where its own sizes are open.

    Raises:
        Refused: they differ, and there may be more or less of them.
    """
    sizes = work.solution.shapes.facts.shapes.get(tensor.name)
    if sizes is None or all(size.is_number for size in sizes):
        return factors
    if not factors.size or not np.allclose(factors, factors.reshape(-1)[0], rtol=1e-6, atol=0):
        raise _not_followed(node, tensor, work)
    return factors.reshape(-1)[:1].reshape(())
