"""permute: an order of channels in which a pattern keeps more."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar

from graphprune.errors import Usage
from graphprune.shape_text import parse_shapes
from graphprune.state import State, made


@dataclass(frozen=True)
class Permute:
    """Puts the units of groups in an order in which N:M along what is summed over keeps more magnitude.

    The orders are a plan that keeps every unit, folded into the neighbours of the smaller model, so what that
    computes stays the same, which is verified. It is there for what follows, `sparsify`.
    """

    name: ClassVar[str] = "permute"
    needs: ClassVar[tuple[str, ...]] = ("model",)
    gives: ClassVar[tuple[str, ...]] = ("refined",)

    pattern: str = field(default="2:4", metadata={"help": "N:M, as sparsify is to have it"})
    sweeps: int = field(default=1000, metadata={"help": "how long is searched: a longer search keeps more"})
    seed: int = field(default=0, metadata={"help": "the seed of the search and of the inputs of the proof"})
    ignore: tuple[str, ...] = field(
        default=(), metadata={"help": "globs over weights and operators that stay dense, and do not count"}
    )
    shape: tuple[str, ...] = field(
        default=(), metadata={"help": "shapes of inputs to compare at, as x:1x3x224x224"}
    )

    def __post_init__(self) -> None:
        from graphprune.sparsity.patterns import pattern

        pattern(self.pattern)
        parse_shapes(self.shape)
        if self.sweeps < 1:
            raise Usage(f"sweeps is {self.sweeps}", "give a whole number from 1 on")

    def run(self, state: State) -> State:
        """The state with `refined`; raises `Negative` where an output differs.

        Where no order keeps more, the result stays the model that it was.
        """
        from graphprune.cut import cut
        from graphprune.feeds import fitted_sizes
        from graphprune.fold import fold
        from graphprune.progress import counted
        from graphprune.solve import solve
        from graphprune.sparsity.patterns import pattern
        from graphprune.sparsity.permute_groups import permutation
        from graphprune.verdict import demand_equal
        from graphprune.verify import verify

        made(state.model, "model")
        model = fold(state.result)
        solution = solve(model.graph)
        with counted(self.name) as tell:
            found = permutation(
                solution,
                pattern(self.pattern),
                sweeps=self.sweeps,
                seed=self.seed,
                ignore=self.ignore,
                tell=tell,
            )
        facts: dict[str, object] = {
            "pattern": self.pattern,
            "magnitude": found.total,
            "kept_before": found.before,
            "kept_after": found.after,
            "groups": {name: asdict(item) for name, item in found.groups.items()},
            "left_alone": dict(found.left),
        }
        if not found.plan.keep:
            return replace(state, facts={**state.facts, self.name: facts})
        done = cut(model, solution, found.plan)
        sizes = fitted_sizes(model.graph, parse_shapes(self.shape))
        proof = verify(model, done, solution.shapes, sizes=sizes, seed=self.seed)
        demand_equal(proof, "the model before it was permuted")
        facts["distance"] = proof.worst.error
        # It is no stage: neither a size nor an output changes.
        return replace(state, refined=done.model, facts={**state.facts, self.name: facts})
