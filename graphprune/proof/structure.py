"""Whether a graph is the one that it should be: node by node from its outputs, whatever things are called.

Two graphs are walked side by side. Operators, domains, attributes with their bodies, wires and constants by
content count, and the names of inputs and outputs. Names inside, the order of nodes, nodes that nothing
needs, constants that are shared or not, `Constant` nodes, and Identity do not. What two nodes that
correspond may differ in is for a `Judge` to say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from graphprune.ir import label, listed
from graphprune.proof.content import Unlike, unlike
from graphprune.proof.view import View, operands
from graphprune.rules import domain_of

Layer = Literal["structure", "weights", "attributes"]


@dataclass(frozen=True)
class Difference:
    """One place at which a written model is not what it should be.

    Attributes:
        layer: what was compared there.
        node: the node, as messages name it: as the model is called that the file was compared with.
        place: what of it, as "operand 1" or "attribute 'group'"; empty for the node itself.
        found: what the file has.
        expected: what it should have.
        weight: the weight of the file, with the index of the first number that differs, as "fc.w[3, 0]".
        count: how many of its numbers differ.
        certain: whether the nodes correspond, so that this is wrong. Where a node has no counterpart, what it
            computes may still be the same, by other operators; then only numbers can tell.
    """

    layer: Layer
    node: str
    place: str
    found: str
    expected: str
    weight: str = ""
    count: int = 0
    certain: bool = True

    def __str__(self) -> str:
        where = f"{self.place} of {self.node}" if self.place else self.node
        if self.weight and self.certain:
            many = f"{self.count} numbers differ" if self.count > 1 else "1 number differs"
            more = f"{many}, {where}" if self.count else where
            return f"weight {self.weight} is {self.found}, it should be {self.expected} ({more})"
        if not self.certain:
            return f"not compared as weights: {where}: {self.found}"
        return f"{where} is {self.found}, it should be {self.expected}"


class Judge(Protocol):
    """Says what two nodes that correspond may differ in. Each answer is what is wrong, or None."""

    def constant(
        self, node: gs.Node | None, slot: int, left: gs.Constant, right: gs.Constant
    ) -> Wrong | None:
        """What is wrong with the constant that operand `slot` of `node` is in the file."""
        ...

    def attribute(self, node: gs.Node, file: gs.Node, name: str, before: Any, after: Any) -> Wrong | None:
        """What is wrong with an attribute; None stands for a value that is absent and has no default."""
        ...

    def names(self, node: gs.Node) -> Collection[str]:
        """Names of attributes to be asked for beside those that nodes have."""
        ...

    def node(self, node: gs.Node, file: gs.Node) -> Iterator[tuple[int, Wrong]]:
        """What is wrong with a node's operands taken together, by operand."""
        ...

    def result(self, left: gs.Tensor, right: gs.Tensor) -> Walk:
        """How the walk goes on at an output of a body."""
        ...

    def operand(
        self, node: gs.Node, slot: int, left: gs.Tensor | None, right: gs.Tensor | None, file: gs.Node
    ) -> Wrong | Walk:
        """What is wrong with an operand that is not a constant on both sides; else how to go on."""
        ...


@dataclass(frozen=True)
class Wrong:
    """What was found and what should have been: a `Difference` without its place."""

    found: str
    expected: str
    layer: Layer = "structure"
    weight: str = ""
    count: int = 0


def wrong_weight(found: Unlike, name: str) -> Wrong:
    """Return that the constant called `name` in the file is not what it should be."""
    return Wrong(found.found, found.expected, "weights", f"{name}{found.place}", found.count)


@dataclass(frozen=True)
class Walk:
    """How the walk goes on at an operand: with these two tensors, or not at all."""

    on: tuple[gs.Tensor, gs.Tensor] | None = None


