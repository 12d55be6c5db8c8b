"""Where models run and are timed: runtimes on devices, behind one small protocol."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from graphprune.engines.options import BuildOptions
from graphprune.errors import Usage
from graphprune.nearest import did_you_mean

if TYPE_CHECKING:
    from graphprune.feeds import Feeds
    from graphprune.model import Model

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Setup:
    """How a model runs while it is timed.

    Attributes:
        threads: threads that work on one inference on a CPU; 0 lets the runtime take as many as it likes.
            One by default: threads of a pool wait for each other by spinning, so that on a machine that
            does something else as well they measure the machine.
        spin: whether waiting threads spin (the default of ONNX Runtime, and of CUDA) or block.
        cuda_graph: whether a GPU replays the inference as a CUDA graph, where the runtime can.
        transfers: whether copies of inputs to a GPU and of outputs back are part of the time.
        gpu: the number of the GPU.
        build: how an engine is built (backends `trt` and `trt-rtx`); None for the defaults.
    """

    threads: int = 1
    spin: bool = True
    cuda_graph: bool = True
    transfers: bool = False
    gpu: int = 0
    build: BuildOptions | None = None


@dataclass(frozen=True)
class Device:
    """The device and the software that a figure was measured with.

    Attributes:
        backend: `ort:cpu`, `ort:cuda`, `trt` or `trt-rtx`.
        name: the device as it calls itself, as `AMD EPYC 9R14` or `NVIDIA L4`.
        details: facts that change what a model costs on it: cores, compute capability, memory.
        versions: of the runtime, its driver and libraries, by name.
    """

    backend: str
    name: str
    details: Mapping[str, str] = field(default_factory=dict[str, str])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class LayerTime:
    """One step of a runtime, which may be several operators of the model in one.

    Attributes:
        name: the step as the runtime calls it.
        op: its kind, as the runtime calls it (`Conv`, `FusedConv`, `reorder`).
        outputs: the model's tensors that it makes; empty where it makes none that the model knows.
        seconds: the mean over the fastest quarter of inferences (`undisturbed`).
    """

    name: str
    op: str
    outputs: tuple[str, ...]
    seconds: float


def undisturbed(seconds: Sequence[float] | Numbers) -> float:
    """Return the mean of the fastest quarter: what is disturbed takes longer, never shorter.

    A mean, since clocks of runtimes tick in microseconds, which a quantile would keep.

    Example:
        >>> undisturbed([2.0, 9.0, 3.0, 2.5, 9.0, 3.0, 2.5, 7.0])
        2.25
    """
    ordered = np.sort(seconds)
    return float(ordered[: max(1, len(ordered) // 4)].mean())


class Running(Protocol):
    """A model that is loaded on a device, its inputs already there."""

    def time(self, runs: int) -> Numbers:
        """Return the seconds of each of `runs` inferences, made one after another: [runs]."""
        ...

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Run once and return the outputs by name, from the very engine that is timed."""
        ...

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        """Return what each step takes, in the order in which they run; empty where the runtime cannot say."""
        ...


class Backend(Protocol):
    """A runtime on a kind of device."""

    @property
    def name(self) -> str:
        """The name of the backend, as `ort:cpu`."""
        ...

    def device(self, setup: Setup) -> Device:
        """Return what is measured on; raises `Environment` where the runtime or the device is missing."""
        ...

    def open(self, model: Model, feeds: Feeds, setup: Setup) -> AbstractContextManager[Running]:
        """Load `model` for inputs of the shapes and values of `feeds`.

        Raises:
            Environment: the runtime or the device is missing or busy, or memory runs out.
            Refused: the runtime does not accept the model.
        """
        ...


_MODULES = {
    "ort:cpu": "graphprune.backends.ort",
    "ort:cuda": "graphprune.backends.ort",
    "trt": "graphprune.backends.trt",
    "trt-rtx": "graphprune.backends.trt",
}
BACKENDS = tuple(_MODULES)
"""The names of all backends; the first is there wherever graphprune is."""


def backend(name: str) -> Backend:
    """Return the backend called `name`; whether it can run here, its `device` tells.

    Raises:
        Usage: there is no such backend.
    """
    if name not in _MODULES:
        raise Usage(f"there is no backend {name}", did_you_mean(name, _MODULES))
    found: Backend = importlib.import_module(_MODULES[name]).BACKENDS[name]
    return found
