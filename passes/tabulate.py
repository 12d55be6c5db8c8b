"""tabulate: what the model takes on a device, at several widths of its groups."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.passes.select import Kind
from graphprune.shape_text import parse_shapes
from graphprune.state import State, made


@dataclass(frozen=True)
class Tabulate:
    """Builds the model at some twenty widths and times each step of the runtime: the latency table.

    The table is kept in the user's cache, by the hash of the model, the device and its software.
    """

    name: ClassVar[str] = "tabulate"
    needs: ClassVar[tuple[str, ...]] = ("model", "solution")
    gives: ClassVar[tuple[str, ...]] = ("latencies",)

    backend: str = field(default="ort:cpu", metadata={"help": "what to time with, as ort:cpu or trt"})
    threads: int = field(default=1, metadata={"help": "threads of an inference on a CPU; 0 for all cores"})
    gpu: int = field(default=0, metadata={"help": "the number of the GPU"})
    shape: tuple[str, ...] = field(default=(), metadata={"help": "shapes of inputs, as x:1x3x224x224"})
    only: tuple[Kind, ...] = field(
        default=("channels", "neurons", "heads", "head-dims", "width"),
        metadata={"help": "kinds of units that may go (default: all but experts, tokens, layers)"},
    )
    ignore: tuple[str, ...] = field(
        default=(), metadata={"help": "leave groups, operators or constants alone that match a glob"}
    )
    cache: bool = field(default=True, metadata={"help": "use the user's cache of latency tables"})
    seed: int = field(default=0, metadata={"help": "the seed of random inputs"})

    def __post_init__(self) -> None:
        parse_shapes(self.shape)

    def ready(self) -> None:
        """Raise `Environment` where the backend does not run here."""
        from graphprune.backends import Setup, backend

        backend(self.backend).device(Setup(threads=self.threads, gpu=self.gpu))

    def run(self, state: State) -> State:
        """The state with `latencies`; raises `Environment` where the backend does not run here."""
        from graphprune.backends import Setup
        from graphprune.choice import Choice
        from graphprune.latency.inputs import timed_on
        from graphprune.latency.latencies import latencies
        from graphprune.progress import counted

        model, solution = made(state.model, "model"), made(state.solution, "solution")
        choice = Choice(only=self.only, ignore=self.ignore, target="macs=1x", round_to="fine")
        feeds = timed_on(model, parse_shapes(self.shape), state.calibration, self.seed)
        with counted(self.name) as tell:
            found = latencies(
                model,
                solution,
                choice,
                self.backend,
                Setup(threads=self.threads, gpu=self.gpu),
                feeds,
                keep=self.cache,
                tell=tell,
            )
        facts = {"backend": self.backend, "samples": len(found.samples), "cached": found.cached}
        return replace(state, latencies=found, facts={**state.facts, self.name: facts})