@dataclass
class _Visit:
    """A pair of tensors to be compared, and who reads them: at which operand, or as which output."""

    left: gs.Tensor
    right: gs.Tensor
    reader: gs.Node | None
    slot: int
    place: str
    sure: bool = True


@dataclass
class Walker:
    """Two graphs walked side by side: `left` as it should be, `right` as it is in the file."""

    left: View
    right: View
    judge: Judge
    found: dict[tuple[str, str], Difference] = field(default_factory=dict[tuple[str, str], Difference])
    pairs: dict[tuple[int, int], bool] = field(default_factory=dict[tuple[int, int], bool])
    nodes: dict[tuple[int, int], bool] = field(default_factory=dict[tuple[int, int], bool])
    seen: set[int] = field(default_factory=set[int])
    formals: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    waiting: list[_Visit] = field(default_factory=list[_Visit])
    alone: list[gs.Node] = field(default_factory=list[gs.Node])
    explored: set[int] = field(default_factory=set[int])
    known: dict[int, list[gs.Tensor]] = field(default_factory=lambda: defaultdict[int, list[gs.Tensor]](list))

    def run(self) -> tuple[Difference, ...]:
        """Return what differs, in the order of the nodes of `left`."""
        ends = self.left.graph.outputs, self.right.graph.outputs
        if [tensor.name for tensor in ends[0]] != [tensor.name for tensor in ends[1]]:
            names = [", ".join(tensor.name for tensor in end) for end in ends]
            return (Difference("structure", "the graph", "outputs", names[1], names[0]),)
        for a, b in zip(*ends, strict=True):
            self.waiting.append(_Visit(a, b, None, 0, f"output '{a.name}'"))
        self._drain()
        if self.alone:
            self._by_anchors()
            self._left_over()
        order = {label(node): i for i, node in enumerate(self.left.graph.nodes)}
        return tuple(
            sorted(self.found.values(), key=lambda d: (not d.certain, order.get(d.node, len(order)), d.place))
        )

    def _drain(self) -> None:
        while self.waiting and len(self.found) < _MOST and len(self.pairs) < self._limit():
            self._values(self.waiting.pop())

    def _limit(self) -> int:
        return 16 * (len(self.left.makers) + len(self.right.makers) + 64)

    def _note(self, visit: _Visit, wrong: Wrong) -> None:
        node = label(visit.reader) if visit.reader is not None else "the graph"
        self._add(_placed(wrong, node, visit.place), visit.sure)

    def _add(self, difference: Difference, sure: bool) -> None:
        if not sure:
            found = f"it is {difference.found}, behind nodes that have no counterpart"
            difference = replace(difference, found=found, certain=False)
        key = difference.node, difference.place
        if key not in self.found or (difference.certain and not self.found[key].certain):
            self.found[key] = difference

    def _values(self, visit: _Visit) -> None:
        left, right = self.left.origin(visit.left), self.right.origin(visit.right)
        if isinstance(left, gs.Constant) and isinstance(right, gs.Constant):
            wrong = self.judge.constant(visit.reader, visit.slot, left, right)
            if wrong is not None:
                self._note(visit, wrong)
            return
        key = id(left), id(right)
        if self.pairs.get(key) in (visit.sure, True) or key in self.formals:
            return
        self.pairs[key] = visit.sure
        a, b = self.left.maker(left), self.right.maker(right)
        if a is None or b is None:
            if (
                a is None
                and b is None
                and not isinstance(left, gs.Constant)
                and not isinstance(right, gs.Constant)
            ):
                # Only the inputs of the graph are left: those of bodies were put in pairs with their nodes.
                names = [side.inputs.get(id(t)) for side, t in ((self.left, left), (self.right, right))]
                if names[0] is not None and names[0] == names[1]:
                    return
            self._mismatch(visit, left, right)
        elif a[0].op != b[0].op or domain_of(a[0]) != domain_of(b[0]) or a[1] != b[1]:
            self._mismatch(visit, left, right)
        elif visit.sure and self._is_other_wire(left, right):
            self._note(visit, Wrong(self.right.said(right), self.left.said(left)))
        else:
            self._pair(a[0], b[0], visit.sure)

    def _is_other_wire(self, left: gs.Tensor, right: gs.Tensor) -> bool:
        """Whether `right` is computed as another value of `left`'s graph is, and not as this one."""
        cone = self.right.cone(right)
        return cone != self.left.cone(left) and cone in self._cones()

    def _cones(self) -> dict[int, list[gs.Tensor]]:
        if not self.known:
            graph = self.left.graph
            for each in (graph, *graph.subgraphs(recursive=True)):
                for tensor in (*each.inputs, *(t for node in each.nodes for t in node.outputs if t.name)):
                    if self.left.origin(tensor) is tensor and not self.left.is_computed(tensor):
                        self.known[self.left.cone(tensor)].append(tensor)
        return self.known

    def _mismatch(self, visit: _Visit, left: gs.Tensor, right: gs.Tensor) -> None:
        """Two values that are not made by the same operator."""
        fixed = self.left.is_computed(left), self.right.is_computed(right)
        # What is computed from constants alone may have been computed beforehand, nothing else may.
        values = (self.left.value(left), self.right.value(right)) if all(fixed) else (None, None)
        known = values[0] is not None and values[1] is not None
        if values[0] is not None and values[1] is not None and np.array_equal(values[0], values[1]):
            return
        if visit.sure and (known or fixed[0] != fixed[1] or self._is_other_wire(left, right)):
            self._note(visit, Wrong(self.right.said(right), self.left.said(left)))
            return
        made = self.left.maker(left) or self.right.maker(right)
        where = f"{visit.place} of {label(visit.reader)}" if visit.reader is not None else visit.place
        what = f"{where} is {self.right.said(right)} in the file, which has no counterpart"
        node = label(made[0]) if made is not None else self.left.said(left)
        self.found.setdefault(
            (node, ""), Difference("structure", node, "", what, self.left.said(left), certain=False)
        )
        for tensor in (left, right):
            maker = self.left.maker(tensor) or self.right.maker(tensor)
            if maker is not None:
                self.alone.append(maker[0])
        self._resume(right)

    def _resume(self, right: gs.Tensor) -> None:
        """Look behind what has no counterpart for values that have one."""
        behind = [right]
        while behind:
            tensor = self.right.origin(behind.pop())
            made = self.right.maker(tensor)
            if id(tensor) in self.explored or isinstance(tensor, gs.Constant):
                continue
            self.explored.add(id(tensor))
            known = self._cones().get(self.right.cone(tensor), [])
            same = [each for each in known if each.name == tensor.name] or known
            if len(same) == 1:
                self.waiting.append(_Visit(same[0], tensor, None, 0, "", sure=False))
            elif made is not None:
                behind += operands(made[0])

    def _by_anchors(self) -> None:
        """Go on at values that are called and made alike on both sides, where the walk did not come by."""
        here = {t.name: t for node in self.right.graph.nodes for t in node.outputs if t.name}
        for node in reversed(self.left.graph.nodes):
            if id(node) in self.seen:
                continue
            for tensor in node.outputs:
                other = here.get(tensor.name)
                if other is not None and self.right.makers[id(other)][0].op == node.op:
                    self.waiting.append(_Visit(tensor, other, None, 0, "", sure=False))
                    self._drain()

    def _left_over(self) -> None:
        """Say how many nodes with constants were not compared, where some were not."""
        live = _live(self.left)
        missed = [
            node
            for node in self.left.graph.nodes
            if id(node) in live
            and id(node) not in self.seen
            and any(isinstance(self.left.origin(t), gs.Constant) for t in node.inputs)
        ]
        if missed:
            node = label(missed[0])
            what = f"it has no counterpart; {len(missed)} nodes with constants have none in all"
            self.found.setdefault((node, ""), Difference("weights", node, "", what, "", certain=False))

    def _pair(self, a: gs.Node, b: gs.Node, sure: bool) -> None:
        key = id(a), id(b)
        if self.nodes.get(key) in (sure, True):
            return
        self.nodes[key] = sure
        self.seen.add(id(a))
        self._attributes(a, b, sure)
        for slot, wrong in self.judge.node(a, b):
            self._note(_Visit(a.outputs[0], b.outputs[0], a, slot, f"operand {slot}", sure), wrong)
        for slot in range(max(len(a.inputs), len(b.inputs))):
            left, right = _operand(a, slot), _operand(b, slot)
            if left is None and right is None:
                continue
            visit = _Visit(
                left or gs.Variable.empty(), right or gs.Variable.empty(), a, slot, f"operand {slot}", sure
            )
            if left is not None and right is not None:
                ends = self.left.origin(left), self.right.origin(right)
                if all(isinstance(end, gs.Constant) for end in ends):
                    self.waiting.append(visit)
                    continue
            answer = self.judge.operand(a, slot, left, right, b)
            if isinstance(answer, Wrong):
                self._note(visit, answer)
            elif answer.on is not None:
                visit.left, visit.right = answer.on
                # Behind a pair that corresponds things are certain again.
                visit.sure = True
                self.waiting.append(visit)

    def _attributes(self, a: gs.Node, b: gs.Node, sure: bool) -> None:
        for name in dict.fromkeys((*a.attrs, *b.attrs, *self.judge.names(a))):
            before, after = a.attrs.get(name), b.attrs.get(name)
            bodies = [[x for x in listed(value) if isinstance(x, gs.Graph)] for value in (before, after)]
            if any(bodies):
                self._bodies(a, name, bodies[0], bodies[1], sure)
                continue
            before = before if before is not None else default_of(a, name, self.left.graph.opset)
            after = after if after is not None else default_of(b, name, self.left.graph.opset)
            wrong = self.judge.attribute(a, b, name, before, after)
            if wrong is not None:
                self._add(_placed(wrong, label(a), f"attribute '{name}'"), sure)

    def _bodies(
        self, node: gs.Node, name: str, left: list[gs.Graph], right: list[gs.Graph], sure: bool
    ) -> None:
        counts = [[(len(g.inputs), len(g.outputs)) for g in each] for each in (left, right)]
        if counts[0] != counts[1]:
            wrong = Difference("structure", label(node), f"attribute '{name}'", "another body", "a body")
            self._add(wrong, sure)
            return
        for a, b in zip(left, right, strict=True):
            self.formals.update((id(x), id(y)) for x, y in zip(a.inputs, b.inputs, strict=True))
            for i, ends in enumerate(zip(a.outputs, b.outputs, strict=True)):
                on = self.judge.result(*ends).on
                if on is not None:
                    self.waiting.append(_Visit(*on, node, -1, f"output {i} of '{name}'", sure))


