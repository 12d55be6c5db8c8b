"""One budget spread over groups of every kind: where the error added per unit of cost saved is least.

Each group has a curve: the error of the model's output over the number of units that go. Starting from the
whole model, the step with the smallest rise of error per cost saved is taken again and again, on the lower
convex hulls of the curves, until the budget is met. (For additive errors and costs this greedy walk is
optimal up to the last step: Fox 1966, *Discrete optimization via marginal analysis*. What a step saves
depends on the steps before it, since the cost of an operator is a product of its axes; it is computed anew
each time.) In the end groups keep again what the last step has saved too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.axes import Axis, counted, find, leaves
from graphprune.bind import Axes
from graphprune.cost import cost, is_parameter, macs_of, open_leaves
from graphprune.layers import Layer
from graphprune.solution import Solution, everywhere
from graphprune.target import What

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What a group may lose.

    Attributes:
        name: the group.
        keeps: numbers of units that it may keep, falling, the first its size.
        errors: the error of the output at each, rising from 0.
    """

    name: str
    keeps: Sequence[int]
    errors: Sequence[float]


class Pricing(Protocol):
    """The cost of a model whose groups lose units one after another."""

    total: float

    def saved(self, name: str, keep: int) -> float:
        """Return what is saved if the group `name` keeps `keep` units from here on."""
        ...

    def take(self, name: str, keep: int) -> set[str]:
        """Let the group `name` keep `keep` units; return the groups whose savings may have changed."""
        ...


class Price:
    """The cost of a model by how many units its groups keep, with each change priced where it is felt.

    A layer is priced as a group of one unit. What operators share is priced once, with the first of them.
    """

    def __init__(
        self, solution: Solution, what: What, names: Sequence[str], layers: Sequence[Layer] = ()
    ) -> None:
        self.what = what
        self._solution = solution
        self._leaf = {id(find(solution.group(name).axis)): name for name in names}
        self._open = open_leaves(solution)
        self._kept = {name: solution.group(name).size for name in names}
        self._nodes: dict[str, list[int]] = {name: [] for name in names}
        self._layers: dict[int, list[str]] = {}
        for layer in layers:
            self._kept[layer.name] = 1
            self._nodes[layer.name] = list(layer.nodes)
            for number in layer.nodes:
                self._layers.setdefault(number, []).append(layer.name)
        seen: set[int] = set()
        self._own: list[list[tuple[Axes | None, gs.Constant]]] = []
        for number, top in enumerate(solution.nodes):
            first: list[tuple[Axes | None, gs.Constant]] = []
            touched: set[str] = set()
            for applied in everywhere([top]):
                for tensor, axes in zip(applied.site.node.inputs, applied.inputs, strict=True):
                    if isinstance(tensor, gs.Constant) and id(tensor) not in seen:
                        seen.add(id(tensor))
                        first.append((axes, tensor))
                for axis in (axis for axes in (*applied.inputs, *applied.outputs) for axis in axes or ()):
                    touched.update(self._leaf[id(x)] for x in leaves(axis) if id(x) in self._leaf)
            self._own.append(first)
            for name in touched:
                self._nodes[name].append(number)
        self._costs = [self._node(number) for number in range(len(solution.nodes))]
        self._nodes = {
            name: [number for number in numbers if self._costs[number]]
            for name, numbers in self._nodes.items()
        }
        self._users: dict[int, list[str]] = {}
        for name, numbers in self._nodes.items():
            for number in numbers:
                self._users.setdefault(number, []).append(name)
        if what == "macs":
            self.total = sum(self._costs)
        else:  # bodies of If, Loop and Scan hold constants as well
            whole = cost(solution)
            self.total = float(whole.params if what == "params" else whole.bytes)

    def saved(self, name: str, keep: int) -> float:
        """Return what is saved if the group `name` keeps `keep` units from here on."""
        before = sum(self._costs[number] for number in self._nodes[name])
        held, self._kept[name] = self._kept[name], keep
        after = sum(self._node(number) for number in self._nodes[name])
        self._kept[name] = held
        return before - after

    def take(self, name: str, keep: int) -> set[str]:
        """Let the group `name` keep `keep` units; return the groups whose savings may have changed."""
        self.total -= self.saved(name, keep)
        self._kept[name] = keep
        near = {name}
        for number in self._nodes[name]:
            self._costs[number] = self._node(number)
            near.update(self._users[number])
        return near

    def _count(self, axis: Axis) -> int:
        return counted(axis, self._count_leaf)

    def _count_leaf(self, leaf: Axis) -> int:
        name = self._leaf.get(id(leaf))
        if name is not None:
            return self._kept[name]
        return 1 if self.what == "macs" and id(leaf) in self._open else leaf.size

    def _node(self, number: int) -> float:
        if any(not self._kept[name] for name in self._layers.get(number, ())):
            return 0.0
        if self.what == "macs":
            return float(macs_of(self._solution.nodes[number], self._count))
        total = 0.0
        for axes, tensor in self._own[number]:
            if axes is None or (self.what == "params" and not is_parameter(tensor)):
                continue
            each = np.dtype(tensor.dtype).itemsize if self.what == "size" else 1
            total += prod(self._count(axis) for axis in axes) * each
        return total


