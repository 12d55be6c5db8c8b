"""A graph as the planner looks at it: what its inputs are for, what must hold of sizes, what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.feeds.draw import Run
from graphprune.feeds.exercise import Condition, conditions, violations
from graphprune.feeds.flow import every_node
from graphprune.feeds.inputs import Sizes
from graphprune.feeds.peak import Peak, peak_of
from graphprune.feeds.roles import Role
from graphprune.feeds.search import Constraints
from graphprune.symbols.expression import Expr, calls
from graphprune.symbols.facts import Facts, Shape

Value = Callable[[Expr], int]


@dataclass(frozen=True)
class Outlook:
    """A graph, and what is known of it.

    Attributes:
        facts: of its sizes.
        roles: of the inputs of the model, also of those that `chosen` holds.
        chosen: values of inputs that the graph has no more, since they choose branches that are taken.
        constraints: what sizes must meet.
        asked: what sizes should meet.
        lives: of tensors, for what sizes cost.
        outputs: the shapes of the outputs.
        windows: differences of sizes at whose sign something turns, with what each is called.
    """

    facts: Facts
    roles: Mapping[str, Role]
    chosen: Mapping[str, NDArray[Any]]
    constraints: Constraints
    asked: Sequence[Condition]
    lives: Peak
    outputs: Sequence[Shape]
    windows: Mapping[Expr, str]
    _scores: dict[tuple[tuple[str, int], ...], tuple[int, tuple[str, ...]]] = field(
        default_factory=dict[tuple[tuple[str, int], ...], tuple[int, tuple[str, ...]]], repr=False
    )

    @cached_property
    def caches(self) -> tuple[tuple[Expr, Role], ...]:
        """The caches whose length is open, with that length."""
        found = [
            (shape[role.past], role)
            for name, shape in self.facts.inputs.items()
            if (role := self.roles.get(name)) is not None and role.past is not None
        ]
        return tuple((size, role) for size, role in found if not size.is_number)

    @cached_property
    def past(self) -> tuple[Expr, ...]:
        """How many steps came before, an expression for each kind of cache.

        Where a cache is a buffer of a fixed length, that is how much longer the mask is than what is fed.
        """
        if self.caches:
            return tuple(dict.fromkeys(size for size, _ in self.caches))
        if all(role.past is None for role in self.roles.values()):
            return ()
        behind = (seen - fed for seen in self._lengths("mask") for fed in self.step)
        return tuple(dict.fromkeys(size for size in behind if not size.is_number))

    @cached_property
    def step(self) -> tuple[Expr, ...]:
        """How many steps are fed: what caches are longer by afterwards, or else the ids of a sample."""
        found: dict[Expr, None] = {}
        for name, shape in self.facts.inputs.items():
            role = self.roles.get(name)
            if role is not None and role.past is not None and not shape[role.past].is_number:
                found |= dict.fromkeys(self._added(shape, role.past))
        return tuple(size for size in found or self._lengths("ids") if not size.is_number)

    def _lengths(self, kind: str) -> dict[Expr, None]:
        """Return the lengths of the inputs of a kind that have a row for each sample."""
        shapes = (self.facts.inputs[name] for name, role in self.roles.items() if role.kind == kind)
        return {shape[1]: None for shape in shapes if len(shape) == 2}

    def _added(self, shape: Shape, axis: int) -> Sequence[Expr]:
        for other in self.outputs:
            if (
                len(other) == len(shape)
                and other[:axis] == shape[:axis]
                and other[axis + 1 :] == shape[axis + 1 :]
            ):
                more = other[axis] - shape[axis]
                if more.terms and all(factor > 0 for factor in more.terms.values()):
                    return [more]
        return []

    @cached_property
    def batch(self) -> tuple[Expr, ...]:
        """The leading sizes of inputs that stand at no other place of an input."""
        shapes = list(self.facts.inputs.values())
        inner = set[str]().union(*(size.symbols for shape in shapes for size in shape[1:]))
        first = [shape[0] for shape in shapes if shape and len(shape[0].symbols) == 1]
        return tuple(dict.fromkeys(size for size in first if not size.symbols & inner))

    def value(self, assignment: Mapping[str, int]) -> Value:
        """Return what gives the number of an expression where symbols are `assignment`."""
        known = self.constraints.whole(assignment)
        seen: dict[Expr, int] = {}

        def value(size: Expr) -> int:
            if size not in seen:
                seen[size] = size.value(known)
            return seen[size]

        return value

    def score(self, assignment: Mapping[str, int]) -> tuple[int, tuple[str, ...]]:
        """Return how much sizes leave without influence, and what."""
        key = tuple(sorted(assignment.items()))
        if key not in self._scores:
            self._scores[key] = violations(self.asked, self.value(assignment))
        return self._scores[key]

    @cached_property
    def never(self) -> int:
        """How much is left without influence at any sizes, since those in question are fixed."""
        fixed = [each for each in self.asked if all(size.is_number for size in each.sizes)]
        return violations(fixed, Expr.as_int)[0]

    def peak(self, assignment: Mapping[str, int]) -> int:
        """Return the bytes of tensors that live at once at most."""
        return self.lives.bytes_at(self.value(assignment))

    def run(self, name: str, assignment: Mapping[str, int]) -> Run:
        """Return the run at these sizes."""
        value = self.value(assignment)
        sizes: dict[str, Sizes] = {each: array.shape for each, array in self.chosen.items()}
        sizes |= {each: tuple(map(value, shape)) for each, shape in self.facts.inputs.items()}
        values = {
            each: np.array([value(entry) for entry in entries])
            .reshape(sizes[each])
            .astype(self.roles[each].dtype)
            for each, entries in self.facts.value_symbols.items()
            if self.roles[each].kind == "length"
        }
        values |= {
            each: np.full(sizes[each], value(role.value), role.dtype)
            for each, role in self.roles.items()
            if role.value is not None
        }
        limits = {
            each: value(role.limit)
            for each, role in self.roles.items()
            if role.limit is not None and not role.limit.symbols & self.facts.data
        }
        ordered = {each: sizes[each] for each in self.roles}
        past = max((value(size) for size in self.past), default=0)
        texts = self.score(assignment)[1]
        return Run(
            name, ordered, {**self.chosen, **values}, texts, self.peak(assignment), self.roles, limits, past
        )


def look(
    graph: gs.Graph, known: Facts, roles: Mapping[str, Role], chosen: Mapping[str, NDArray[Any]] | None = None
) -> Outlook:
    """Return `graph` as the planner looks at it."""
    chosen = chosen or {}
    pasts = tuple(
        known.inputs[name][role.past]
        for name, role in roles.items()
        if role.past is not None and name in known.inputs
    )
    outputs = [known.shapes[tensor.name] for tensor in graph.outputs if tensor.name in known.shapes]
    return Outlook(
        known,
        roles,
        chosen,
        Constraints(known, pasts),
        conditions(graph, known),
        peak_of(graph, known),
        outputs,
        _windows(graph, known),
    )


_MOST_WINDOWS = 8
_ENDLESS = 1 << 31
"""Ends of slices that mean: to the end."""


def _windows(graph: gs.Graph, known: Facts) -> dict[Expr, str]:
    """Return the differences at whose sign a max or a min of sizes turns, or attention begins to forget."""
    found: dict[Expr, str] = {}
    for node in every_node(graph):
        window, present = int(node.attrs.get("local_window_size", -1)), node.outputs[1:2]
        if window > 0 and present and len(known.shapes.get(present[0].name, ())) == 4:
            found.setdefault(known.shapes[present[0].name][2] - window, f"the window of {window} steps")
    sizes = [size for shape in known.shapes.values() for size in shape]
    values = [value for array in known.values.values() for value in array.reshape(-1)]
    for size in dict.fromkeys(each for each in (*sizes, *values) if not each.is_number):
        for call in calls(size):
            difference = call.left - call.right
            if call.op in ("max", "min") and abs(difference.terms.get((), 0)) < _ENDLESS:
                found.setdefault(difference, f"{call.op}({call.left}, {call.right})")
    turning = [each for each in found if not (each.is_number or each.symbols & known.data)]
    once = [each for place, each in enumerate(turning) if -each not in turning[:place]]
    return {each: found[each] for each in once[:_MOST_WINDOWS]}
