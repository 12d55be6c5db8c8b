"""What a model takes by how many units its groups keep, with each change priced where it is felt."""

from __future__ import annotations

from collections.abc import Sequence

from graphprune.latency.table import Table
from graphprune.layers import Layer


class Price:
    """The running time of a model whose groups lose units one after another (see `allocate`).

    A layer is priced as a group of one unit.
    """

    def __init__(self, table: Table, names: Sequence[str], layers: Sequence[Layer] = ()) -> None:
        self._table = table
        self._kept = {name: table.solution.group(name).size for name in table.names}
        self._branches = {layer.name for layer in layers}
        self._gone: set[str] = set()
        self._touched: dict[str, list[int]] = {name: [] for name in (*names, *self._branches)}
        for number, step in enumerate(table.steps):
            for name in {*step.groups, *step.layers}:
                if name in self._touched:
                    self._touched[name].append(number)
        self._users = [
            [name for name in {*step.groups, *step.layers} if name in self._touched] for step in table.steps
        ]
        self._seconds = [self._of(number) for number in range(len(table.steps))]
        self.total = table.rest[0] + sum(self._seconds)

    def saved(self, name: str, keep: int) -> float:
        """Return the seconds that are saved if the group `name` keeps `keep` units from here on."""
        before = self._change(name, keep)
        after = sum(self._of(number) for number in self._touched[name])
        self._change(name, before)
        return sum(self._seconds[number] for number in self._touched[name]) - after

    def take(self, name: str, keep: int) -> set[str]:
        """Let the group `name` keep `keep` units; return the groups whose savings may have changed."""
        self._change(name, keep)
        near = {name}
        for number in self._touched[name]:
            after = self._of(number)
            self.total += after - self._seconds[number]
            self._seconds[number] = after
            near.update(self._users[number])
        return near

    def _change(self, name: str, keep: int) -> int:
        """Let a group keep `keep` units; return how many it kept before."""
        if name in self._branches:
            before = int(name not in self._gone)
            (self._gone.discard if keep else self._gone.add)(name)
            return before
        before, self._kept[name] = self._kept[name], keep
        return before

    def _of(self, number: int) -> float:
        return self._table.seconds_of(number, self._kept, self._gone)