def allocate(price: Pricing, curves: Sequence[Curve], limit: float) -> dict[str, int]:
    """Return how many units each group keeps, so that the cost is at most `limit` where that can be.

    Groups that keep all their units are left out.
    """
    at = {curve.name: 0 for curve in curves}
    by_name = {curve.name: curve for curve in curves}
    offers: dict[str, tuple[float, int]] = {}
    stale = set(by_name)
    while price.total > limit:
        for name in stale:
            offers[name] = _offer(price, by_name[name], at[name])
        name = min(by_name, key=lambda each: offers[each][0], default="")
        if not name or not np.isfinite(offers[name][0]):
            break
        curve, step = by_name[name], offers[name][1]
        # The last step goes only as far as it must.
        for short in range(at[curve.name] + 1, step):
            if price.total - price.saved(curve.name, curve.keeps[short]) <= limit:
                step = short
                break
        at[curve.name] = step
        stale = price.take(curve.name, curve.keeps[step])
    _give_back(price, curves, at, limit)
    return {curve.name: curve.keeps[at[curve.name]] for curve in curves if at[curve.name]}


def worthwhile(price: Pricing, curve: Curve) -> Curve:
    """Return a curve without the widths that save nothing over a larger one.

    A device that works on channels in tiles is as fast with the larger one, and the model is better.
    """
    chosen, most = [0], 0.0
    for at in range(1, len(curve.keeps)):
        saved = price.saved(curve.name, curve.keeps[at])
        if saved > most + 1e-9 * price.total:
            chosen.append(at)
            most = saved
    return Curve(curve.name, [curve.keeps[at] for at in chosen], [curve.errors[at] for at in chosen])


def _offer(price: Pricing, curve: Curve, here: int) -> tuple[float, int]:
    """Return the error per cost saved of a group's next step (inf where there is none), and the step."""
    if here + 1 >= len(curve.keeps):
        return np.inf, here
    step = _next(curve, here)
    saved = price.saved(curve.name, curve.keeps[step])
    rise = max(curve.errors[step] - curve.errors[here], 1e-15)
    return (rise / saved if saved > 0 and np.isfinite(rise) else np.inf), step


def _give_back(price: Pricing, curves: Sequence[Curve], at: dict[str, int], limit: float) -> None:
    """Let groups keep again what fits below the limit, where this lowers the error most, until nothing does.

    The last step may save more than it must: a head, or a channel of a wide image, is much of a small model.
    """
    while True:
        best: tuple[float, Curve, int] | None = None
        for curve in curves:
            here = at[curve.name]
            low, high = 0, here
            while low < high:
                middle = (low + high) // 2
                if price.total - price.saved(curve.name, curve.keeps[middle]) <= limit:
                    high = middle
                else:
                    low = middle + 1
            fall = curve.errors[here] - curve.errors[low]
            if low < here and (best is None or fall > best[0]):
                best = (fall, curve, low)
        if best is None:
            return
        _, curve, step = best
        at[curve.name] = step
        price.take(curve.name, curve.keeps[step])


def _next(curve: Curve, here: int) -> int:
    """Return the next corner of the lower convex hull of errors over units that go."""
    gone = np.array(curve.keeps[here]) - np.array(curve.keeps[here + 1 :])
    rise = np.array(curve.errors[here + 1 :]) - curve.errors[here]
    return here + 1 + int(np.argmin(rise / gone))


def levels(errors: Numbers, measured: Mapping[float, float], size: int) -> Numbers:
    """Return the error of the output after each number of units has gone, [size + 1].

    Args:
        errors: the error of the consumers after each removal, rising, [size].
        measured: share of units gone -> error of the output, as measured.
        size: number of units.
    """
    whole = np.concatenate([[0.0], errors])
    points = sorted((whole[round(share * size)], error) for share, error in measured.items())
    x = np.maximum.accumulate([0.0, *(point[0] for point in points)])
    y = np.maximum.accumulate([0.0, *(point[1] for point in points)])
    out = np.interp(whole, x, y)
    if len(x) > 1:
        beyond = whole > x[-1]
        slope = y[-1] / max(x[-1], 1e-12)
        out[beyond] = y[-1] + slope * (whole[beyond] - x[-1])
    out[0] = 0.0  # also where the first units to go cost the consumers nothing
    return np.maximum.accumulate(out)