_MOST = 200


def _placed(wrong: Wrong, node: str, place: str) -> Difference:
    return Difference(wrong.layer, node, place, wrong.found, wrong.expected, wrong.weight, wrong.count)


def _operand(node: gs.Node, slot: int) -> gs.Tensor | None:
    if slot >= len(node.inputs):
        return None
    tensor = node.inputs[slot]
    return tensor if tensor.name or isinstance(tensor, gs.Constant) else None


def _live(view: View) -> set[int]:
    live: set[int] = set()
    waiting = list(view.graph.outputs)
    while waiting:
        made = view.maker(view.origin(waiting.pop()))
        if made is not None and id(made[0]) not in live:
            live.add(id(made[0]))
            waiting += operands(made[0])
    return live


def default_of(node: gs.Node, name: str, opset: int) -> Any:
    """Return what an attribute is that a node does not have; None where there is no default."""
    try:
        schema = onnx.defs.get_schema(node.op, opset, domain_of(node))
    except onnx.defs.SchemaError:
        return None
    known = schema.attributes.get(name)
    value = known.default_value if known is not None else None
    if value is None or not value.type:
        return None
    return onnx.helper.get_attribute_value(value)


def same_value(a: Any, b: Any) -> bool:
    """Whether two values of an attribute are the same, NaN like NaN."""
    both: tuple[Any, Any] = (a, b)
    if all(isinstance(each, gs.Constant) for each in both):
        return unlike(a, {}, b) is None
    if all(isinstance(each, list | tuple) for each in both):
        return len(a) == len(b) and all(map(same_value, a, b))
    if all(isinstance(each, str | bytes) for each in both):
        return _bytes(a) == _bytes(b)
    if all(isinstance(each, float) for each in both):
        return bool(np.float32(a) == np.float32(b) or (a != a and b != b))
    return type(both[0]) is type(both[1]) and bool(a == b)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@dataclass(frozen=True)
