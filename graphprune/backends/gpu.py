"""What NVIDIA's management library says of a GPU: its name, memory, driver, and who works on it."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from graphprune.errors import Environment


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


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
