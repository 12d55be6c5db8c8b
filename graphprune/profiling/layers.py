"""The steps of two engines side by side, matched by the tensors of the model that they make.

A pruned model keeps the names of its tensors, so that what makes a tensor before and what makes it after
are one row. Runtimes fuse: where one makes a tensor of its own that is inside a larger step of the other,
the step goes to the row of the tensor that it leads to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_graphsurgeon as gs

from graphprune.backends import Numbers
from graphprune.profiling.paired import MARGIN
from graphprune.profiling.result import Timed
from graphprune.profiling.widths import Width, width_of

RESOLUTION = 2e-6
"""Seconds: runtimes count in microseconds, so that a smaller difference is none."""


@dataclass(frozen=True)
class Row:
    """What makes the same tensors in both engines; one side is empty where nothing does.

    Attributes:
        outputs: the model's tensors, in the order in which they are made; none for steps, such as changes of
            layout, that make none.
        ops: the kinds of steps before and after, as the runtime calls them.
        before: seconds; None where no step of the first engine belongs here.
        after: seconds; None where no step of the second one does.
        slower: whether it takes longer than before by more than the margin, in every round.
        widths: the largest weight before and after, where there is one.
        note: channel counts that devices do not like and that were not so before.
    """

    outputs: tuple[str, ...]
    ops: tuple[str, str]
    before: float | None
    after: float | None
    slower: bool = False
    widths: tuple[Width | None, Width | None] = (None, None)
    note: str = ""

    @property
    def saved(self) -> float:
        """Seconds that the second engine takes less; negative where it takes more."""
        return (self.before or 0.0) - (self.after or 0.0)

    @property
    def matched(self) -> bool:
        """Whether both engines have steps here."""
        return self.before is not None and self.after is not None


class _Side:
    """The steps of one engine, and the tensors of its model."""

    def __init__(self, timed: Timed, graph: gs.Graph | None) -> None:
        self.times = timed.layers
        self.rounds = timed.layer_rounds
        self.tensors: dict[str, gs.Tensor] = {} if graph is None else graph.tensors()
        self.made = frozenset(name for step in self.times for name in step.outputs)

    def seconds(self, numbers: Iterable[int]) -> float | None:
        """What the steps with these numbers take together; None where there are none."""
        times = [self.times[number].seconds for number in numbers]
        return float(sum(times)) if times else None

    def totals(self, numbers: Sequence[int]) -> Numbers:
        """The same in each round: [rounds]; empty where there are no steps, or no rounds."""
        rows = [self.rounds[number] for number in numbers if self.rounds]
        return np.array([sum(row) for row in zip(*rows, strict=True)])

    def outputs(self, numbers: Iterable[int]) -> list[str]:
        """What these steps make."""
        return [name for number in numbers for name in self.times[number].outputs]

    def ops(self, numbers: Iterable[int]) -> str:
        """The kinds of these steps, each once."""
        return " + ".join(dict.fromkeys(self.times[number].op for number in numbers))


def align(
    before: Timed,
    after: Timed,
    graphs: tuple[gs.Graph | None, gs.Graph | None] = (None, None),
    margin: float = MARGIN,
) -> tuple[Row, ...]:
    """Return the steps of two engines side by side, where most time was saved or lost first.

    Args:
        before: the first engine, with its layers.
        after: the second one.
        graphs: their models, which tell where a tensor leads to, and the weights; without them, steps that
            are fused otherwise stay unmatched.
        margin: a step within 1 + margin of the other is not slower.
    """
    sides = (_Side(before, graphs[0]), _Side(after, graphs[1]))
    rows = [_row(sides, first, second, margin) for first, second in _groups(sides)]
    return tuple(sorted([*rows, *_nameless(sides)], key=lambda row: -abs(row.saved)))


def listed(timed: Timed, graph: gs.Graph | None = None) -> tuple[Row, ...]:
    """Return the steps of one engine, all of them `before`, the longest first."""
    return align(timed, replace(timed, layers=(), layer_rounds=()), (graph, None))


def slower(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Return the rows that take longer than before, the worst first."""
    return tuple(sorted((row for row in rows if row.slower), key=lambda row: row.saved))


@dataclass(frozen=True)
class Together:
    """Steps of two engines that do the same.

    Attributes:
        before: seconds in each round, of all of them in the first engine: [rounds].
        after: in the second one; rounds of one number belong together.
        steps: the names of those of the second engine.
    """

    before: Numbers
    after: Numbers
    steps: tuple[str, ...]


