"""An engine that is loaded on a GPU, its inputs there, timed by CUDA events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphprune import elements
from graphprune.backends import LayerTime, Numbers, Setup
from graphprune.backends.cuda import CudaRuntime, Handle, called, device_memory, host_memory
from graphprune.backends.trt_layers import kernels, layer_times
from graphprune.backends.trt_names import Names
from graphprune.backends.trt_outputs import Grown, allocator
from graphprune.engines import api
from graphprune.engines.libraries import TensorRT
from graphprune.engines.sparsity import Sparsity, is_sparse
from graphprune.errors import Environment, Refused
from graphprune.feeds import Feeds

_LOG = logging.getLogger("graphprune.engines")
_TYPES = {
    "FLOAT": "FLOAT",
    "HALF": "FLOAT16",
    "BF16": "BFLOAT16",
    "INT8": "INT8",
    "INT32": "INT32",
    "INT64": "INT64",
    "BOOL": "BOOL",
    "UINT8": "UINT8",
    "FP8": "FLOAT8E4M3FN",
}
"""TensorRT's element types as ONNX calls them; types of less than a byte are none of an input or output."""
_SETTLE = 2
"""Runs before a CUDA graph is recorded, as TensorRT asks for."""


@dataclass(frozen=True)
class Binding:
    """An input or output: memory on the host, and on the GPU (None: the engine takes it on the host)."""

    name: str
    dtype: np.dtype[Any]
    host: NDArray[np.uint8]
    address: int | None


