"""A device whose times follow from the model: so much for each convolution, in full tiles of channels."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.backends import Device, LayerTime, Numbers, Setup
from graphprune.feeds import Feeds
from graphprune.ir import shape_of
from graphprune.model import Model

OVERHEAD = 20e-6
EACH = 5e-6
PER_MAC = 1e-9
PLACES = 64
"""In every image."""


@dataclass(frozen=True)
class Tiled:
    """A device that computes output channels in tiles, and the rest of a model in no time.

    `says` is whether it tells of its steps; `noise` the relative deviation of each inference.
    """

    tile: int = 16
    says: bool = True
    noise: float = 0.0
    name: str = "tiled"

    def device(self, setup: Setup) -> Device:
        return Device(self.name, f"tiles of {self.tile}")

    @contextmanager
    def open(self, model: Model, feeds: Feeds, setup: Setup) -> Generator[On]:
        yield On(self, model)


class On:
    """A model on the device."""

    def __init__(self, device: Tiled, model: Model) -> None:
        self.device = device
        self.steps = [
            LayerTime(node.name, node.op, (node.outputs[0].name,), self._seconds(node))
            for node in model.graph.nodes
            if node.op in ("Conv", "Gemm", "MatMul")
        ]
        self.random = np.random.default_rng(0)

    def _seconds(self, node: gs.Node) -> float:
        weight = node.inputs[1]
        assert isinstance(weight, gs.Constant)
        shape = shape_of(weight)
        tiles = ceil(shape[0] / self.device.tile) * self.device.tile
        return EACH + PER_MAC * tiles * prod(shape[1:]) * (PLACES if node.op == "Conv" else 1)

    @property
    def seconds(self) -> float:
        return OVERHEAD + sum(step.seconds for step in self.steps)

    def time(self, runs: int) -> Numbers:
        return self.seconds * (1 + self.device.noise * self.random.standard_normal(runs))

    def outputs(self) -> dict[str, NDArray[Any]]:
        return {}

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        return tuple(self.steps) if self.device.says else ()


BACKENDS = {"ort:cpu": Tiled(8)}
