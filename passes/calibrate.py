"""calibrate: what the inputs of the model's operators look like on real data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from graphprune.shape_text import parse_shapes
from graphprune.state import State, made


@dataclass(frozen=True)
class Calibrate:
    """Runs the model over calibration data and gathers means and covariances of its operators' inputs.

    They are kept in the user's cache, by the hashes of the model and of the data.
    """

    name: ClassVar[str] = "calibrate"
    needs: ClassVar[tuple[str, ...]] = ("model",)
    gives: ClassVar[tuple[str, ...]] = ("calibration", "statistics")

    data: str = field(metadata={"help": "calibration data: a .npz, a folder, data.py, random"})
    samples: int | None = field(default=None, metadata={"help": "at most so many samples of the data"})
    label_key: str = field(default="labels", metadata={"help": "the key of the labels in the data"})
    shape: tuple[str, ...] = field(default=(), metadata={"help": "shapes of inputs, as x:1x3x224x224"})
    cache: bool = field(default=True, metadata={"help": "use the user's cache of statistics"})
    seed: int = field(default=0, metadata={"help": "the seed of the choice of samples"})

    def __post_init__(self) -> None:
        parse_shapes(self.shape)

    def run(self, state: State) -> State:
        """The state with `calibration` and `statistics`; raises `Usage` where the data does not fit."""
        from graphprune.data import open_data
        from graphprune.feeds import fitted_sizes
        from graphprune.fitting.calibration import calibration
        from graphprune.fitting.statistics_cache import gathered
        from graphprune.progress import counted

        model = made(state.model, "model")
        sizes = fitted_sizes(model.graph, parse_shapes(self.shape))
        data = open_data(
            self.data,
            model.graph,
            label_key=self.label_key,
            sizes=sizes,
            samples=self.samples,
            seed=self.seed,
        )
        samples = calibration(data)
        with counted("calibrate") as tell:
            statistics = gathered(model, samples, keep=self.cache, tell=tell)
        facts = {"data": self.data, "samples": data.count, "operators": len(statistics.numbers)}
        return replace(
            state, calibration=samples, statistics=statistics, facts={**state.facts, self.name: facts}
        )