class TrtRunning:
    """An engine in a context of its own, with everything it needs, until it is closed.

    Attributes:
        build: what the engine is, in words: `seconds` of its build, `bytes`, `from the cache`, `sha256`.
        sparsity: what the builder said of sparse weights.
    """

    build: Mapping[str, str] = MappingProxyType({})
    sparsity: Sparsity | None = None

    def __init__(
        self,
        trt: TensorRT,
        cuda: CudaRuntime,
        engine: api.ICudaEngine,
        context: api.IExecutionContext,
        feeds: Feeds,
        setup: Setup,
        names: Names,
        errors: list[str],
        until: ExitStack,
    ) -> None:
        """Bind memory, run until nothing changes any more, and record a CUDA graph where this is asked for.

        Everything that is taken is given back with `until`; `errors` is where TensorRT's errors gather.
        """
        self._trt, self._cuda, self._engine, self._context = trt, cuda, engine, context
        self._setup, self._names, self._errors, self._until = setup, names, errors, until
        self._grown: dict[str, Grown] = {}
        self._graph: Handle | None = None
        until.callback(self._let_go)
        self._stream: Handle = called(cuda, cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking))
        until.callback(cuda.cudaStreamDestroy, self._stream)
        kind = cuda.cudaEventDefault if setup.spin else cuda.cudaEventBlockingSync
        self._events = [called(cuda, cuda.cudaEventCreateWithFlags(kind)) for _ in range(2)]
        for event in self._events:
            until.callback(cuda.cudaEventDestroy, event)
        self._inputs = [self._fed(context, feeds, name) for name in self._io("INPUT")]
        lacking = _lacking(context)
        if lacking:
            raise Refused(f"TensorRT cannot tell shapes without {', '.join(lacking)}", "give their shapes")
        self._outputs = [self._made(context, name) for name in self._io("OUTPUT")]
        self._copy_in()
        for _ in range(_SETTLE):
            self._enqueue(context)
        self._synchronise()
        if setup.cuda_graph and not hasattr(trt, "CudaGraphStrategy") and not self._grown:
            self._record()

    def time(self, runs: int) -> Numbers:
        """Return the seconds of each inference between two CUDA events, each waited for."""
        cuda, (start, stop), seconds = self._cuda, self._events, np.empty(runs)
        for number in range(runs):
            called(cuda, cuda.cudaEventRecord(start, self._stream))
            self._launch()
            called(cuda, cuda.cudaEventRecord(stop, self._stream))
            called(cuda, cuda.cudaEventSynchronize(stop))
            seconds[number] = called(cuda, cuda.cudaEventElapsedTime(start, stop)) / 1e3
        return seconds

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Run once, the way that is timed, and return the outputs by name."""
        self._launch()
        if not self._setup.transfers:
            self._copy_out()
        self._synchronise()
        found: dict[str, NDArray[Any]] = {}
        for binding in self._outputs:
            grown = self._grown.get(binding.name)
            shape = grown.shape if grown else tuple(self._context.get_tensor_shape(binding.name))
            data = grown.read() if grown else binding.host
            count = elements.count(shape) * binding.dtype.itemsize
            found[binding.name] = np.array(data[:count]).view(binding.dtype).reshape(shape)
        return found

    def layers(self, runs: int) -> tuple[LayerTime, ...]:
        """Return what each layer takes, in a context of its own that is slower for it."""
        with ExitStack() as until:
            context = self._engine.create_execution_context()
            if context is None:
                raise Environment("memory ran out on the GPU", "use a smaller batch")
            for binding in (*self._inputs, *self._outputs):
                self._bind(context, binding)
            if _lacking(context):
                return ()
            for name in self._grown:
                context.set_output_allocator(name, self._grown[name].allocator)

            def run() -> None:
                self._enqueue(context)
                self._synchronise()

            until.callback(self._synchronise)
            return layer_times(self._trt, self._engine, context, run, runs, self._names)

    def sparse_layers(self) -> frozenset[str] | None:
        """Return the names of layers that have sparse kernels; None where nobody tells.

        The builder's log tells, or the engine's inspector by the names of kernels.
        """
        told = kernels(self._trt, self._engine, self._context)
        if self.sparsity is None and not told:
            return None
        logged = self.sparsity.picked_layers if self.sparsity is not None else ()
        return frozenset([*logged, *(layer for layer, kernel in told.items() if is_sparse(kernel))])

    def _io(self, mode: str) -> list[str]:
        engine = self._engine
        wanted = getattr(self._trt.TensorIOMode, mode)
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        return [name for name in names if engine.get_tensor_mode(name) == wanted]

    def _dtype(self, name: str) -> np.dtype[Any]:
        word = self._engine.get_tensor_dtype(name).name
        if word not in _TYPES:
            raise Refused(f"'{name}' is of type {word}, which takes less than a byte", "cast it in the model")
        return elements.DTYPES[next(n for n, each in elements.NAMES.items() if each == _TYPES[word])]

    def _fed(self, context: api.IExecutionContext, feeds: Feeds, name: str) -> Binding:
        if name not in feeds:
            raise Refused(
                f"the engine has an input '{name}' that the model lacks", "build it from this model"
            )
        array, dtype = np.ascontiguousarray(feeds[name]), self._dtype(name)
        if array.dtype != dtype:
            raise Refused(
                f"the engine takes '{name}' as {dtype}, not {array.dtype}", "build it from this model"
            )
        binding = self._binding(name, dtype, array.nbytes)
        binding.host[:] = array.reshape(-1).view(np.uint8)
        if binding.address is not None and not context.set_input_shape(name, array.shape):
            raise Refused(
                f"the engine does not take '{name}' as {array.shape}", "give --min-shapes, --max-shapes"
            )
        self._bind(context, binding)
        return binding

    def _made(self, context: api.IExecutionContext, name: str) -> Binding:
        shape, dtype = tuple(context.get_tensor_shape(name)), self._dtype(name)
        open_ended = any(size < 0 for size in shape)
        most = max(1, context.get_max_output_size(name)) if open_ended else 0
        binding = self._binding(name, dtype, most or elements.count(shape) * dtype.itemsize)
        self._bind(context, binding)
        if open_ended:
            grown = self._grown[name] = Grown(self._cuda, self._until, binding.address or 0, most)
            grown.allocator = allocator(self._trt, grown)
            context.set_output_allocator(name, grown.allocator)
        return binding

    def _binding(self, name: str, dtype: np.dtype[Any], size: int) -> Binding:
        host = host_memory(self._cuda, size, self._until)
        on_host = self._engine.get_tensor_location(name) == self._trt.TensorLocation.HOST
        return Binding(name, dtype, host, None if on_host else device_memory(self._cuda, size, self._until))

    def _bind(self, context: api.IExecutionContext, binding: Binding) -> None:
        address = binding.host.ctypes.data if binding.address is None else binding.address
        context.set_tensor_address(binding.name, address)

    def _copy_in(self) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        for each in self._inputs:
            if each.address is not None:
                self._copy(each.address, each.host.ctypes.data, each.host.nbytes, kind)

    def _copy_out(self) -> None:
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        for each in self._outputs:
            if each.address is not None and each.name not in self._grown:
                self._copy(each.host.ctypes.data, each.address, each.host.nbytes, kind)

    def _copy(self, to: int, of: int, size: int, kind: int) -> None:
        if size:
            called(self._cuda, self._cuda.cudaMemcpyAsync(to, of, size, kind, self._stream))

    def _enqueue(self, context: api.IExecutionContext) -> None:
        if not context.execute_async_v3(int(self._stream)):
            said = self._errors[-1] if self._errors else "it does not say why"
            raise Environment(f"TensorRT cannot run the engine: {said}", "is there memory enough on the GPU?")

    def _inference(self) -> None:
        if self._setup.transfers:
            self._copy_in()
        self._enqueue(self._context)
        if self._setup.transfers:
            self._copy_out()

    def _launch(self) -> None:
        if self._graph is None:
            self._inference()
        else:
            called(self._cuda, self._cuda.cudaGraphLaunch(self._graph, self._stream))

    def _synchronise(self) -> None:
        called(self._cuda, self._cuda.cudaStreamSynchronize(self._stream))

    def _record(self) -> None:
        """Record an inference as a CUDA graph; one that cannot be recorded is launched kernel by kernel."""
        cuda = self._cuda
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        called(cuda, cuda.cudaStreamBeginCapture(self._stream, mode))
        try:
            self._inference()
            graph = called(cuda, cuda.cudaStreamEndCapture(self._stream))
            self._graph = called(cuda, cuda.cudaGraphInstantiate(graph, 0))
        except Environment as error:
            cuda.cudaStreamEndCapture(self._stream)
            _LOG.warning("no CUDA graph can be recorded, kernels are launched one by one: %s", error.what)
            return
        self._until.callback(cuda.cudaGraphExecDestroy, self._graph)
        called(cuda, cuda.cudaGraphDestroy(graph))
        self._launch()
        self._synchronise()

    def _let_go(self) -> None:
        """Let TensorRT free its memory while there is a device."""
        self._grown.clear()
        del self._context, self._engine


def _lacking(context: api.IExecutionContext) -> list[str]:
    """The inputs that TensorRT still has to know to infer shapes."""
    try:
        return context.infer_shapes()
    except RuntimeError as error:
        raise Refused(f"TensorRT cannot infer the shapes: {error}", "give others with --shape") from error