def together(
    names: Iterable[str], before: Timed, after: Timed, graphs: tuple[gs.Graph, gs.Graph]
) -> Together | None:
    """Return the steps that make tensors, or what these lead to; None where an engine tells of none.

    Args:
        names: tensors of both models.
        before: the first engine, with its layers and their rounds.
        after: the second one.
        graphs: their models.
    """
    sides = (_Side(before, graphs[0]), _Side(after, graphs[1]))
    wanted = {
        name if name in side.made else _leads_to(side.tensors[name], side.made)
        for name in names
        for side in sides
        if name in side.tensors
    }
    found: tuple[list[int], list[int]] = [], []
    for group in _groups(sides):
        made = {name for side, numbers in zip(sides, group, strict=True) for name in side.outputs(numbers)}
        if made & wanted:
            if not all(group):
                return None
            for have, more in zip(found, group, strict=True):
                have += more
    first, second = (side.totals(numbers) for side, numbers in zip(sides, found, strict=True))
    rounds = min(first.size, second.size)
    steps = tuple(sides[1].times[number].name for number in found[1])
    return Together(first[:rounds], second[:rounds], steps) if rounds else None


def _groups(sides: tuple[_Side, _Side]) -> list[tuple[list[int], list[int]]]:
    """The numbers of steps that belong together, of both engines, in the order of the first that has them."""
    names = _Names()
    for side, other in (sides, sides[::-1]):
        for step in side.times:
            for name in step.outputs:
                names.join(step.outputs[0], name)
                if name not in other.made and name in other.tensors and name in side.tensors:
                    target = _leads_to(side.tensors[name], other.made)
                    names.join(name, target or name)
    found: dict[str, tuple[list[int], list[int]]] = {}
    for at, side in enumerate(sides):
        for number, step in enumerate(side.times):
            if step.outputs:
                found.setdefault(names.of(step.outputs[0]), ([], []))[at].append(number)
    return list(found.values())


class _Names:
    """Names in sets that are joined (union by the first name)."""

    def __init__(self) -> None:
        self._under: dict[str, str] = {}

    def of(self, name: str) -> str:
        while name in self._under:
            name = self._under[name]
        return name

    def join(self, one: str, other: str) -> None:
        one, other = self.of(one), self.of(other)
        if one != other:
            self._under[other] = one


def _leads_to(tensor: gs.Tensor, targets: Collection[str]) -> str | None:
    """The nearest of `targets` that is computed from a tensor."""
    waiting = [tensor]
    seen: set[str] = set()
    while waiting:
        following: list[gs.Tensor] = []
        for each in waiting:
            for node in each.outputs:
                for output in node.outputs:
                    if output.name in targets:
                        return str(output.name)
                    if output.name not in seen:
                        seen.add(output.name)
                        following.append(output)
        waiting = following
    return None


def _row(sides: tuple[_Side, _Side], first: list[int], second: list[int], margin: float) -> Row:
    one, other = sides
    outputs = [*one.outputs(first), *other.outputs(second)]
    widths = (_width(one, first), _width(other, second))
    known, last = widths if other.times else (None, widths[0])
    return Row(
        tuple(dict.fromkeys(outputs)),
        (one.ops(first), other.ops(second)),
        one.seconds(first),
        other.seconds(second),
        _is_slower(one.totals(first), other.totals(second), margin),
        widths,
        last.misaligned(known) if last is not None else "",
    )


def _width(side: _Side, numbers: Iterable[int]) -> Width | None:
    return width_of(side.tensors, side.outputs(numbers), side.made)


def _is_slower(before: Numbers, after: Numbers, margin: float) -> bool:
    rounds = min(len(before), len(after))
    if not rounds or np.median(after) - np.median(before) < RESOLUTION:
        return False
    return bool(np.all(after[:rounds] > (1 + margin) * before[:rounds]))


def _nameless(sides: tuple[_Side, _Side]) -> Iterator[Row]:
    """The steps that make no tensor of the model, by kind."""
    kinds: dict[str, tuple[list[int], list[int]]] = {}
    for at, side in enumerate(sides):
        for number, step in enumerate(side.times):
            if not step.outputs:
                kinds.setdefault(step.op, ([], []))[at].append(number)
    for op, numbers in kinds.items():
        ops = tuple(f"{len(each)} × {op}" if each else "" for each in numbers)
        seconds = [side.seconds(each) for side, each in zip(sides, numbers, strict=True)]
        yield Row((), (ops[0], ops[1]), seconds[0], seconds[1])