class Alike:
    """The judge of two graphs that must be the same.

    Of constants whose identities (of the right graph) are in `known` the content is known to be right.
    """

    known: Collection[int] = frozenset()

    def constant(
        self, node: gs.Node | None, slot: int, left: gs.Constant, right: gs.Constant
    ) -> Wrong | None:
        """Other content is wrong."""
        if id(right) in self.known:
            return None
        found = unlike(left, {}, right)
        return None if found is None else wrong_weight(found, right.name)

    def attribute(self, node: gs.Node, file: gs.Node, name: str, before: Any, after: Any) -> Wrong | None:
        """Another value is wrong."""
        return None if same_value(before, after) else Wrong(said(after), said(before), "attributes")

    def names(self, node: gs.Node) -> Collection[str]:
        """Nothing beside what nodes have."""
        return ()

    def node(self, node: gs.Node, file: gs.Node) -> Iterator[tuple[int, Wrong]]:
        """Nothing beside what is asked of each operand."""
        return iter(())

    def result(self, left: gs.Tensor, right: gs.Tensor) -> Walk:
        """As anywhere."""
        return Walk((left, right))

    def operand(
        self, node: gs.Node, slot: int, left: gs.Tensor | None, right: gs.Tensor | None, file: gs.Node
    ) -> Wrong | Walk:
        """One that is absent on one side is wrong."""
        if left is None or right is None:
            there = ["absent" if each is None else f"'{each.name}'" for each in (right, left)]
            return Wrong(there[0], there[1])
        return Walk((left, right))


