"""What a rule may look at: one node with the sizes and small values around it; and what a row consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

Sizes = tuple[int, ...]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Unruly(Exception):
    """This use of the operator cannot be described; the message says why, and every axis is pinned."""


@dataclass(frozen=True)
class Site:
    """One node, as a rule sees it.

    Attributes:
        node: the node.
        inputs: sizes by operand; None where it is absent or its rank is unknown.
        outputs: sizes by output, likewise.
        values: small values by operand where they are known, with numbers in the place of symbols; where
            entries of bounds are no numbers they are None (dtype object), or the whole operand is.
        fixed: whether each operand is computed from constants alone.
        opset: version of the operator set that the node belongs to.
        sized_by: the symbols that bounds, indices and amounts depend on; empty where they are numbers. They
            are no values then: they hold for the numbers of the analysis alone.
    """

    node: gs.Node
    inputs: tuple[Sizes | None, ...]
    outputs: tuple[Sizes | None, ...]
    values: tuple[NDArray[Any] | None, ...]
    fixed: tuple[bool, ...]
    opset: int
    sized_by: str = ""

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the node."""
        return self.node.attrs.get(name, default)

    def numbers(self, name: str) -> list[int]:
        """Return an attribute of integers; an empty list where the node does not have it."""
        given: list[Any] = self.node.attrs.get(name) or []
        return [int(item) for item in given]

    def has(self, slot: int) -> bool:
        """Whether operand `slot` is there."""
        return slot < len(self.node.inputs) and bool(self.node.inputs[slot].name)

    def sizes(self, slot: int) -> Sizes:
        """Return the sizes of operand `slot`; unruly where its rank is unknown."""
        known = self.inputs[slot] if slot < len(self.inputs) else None
        if known is None:
            raise Unruly("the rank of an operand is unknown")
        return known

    def output(self, slot: int = 0) -> Sizes:
        """Return the sizes of output `slot`; unruly where its rank is unknown."""
        known = self.outputs[slot] if slot < len(self.outputs) else None
        if known is None:
            raise Unruly("the rank of an output is unknown")
        return known

    def value(self, slot: int) -> NDArray[Any] | None:
        """Return the value of operand `slot` where it is known."""
        return self.values[slot] if slot < len(self.values) else None

    def integers(self, slot: int, what: str) -> list[int]:
        """Return the integers of operand `slot`; unruly where they are not known."""
        value = self.value(slot)
        if value is None:
            raise Unruly(f"its {what} are computed from data")
        return [int(item) for item in np.asarray(value).reshape(-1)]

    def entries(self, slot: int, what: str) -> list[int | None]:
        """Return the same, with None for each that is sized at run time."""
        value = self.value(slot)
        if value is None:
            raise Unruly(f"its {what} are computed from data")
        return [None if item is None else int(item) for item in np.asarray(value).reshape(-1)]

    def axis(self, default: int, rank: int | None = None) -> int:
        """Return the attribute `axis`, counted from the front."""
        rank = len(self.sizes(0)) if rank is None else rank
        axis = int(self.attribute("axis", default))
        return axis + rank if axis < 0 else axis


@dataclass(frozen=True)
class Edit:
    """What a patch sees after the cut: the sizes that stay.

    Attributes:
        site: the node before the cut.
        inputs: sizes by operand after the cut.
        outputs: sizes by output after the cut.
        kept: how many units of each name of the rule stay.
        picks: the positions of each pick of the rule, as they are among the units that stay.
        values: small values by operand as they come out after the cut if nothing is rewritten.
    """

    site: Site
    inputs: tuple[Sizes | None, ...]
    outputs: tuple[Sizes | None, ...]
    kept: Mapping[str, int]
    values: tuple[NDArray[Any] | None, ...]
    picks: Mapping[str, NDArray[np.int64]] = field(default_factory=dict[str, "NDArray[np.int64]"])


AttentionRole = Literal["heads", "head-dims"]
Written = dict[int | str, Any]
"""What a patch wants written: operands by position (integer arrays), attributes by name."""
RuleOf = Callable[[Site], str]
PatchOf = Callable[[Edit], Written]


@dataclass(frozen=True)
class Adds:
    """What an operator adds up, whatever else it does: either may be a residual branch.

    Attributes:
        first: one of the operands.
        second: the other.
        beside: operands that are added to the branch, whichever it is, and go with it.
        total: the output that holds the sum, where that is not the first.
    """

    first: int = 0
    second: int = 1
    beside: tuple[int, ...] = ()
    total: int = 0

    def other(self, slot: int) -> int:
        """Return the operand that `slot` is added to."""
        return self.second if slot == self.first else self.first


@dataclass(frozen=True)
class Row:
    """One operator's knowledge: its rule, and what it writes down about sizes.

    Attributes:
        rule: the rule's text, or a function that returns it.
        patch: what to write into attributes and operands after a cut.
        zeros: for an operand of integers, the operand that holds its zero point.
        roles: which names of the rule are heads, which head dims.
        sizes: the operands that only say sizes; their values follow the cut.
        why: why the dimensions that the rule pins (`_`, `*`) are pinned, for the reader of `inspect`.
        like: of operators without a schema, the operand whose element type an output has, where that is not
            the first: output -> operand.
        elements: the onnx element type of an output that has that of no operand, or of none that is there.
        adds: of operators that add, what: one of the two may be taken out.
    """

    rule: str | RuleOf
    patch: PatchOf | None = None
    zeros: Mapping[int, int] = field(default_factory=dict[int, int])
    roles: Mapping[str, AttentionRole] = field(default_factory=dict[str, "AttentionRole"])
    sizes: tuple[int, ...] = ()
    why: str = ""
    like: Mapping[int, int] = field(default_factory=dict[int, int])
    elements: Mapping[int, int] = field(default_factory=dict[int, int])
    adds: Adds | None = None


Table = dict[str, Row]


def named(rank: int, start: int = 0) -> list[str]:
    """Return a name for each of `rank` dimensions."""
    return [f"{LETTERS[(start + i) % 26]}{(start + i) // 26 or ''}" for i in range(rank)]


def text(inputs: Iterable[Iterable[str] | str], outputs: Iterable[Iterable[str] | str], **sizes: int) -> str:
    """Put a rule together from the dimensions of its operands."""

    def side(operands: Iterable[Iterable[str] | str]) -> str:
        return ", ".join(item if isinstance(item, str) else " ".join(item) for item in operands)

    tail = " ".join(f"{name}={size}" for name, size in sizes.items())
    return f"{side(inputs)} -> {side(outputs)}{f' | {tail}' if tail else ''}"


def attribute_from(**names: str) -> PatchOf:
    """Return a patch that writes kept counts into attributes: attribute name -> name in the rule."""
    return lambda edit: {attribute: edit.kept[name] for attribute, name in names.items()}
