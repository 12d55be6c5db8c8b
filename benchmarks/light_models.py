"""The nine `light_*` networks of the onnx package, with weights to speak of.

The package ships the graphs of nine ImageNet classifiers (opset 9, IR version 3) with weights that a
ConstantOfShape fills with one number. Every channel is then as important as the next, and every output the
same. Here each parameter is drawn from a generator that is seeded with its name, by the part it plays:

    weights of Conv and Gemm        normal, variance 2 / fan-in (He et al. 2015, arXiv:1502.01852)
    their biases                    normal, standard deviation 0.05
    scale and bias of a norm        1 + 0.1 normal; 0.1 normal
    running mean and variance       0.1 normal; uniform in [0.5, 1.5)

Running statistics that the package does carry are drawn anew: they belong to weights that it does not carry.
The last layer's weights are then scaled by a power of two, so that the softmax behind it is not saturated
and hides no difference. What nobody reads any longer is dropped, parameters are no longer inputs, and
the IR version is 4, the first that permits this. The opset stays 9.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks import judge

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
PARTS = {
    "Conv": ("", "weight", "bias"),
    "Gemm": ("", "weight", "bias"),
    "BatchNormalization": ("", "scale", "shift", "mean", "variance"),
    "Mul": ("scale", "scale"),
    "Add": ("shift", "shift"),
}
"""The part that each input of an operator plays. Mul and Add by a parameter are a norm's, spelled apart."""


def names() -> list[str]:
    """The networks' names, without `light_`."""
    return sorted(path.stem.removeprefix("light_") for path in FOLDER.glob("light_*.onnx"))


def load(name: str) -> onnx.ModelProto:
    """The network `name` with its parameters drawn."""
    model = judge.read(FOLDER / f"light_{name}.onnx")
    graph = model.graph
    shapes = _parameter_shapes(graph)
    drawn = {n: _draw(n, shapes[n], part, fan_in) for n, part, fan_in in _parts(graph, shapes)}
    nodes = [n for n in graph.node if not (n.op_type == "ConstantOfShape" and n.output[0] in drawn)]
    read = {i for node in nodes for i in node.input}
    others = [t for t in graph.initializer if t.name in read and t.name not in drawn]
    inputs = [
        i for i in graph.input if i.name in read and i.name not in shapes | {t.name: () for t in others}
    ]
    del graph.node[:], graph.initializer[:], graph.input[:]
    graph.node.extend(nodes)
    graph.initializer.extend(others)
    graph.initializer.extend(numpy_helper.from_array(array, n) for n, array in drawn.items())
    graph.input.extend(inputs)
    model.ir_version = 4
    assert judge.valid(model) == "yes", judge.valid(model)
    _soften(model)
    return model


def _parameter_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Shapes of all float parameters, stored or filled."""
    stored = {t.name: t for t in graph.initializer}
    shapes = {t.name: tuple(t.dims) for t in stored.values() if t.data_type == TensorProto.FLOAT}
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shapes[node.output[0]] = tuple(int(d) for d in numpy_helper.to_array(stored[node.input[0]]))
    return shapes


def _source(graph: onnx.GraphProto) -> dict[str, str]:
    """What a tensor is another view of: outputs of Unsqueeze and Reshape by the name of their data."""
    return {node.output[0]: node.input[0] for node in graph.node if node.op_type in {"Unsqueeze", "Reshape"}}


def _parts(graph: onnx.GraphProto, shapes: dict[str, tuple[int, ...]]) -> Iterator[tuple[str, str, int]]:
    """Of every parameter that is read: its name, the part it plays, the fan-in of a weight."""
    source = _source(graph)
    for node in graph.node:
        for part, tensor in zip(PARTS.get(node.op_type, ()), node.input, strict=False):
            name = source.get(tensor, tensor)
            if not part or name not in shapes:
                continue
            shape = shapes[name]
            if node.op_type == "Gemm" and part == "weight":
                transposed = any(a.name == "transB" and a.i for a in node.attribute)
                yield name, part, shape[-1 if transposed else -2]
            else:
                yield name, part, math.prod(shape[1:])


def _draw(name: str, shape: tuple[int, ...], part: str, fan_in: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(crc32(name.encode()))
    if part == "variance":
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    mean = np.float32(1.0 if part == "scale" else 0.0)
    deviation = np.float32({"weight": math.sqrt(2 / fan_in), "bias": 0.05}.get(part, 0.1))
    return mean + deviation * rng.standard_normal(shape, dtype=np.float32)


def _soften(model: onnx.ModelProto) -> None:
    """Scale the last layer's weights by the power of two that brings its outputs' deviation near 1."""
    graph = model.graph
    last = next(node for node in reversed(graph.node) if node.op_type in {"Conv", "Gemm"})
    source = _source(graph).get(last.input[1], last.input[1])
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.append(helper.make_tensor_value_info(last.output[0], TensorProto.FLOAT, None))
    deviation = float(judge.outputs(probe, judge.feeds(model))[0].std())
    weight = next(t for t in graph.initializer if t.name == source)
    scaled = numpy_helper.to_array(weight) * np.float32(2.0 ** -round(math.log2(deviation)))
    weight.CopyFrom(numpy_helper.from_array(scaled, weight.name))
