"""cast: the model in 16 bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from graphprune.precision.block import BLOCK
from graphprune.shape_text import parse_shapes
from graphprune.state import State


@dataclass(frozen=True)
class Cast:
    """Puts the float32 operators of the result into fp16 or bf16, and Casts where types meet.

    Operators that overflow on the calibration data (without it, on random inputs) stay float32 and are named,
    and so do control flow and what computes sizes. The outputs are compared with those before, every
    result rounded as a GPU does.
    """

    name: ClassVar[str] = "cast"
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ("refined", "stages")

    to: Literal["fp16", "bf16"] = field(default="fp16", metadata={"help": "the element type"})
    keep_io: bool = field(
        default=True, metadata={"help": "leave the types of inputs and outputs as they are"}
    )
    block: tuple[str, ...] = field(
        default=BLOCK, metadata={"help": "operators, and globs over names of nodes and results, left float32"}
    )
    shape: tuple[str, ...] = field(default=(), metadata={"help": "shapes of random inputs, as x:1x3x224x224"})
    seed: int = field(default=0, metadata={"help": "the seed of random inputs"})

    def __post_init__(self) -> None:
        parse_shapes(self.shape)

    def run(self, state: State) -> State:
        """The state with `refined`; raises `Refused` where nothing can be cast."""
        from graphprune.feeds import fitted_sizes
        from graphprune.fold import fold
        from graphprune.precision.lower import ELEMENTS, lower
        from graphprune.precision.outcome import inputs_for, outcome
        from graphprune.precision.widen import widened

        model = fold(state.result)
        sizes = fitted_sizes(model.graph, parse_shapes(self.shape))
        batches = inputs_for(model, state.calibration, sizes, self.seed)
        lowered = lower(model, self.to, batches, keep_io=self.keep_io, block=self.block)
        found = outcome(model, widened(lowered.model, ELEMENTS[self.to]), batches)
        on = "calibration data" if state.calibration is not None else "random inputs"
        facts = {"to": self.to, **lowered.facts(), "measured_on": on, **found.facts()}
        return state.refine(self.name, lowered.model, facts)
