"""What NVIDIA's management library says of a GPU: its name, memory, driver, and who works on it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graphprune.errors import Environment

_REASONS = {
    0x2: "clocks set by an application",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal slowdown by software",
    0x40: "thermal slowdown by hardware",
    0x80: "power brake",
    0x100: "clocks set for a display",
}
"""Why a GPU holds its clocks down: bits of NVML's nvmlClocksEventReasons, but for that of an idle GPU."""


@dataclass(frozen=True)
class GpuState:
    """A GPU at one moment; what it does not say is left out.

    Attributes:
        clocks: MHz, by `graphics` and `memory`.
        temperature: degrees Celsius.
        throttled: why it holds its clocks down.
        others: other processes that compute on it, as `name (pid)`.
    """

    clocks: Mapping[str, float] = field(default_factory=dict[str, float])
    temperature: float | None = None
    throttled: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@contextmanager
def management(number: int) -> Generator[tuple[Any, Any]]:
    """Yield the module `pynvml` and the handle of GPU `number`.

    Raises:
        Environment: the module is missing, there is no driver, or no such GPU.
    """
    try:
        nvml: Any = importlib.import_module("pynvml")
    except ImportError as error:
        raise Environment(
            "a GPU cannot be asked for its name: nvidia-ml-py is not installed",
            "pip install nvidia-ml-py, or one of graphprune[gpu], [trt], [rtx]",
        ) from error
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise Environment(f"no NVIDIA GPU can be reached: {error}", "is its driver installed?") from error
    try:
        yield nvml, nvml.nvmlDeviceGetHandleByIndex(number)
    except nvml.NVMLError as error:
        raise Environment(f"GPU {number} cannot be asked: {error}", "`nvidia-smi` lists the GPUs") from error
    finally:
        nvml.nvmlShutdown()


def described(number: int) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return the name of a GPU, its details (compute capability, memory), and the versions of its driver.

    Raises:
        Environment: there is none, or it cannot be asked.
    """
    with management(number) as (nvml, handle):
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle).total
        cuda = nvml.nvmlSystemGetCudaDriverVersion()
        return (
            _text(nvml.nvmlDeviceGetName(handle)),
            {"compute capability": f"{major}.{minor}", "memory": f"{memory / 2**30:.0f} GiB"},
            {
                "driver": _text(nvml.nvmlSystemGetDriverVersion()),
                "cuda driver": f"{cuda // 1000}.{cuda % 1000 // 10}",
            },
        )


def state(number: int) -> GpuState:
    """Return what a GPU is doing.

    Raises:
        Environment: there is none, or it cannot be asked.
    """
    with management(number) as (nvml, handle):
        kinds = {"graphics": nvml.NVML_CLOCK_GRAPHICS, "memory": nvml.NVML_CLOCK_MEM}
        rates = {name: _asked(nvml, "DeviceGetClockInfo", handle, kind) for name, kind in kinds.items()}
        # Older drivers know the reasons by an older name.
        names = ("DeviceGetCurrentClocksEventReasons", "DeviceGetCurrentClocksThrottleReasons")
        answers = [_asked(nvml, name, handle) for name in names]
        bits: int = next((answer for answer in answers if answer is not None), 0)
        heat = _asked(nvml, "DeviceGetTemperature", handle, nvml.NVML_TEMPERATURE_GPU)
        running: list[Any] = _asked(nvml, "DeviceGetComputeRunningProcesses", handle) or []
        others: list[int] = [process.pid for process in running if process.pid != os.getpid()]
        return GpuState(
            {name: float(rate) for name, rate in rates.items() if rate is not None},
            None if heat is None else float(heat),
            tuple(reason for bit, reason in _REASONS.items() if bits & bit),
            tuple(
                f"{_text(_asked(nvml, 'SystemGetProcessName', pid) or 'process')} ({pid})" for pid in others
            ),
        )


def _asked(nvml: Any, name: str, *arguments: Any) -> Any:
    """Return what NVML answers; None where the GPU, its driver or the module does not know the question."""
    try:
        return getattr(nvml, f"nvml{name}")(*arguments)
    except (nvml.NVMLError, AttributeError):
        return None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
