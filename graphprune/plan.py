"""The plan: which units of each group stay, in what order, and which layers go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from graphprune.axes import find
from graphprune.config.parse_json import check_keys
from graphprune.config.syntax import Broken
from graphprune.errors import Usage
from graphprune.layers import layers
from graphprune.positions import Index
from graphprune.solution import Solution

VERSION = 1


class _Versioned(msgspec.Struct):
    version: int


class _Group(msgspec.Struct):
    units: int
    keep: list[int | list[int]]


class _Written(msgspec.Struct):
    """A plan as it stands in a file."""

    groups: dict[str, _Group]
    layers: list[str] = []


@dataclass(frozen=True)
class Plan:
    """What stays.

    Attributes:
        keep: for each group that is cut the units that stay, in their new order: the same in every block,
            [units], or other ones in each, [blocks, units] (`graphprune.blocks`); int64.
        sizes: the number of units of each of these groups before the cut.
        layers: names of the layers that go.
    """

    keep: Mapping[str, Index]
    sizes: Mapping[str, int]
    layers: tuple[str, ...] = field(default=())

    def to_json(self) -> str:
        """Return the plan as JSON text that reads back to an equal plan."""
        groups = {
            name: {"units": self.sizes[name], "keep": np.asarray(self.keep[name]).astype(int).tolist()}
            for name in self.keep
        }
        return (
            json.dumps({"version": VERSION, "groups": groups, "layers": list(self.layers)}, indent=1) + "\n"
        )

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan.

        Raises:
            Usage: where the text is not a plan of this version, or a key stands twice in one place.
        """
        hint = "write a plan with `graphprune prune MODEL --plan-only PLAN.json`"
        try:
            check_keys(text)
            version = msgspec.json.decode(text, type=_Versioned).version
            if version != VERSION:
                raise Usage(f"the plan is of version {version}, this is version {VERSION}", hint)
            written = msgspec.json.decode(text, type=_Written)
            keep = {name: np.array(item.keep, dtype=np.int64) for name, item in written.groups.items()}
        except Broken as error:
            raise Usage(f"the plan cannot be read: line {error.line}: {error.what}", error.hint) from error
        except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError, ValueError) as error:
            raise Usage(f"the plan cannot be read: {error}", hint) from error
        sizes = {name: item.units for name, item in written.groups.items()}
        return cls(keep, sizes, tuple(written.layers))

    def check(self, solution: Solution) -> None:
        """Check that the plan fits the groups and the layers of a model.

        Raises:
            Usage: naming the first group that is unknown, pinned, of another size, or kept wrongly, or the
                first layer that is unknown or named twice.
        """
        hint = "the plan was made for another model, or the model changed since"
        for name, index in self.keep.items():
            group = solution.by_name.get(name)
            if group is None:
                raise Usage(f"the plan does not fit the model: there is no group '{name}'", hint)
            if not group.prunable:
                raise Usage(
                    f"the plan does not fit the model: group '{name}' is pinned: {group.reason}", hint
                )
            if name not in self.sizes:
                raise Usage(f"the plan does not say how many units group '{name}' has", hint)
            if group.size != self.sizes[name]:
                raise Usage(
                    f"the plan does not fit the model: group '{name}' has {group.size} units, "
                    f"the plan says {self.sizes[name]}",
                    hint,
                )
            if index.ndim == 2:
                self._check_blocks(name, solution, hint)
            rows = np.sort(np.atleast_2d(index), axis=-1)
            if index.ndim > 2 or not index.size or np.any(rows[:, 1:] == rows[:, :-1]):
                raise Usage(f"the plan keeps no units, or one twice, of group '{name}'", hint)
            if index.min() < 0 or index.max() >= group.size:
                raise Usage(f"the plan keeps units of group '{name}' that it does not have", hint)
        left = {layer.name for layer in layers(solution)} if self.layers else set[str]()
        for name in self.layers:
            if name not in left:
                what = (
                    "removes twice" if self.layers.count(name) > 1 else "does not fit the model: there is no"
                )
                raise Usage(f"the plan {what} layer '{name}'", hint)
            left.remove(name)

    def _check_blocks(self, name: str, solution: Solution, hint: str) -> None:
        """Check that the blocks of a group may choose for themselves."""
        found, rows = solution.blocks[name], len(self.keep[name])
        if isinstance(found, str):
            raise Usage(f"the blocks of group '{name}' cannot choose for themselves: {found}", hint)
        if rows != found.count:
            raise Usage(
                f"the plan does not fit the model: group '{name}' has {found.count} blocks, the plan {rows}",
                hint,
            )
        for other, index in self.keep.items():
            if (
                index.ndim == 2
                and other in solution.by_name
                and find(solution.group(other).axis) is found.outer
            ):
                raise Usage(
                    f"the blocks of group '{name}' are units of '{other}', that chooses by blocks too", hint
                )
