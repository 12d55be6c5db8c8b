"""profile: how long the result takes, measured beside the original."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar

from graphprune.errors import Negative
from graphprune.shape_text import parse_shapes
from graphprune.state import State


@dataclass(frozen=True)
class Profile:
    """Times the original and the result in turn on a device; refuses a result that misses a target.

    What seems to miss it is timed twice more, and the middle one counts.
    """

    name: ClassVar[str] = "profile"
    needs: ClassVar[tuple[str, ...]] = ()
    gives: ClassVar[tuple[str, ...]] = ()

    backend: str = field(default="ort:cpu", metadata={"help": "what to time with, as ort:cpu or trt"})
    threads: int = field(default=1, metadata={"help": "threads of an inference on a CPU; 0 for all cores"})
    gpu: int = field(default=0, metadata={"help": "the number of the GPU"})
    shape: tuple[str, ...] = field(default=(), metadata={"help": "shapes of inputs, as x:1x3x224x224"})
    target: str = field(default="", metadata={"help": "what is to be met, as latency=0.7x"})
    seed: int = field(default=0, metadata={"help": "the seed of random inputs"})

    def __post_init__(self) -> None:
        parse_shapes(self.shape)

    def run(self, state: State) -> State:
        """The state with facts; raises `Negative` where the whole interval is beyond the target."""
        from graphprune.backends import Setup, backend
        from graphprune.latency.inputs import timed_on
        from graphprune.latency.pair import timed
        from graphprune.target import read_latency

        runner, setup = backend(self.backend), Setup(threads=self.threads, gpu=self.gpu)
        device = runner.device(setup)
        feeds = timed_on(state.original, parse_shapes(self.shape), state.calibration, self.seed)
        target = read_latency(self.target) if self.target else None
        found = [timed(runner, setup, feeds, state.original, state.result)]
        if target is not None and found[0].interval.low > target.limit(found[0].seconds[0]):
            # What disturbs one of two models for seconds looks like a miss: the middle of three counts.
            found += [timed(runner, setup, feeds, state.original, state.result) for _ in range(2)]
        pair = sorted(found, key=lambda each: each.interval.ratio)[len(found) // 2]
        limit = target.limit(pair.seconds[0]) if target else None
        if limit is not None and pair.interval.low > limit:
            raise Negative(
                f"target {self.target} is missed: the result takes {pair.interval.ratio:.3f} of the "
                f"original's time ({pair.interval.low:.3f} to {pair.interval.high:.3f})",
                "measure on a machine that is idle, or ask for less",
            )
        facts = {
            "device": asdict(device),
            "threads": self.threads,
            "shapes": {name: list(array.shape) for name, array in feeds.items()},
            "seconds": list(pair.seconds),
            "ratio": asdict(pair.interval),
            "verdict": pair.interval.verdict(),
            "measurements": [each.interval.ratio for each in found],
            "limit": limit,
        }
        return replace(state, facts={**state.facts, self.name: facts})
