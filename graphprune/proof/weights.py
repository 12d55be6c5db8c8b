"""Whether a written model is the original cut as the traces say: weights, attributes and wires by place.

The original and the file are walked side by side. Every constant must be what the trace takes from the
original's; every attribute the original's, and every wire. What a cut writes down anew (sizes, counts,
positions) is derived a second time, by `graphprune.proof.patched`. The cut graph itself is not looked at, so
that a mistake of the surgery shows as well; a wrong trace is for the numbers to find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isclose
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.cut import Cut
from graphprune.cuts import in_order, take
from graphprune.duplicate import duplicate
from graphprune.errors import Negative
from graphprune.ir import is_default_domain
from graphprune.model import Model
from graphprune.proof.content import Unlike, unlike
from graphprune.proof.patched import ATTRIBUTES, GIVEN, MICROSOFT, OPERANDS, Patched
from graphprune.proof.structure import (
    Difference,
    Walk,
    Walker,
    Wrong,
    compared,
    said,
    same_value,
    wrong,
    wrong_weight,
)
from graphprune.proof.view import View
from graphprune.rewire import hands_on, leave_out
from graphprune.rules import domain_of, row
from graphprune.shapes import Shapes
from graphprune.surgery import Trace

_CHAIN = ("Div", "Mul", "Add")
_NOTHING = Trace({}, {}, (), False, {})


def differences(
    original: Model, cut: Cut, written: Model, shapes: Shapes | None = None
) -> tuple[Difference, ...]:
    """Return where `written` is not `original` cut as `cut` says: by place, whatever things are called.

    Weights and attributes are compared with the original's by the traces, and the graph with that of the
    cut. What is not `certain` of it could not be compared.

    Args:
        original: the model that was cut.
        cut: the result, with what was cut at each node.
        written: the model that was written, as it was read again.
        shapes: the original's concrete sizes, as `Solution.shapes` has them; inferred where not given.
    """
    found, known = _with_original(original, cut, written, shapes)
    have = {(each.node, each.place) for each in found}
    further = compared(cut.model.graph, written.graph, known)
    return (*found, *(each for each in further if (each.node, each.place) not in have))


def of_original(
    original: Model, cut: Cut, written: Model, shapes: Shapes | None = None
) -> tuple[Difference, ...]:
    """Return where `written` is not what the traces of `cut` take from `original`; see `differences`."""
    return _with_original(original, cut, written, shapes)[0]


def of_cut(cut: Cut, written: Model) -> tuple[Difference, ...]:
    """Return where the graph of `written` is not that of the model in `cut`; see `differences`."""
    return compared(cut.model.graph, written.graph)


def demand_alike(original: Model, cut: Cut, shapes: Shapes | None = None) -> None:
    """Check that the cut holds what its traces take from the original, and is wired like it.

    `shapes` are the original's, as `differences` takes them.

    Raises:
        Negative: naming the first weight, attribute or wire that is not.
    """
    if said := wrong(of_original(original, cut, cut.model, shapes)):
        raise Negative(f"the cut is not what its plan says: {said}", "please report this with the model")


def _with_original(
    original: Model, cut: Cut, written: Model, shapes: Shapes | None
) -> tuple[tuple[Difference, ...], Collection[int]]:
    graph = original.graph
    if any(trace.removed for trace in cut.traces):
        graph = duplicate(graph)
    passes: dict[int, int] = {}
    traces = list(cut.traces)
    for position, (node, trace) in enumerate(zip(graph.nodes, cut.traces, strict=True)):
        if trace.removed and hands_on(node, 0):
            passes[id(node)] = trace.skip
        elif trace.removed:
            slots = leave_out(node, trace.skip, trace.removed, ())
            inputs = {now: trace.inputs[was] for now, was in enumerate(slots) if was in trace.inputs}
            traces[position] = replace(trace, inputs=inputs)
    left = View(graph, passes, known=shapes)
    judge = _Traced(tuple(traces), left, View(written.graph, beside=left))
    return Walker(judge.left, judge.right, judge).run(), judge.known


@dataclass
class _Traced:
    """The judge of the original and a file that was cut out of it."""

    traces: tuple[Trace, ...]
    left: View
    right: View
    known: set[int] = field(default_factory=set[int])
    alike: dict[tuple[int, int], bool] = field(default_factory=dict[tuple[int, int], bool])
    compared: dict[tuple[int, int, tuple[Any, ...]], Unlike | None] = field(
        default_factory=dict["tuple[int, int, tuple[Any, ...]]", "Unlike | None"]
    )

    @cached_property
    def by_node(self) -> dict[int, Trace]:
        """The traces by identity of the original's nodes, also of those in bodies."""
        found: dict[int, Trace] = {}
        waiting = [(self.left.graph, self.traces)]
        while waiting:
            graph, traces = waiting.pop()
            for node, trace in zip(graph.nodes, traces, strict=True):
                found[id(node)] = trace
                waiting += [(node.attrs[name], inside.traces) for name, inside in trace.bodies.items()]
        return found

    def __contains__(self, node: gs.Node | None) -> bool:
        return id(node) in self.by_node

    def _trace(self, node: gs.Node | None) -> Trace:
        return self.by_node.get(id(node), _NOTHING)

    def _is_patched(self, node: gs.Node | None, slot: int) -> bool:
        """Whether the rule of a node may write operand `slot` down anew."""
        if node is None or node not in self:
            return False
        known = row(node)
        return known is not None and known.patch is not None and (slot in known.sizes or node.op == "Squeeze")

    def constant(
        self, node: gs.Node | None, slot: int, left: gs.Constant, right: gs.Constant
    ) -> Wrong | None:
        """A constant must be what the trace takes from the original's.

        Of those that say sizes or positions `node` asks, of all operands of a node together.
        """
        cuts = self._trace(node).inputs.get(slot, {})
        key = id(left), id(right), tuple((d, i.shape, i.tobytes()) for d, i in in_order(cuts))
        if key not in self.compared:
            self.compared[key] = unlike(left, cuts, right)
        found = self.compared[key]
        if found is None:
            self.known.add(id(right))
        elif not self._is_patched(node, slot):
            return wrong_weight(found, right.name)
        return None

    def attribute(self, node: gs.Node, file: gs.Node, name: str, before: Any, after: Any) -> Wrong | None:
        """An attribute must be the original's, but for those that count what was cut."""
        wanted = ATTRIBUTES.get((domain_of(node), node.op, name)) if node in self else None
        known = row(node)
        written = wanted is None and known is not None and known.patch is not None and node in self
        if written and (name in GIVEN.get(node.op, ()) or domain_of(node) not in ("", MICROSOFT)):
            # `node` asks of these; of the rows of other packages only the cut itself can tell.
            return None
        if wanted is None or not (self._trace(node).inputs or self._trace(node).outputs):
            return None if same_value(before, after) else Wrong(said(after), said(before), "attributes")
        value = wanted(self._patched(node, file))
        if value is None or same_value(value, after) or _is_near(value, after):
            return None
        return Wrong(said(after), said(value), "attributes")

    def node(self, node: gs.Node, file: gs.Node) -> Iterator[tuple[int, Wrong]]:
        """What a node is given of sizes and positions must do to what stays what it did before."""
        asked = OPERANDS.get(node.op) if is_default_domain(node) and node in self else None
        if asked is None:
            return
        slots, question = asked
        trace = self._trace(node)
        if not (trace.inputs or trace.outputs) and all(
            self._is_as_it_was(node, file, slot) for slot in slots
        ):
            return
        at = self._patched(node, file)
        if question(at) is False:
            found, expected = (
                [each for slot in slots if (each := _shown(values, slot))] for values in (at.after, at.before)
            )
            wanted = f"what does to the rest what {' '.join(expected) or 'the original'} did to all"
            yield slots[0], Wrong(" ".join(found) or "absent", wanted, "weights")

    def _is_as_it_was(self, node: gs.Node, file: gs.Node, slot: int) -> bool:
        values = self._value(0, node, slot), self._value(1, file, slot)
        return values[0] is values[1] or (
            values[0] is not None and values[1] is not None and np.array_equal(values[0], values[1])
        )

    def operand(
        self, node: gs.Node, slot: int, left: gs.Tensor | None, right: gs.Tensor | None, file: gs.Node
    ) -> Wrong | Walk:
        """A wire must be the original's; what is computed from sizes must come to the same."""
        if left is None or right is None:
            if self._is_patched(node, slot):
                return Walk()
            sides = (self.right, right), (self.left, left)
            there = ["absent" if each is None else view.said(each) for view, each in sides]
            return Wrong(there[0], there[1])
        trace = self._trace(node)
        # What is computed from sizes changes with them, up to where it is used.
        used = trace.inputs or trace.outputs or not self.left.is_computed(node.outputs[0])
        if node not in self or not self.left.is_computed(left):
            return Walk((left, right))
        if not used:
            # In front of what rounds, a size is what it was, as far as that can be told.
            values = self._value(0, node, slot), self._value(1, file, slot)
            other = values[0] is not None and values[1] is not None and not _is_same(values[0], values[1])
            return Walk((left, right if other else self._behind_factors(left, right)))
        if not self._is_patched(node, slot):
            values = self._value(0, node, slot), self._value(1, file, slot)
            if values[0] is not None and values[1] is not None:
                wanted = take(values[0], trace.inputs.get(slot, {}))
                if not _is_same(wanted, values[1]):
                    return Wrong(_text(values[1]), _text(wanted), "weights")
        if self._is_written(node, file, slot):
            # What is written down in place of what was computed is judged by its value alone.
            return Walk()
        return Walk((left, self._behind_factors(left, right)))

    def _is_written(self, node: gs.Node, file: gs.Node, slot: int) -> bool:
        """Whether the file has a constant where the original computes a value that is known."""
        right = self.right.origin(file.inputs[slot])
        return isinstance(right, gs.Constant) and self._value(0, node, slot) is not None

    def _behind_factors(self, left: gs.Tensor, right: gs.Tensor) -> gs.Tensor:
        """Return what `left` corresponds to, behind the factors that a cut may have put before `right`."""
        behind = [right]
        while len(behind) <= len(_CHAIN):
            made = self.right.maker(self.right.origin(behind[-1]))
            if made is None or made[0].op not in _CHAIN or not is_default_domain(made[0]):
                break
            if not isinstance(self.right.origin(made[0].inputs[1]), gs.Constant):
                break
            behind.append(made[0].inputs[0])
        if len(behind) == 1:
            return right
        # Where factors stand in the original as well, those are told apart by what is computed behind them.
        alike = next((each for each in behind if self._is_alike(left, each)), None)
        return alike or next((each for each in behind if self._is_near_alike(left, each)), right)

    def _is_near_alike(self, left: gs.Tensor, right: gs.Tensor) -> bool:
        """Whether two values are made by the same operator, with the same constants."""
        a, b = (view.maker(view.origin(t)) for view, t in ((self.left, left), (self.right, right)))
        if a is None or b is None or a[0].op != b[0].op or len(a[0].inputs) != len(b[0].inputs):
            return False
        pairs = [
            (self.left.origin(x), self.right.origin(y)) for x, y in zip(a[0].inputs, b[0].inputs, strict=True)
        ]
        return all(
            isinstance(x, gs.Constant) == isinstance(y, gs.Constant)
            and (not isinstance(x, gs.Constant) or self._is_alike(x, y))
            for x, y in pairs
        )

    def _is_alike(self, left: gs.Tensor, right: gs.Tensor) -> bool:
        """Whether two values that are computed from sizes are computed alike."""
        left, right = self.left.origin(left), self.right.origin(right)
        key = id(left), id(right)
        if key not in self.alike:
            self.alike[key] = self._made_alike(left, right)
        return self.alike[key]

    def _made_alike(self, left: gs.Tensor, right: gs.Tensor) -> bool:
        a, b = self.left.maker(left), self.right.maker(right)
        if isinstance(left, gs.Constant) and isinstance(right, gs.Constant):
            return unlike(left, {}, right) is None
        if a is None or b is None or a[0].op != b[0].op or a[1] != b[1]:
            return self.left.said(left) == self.right.said(right) if a is b is None else False
        if a[0].op in ("Shape", "Size"):
            same = self.left.cone(a[0].inputs[0]) == self.right.cone(b[0].inputs[0])
        else:
            same = len(a[0].inputs) == len(b[0].inputs) and all(
                self._is_alike(x, y) for x, y in zip(a[0].inputs, b[0].inputs, strict=True)
            )
        names = {*a[0].attrs, *b[0].attrs}
        return same and all(same_value(a[0].attrs.get(name), b[0].attrs.get(name)) for name in names)

    def result(self, left: gs.Tensor, right: gs.Tensor) -> Walk:
        """What a body gives out that was computed from sizes stays what it was."""
        values = self.left.value(left), self.right.value(right)
        if values[0] is None or values[1] is None or not self.left.is_computed(left):
            return Walk((left, right))
        same = _is_same(values[0], values[1])
        if same and isinstance(self.right.origin(right), gs.Constant):
            return Walk()
        return Walk((left, self._behind_factors(left, right) if same else right))

    def names(self, node: gs.Node) -> Collection[str]:
        """Attributes that a cut may write."""
        domain = domain_of(node)
        return [name for d, op, name in ATTRIBUTES if (d, op) == (domain, node.op)]

    def _value(self, side: int, node: gs.Node, slot: int) -> NDArray[Any] | None:
        """Return the value of an operand where it is small and known."""
        return (self.left, self.right)[side].value(node.inputs[slot]) if slot < len(node.inputs) else None

    def _patched(self, node: gs.Node, file: gs.Node) -> Patched:
        return Patched(
            node,
            file,
            self._trace(node),
            [self.left.sizes(tensor) for tensor in node.inputs],
            [self.left.sizes(tensor) for tensor in node.outputs],
            [self._value(0, node, slot) for slot in range(len(node.inputs))],
            [self._value(1, file, slot) for slot in range(len(file.inputs))],
        )


def _shown(values: Sequence[NDArray[Any] | None], slot: int) -> str:
    value = values[slot] if slot < len(values) else None
    return "" if value is None else _text(value)


def _text(value: NDArray[Any]) -> str:
    return str(value.reshape(-1)[:8].tolist() if value.ndim else value.item())


def _is_near(a: Any, b: Any) -> bool:
    return isinstance(a, float) and isinstance(b, float) and isclose(a, b, rel_tol=1e-6)


def _is_same(a: NDArray[Any], b: NDArray[Any]) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    # A factor puts a number right to its last digits.
    return (
        bool(np.allclose(a, b, rtol=1e-5, atol=0, equal_nan=True))
        if a.dtype.kind == "f"
        else np.array_equal(a, b)
    )
