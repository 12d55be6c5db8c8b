"""sparsify: weights with zeros in a pattern that hardware knows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

from graphprune.errors import Usage
from graphprune.state import State, made

if TYPE_CHECKING:
    from graphprune.model import Model
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
        default=False, metadata={"help": "keep the zeros only if sparse kernels are measured to be faster"}
    )
    backend: str = field(default="trt", metadata={"help": "what that is measured with: trt, trt-rtx"})

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
            from graphprune.sparsity.faster import check_backend

            check_backend(self.backend)

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
        chosen = pattern(self.pattern or "2:4") if self.sparsity is None else None
        by = self.method
        if by == "auto":
            fitted = state.calibration is not None and self.scope == "local"
            by = "sparsegpt" if fitted else "magnitude"
        with counted("sparsify") as tell:
            result = sparsify(
                model,
                whole or solve(model.graph),
                Aim(by, chosen, self.sparsity or 0.0, self.bias),
                samples=state.calibration,
                scope=self.scope,
                ignore=self.ignore,
                tell=tell,
            )
        if not result.made:
            reasons = sorted({layer.reason for layer in result.layers})
            what = "no weight can be made sparse" + (f": {reasons[0]}" if len(reasons) == 1 else "")
            raise Refused(what, "`graphprune inspect MODEL --show weights` lists the operators")
        facts: dict[str, object] = {
            "pattern": str(chosen) if chosen else None,
            "sparsity": self.sparsity,
            "method": by,
            "bias": self.bias,
            **result.facts(),
        }
        new = self._faster(state, model, result, facts) if self.keep_if_faster else result.model
        return state.refine(self.name, new, facts)

    def _check_device(self) -> None:
        """Raise `Environment` before any work where the backend does not run here."""
        from graphprune.backends import Setup, backend

        backend(self.backend).device(Setup())

    def _faster(self, state: State, dense: Model, result: Sparse, facts: dict[str, object]) -> Model:
        """Return the sparse model where sparse kernels make it faster, else the dense one; note which."""
        from graphprune.latency.inputs import timed_on
        from graphprune.sparsity.faster import timed_with_and_without

        feeds = timed_on(dense, {}, state.calibration)
        found = timed_with_and_without(self.backend, result.model, feeds)
        faster = found.verdict() == "faster"
        facts["faster"] = {"backend": self.backend, **asdict(found), "kept": faster}
        return result.model if faster else dense
