"""Groups: the units that live and die together, with every place where they stand in a constant."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import onnx_graphsurgeon as gs

from graphprune.axes import Axis
from graphprune.positions import Index, units

Kind = Literal["channels", "neurons", "heads", "head-dims", "width", "experts", "tokens"]
KINDS: tuple[Kind, ...] = ("channels", "neurons", "heads", "head-dims", "width", "experts", "tokens")
USUAL: tuple[Kind, ...] = ("channels", "neurons", "heads", "head-dims", "width")
"""The kinds whose units go unless others are asked for."""
Role = Literal["out", "in", "vector", "other"]


@dataclass(frozen=True)
class Place:
    """One dimension of one constant in which a group stands.

    Attributes:
        tensor: the constant.
        dim: the dimension.
        axis: the axis along the dimension.
        leaf: the group's leaf in it.
        role: 'out' (the operator produces the units), 'in' (it sums over them), 'vector' (one value a unit:
            bias, scale), 'other'.
        node: the operator that uses the constant.
        slot: the operand of `node` that the constant is.
    """

    tensor: gs.Constant
    dim: int
    axis: Axis = field(repr=False)
    leaf: Axis = field(repr=False)
    role: Role
    node: gs.Node
    slot: int

    @cached_property
    def units(self) -> Index:
        """For each position along the dimension the unit that lies there, or -1; int64, shape (size,)."""
        return units(self.axis, self.leaf)


@dataclass(frozen=True)
class Group:
    """Units that live and die together.

    Attributes:
        name: unique within the model, stable from run to run.
        kind: what a unit is.
        size: number of units.
        mixed: why removing a unit changes the values of the others, or '' where it does not.
        reason: why the group is not prunable, or ''.
        places: where the units stand in constants.
        siblings: names of the groups that share a product axis with this one (heads and head dims).
        axis: the leaf of the axis algebra.
    """

    name: str
    kind: Kind
    size: int
    mixed: str
    reason: str
    places: tuple[Place, ...]
    siblings: tuple[str, ...]
    axis: Axis = field(repr=False)

    @property
    def prunable(self) -> bool:
        """Whether nothing pins the group."""
        return not self.reason

    @property
    def structure(self) -> tuple[str, ...]:
        """What groups of the same structure share (isomorphic pruning, Fang et al. 2024, section 3.2)."""
        return (self.kind, *sorted(f"{p.node.op}.{p.slot}.{p.dim}.{p.role}" for p in self.places))
