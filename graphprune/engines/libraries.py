"""TensorRT and TensorRT-RTX, imported where they are used; one code path serves both."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from graphprune.engines import api
from graphprune.errors import Environment, Refused, Usage
from graphprune.nearest import did_you_mean


class TensorRT(Protocol):
    """What the modules `tensorrt` and `tensorrt_rtx` have in common, as far as it is used."""

    __version__: str
    Builder: Callable[[api.ILogger], api.Builder]
    OnnxParser: Callable[[api.INetworkDefinition, api.ILogger], api.OnnxParser]
    Runtime: Callable[[api.ILogger], api.Runtime]
    ILogger: type
    IProgressMonitor: type
    IProfiler: type
    IOutputAllocator: type
    BuilderFlag: api.BuilderFlag
    NetworkDefinitionCreationFlag: api.NetworkDefinitionCreationFlag
    MemoryPoolType: api.MemoryPoolType
    ProfilingVerbosity: api.ProfilingVerbosity
    HardwareCompatibilityLevel: api.HardwareCompatibilityLevel
    LayerInformationFormat: api.LayerInformationFormat
    TensorIOMode: api.TensorIOMode
    TensorLocation: api.TensorLocation


class RtxTensorRT(TensorRT, Protocol):
    """What `tensorrt_rtx` alone has. The capabilities are members by name, as `SM86`."""

    ComputeCapability: type
    CudaGraphStrategy: api.RtxCudaGraphStrategy
    DynamicShapesKernelSpecializationStrategy: api.RtxDynamicShapesKernelSpecializationStrategy


@dataclass(frozen=True)
class Library:
    """A library that builds engines.

    Attributes:
        backend: the backend that runs them, `trt` or `trt-rtx`; so options call it.
        title: its name in messages.
        module: the Python module.
        extra: the extra of graphprune that installs it.
        oldest: the first version that is supported.
        before: the first that is not, any more.
    """

    backend: str
    title: str
    module: str
    extra: str
    oldest: tuple[int, int]
    before: tuple[int, int]


LIBRARIES = {
    "trt": Library("trt", "TensorRT", "tensorrt", "trt", (10, 12), (12, 0)),
    "trt-rtx": Library("trt-rtx", "TensorRT-RTX", "tensorrt_rtx", "rtx", (1, 7), (2, 0)),
}


def library(backend: str) -> Library:
    """Return the library behind a backend; raises `Usage` where there is none."""
    if backend not in LIBRARIES:
        raise Usage(f"backend {backend} has no engines", did_you_mean(backend, LIBRARIES))
    return LIBRARIES[backend]


def load(of: Library) -> TensorRT:
    """Import a library.

    Raises:
        Environment: it is not installed, cannot be loaded, or is of a version that is not supported.
    """
    hint = f"pip install graphprune[{of.extra}]"
    try:
        module = cast("TensorRT", importlib.import_module(of.module))
        version = module.__version__
    except ModuleNotFoundError as error:
        raise Environment(f"{of.title} is not installed", hint) from error
    except (ImportError, OSError, AttributeError) as error:
        raise Environment(f"{of.title} cannot be loaded: {error}", hint) from error
    if not of.oldest <= _numbers(version) < of.before:
        first, last = ".".join(map(str, of.oldest)), of.before[0] - 1
        raise Environment(f"{of.title} {version} is installed; {first} to {last}.x is supported", hint)
    return module


def capabilities(module: TensorRT) -> tuple[int, ...]:
    """Return the compute capabilities that an engine can be built for without the GPU, as 86, ascending.

    They are those of TensorRT-RTX; TensorRT has none.
    """
    names: dict[str, object] = getattr(getattr(module, "ComputeCapability", None), "__members__", {})
    return tuple(sorted(int(name[2:]) for name in names if re.fullmatch(r"SM\d+", name)))


def check_capability(of: Library, module: TensorRT, capability: int) -> None:
    """Refuse a compute capability that engines cannot be built for without the GPU; raises `Refused`."""
    known = capabilities(module)
    if capability not in known:
        raise Refused(
            f"{of.title} {module.__version__} does not build for SM{capability}",
            f"it builds for {', '.join(map(str, known)) or 'the GPU at hand'}",
        )


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
