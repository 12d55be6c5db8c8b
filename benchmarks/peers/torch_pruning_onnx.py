"""Torch-Pruning on an ONNX file: onnx2torch makes a module of it, which is pruned and exported.

Run it with the environment that `make peers` builds:

    build/peers/torch-pruning/bin/python -m benchmarks.peers.torch_pruning_onnx model.onnx --data calib.npz \
        --macs 0.5 --importance taylor --scope global -o pruned.onnx

Importances are Torch-Pruning's own: `l2` is GroupMagnitudeImportance(p=2), `taylor` is GroupTaylorImportance
with the gradients of the cross entropy to the classes that the unpruned model predicts, summed over all of
the data. What the pruner is told to ignore is in `torch_pruning_source.py`; attention loses dims of heads.
The ratio is bisected until the module's MACs lie under the target, at most half a percent of the original
below.

Prints one JSON object: status (`ok`, or `crash` and the error), versions, ratio, MACs, seconds. The exit
status is 1 after a crash.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from benchmarks.peers.torch_pruning_source import Source, convert, run, width
from benchmarks.peers.torchvision_operators import declare

PACKAGES = ("torch", "torch-pruning", "onnx2torch", "onnxsim", "onnx")
BATCH = 32
STEPS = 14
NEAR = 0.005
OPSET = 17
OUTPUT = "pruned_output"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where the pruned ONNX file goes")
    parser.add_argument("--data", type=Path, required=True, help="an .npz of unlabelled inputs")
    parser.add_argument("--macs", type=float, required=True, help="the fraction of MACs to keep")
    parser.add_argument("--importance", choices=("l2", "taylor"), default="l2")
    parser.add_argument("--gradients", type=Path, help="where they are kept for the next run")
    parser.add_argument("--scope", choices=("local", "global"), default="local")
    parser.add_argument("--inner", action="store_true", help="leave channels alone that additions tie")
    return parser.parse_args(arguments)


def macs(torch: Any, module: Any, example: list[Any]) -> int:
    """Multiply-accumulates of the convolutions, linear layers and matrix products of one run."""
    total = 0

    def count(layer: Any, inputs: Any, output: Any) -> None:
        nonlocal total
        weighted = width(torch, layer) is not None
        total += output.numel() * (layer.weight[0].numel() if weighted else inputs[0].shape[-1])

    counted = [m for m in module.modules() if width(torch, m) is not None or type(m).__name__ == "OnnxMatMul"]
    hooks = [layer.register_forward_hook(count) for layer in counted]
    with torch.no_grad():
        run(module, example)
    for hook in hooks:
        hook.remove()
    return total


def gradients(torch: Any, source: Source, images: Any) -> list[Any]:
    """The gradient of every parameter, over all images: cross entropy to the predicted classes.

    Raises:
        ValueError: the model has no classes.
    """
    if source.sequences:
        raise ValueError("the gradients are those of the predicted classes, and an encoder has none")
    module, loss = source.module, torch.nn.functional
    module.zero_grad()
    scores = any(isinstance(layer, torch.nn.Softmax) for layer in module.modules())
    for at in range(0, len(images), BATCH):
        output = module(torch.from_numpy(images[at : at + BATCH]))
        logs = output.clamp_min(1e-12).log() if scores else loss.log_softmax(output, -1)
        (loss.nll_loss(logs, output.argmax(-1), reduction="sum") / len(images)).backward()
    found = [None if p.grad is None else p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    return found


def kept_gradients(torch: Any, source: Source, images: Any, file: Path | None) -> tuple[list[Any], float]:
    """The gradients, read from `file` where an earlier run has left them, and the seconds they took then."""
    if file is not None and file.exists():
        return torch.load(file), float(json.loads(file.with_suffix(".json").read_text()))
    begin = time.perf_counter()
    found = gradients(torch, source, images)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".json").write_text(json.dumps(time.perf_counter() - begin))
        torch.save(found, file)
    return found, 0.0


def pruned(torch: Any, source: Source, options: argparse.Namespace, ratio: float, slopes: list[Any]) -> Any:
    """A copy of the module with this fraction of channels removed."""
    tp: Any = import_module("torch_pruning")
    module = copy.deepcopy(source.module)
    for parameter, slope in zip(module.parameters(), slopes):
        parameter.grad = None if slope is None else slope.clone()
    magnitude, taylor = tp.importance.GroupMagnitudeImportance, tp.importance.GroupTaylorImportance
    tp.pruner.BasePruner(
        module,
        source.example,
        importance=magnitude(p=2) if options.importance == "l2" else taylor(),
        pruning_ratio=ratio,
        forward_fn=run,
        num_heads={module.get_submodule(name): heads for name, heads in source.heads.items()},
        global_pruning=options.scope == "global",
        ignored_layers=[module.get_submodule(name) for name in source.ignored],
    ).step()
    module.zero_grad()
    return module


def search(
    torch: Any, source: Source, options: argparse.Namespace, slopes: list[Any]
) -> tuple[Any, float, float]:
    """The module just under the MACs target, its share of MACs, and the ratio; by bisection.

    Raises:
        ValueError: no ratio reaches the target.
    """
    whole = macs(torch, source.module, source.example)
    low, high = 0.0, 1.0
    best: tuple[Any, float, float] | None = None
    for _ in range(STEPS):
        ratio = (low + high) / 2
        module = pruned(torch, source, options, ratio, slopes)
        share = macs(torch, module, source.example) / whole
        if share > options.macs:
            low = ratio
            continue
        high = ratio
        if best is None or share > best[1]:
            best = module, share, ratio
        if share > options.macs - NEAR:
            break
    if best is None:
        raise ValueError(f"no ratio leaves at most {options.macs:.0%} of the MACs")
    return best


def export(torch: Any, module: Any, source: Source, output: Path) -> None:
    """Write the module as ONNX, with a batch of any size, or of one for a model of sequences."""
    axes = {} if source.sequences else {name: {0: "N"} for name in (*source.inputs, OUTPUT)}
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(
            module,
            tuple(source.example),
            str(output),
            dynamo=False,
            opset_version=OPSET,
            input_names=source.inputs,
            output_names=[OUTPUT],
            dynamic_axes=axes,
        )
    model = onnx.ModelProto.FromString(output.read_bytes())
    for node in model.graph.node:  # torch refuses names that are numbers
        node.output[:] = [source.output if name == OUTPUT else name for name in node.output]
    model.graph.output[0].name = source.output
    output.write_bytes(model.SerializeToString())


def attempt(options: argparse.Namespace) -> dict[str, Any]:
    """Convert, prune and export; what came of it."""
    torch: Any = import_module("torch")
    _declared = declare()
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    torch.manual_seed(0)
    with np.load(options.data) as data:
        arrays = dict(data)
    try:
        source = convert(torch, options.model, arrays, inner=options.inner)
        slopes: list[Any] = []
        earlier = 0.0
        if options.importance == "taylor":
            slopes, earlier = kept_gradients(torch, source, arrays[source.inputs[0]], options.gradients)
        module, share, ratio = search(torch, source, options, slopes)
        export(torch, module, source, options.output)
    except Exception as error:  # noqa: BLE001  a crash of the peer's is a result
        lines = str(error).strip().splitlines() or [""]
        return {"status": "crash", "error": f"{type(error).__name__}: {lines[0][:200]}"}
    found = {"macs_share": round(share, 4), "ratio": round(ratio, 4), "ignored": len(source.ignored)}
    return {"status": "ok", **found, "seconds_of_gradients_kept": round(earlier, 2)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune once; what happened goes to standard output as JSON."""
    options = _options(arguments)
    begin = time.perf_counter()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    outcome = attempt(options)
    report = {
        "peer": "torch-pruning",
        "importance": options.importance,
        "scope": options.scope,
        "versions": {name: version(name) for name in PACKAGES},
        "seconds": round(time.perf_counter() - begin + outcome.get("seconds_of_gradients_kept", 0.0), 2),
        **outcome,
    }
    print(json.dumps(report))
    return int(outcome["status"] != "ok")


if __name__ == "__main__":
    sys.exit(main())
