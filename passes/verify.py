"""verify: the proof that the surgery was exact."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.shape_text import parse_shapes
from graphprune.state import State, made


@dataclass(frozen=True)
class Verify:
    """Compares the cut model with the masked original in unoptimised ONNX Runtime, on random inputs.

    Where dimensions are dynamic, at two shapes.
    """

    name: ClassVar[str] = "verify"
    needs: ClassVar[tuple[str, ...]] = ("model", "solution", "cut")
    gives: ClassVar[tuple[str, ...]] = ("verification",)

    shape: tuple[str, ...] = field(
        default=(), metadata={"help": "shapes of inputs to compare at, as x:1x3x224x224"}
    )
    rtol: float | None = field(
        default=None, metadata={"help": "largest relative L2 difference (default: by element type)"}
    )
    atol: float = field(default=0.0, metadata={"help": "an output that differs by no more than this passes"})
    seed: int = field(default=0, metadata={"help": "the seed of the random inputs"})

    def __post_init__(self) -> None:
        parse_shapes(self.shape)

    def run(self, state: State) -> State:
        """The state with `verification`; raises `Negative` where an output differs."""
        from graphprune.feeds import fitted_sizes
        from graphprune.proof.weights import demand_alike
        from graphprune.verdict import demand_equal
        from graphprune.verify import verify

        model, solution = made(state.model, "model"), made(state.solution, "solution")
        demand_alike(model, made(state.cut, "cut"), solution.shapes)
        verification = verify(
            model,
            made(state.cut, "cut"),
            solution.shapes,
            sizes=fitted_sizes(model.graph, parse_shapes(self.shape)),
            rtol=self.rtol,
            atol=self.atol,
            seed=self.seed,
        )
        demand_equal(verification, "the masked original")
        return replace(state, verification=verification)
