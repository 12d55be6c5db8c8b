"""The CUDA runtime through cuda-bindings: what the backends `trt` and `trt-rtx` need of it."""

from __future__ import annotations

import ctypes
import importlib
from contextlib import ExitStack
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from graphprune.errors import Environment

Handle = Any
"""A stream, event or graph of CUDA; `int()` makes an address of it."""
Result = tuple[Any, ...]
"""What every function returns: the error code, then its results."""


class CaptureMode(Protocol):
    """How a stream is recorded."""

    cudaStreamCaptureModeThreadLocal: int


class CopyKind(Protocol):
    """The direction of a copy."""

    cudaMemcpyHostToDevice: int
    cudaMemcpyDeviceToHost: int


class CudaRuntime(Protocol):
    """The module `cuda.bindings.runtime`, 12.8 to 13.x, as far as it is used."""

    cudaStreamNonBlocking: int
    cudaEventDefault: int
    cudaEventBlockingSync: int
    cudaDeviceScheduleSpin: int
    cudaDeviceScheduleBlockingSync: int
    cudaHostAllocDefault: int
    cudaStreamCaptureMode: CaptureMode
    cudaMemcpyKind: CopyKind

    def cudaGetDeviceCount(self) -> Result: ...
    def cudaGetDeviceProperties(self, device: int, /) -> Result: ...
    def cudaDriverGetVersion(self) -> Result: ...
    def cudaRuntimeGetVersion(self) -> Result: ...
    def cudaGetErrorName(self, error: Handle, /) -> Result: ...
    def cudaGetErrorString(self, error: Handle, /) -> Result: ...
    def cudaSetDevice(self, device: int, /) -> Result: ...
    def cudaSetDeviceFlags(self, flags: int, /) -> Result: ...
    def cudaMalloc(self, size: int, /) -> Result: ...
    def cudaFree(self, pointer: int, /) -> Result: ...
    def cudaHostAlloc(self, size: int, flags: int, /) -> Result: ...
    def cudaFreeHost(self, pointer: int, /) -> Result: ...
    def cudaMemcpyAsync(self, to: int, of: int, size: int, kind: int, stream: Handle, /) -> Result: ...
    def cudaStreamCreateWithFlags(self, flags: int, /) -> Result: ...
    def cudaStreamSynchronize(self, stream: Handle, /) -> Result: ...
    def cudaStreamDestroy(self, stream: Handle, /) -> Result: ...
    def cudaEventCreateWithFlags(self, flags: int, /) -> Result: ...
    def cudaEventRecord(self, event: Handle, stream: Handle, /) -> Result: ...
    def cudaEventSynchronize(self, event: Handle, /) -> Result: ...
    def cudaEventElapsedTime(self, start: Handle, end: Handle, /) -> Result: ...
    def cudaEventDestroy(self, event: Handle, /) -> Result: ...
    def cudaStreamBeginCapture(self, stream: Handle, mode: int, /) -> Result: ...
    def cudaStreamEndCapture(self, stream: Handle, /) -> Result: ...
    def cudaGraphInstantiate(self, graph: Handle, flags: int, /) -> Result: ...
    def cudaGraphLaunch(self, graph: Handle, stream: Handle, /) -> Result: ...
    def cudaGraphDestroy(self, graph: Handle, /) -> Result: ...
    def cudaGraphExecDestroy(self, graph: Handle, /) -> Result: ...


_HINTS = {
    2: "use a smaller batch or model, or free memory on the GPU",
    35: "install a newer driver, or is there no GPU?",
    46: "wait for the others, or choose another --gpu",
    100: "`nvidia-smi` shows whether there is a GPU",
    101: "`nvidia-smi -L` lists the GPUs",
}


def runtime() -> CudaRuntime:
    """Import the CUDA runtime; raises `Environment` where cuda-bindings are not installed."""
    try:
        return cast("CudaRuntime", importlib.import_module("cuda.bindings.runtime"))
    except ImportError as error:
        raise Environment(
            f"a GPU cannot be used: {error}",
            "pip install cuda-bindings, or one of graphprune[trt], graphprune[rtx]",
        ) from error


def called(cuda: CudaRuntime, result: Result) -> Any:
    """Return what a call of CUDA returns beside its error code.

    Raises:
        Environment: it says that it has failed.
    """
    error, *values = result
    if int(error):
        name, words = (
            said.decode() if isinstance(said, bytes) else str(said)
            for _, said in (cuda.cudaGetErrorName(error), cuda.cudaGetErrorString(error))
        )
        what = {2: "memory ran out on the GPU", 46: "the GPU is busy"}.get(int(error), "CUDA has failed")
        raise Environment(f"{what}: {words} ({name})", _HINTS.get(int(error), "`nvidia-smi` shows the GPU"))
    return values[0] if len(values) == 1 else tuple(values)


def properties(gpu: int) -> Any:
    """Return what CUDA knows of a GPU: name, major, minor, totalGlobalMem, multiProcessorCount and more.

    Raises:
        Environment: there is no such GPU, or no driver.
    """
    cuda = runtime()
    try:
        count = int(called(cuda, cuda.cudaGetDeviceCount()))
    except RuntimeError as error:  # the older bindings, where the driver is not even installed
        raise Environment(f"CUDA has failed: {error}", _HINTS[35]) from error
    if not 0 <= gpu < count:
        raise Environment(f"there is no GPU {gpu}, but {count} of them, counted from 0", _HINTS[101])
    return called(cuda, cuda.cudaGetDeviceProperties(gpu))


def name_of(found: Any) -> str:
    """Return the name in the properties of a GPU."""
    name = found.name
    return name.decode().rstrip("\0") if isinstance(name, bytes) else str(name)


def identity(gpu: int) -> str:
    """Return the kind of a GPU, which an engine is built for, as `NVIDIA L4 (8.9)`."""
    found = properties(gpu)
    return f"{name_of(found)} ({found.major}.{found.minor})"


def version(number: int) -> str:
    """Return a version number of CUDA in words.

    >>> version(12090)
    '12.9'
    """
    return f"{number // 1000}.{number % 1000 // 10}"


def device_memory(cuda: CudaRuntime, size: int, until: ExitStack) -> int:
    """Return the address of `size` bytes on the GPU, freed with `until`."""
    address = int(called(cuda, cuda.cudaMalloc(max(1, size))))
    until.callback(cuda.cudaFree, address)
    return address


def host_memory(cuda: CudaRuntime, size: int, until: ExitStack) -> NDArray[np.uint8]:
    """Return `size` bytes of memory that the GPU can copy from and to, freed with `until`."""
    address = int(called(cuda, cuda.cudaHostAlloc(max(1, size), cuda.cudaHostAllocDefault)))
    until.callback(cuda.cudaFreeHost, address)
    block = (ctypes.c_uint8 * max(1, size)).from_address(address)
    return np.frombuffer(memoryview(block), np.uint8)[:size]
