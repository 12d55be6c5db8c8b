"""A device with sparse kernels: they take half of the time, and something more, where a weight is 2:4."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
from numpy.typing import NDArray

from graphprune.backends import Device, LayerTime, Numbers, Setup
from graphprune.feeds import Feeds
from graphprune.ir import read
from graphprune.model import Model
from graphprune.sparsity.patterns import Pattern, holds

REST = 100e-6
PER_WEIGHT = 1e-7
MORE = 150e-6
"""What a sparse kernel takes beside the half: from 3000 weights on it is the faster one."""


@dataclass(frozen=True)
class Sparse:
    """The device.

    `says` is whether it tells of its steps; `burden` the seconds that a sparse weight costs elsewhere.
    """

    says: bool = True
    burden: float = 0.0
    name: str = "sparse"

    def device(self, setup: Setup) -> Device:
        return Device(self.name, "with sparse kernels")

    @contextmanager
    def open(self, model: Model, feeds: Feeds, setup: Setup) -> Generator[On]:
        yield On(self, model)


class On:
    """A model on the device."""

    def __init__(self, device: Sparse, model: Model) -> None:
        self.device = device
        self.sparse: set[str] = set()
        self.steps = [
            LayerTime(node.name, node.op, (node.outputs[0].name,), self._seconds(node))
            for node in model.graph.nodes
            if node.op in ("Conv", "Gemm", "MatMul")
        ]
        self.random = np.random.default_rng(0)

    def _seconds(self, node: gs.Node) -> float:
        weight = node.inputs[1]
        assert isinstance(weight, gs.Constant)
        values = read(weight)
        axis = 1 if node.op == "Conv" else 0
        if values.shape[axis] % 4 or not holds(values, axis, Pattern(2, 4)):
            return PER_WEIGHT * values.size
        self.sparse.add(node.name)
        return PER_WEIGHT * values.size / 2 + MORE

    @property
    def seconds(self) -> float:
        rest = REST + self.device.burden * len(self.sparse)
        return rest + sum(step.seconds for step in self.steps)

    def time(self, runs: int) -> Numbers:
        return self.seconds * (1 + 0.003 * self.random.standard_normal(runs))

    def outputs(self) -> dict[str, NDArray[Any]]:
        return {}

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        return tuple(self.steps) if self.device.says else ()


BACKENDS = {"ort:cpu": Sparse(), "ort:cuda": Sparse(says=False), "trt": Sparse(burden=300e-6)}
"""One that tells of its steps, one that does not, and one on which what a step gains is lost elsewhere."""
