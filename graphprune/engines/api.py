"""What graphprune uses of TensorRT and TensorRT-RTX, class by class, under their own names.

The type checkers hold the code to these protocols, and the tests hold the protocols to the real bindings of
every version that is supported. What TensorRT-RTX alone has stands in classes that begin with `Rtx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Named(Protocol):
    """A member of an enumeration."""

    @property
    def name(self) -> str: ...


class ILogger(Protocol):
    """Takes messages; ours is a subclass with a method `log(severity, text)`."""


class IProgressMonitor(Protocol):
    """Is told of phases and steps; ours is a subclass with the methods that are called."""


class IProfiler(Protocol):
    """Is told the time of each layer; ours is a subclass with a method `report_layer_time(name, ms)`."""


class IOutputAllocator(Protocol):
    """Gives memory for outputs whose size depends on data; ours is a subclass."""


class IHostMemory(Protocol):
    """Bytes that TensorRT owns."""

    @property
    def nbytes(self) -> int: ...

    def __buffer__(self, flags: int, /) -> memoryview: ...


class ITensor(Protocol):
    """An input of a network."""

    @property
    def name(self) -> str: ...

    @property
    def is_shape_tensor(self) -> bool: ...


class INetworkDefinition(Protocol):
    """A network, as parsed."""

    @property
    def num_inputs(self) -> int: ...

    def get_input(self, index: int, /) -> ITensor: ...


class ParserError(Protocol):
    """What the parser has against a node."""

    def code(self) -> object: ...

    def desc(self) -> str: ...

    def node(self) -> int: ...

    def node_name(self) -> str: ...

    def node_operator(self) -> str: ...


class OnnxParser(Protocol):
    """Reads ONNX into a network."""

    @property
    def num_errors(self) -> int: ...

    def parse_from_file(self, model: str, /) -> bool: ...

    def get_error(self, index: int, /) -> ParserError: ...


class IOptimizationProfile(Protocol):
    """The shapes that an engine takes."""

    def set_shape(
        self, name: str, least: Sequence[int], best: Sequence[int], most: Sequence[int], /
    ) -> None: ...


class ITimingCache(Protocol):
    """What tactics took."""

    def combine(self, other: ITimingCache, ignore_mismatch: bool, /) -> bool: ...

    def serialize(self) -> IHostMemory: ...


class IBuilderConfig(Protocol):
    """How a network is built."""

    builder_optimization_level: int
    hardware_compatibility_level: Named
    profiling_verbosity: Named
    progress_monitor: IProgressMonitor

    def set_flag(self, flag: Named, /) -> None: ...

    def set_memory_pool_limit(self, pool: Named, size: int, /) -> None: ...

    def add_optimization_profile(self, profile: IOptimizationProfile, /) -> int: ...

    def create_timing_cache(self, blob: bytes, /) -> ITimingCache: ...

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool, /) -> bool: ...


class RtxIBuilderConfig(IBuilderConfig, Protocol):
    """The same in TensorRT-RTX, which builds for a GPU that is not there."""

    num_compute_capabilities: int

    def set_compute_capability(self, capability: Named, index: int, /) -> bool: ...


class Builder(Protocol):
    """Builds engines."""

    def create_network(self, flags: int, /) -> INetworkDefinition: ...

    def create_builder_config(self) -> IBuilderConfig: ...

    def create_optimization_profile(self) -> IOptimizationProfile: ...

    def build_serialized_network(
        self, network: INetworkDefinition, config: IBuilderConfig, /
    ) -> IHostMemory | None: ...


class EngineInspector(Protocol):
    """Tells what an engine consists of."""

    execution_context: IExecutionContext

    def get_engine_information(self, layout: Named, /) -> str: ...


class IExecutionContext(Protocol):
    """An engine with memory to run in."""

    profiler: IProfiler

    def set_input_shape(self, name: str, shape: Sequence[int], /) -> bool: ...

    def set_tensor_address(self, name: str, memory: int, /) -> bool: ...

    def set_output_allocator(self, name: str, allocator: IOutputAllocator, /) -> bool: ...

    def infer_shapes(self) -> list[str]: ...

    def get_tensor_shape(self, name: str, /) -> Sequence[int]: ...

    def get_max_output_size(self, name: str, /) -> int: ...

    def execute_async_v3(self, stream: int, /) -> bool: ...


class ICudaEngine(Protocol):
    """An engine on the GPU."""

    @property
    def num_io_tensors(self) -> int: ...

    def get_tensor_name(self, index: int, /) -> str: ...

    def get_tensor_mode(self, name: str, /) -> Named: ...

    def get_tensor_dtype(self, name: str, /) -> Named: ...

    def get_tensor_location(self, name: str, /) -> Named: ...

    def create_engine_inspector(self) -> EngineInspector: ...

    def create_execution_context(self) -> IExecutionContext | None: ...


class RtxIRuntimeCache(Protocol):
    """Kernels that TensorRT-RTX has compiled on the GPU."""

    def deserialize(self, blob: bytes, /) -> bool: ...

    def serialize(self) -> IHostMemory: ...


class RtxIRuntimeConfig(Protocol):
    """How TensorRT-RTX runs an engine."""

    cuda_graph_strategy: Named
    dynamic_shapes_kernel_specialization_strategy: Named

    def create_runtime_cache(self) -> RtxIRuntimeCache: ...

    def set_runtime_cache(self, cache: RtxIRuntimeCache, /) -> bool: ...


class RtxICudaEngine(Protocol):
    """An engine of TensorRT-RTX."""

    def create_runtime_config(self) -> RtxIRuntimeConfig: ...

    def create_execution_context(self, config: RtxIRuntimeConfig, /) -> IExecutionContext | None: ...


class Runtime(Protocol):
    """Loads engines."""

    engine_host_code_allowed: bool

    def deserialize_cuda_engine(self, blob: bytes, /) -> ICudaEngine | None: ...


class BuilderFlag(Protocol):
    """Switches of the builder; those for options are looked up by name, as versions differ."""

    SPARSE_WEIGHTS: Named


class NetworkDefinitionCreationFlag(Protocol):
    """Switches of a network."""

    STRONGLY_TYPED: int


class MemoryPoolType(Protocol):
    """Kinds of memory that can be limited."""

    WORKSPACE: Named


class ProfilingVerbosity(Protocol):
    """How much an engine tells about itself."""

    DETAILED: Named


class HardwareCompatibilityLevel(Protocol):
    """The GPUs that an engine runs on beside that at hand."""

    AMPERE_PLUS: Named


class LayerInformationFormat(Protocol):
    """How an engine is described."""

    JSON: Named


class TensorIOMode(Protocol):
    """What a tensor of an engine is."""

    INPUT: Named
    OUTPUT: Named


class TensorLocation(Protocol):
    """Where a tensor must lie."""

    HOST: Named


class RtxCudaGraphStrategy(Protocol):
    """Whether TensorRT-RTX records CUDA graphs itself."""

    DISABLED: Named
    WHOLE_GRAPH_CAPTURE: Named


class RtxDynamicShapesKernelSpecializationStrategy(Protocol):
    """When kernels for a shape are compiled."""

    EAGER: Named
