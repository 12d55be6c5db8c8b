"""sparsify: weights with zeros in a pattern that hardware knows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from graphprune.errors import Usage
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.sparsity.sparsify import Sparse


@dataclass(frozen=True)
class Sparsify:
    """Sets weights to zero, N of M along what is summed over, or without a pattern; shapes stay.

    With calibration data the weights that stay make up for those that go, operator by operator. No other
    constant changes, and from here on the promise is measured fidelity.
    """

    name: ClassVar[str] = "sparsify"
    needs: ClassVar[tuple[str, ...]] = ("model",)
    gives: ClassVar[tuple[str, ...]] = ("refined",)

    pattern: str | None = field(
        default=None,
        metadata={"help": "keep at most N of M weights along what is summed over: 2:4, which is the default"},
    )
    sparsity: float | None = field(
        default=None,
        metadata={"help": "in place of a pattern: the share of weights that goes, anywhere"},
    )
    method: Literal["auto", "magnitude", "wanda", "sparsegpt"] = field(
        default="auto",
        metadata={"help": "how it is chosen what goes; auto: sparsegpt with data, else magnitude"},
    )
    scope: Literal["local", "global"] = field(
        default="local",
        metadata={"help": "without a pattern: compare magnitudes within a weight, or among all"},
    )
    bias: bool = field(
        default=False, metadata={"help": "with data: let biases take up the mean of what goes, too"}
    )
    ignore: tuple[str, ...] = field(
        default=(), metadata={"help": "globs over weights and operators that stay dense"}
    )
    keep_if_faster: bool = field(
        default=False,
        metadata={"help": "give weights their dense values back that are not measured to be faster"},
    )
    backend: str = field(default="trt", metadata={"help": "what that is measured with, as trt or ort:cpu"})

    def __post_init__(self) -> None:
        from graphprune.sparsity.patterns import pattern

        if self.pattern is not None:
            pattern(self.pattern)
        if self.sparsity is not None and self.pattern is not None:
            raise Usage("a pattern says what share of weights goes", "give --pattern or --sparsity, not both")
        if self.sparsity is not None and not 0 < self.sparsity < 1:
            raise Usage(f"the sparsity is {self.sparsity:g}", "give a share between 0 and 1")
        if self.scope == "global" and (self.sparsity is None or self.method not in ("auto", "magnitude")):
            raise Usage(
                "the scope global compares magnitudes without a pattern",
                "give --sparsity 0.5 --method magnitude",
            )
        if self.keep_if_faster:
            from graphprune.backends import backend

            backend(self.backend)

    def run(self, state: State) -> State:
        """The state with `refined`, and a table of all weights in its facts.

        Raises `Usage` where the method needs data and there is none, `Refused` where nothing may be sparse.
        """
        from graphprune.errors import Refused
        from graphprune.progress import counted
        from graphprune.solve import solve
        from graphprune.sparsity.patterns import pattern
        from graphprune.sparsity.sequential import Aim
        from graphprune.sparsity.sparsify import sparsify

        made(state.model, "model")
        model = state.result
        if self.method in ("wanda", "sparsegpt") and state.calibration is None:
            raise Usage(f"{self.method} judges weights by their inputs", "give calibration data with --data")
        if self.keep_if_faster:
            self._check_device()
        whole = state.solution if model is state.model else None
        solution = whole or solve(model.graph)
        chosen = pattern(self.pattern or "2:4") if self.sparsity is None else None
        by = self.method
        if by == "auto":
            fitted = state.calibration is not None and self.scope == "local"
            by = "sparsegpt" if fitted else "magnitude"

        def made_sparse(dense: Collection[str] = ()) -> Sparse:
            with counted("sparsify") as tell:
                return sparsify(
                    model,
                    solution,
                    Aim(by, chosen, self.sparsity or 0.0, self.bias),
                    samples=state.calibration,
                    scope=self.scope,
                    ignore=self.ignore,
                    dense=dense,
                    tell=tell,
                )

        result = made_sparse()
        if not result.made:
            reasons = sorted({layer.reason for layer in result.layers})
            what = "no weight can be made sparse" + (f": {reasons[0]}" if len(reasons) == 1 else "")
            raise Refused(what, "`graphprune inspect MODEL --show weights` lists the operators")
        facts: dict[str, object] = {
            "pattern": str(chosen) if chosen else None,
            "sparsity": self.sparsity,
            "method": by,
            "bias": self.bias,
        }
        if not self.keep_if_faster:
            return state.refine(self.name, result.model, {**facts, **result.facts()})
        from graphprune.latency.inputs import timed_on
        from graphprune.shape_text import Shapes
        from graphprune.sparsity.keep import keep_faster, made_by

        feeds = timed_on(model, Shapes(), state.calibration)
        kept = keep_faster(self.backend, model, result, made_by(solution), made_sparse, feeds)
        return state.refine(self.name, kept.result.model, {**facts, **kept.facts()})

    def _check_device(self) -> None:
        """Raise `Environment` before any work where the backend does not run here."""
        from graphprune.backends import Setup, backend

        backend(self.backend).device(Setup())
