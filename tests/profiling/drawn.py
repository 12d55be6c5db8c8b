"""Models that take a drawn time: what a machine does to the statistics, without the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune.backends import LayerTime, Numbers

Noise = Callable[[np.random.Generator, int], Numbers]


def tailed(draw: np.random.Generator, count: int) -> Numbers:
    """Times as machines have them: a narrow body, and one run in twenty much longer."""
    body = draw.normal(1.0, 0.01, count)
    return body + np.where(draw.random(count) < 0.05, draw.exponential(0.5, count), 0.0)


class Drawn:
    """A model whose inferences take `seconds` times what `noise` gives; it notes every call in `calls`."""

    def __init__(
        self, name: str, seconds: float, calls: list[tuple[str, int]], seed: int = 0, noise: Noise = tailed
    ) -> None:
        self.name, self.seconds, self.calls, self.noise = name, seconds, calls, noise
        self.draw = np.random.default_rng(seed)

    def time(self, runs: int) -> Numbers:
        self.calls.append((self.name, runs))
        return self.seconds * self.noise(self.draw, runs)

    def outputs(self) -> dict[str, NDArray[Any]]:
        return {}

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        self.calls.append((self.name, runs))
        seconds = self.seconds * float(np.median(self.noise(self.draw, runs)))
        return (LayerTime("conv", "Conv", ("y",), seconds), LayerTime("reorder", "Reorder", (), seconds / 10))
