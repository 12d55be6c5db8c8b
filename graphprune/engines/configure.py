"""From an ONNX file to a plan: the network, always strongly typed, and how it is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from graphprune.engines import api
from graphprune.engines.job import Fault, Job
from graphprune.engines.libraries import RtxTensorRT, TensorRT
from graphprune.errors import Environment, Refused, Usage

FLAGS = {
    "sparse": "SPARSE_WEIGHTS",
    "version_compatible": "VERSION_COMPATIBLE",
    "refit": "REFIT",
    "strip": "STRIP_PLAN",
}
"""Options that are a switch of the builder."""


class Unparsed(Exception):
    """The parser does not take the model."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("the parser does not take the model")
        self.faults = faults


def builder(trt: TensorRT, logger: api.ILogger) -> api.Builder:
    """Return a builder; raises `Environment` where TensorRT finds no GPU to build on."""
    try:
        return trt.Builder(logger)
    except (TypeError, RuntimeError) as error:  # what pybind11 makes of a null pointer
        raise Environment("TensorRT cannot start to build", "is there a GPU, and its driver?") from error


def parsed(
    trt: TensorRT, build: api.Builder, logger: api.ILogger, path: str
) -> tuple[api.INetworkDefinition, api.OnnxParser]:
    """Return the network of an ONNX file, and the parser, which owns its weights.

    Raises:
        Unparsed: the parser does not take the model.
    """
    network = build.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(path):
        raise Unparsed([_fault(parser.get_error(index)) for index in range(parser.num_errors)])
    return network, parser


def configured(
    trt: TensorRT, build: api.Builder, network: api.INetworkDefinition, job: Job
) -> api.IBuilderConfig:
    """Return how `network` is built. No precision is set: it is what the model says.

    Raises:
        Usage: the installed version lacks what is asked for.
        Refused: an input of the network is a shape, whose values an engine would be built for.
    """
    config = build.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if job.level is not None:
        config.builder_optimization_level = job.level
    if job.workspace is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job.workspace)
    if job.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    for flag in _switches(trt, job.flags):
        config.set_flag(flag)
    if job.capability is not None:
        _aim(cast("RtxTensorRT", trt), cast("api.RtxIBuilderConfig", config), job.capability)
    shapes = [network.get_input(index) for index in range(network.num_inputs)]
    for tensor in shapes:
        if tensor.is_shape_tensor:
            raise Refused(
                f"input {tensor.name} holds the values of a shape", "make it a constant of the model"
            )
    if job.ranges:
        profile = build.create_optimization_profile()
        for name, (least, best, most) in job.ranges.items():
            profile.set_shape(name, least, best, most)
        if config.add_optimization_profile(profile) < 0:
            raise Refused("TensorRT does not take these shapes", "check --min-shapes, --max-shapes")
    return config


def _switches(trt: TensorRT, names: Iterable[str]) -> Iterable[api.Named]:
    for name in names:
        flag: api.Named | None = getattr(trt.BuilderFlag, FLAGS[name], None)
        if flag is None:
            option = {"sparse": "sparsity"}.get(name, name.replace("_", "-"))
            raise Usage(f"this version, {trt.__version__}, has no --{option}", "leave it out")
        yield flag


def _aim(rtx: RtxTensorRT, config: api.RtxIBuilderConfig, capability: int) -> None:
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(rtx.ComputeCapability, f"SM{capability}"), 0)


def _fault(error: api.ParserError) -> Fault:
    # Up to 10.13 the `name` of a code is a method; its text is the same in all versions.
    code = str(error.code()).rpartition(".")[2]
    return Fault(error.node(), error.node_name(), error.node_operator(), code, error.desc())
