"""Outputs whose size depends on data: memory that grows when TensorRT asks for more."""

from __future__ import annotations

from contextlib import ExitStack
from typing import cast

import numpy as np
from numpy.typing import NDArray

from graphprune.backends.cuda import CudaRuntime, called, device_memory
from graphprune.engines import api
from graphprune.engines.libraries import TensorRT
from graphprune.errors import Environment


class Grown:
    """Memory of one output, and the shape that the last run has given it."""

    allocator: api.IOutputAllocator

    def __init__(self, cuda: CudaRuntime, until: ExitStack, address: int, size: int) -> None:
        """It begins as `size` bytes at `address`; what it grows by is freed with `until`."""
        self._cuda, self._until = cuda, until
        self.address, self.size = address, size
        self.shape: tuple[int, ...] = ()

    def grow(self, size: int) -> int:
        """Return the address of at least `size` bytes; 0 where there are not so many."""
        if size > self.size:
            try:
                self.address, self.size = device_memory(self._cuda, size, self._until), size
            except Environment:
                return 0
        return self.address

    def read(self) -> NDArray[np.uint8]:
        """Return a copy of the memory, once the stream has been waited for."""
        cuda, host = self._cuda, np.empty(self.size, np.uint8)
        kind = cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        called(cuda, cuda.cudaMemcpyAsync(host.ctypes.data, self.address, self.size, kind, 0))
        called(cuda, cuda.cudaStreamSynchronize(0))
        return host


def allocator(trt: TensorRT, grown: Grown) -> api.IOutputAllocator:
    """Return what TensorRT asks for the memory of one output."""

    def reallocate(_: api.IOutputAllocator, name: str, memory: int, size: int, alignment: int) -> int:
        return grown.grow(size)

    def reallocate_async(
        _: api.IOutputAllocator, name: str, memory: int, size: int, alignment: int, stream: int
    ) -> int:
        return grown.grow(size)

    def notify(_: api.IOutputAllocator, name: str, shape: tuple[int, ...]) -> None:
        grown.shape = tuple(shape)

    methods = {
        "reallocate_output": reallocate,
        "reallocate_output_async": reallocate_async,
        "notify_shape": notify,
    }
    return cast("api.IOutputAllocator", type("Allocator", (trt.IOutputAllocator,), methods)())
