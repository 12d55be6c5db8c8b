"""TensorRT-RTX builds engines here, without a GPU: what parses, what is configured, what is refused."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import graphprune
from graphprune.engines.build import build, check
from graphprune.engines.options import BuildOptions
from graphprune.engines.store import Entry
from graphprune.engines.targets import build_all
from graphprune.errors import Environment, Refused, Usage
from graphprune.model import Model, from_proto
from tests.engines.networks import network

TARGETS = (80, 86, 89, 120)
pytestmark = pytest.mark.usefixtures("rtx", "own_cache")


def pruned(name: str, kind: str, folder: Path) -> Model:
    """A network at half its width."""
    onnx.save(network(name, kind), folder / "whole.onnx")
    return graphprune.prune(folder / "whole.onnx", ratio=0.5).result


def sizes(model: Model) -> list[int]:
    wanted = [BuildOptions(capability=target) for target in TARGETS]
    done = build_all(model, "trt-rtx", wanted, [None] * len(wanted))
    assert [(each.target, each.refusal) for each in done] == [(f"SM{target}", None) for target in TARGETS]
    return [each.entry.bytes for each in done if each.entry is not None]


@pytest.mark.parametrize("kind", ["float", "float16"])
@pytest.mark.parametrize("name", ["convolutions", "residual"])
def test_the_original_and_the_pruned_network_build_for_every_target(
    name: str, kind: str, tmp_path: Path
) -> None:
    whole, small = sizes(from_proto(network(name, kind))), sizes(pruned(name, kind, tmp_path))
    assert all(after < before for before, after in zip(whole, small, strict=True))


def test_without_a_target_one_engine_serves_all_from_ampere_on() -> None:
    engine = build(from_proto(network("residual")), "trt-rtx", BuildOptions())
    assert engine.entry.target == "Ampere and later"
    assert len(engine.plan) == engine.entry.bytes > 0


def test_a_dynamic_model_builds_for_the_range_that_is_given() -> None:
    model = from_proto(network("dynamic"))
    options = BuildOptions(capability=86, min_shapes={"x": (1, 3, 8, 8)}, max_shapes={"": (8, 3, 8, 8)})
    entry = build(model, "trt-rtx", options).entry
    assert entry.options["shapes"] == {"x": ["1x3x8x8", "8x3x8x8", "8x3x8x8"]}


def test_a_dynamic_model_without_shapes_is_refused_with_the_option_that_helps() -> None:
    with pytest.raises(Refused, match=r"input x is Nx3x8x8") as refusal:
        build(from_proto(network("dynamic")), "trt-rtx", BuildOptions(capability=86))
    assert "--shape x:1x3x8x8" in refusal.value.hint


def test_every_node_that_the_parser_refuses_is_named() -> None:
    with pytest.raises(Refused, match=r"refuses 2 nodes: Det 'y': .*not supported; Det 'z': .*not supported"):
        build(from_proto(network("unsupported")), "trt-rtx", BuildOptions(capability=86))


def test_a_node_with_a_name_is_called_by_it() -> None:
    proto = network("unsupported")
    proto.graph.node[1].name = "the determinant"
    with pytest.raises(Refused, match="Det 'the determinant'"):
        check(from_proto(proto), "trt-rtx", BuildOptions(capability=86))


def eighths(element: int) -> Model:
    """A product of matrices that are quantised to an element type of few bits."""
    zero = helper.make_tensor("zero", element, [], [0])
    scale = helper.make_tensor("scale", TensorProto.FLOAT16, [], [0.1])
    weight = helper.make_tensor("w", TensorProto.FLOAT16, [64, 64], [0.5] * 4096)
    steps = [("x", "xq", "xd"), ("w", "wq", "wd")]
    nodes = [
        node
        for start, middle, end in steps
        for node in (
            helper.make_node("QuantizeLinear", [start, "scale", "zero"], [middle]),
            helper.make_node("DequantizeLinear", [middle, "scale", "zero"], [end]),
        )
    ]
    nodes.append(helper.make_node("MatMul", ["xd", "wd"], ["y"]))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT16, [64, 64]) for name in "xy")
    graph = helper.make_graph(nodes, "g", [x], [y], [zero, scale, weight])
    return from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10))


def test_a_type_that_a_gpu_lacks_is_refused_for_that_gpu_alone() -> None:
    wanted = [BuildOptions(capability=target) for target in (*TARGETS, 90)]
    done = build_all(eighths(TensorProto.FLOAT8E4M3FN), "trt-rtx", wanted, [None] * len(wanted))
    assert [each.entry is not None for each in done] == [False, False, True, True, False]
    refusals = [each.refusal for each in done if each.refusal is not None]
    assert [type(refusal) for refusal in refusals] == [Refused] * 3
    assert "sm80" in refusals[0].what and "fp8_e4m3" in refusals[0].what
    assert "SM90" in refusals[2].what and "86" in refusals[2].hint


def test_a_crash_of_the_library_is_a_refusal_and_no_crash_of_ours() -> None:
    wanted = [BuildOptions(capability=120)]
    (outcome,) = build_all(eighths(TensorProto.FLOAT4E2M1), "trt-rtx", wanted, [None])
    assert isinstance(outcome.entry, Entry) or isinstance(outcome.refusal, Refused)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (BuildOptions(hardware_compatible=True), Usage, "--hardware-compatible"),
        (BuildOptions(version_compatible=True), Usage, "--version-compatible"),
        (BuildOptions(timing_cache=Path("t.cache")), Usage, "--timing-cache"),
        (BuildOptions(opt_shapes={"z": (1,)}), Usage, "no input z"),
        (BuildOptions(opt_shapes={"x": (2, 3, 32, 32)}), Usage, "does not fit input x"),
        (BuildOptions(capability=86, workspace=1), Refused, "workspace"),
        (BuildOptions(capability=86, refit=True), Environment, "needs a GPU"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_built_is_refused_with_its_reason(
    options: BuildOptions, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        build(from_proto(network("convolutions")), "trt-rtx", options)


@pytest.mark.parametrize(
    "options",
    [
        BuildOptions(level=1),
        BuildOptions(level=5),
        BuildOptions(sparse=True),
        BuildOptions(workspace=1 << 30),
    ],
    ids=["level 1", "level 5", "sparse", "workspace"],
)
def test_options_that_the_library_has_are_taken(options: BuildOptions) -> None:
    assert build(from_proto(network("convolutions")), "trt-rtx", options).entry.bytes > 0


def test_a_build_is_the_same_each_time() -> None:
    model = from_proto(network("residual", "float16"))
    engines = [build(model, "trt-rtx", BuildOptions(capability=89, number=number)) for number in range(2)]
    assert [engine.cached for engine in engines] == [False, False]
    assert engines[0].entry.sha256 == engines[1].entry.sha256


def test_tensorrt_itself_says_how_to_install_it() -> None:
    if importlib.util.find_spec("tensorrt") is not None:
        pytest.skip("TensorRT is installed")
    with pytest.raises(Environment) as refusal:
        build(from_proto(network("residual")), "trt", BuildOptions())
    assert refusal.value.hint == "pip install graphprune[trt]"


def test_of_sparsity_a_build_of_tensorrt_rtx_says_nothing() -> None:
    sparse = graphprune.run(from_proto(network("convolutions")), "fold,group,sparsify").result
    done = [
        build(sparse, "trt-rtx", BuildOptions(capability=86, sparse=asked)).entry for asked in (True, False)
    ]
    assert [entry.sparsity for entry in done] == [None, None]
    assert done[0].options == {"sparse": True}
    # The kernels are chosen when the engine is loaded, so that the flag changes no byte.
    assert done[0].sha256 == done[1].sha256
