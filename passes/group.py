"""group: which slices of which weights live and die together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.shape_text import parse_shapes, said
from graphprune.state import State, made


@dataclass(frozen=True)
class Group:
    """Solves for the groups of the model.

    Sizes of inputs that are given must be ones that the model can have; what is given is for a run, and never
    makes a size that is free a number.
    """

    name: ClassVar[str] = "group"
    needs: ClassVar[tuple[str, ...]] = ("model",)
    gives: ClassVar[tuple[str, ...]] = ("solution",)

    shape: tuple[str, ...] = field(
        default=(), metadata={"help": "sizes of inputs or symbols, as x:1x3x224x224 or sequence=8"}
    )

    def __post_init__(self) -> None:
        parse_shapes(self.shape)

    def run(self, state: State) -> State:
        """The state with `solution`; raises `Usage` where a size that was given cannot be."""
        from graphprune.feeds import fitted_sizes
        from graphprune.solve import solve

        graph = made(state.model, "model").graph
        given = said(fitted_sizes(graph, parse_shapes(self.shape)))
        return replace(state, solution=solve(graph, given=given))
