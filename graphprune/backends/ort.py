"""ONNX Runtime as a backend: on the CPU (`ort:cpu`), and on an NVIDIA GPU (`ort:cuda`)."""

from __future__ import annotations

import platform
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from graphprune import elements
from graphprune.backends import Device, LayerTime, Numbers, Setup
from graphprune.backends.ort_layers import layer_times
from graphprune.custom_ops import register
from graphprune.errors import Environment, Refused
from graphprune.feeds import Feeds
from graphprune.kernels import explained
from graphprune.model import Model
from graphprune.processors import processor_name, usable
from graphprune.runtime.child import ORT_ERRORS, first_line, tensor_of
from graphprune.runtime.placing import serialised
from graphprune.runtime.sessions import array_of

_ERRORS: tuple[type[Exception], ...] = (*ORT_ERRORS, RuntimeError)
"""What ONNX Runtime raises; where memory is bound, no error of its own."""
_SETTLE = 2
"""Runs before a CUDA graph is there and memory is laid out."""


@dataclass(frozen=True)
class Ort:
    """ONNX Runtime with one of its execution providers, all graph optimisations on."""

    name: str
    provider: str

    def device(self, setup: Setup) -> Device:
        """Return what is measured on."""
        if self.provider not in ort.get_available_providers():
            raise Environment(
                f"ONNX Runtime has no {self.provider} here",
                "pip install onnxruntime-gpu in place of onnxruntime",
            )
        versions = {"onnxruntime": ort.__version__}
        if self.name == "ort:cpu":
            details = {"cores": str(len(usable())), "threads": str(setup.threads or "all")}
            return Device(self.name, processor_name(), details, {**versions, "system": platform.platform()})
        from graphprune.backends.gpu import described

        found, details, driver = described(setup.gpu)
        return Device(self.name, found, details, {**versions, **driver})

    @contextmanager
    def open(self, model: Model, feeds: Feeds, setup: Setup) -> Generator[Session]:
        """Load `model`; it falls back to running without a CUDA graph where that cannot be recorded."""
        self.device(setup)
        with serialised(model) as source:
            with explained(model.graph):
                opened = self._open(source, feeds, setup)
            yield opened

    def _open(self, source: bytes | str, feeds: Feeds, setup: Setup) -> Session:
        graph = self.name == "ort:cuda" and setup.cuda_graph
        with _refusals():
            try:
                return Session(source, self._session(source, setup, graph), feeds, self, setup)
            except _ERRORS:
                if not graph:
                    raise
            return Session(source, self._session(source, setup, False), feeds, self, setup)

    def _session(self, source: bytes | str, setup: Setup, graph: bool) -> ort.InferenceSession:
        options = settings(setup)
        given: dict[str, str] = {}
        if self.name == "ort:cuda":
            given = {"device_id": str(setup.gpu), "enable_cuda_graph": "1" if graph else "0"}
        session = ort.InferenceSession(source, options, providers=[(self.provider, given)])
        # ONNX Runtime falls back to the processor without a word.
        if session.get_providers()[0] != self.provider:
            raise Environment(
                f"ONNX Runtime runs on {session.get_providers()[0]} in place of {self.provider}",
                "are CUDA and cuDNN installed, and no other process on the GPU?",
            )
        return session


def settings(setup: Setup) -> ort.SessionOptions:
    """Return ONNX Runtime's options for `setup`."""
    options = ort.SessionOptions()
    register(options)
    options.log_severity_level = 4
    options.intra_op_num_threads = setup.threads
    if not setup.spin:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


class Session:
    """A session with its inputs and outputs bound to memory on the device."""

    def __init__(
        self, source: bytes | str, session: ort.InferenceSession, feeds: Feeds, of: Ort, setup: Setup
    ) -> None:
        self._source, self._session, self._feeds, self._of, self._setup = source, session, feeds, of, setup
        self._names = [output.name for output in session.get_outputs()]
        self._binding = session.io_binding()
        self._host = of.name == "ort:cpu" or setup.transfers
        where = "cpu" if self._host else "cuda"
        for name, array in feeds.items():
            self._binding.bind_ortvalue_input(name, _value(array, where, setup.gpu))
        for name in self._names:
            self._binding.bind_output(name, where, 0 if self._host else setup.gpu)
        self._settle()

    def _settle(self) -> None:
        self._session.run_with_iobinding(self._binding)
        if self._host:
            return
        # From here on the same memory is written to: a CUDA graph knows addresses.
        for name, value in zip(self._names, self._binding.get_outputs(), strict=True):
            self._binding.bind_ortvalue_output(name, value)
        for _ in range(_SETTLE):
            self._session.run_with_iobinding(self._binding)

    def time(self, runs: int) -> Numbers:
        """Return the seconds of each inference; ONNX Runtime waits for the GPU at the end of each."""
        seconds = np.empty(runs)
        run, binding = self._session.run_with_iobinding, self._binding
        with _refusals():
            for number in range(runs):
                started = time.perf_counter()
                run(binding)
                seconds[number] = time.perf_counter() - started
        return seconds

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Run once and return the outputs by name."""
        with _refusals():
            self._session.run_with_iobinding(self._binding)
        return dict(zip(self._names, _arrays(self._binding.get_outputs()), strict=True))

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        """Return what each step takes, measured in a session of its own, which is slower for it."""
        with _refusals():
            return layer_times(
                self._source,
                self._feeds,
                settings(self._setup),
                [
                    (
                        self._of.provider,
                        {"device_id": str(self._setup.gpu)} if self._of.name != "ort:cpu" else {},
                    )
                ],
                runs,
            )


def _value(array: NDArray[Any], where: str, gpu: int) -> ort.OrtValue:
    number = elements.number_of(array.dtype)
    if elements.is_numpys(array.dtype):
        return ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), where, gpu)
    return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(np.ascontiguousarray(array), number)


def _arrays(values: Sequence[ort.OrtValue]) -> list[NDArray[Any]]:
    return [array_of(tensor_of(value)) for value in values]


@contextmanager
def _refusals() -> Generator[None]:
    """Turn what ONNX Runtime raises into refusals."""
    try:
        yield
    except MemoryError as error:
        raise Environment("memory ran out while the model was timed", "take a smaller batch") from error
    except _ERRORS as error:
        text = first_line(error)
        if "CUDA" in text or "allocate memory" in text:
            raise Environment(
                f"the device cannot run the model: {text}", "is it busy, or its memory full?"
            ) from error
        raise Refused(
            f"ONNX Runtime refuses the model: {text}", "give sizes that it accepts with --shape"
        ) from error


BACKENDS = {
    "ort:cpu": Ort("ort:cpu", "CPUExecutionProvider"),
    "ort:cuda": Ort("ort:cuda", "CUDAExecutionProvider"),
}
