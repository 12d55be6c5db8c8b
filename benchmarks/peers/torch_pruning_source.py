"""An ONNX file as a module that Torch-Pruning can take: onnxsim simplifies it, onnx2torch converts it.

onnxsim folds computed shapes and pads; batch norms stay, as in the modules that Torch-Pruning is written for.
A model of sequences gets the length of the data and a batch of one, because onnx2torch leaves the sizes in
its reshapes, where they would forbid every cut; the last size of each is then left open.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


@dataclass(frozen=True)
class Source:
    """The module, an example of its inputs, their names and the output's, what the pruner is told of it."""

    module: Any
    example: list[Any]
    inputs: list[str]
    output: str
    ignored: list[str]
    heads: dict[str, int]
    sequences: bool


def convert(torch: Any, path: Path, data: Mapping[str, NDArray[Any]], *, inner: bool = False) -> Source:
    """The module of the ONNX file at `path`; of several outputs the last is kept.

    With `inner`, layers whose channels are tied to those of other layers by an addition are to be ignored.

    The layer whose units are the classes, or the embedding, is to be ignored. So are the layers that a pad of
    channels joins, which Torch-Pruning takes for an elementwise operator, and those of a model of sequences
    that it cannot cut without breaking the module: they write to the residual stream, whose embeddings are
    constants that it does not see.
    """
    onnxsim, onnx2torch = import_module("onnxsim"), import_module("onnx2torch")
    model = onnx.ModelProto.FromString(path.read_bytes())
    del model.graph.output[:-1]
    inputs = [value.name for value in model.graph.input if value.name in data]
    rests = [value.type.tensor_type.shape.dim[1:] for value in model.graph.input]
    sequences = any(not dim.HasField("dim_value") for rest in rests for dim in rest)
    sizes = {name: [1, *data[name].shape[1:]] for name in inputs} if sequences else None
    with contextlib.redirect_stdout(io.StringIO()):
        model, _ = onnxsim.simplify(
            model, skipped_optimizers=["fuse_bn_into_conv"], overwrite_input_shapes=sizes
        )
    heads = _open_reshapes(model) if sequences else {}
    module: Any = onnx2torch.convert(model).eval()
    example = [torch.from_numpy(data[name][:1]) for name in inputs]
    with torch.no_grad():
        units = module(*example).shape[-1]
    widths = {name: width(torch, layer) for name, layer in module.named_modules()}
    ignored = [[name for name, found in widths.items() if found == units][-1]]
    if inner or _pads_channels(model):
        ignored += _joined(torch, module, example, added=inner)
    if sequences:
        ignored += [
            n for n in widths if widths[n] and n not in heads and not _cuts(torch, module, example, n)
        ]
    return Source(module, example, inputs, model.graph.output[0].name, ignored, heads, sequences)


def width(torch: Any, layer: Any) -> int | None:
    """The output units of a convolution or a linear layer; None for others."""
    if isinstance(layer, torch.nn.Conv2d):
        return int(layer.out_channels)
    return int(layer.out_features) if isinstance(layer, torch.nn.Linear) else None


def _open_reshapes(model: Any) -> dict[str, int]:
    """Leave the last size of every Reshape open; the heads of each layer whose units one splits, by name.

    A trailing input without a name is dropped as well: onnx2torch does not know it.
    """
    constants = _constants(model)
    makers = {node.output[0]: node for node in model.graph.node}
    heads: dict[str, int] = {}
    for node in model.graph.node:
        while node.input and not node.input[-1]:
            del node.input[-1]
        if node.op_type != "Reshape":
            continue
        sizes = constants[node.input[1]]
        if len(sizes) == 4 and makers[node.input[0]].op_type == "Gemm":
            heads[_module_name(makers[node.input[0]].name)] = int(sizes[2])
        length = next(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:])
        opened = {2: [length, -1], 3: [1, length, -1], 4: [1, length, int(sizes[2 % len(sizes)]), -1]}
        name = f"{node.output[0]}_sizes"
        model.graph.initializer.append(numpy_helper.from_array(np.array(opened[len(sizes)]), name))
        node.input[1] = name
    return heads


def _module_name(node: str) -> str:
    return node.strip("/").replace("/", ".")


def _constants(model: Any) -> dict[str, NDArray[Any]]:
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _pads_channels(model: Any) -> bool:
    """Whether a Pad of the model makes more channels (axis 1 of 4)."""
    constants = _constants(model)
    pads = [constants[node.input[1]] for node in model.graph.node if node.op_type == "Pad"]
    return any(len(pad) == 8 and bool(pad[1] or pad[5]) for pad in pads)


def run(module: Any, example: Any) -> Any:
    """The module's output; Torch-Pruning is given this for its own runs."""
    return module(*example)


def _joined(torch: Any, module: Any, example: list[Any], *, added: bool) -> list[str]:
    """The convolutions whose channels Torch-Pruning's graph joins to others': by a pad, or by anything."""
    tp: Any = import_module("torch_pruning")
    graph = tp.DependencyGraph().build_dependency(module, example, forward_fn=run)

    def joined(layer: Any) -> bool:
        group = graph.get_pruning_group(layer, tp.prune_conv_out_channels, [0])
        handlers = [d.handler.__name__ for d, _ in group if d.target.module in dense]
        padded = not added and any("ConstantPad" in d.target.name for d, _ in group)
        return padded or (added and handlers.count("prune_out_channels") > 1)

    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, torch.nn.Conv2d)}
    dense = {layer for layer in layers.values() if layer.groups == 1}
    return [name for name, layer in layers.items() if joined(layer)]


def _cuts(torch: Any, module: Any, example: list[Any], name: str) -> bool:
    """Whether the module still runs when the linear layer `name` has lost its first unit."""
    tp: Any = import_module("torch_pruning")
    trial = copy.deepcopy(module)
    graph = tp.DependencyGraph().build_dependency(trial, example, forward_fn=run)
    try:
        graph.get_pruning_group(trial.get_submodule(name), tp.prune_linear_out_channels, [0]).prune()
        with torch.no_grad():
            run(trial, example)
    except RuntimeError:
        return False
    return True
