"""TensorRT and TensorRT-RTX as backends: `trt` and `trt-rtx`, one code path for both."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import cast

from graphprune.backends import Device, Setup
from graphprune.backends.cuda import CudaRuntime, called, name_of, properties, runtime, version
from graphprune.backends.gpu import described
from graphprune.backends.trt_names import names_of
from graphprune.backends.trt_running import TrtRunning
from graphprune.engines import api
from graphprune.engines.build import Engine, build
from graphprune.engines.foreign import read_engine
from graphprune.engines.libraries import Library, RtxTensorRT, TensorRT, capabilities, library, load
from graphprune.engines.messages import logger
from graphprune.engines.options import BuildOptions
from graphprune.engines.ranges import fitted, named
from graphprune.errors import Environment, Usage
from graphprune.feeds import Feeds
from graphprune.model import Model
from graphprune.user_cache import private_folder, read_bytes, write_bytes

_LOG = logging.getLogger("graphprune.engines")
_MOST_KERNELS = 512 << 20
"""Bytes of compiled kernels that are kept for a GPU; beyond, they are gathered anew."""


@dataclass(frozen=True)
class Trt:
    """TensorRT or TensorRT-RTX on an NVIDIA GPU."""

    name: str

    def device(self, setup: Setup) -> Device:
        """Return what is measured on."""
        of = library(self.name)
        trt, cuda = load(of), runtime()
        found = properties(setup.gpu)
        details = {
            "compute capability": f"{found.major}.{found.minor}",
            "memory": f"{found.totalGlobalMem / 2**30:.0f} GiB",
            "multiprocessors": str(found.multiProcessorCount),
        }
        versions = {
            of.title: trt.__version__,
            "cuda driver": version(called(cuda, cuda.cudaDriverGetVersion())),
            "cuda runtime": version(called(cuda, cuda.cudaRuntimeGetVersion())),
        }
        with suppress(Environment):  # the driver's own version is worth knowing, and no more
            versions["driver"] = described(setup.gpu)[2]["driver"]
        return Device(self.name, name_of(found), details, versions)

    @contextmanager
    def open(self, model: Model, feeds: Feeds, setup: Setup) -> Generator[TrtRunning]:
        """Build `model` for the shapes of `feeds`, or take the engine from the cache, and load it."""
        of = library(self.name)
        device, trt, cuda = self.device(setup), load(of), runtime()
        options = _options(named(model, setup.build or BuildOptions()), feeds, device, trt)
        if options.engine is not None:
            plan = read_engine(options.engine, of.title, trt.__version__, trusted=options.trusted)
            facts, sparsity = {"file": options.engine.name, "bytes": str(len(plan))}, None
        else:
            engine = build(model, self.name, options, gpu=setup.gpu)
            plan, facts, sparsity = engine.plan, _facts(engine), engine.entry.sparsity
            del engine
        with ExitStack() as until:
            _take(cuda, setup)
            errors: list[str] = []
            log = logger(trt, lambda severity, text: _LOG.info("%s: %s", severity, text), errors)
            until.callback(errors.clear)
            loaded = _loaded(trt, log, plan, of, errors)
            del plan
            context = _context(trt, loaded, of, device, setup, until)
            running = TrtRunning(trt, cuda, loaded, context, feeds, setup, names_of(model), errors, until)
            running.build, running.sparsity = facts, sparsity
            yield running


BACKENDS = {name: Trt(name) for name in ("trt", "trt-rtx")}


def _options(options: BuildOptions, feeds: Feeds, device: Device, trt: TensorRT) -> BuildOptions:
    """The options with the shapes of `feeds`, and built for this GPU where TensorRT-RTX wants to know it."""
    if options.strip:
        raise Usage("an engine without weights cannot run", "leave out --strip")
    if options.version_compatible:
        raise Usage(
            "an engine with a runtime of its own holds code for the host, which is never run",
            "leave out --version-compatible",
        )
    shapes = {name: tuple(array.shape) for name, array in feeds.items()}
    options = replace(options, opt_shapes=fitted(options, shapes))
    here = int(device.details["compute capability"].replace(".", ""))
    if options.capability is None and here in capabilities(trt):
        return replace(options, capability=here)
    return options


def _take(cuda: CudaRuntime, setup: Setup) -> None:
    """Make the GPU ours to use; raises `Environment` where it is busy."""
    called(cuda, cuda.cudaSetDevice(setup.gpu))
    how = cuda.cudaDeviceScheduleSpin if setup.spin else cuda.cudaDeviceScheduleBlockingSync
    cuda.cudaSetDeviceFlags(how)  # fails where the GPU is in use by us already, which is no harm
    called(cuda, cuda.cudaFree(0))  # the context is made here, or nowhere


def _facts(engine: Engine) -> dict[str, str]:
    """What the engine is, for the record of what was measured."""
    entry = engine.entry
    return {
        "seconds": f"{entry.seconds:.2f}",
        "bytes": str(entry.bytes),
        "from the cache": "yes" if engine.cached else "no",
        "sha256": entry.sha256,
    }


def _loaded(trt: TensorRT, log: api.ILogger, plan: bytes, of: Library, errors: list[str]) -> api.ICudaEngine:
    loader = trt.Runtime(log)
    loader.engine_host_code_allowed = False
    engine = loader.deserialize_cuda_engine(plan)
    if engine is None:
        said = errors[-1] if errors else "it does not say why"
        raise Environment(
            f"{of.title} {trt.__version__} does not load the engine: {said}",
            "build it again with this version, on this GPU",
        )
    return engine


def _context(
    trt: TensorRT, engine: api.ICudaEngine, of: Library, device: Device, setup: Setup, until: ExitStack
) -> api.IExecutionContext:
    """Return a context; kernels that TensorRT-RTX compiles for it are kept for the next time."""
    if of.backend == "trt":
        context = engine.create_execution_context()
    else:
        rtx, made = cast("RtxTensorRT", trt), cast("api.RtxICudaEngine", engine)
        config = made.create_runtime_config()
        graph = rtx.CudaGraphStrategy
        config.cuda_graph_strategy = graph.WHOLE_GRAPH_CAPTURE if setup.cuda_graph else graph.DISABLED
        # Otherwise the first runs take kernels that are not the final ones.
        eager = rtx.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = eager
        _keep_kernels(config, f"{device.versions[of.title]}-{device.name}", until)
        context = made.create_execution_context(config)
    if context is None:
        raise Environment(
            "memory ran out on the GPU, or the engine cannot run on it", "use a smaller batch, or free memory"
        )
    return context


def _keep_kernels(config: api.RtxIRuntimeConfig, name: str, until: ExitStack) -> None:
    cache = config.create_runtime_cache()
    word = "".join(char if char.isalnum() else "-" for char in name)
    try:
        path = private_folder("kernels") / f"{word}.cache"
    except (OSError, Environment) as error:
        _LOG.warning("compiled kernels are not kept: %s", error)
        return
    known = read_bytes(path)
    if known and len(known) <= _MOST_KERNELS and not cache.deserialize(known):
        _LOG.warning("the compiled kernels in the cache are of another version or damaged, and are not used")
    config.set_runtime_cache(cache)

    def keep() -> None:
        with suppress(OSError):
            write_bytes(path, bytes(cache.serialize()))

    until.callback(keep)