def said(value: Any) -> str:
    """Return how messages give the value of an attribute."""
    if value is None:
        return "absent"
    if isinstance(value, gs.Constant):
        return f"a tensor {list(value.shape)}"
    return str(np.float32(value) if isinstance(value, float) else value)[:80]


def compared(
    expected: gs.Graph, found: gs.Graph, known: Collection[int] = frozenset()
) -> tuple[Difference, ...]:
    """Return where the graph `found` is not `expected` but for what does not count (see above).

    Args:
        expected: the graph as it should be.
        found: the graph as it was read.
        known: identities of constants of `found` whose content is known to be right.
    """
    return Walker(View(expected), View(found), Alike(known)).run()


def wrong(found: Sequence[Difference]) -> str:
    """Return in a line what of `found` is wrong; empty where nothing is."""
    certain = [each for each in found if each.certain]
    if not certain:
        return ""
    more = f"; {len(certain) - 1} more differ" if len(certain) > 1 else ""
    return f"{certain[0]}{more}"


def left_out(found: Sequence[Difference]) -> str:
    """Return in a line what of `found` could not be compared; empty where all could."""
    missed = [each for each in found if not each.certain]
    if not missed:
        return ""
    more = f"; {len(missed) - 1} more places" if len(missed) > 1 else ""
    return f"{missed[0]}{more}"
