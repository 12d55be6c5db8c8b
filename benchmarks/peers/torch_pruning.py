"""Torch-Pruning on a network of torchvision's: import, build, dependency graph, prune, export to ONNX.

Run it with the environment that `make peers` builds:

    build/peers/torch-pruning/bin/python -m benchmarks.peers.torch_pruning resnet50 [-o pruned.onnx]

It follows Torch-Pruning's own example for torchvision: one shot, group L2 magnitude, local scope, the
classifier ignored, a vision transformer's channels rounded to its heads and its `hidden_dim` set anew; the
heads of a packed query-key-value layer are named as in its examples for transformers. Without `-o` the
pruned module is run once and not exported; the exporter runs it otherwise.

Prints one JSON object: status (`ok`, or `crash` and the error), versions, seconds by part, parameters
before and after. The exit status is 1 after a crash.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.peers import torchvision_models as networks
from benchmarks.peers.export_torchvision import export

BEGIN = time.perf_counter()
PACKAGES = ("torch", "torchvision", "torch-pruning", "onnx", "onnxscript")


class Clock:
    """The seconds of each part of a run."""

    def __init__(self) -> None:
        self._marks = [("begin", BEGIN)]

    def mark(self, part: str) -> None:
        """Say that `part` ends now."""
        self._marks.append((part, time.perf_counter()))

    def seconds(self) -> dict[str, float]:
        """The seconds of the parts that have ended, and their total."""
        return {part: round(end - begin, 3) for (_, begin), (part, end) in pairwise(self._marks)}

    def total(self) -> float:
        """The seconds from the start to the end of the last part."""
        return round(self._marks[-1][1] - BEGIN, 3)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", default="resnet50", help="a network of torchvision's")
    parser.add_argument("-o", "--output", type=Path, help="where the pruned ONNX file goes")
    parser.add_argument(
        "--ratio", type=float, default=0.5, help="fraction of each group's channels to remove"
    )
    parser.add_argument("--round-to", type=int, help="keep a multiple of so many channels")
    parser.add_argument("--stir", action="store_true", help="weights as `export_torchvision` draws them")
    parser.add_argument("--exporter", choices=("torchscript", "dynamo"), default="torchscript")
    return parser.parse_args(arguments)


def recipe(torch: Any, model: Any, round_to: int | None = None) -> dict[str, Any]:
    """What Torch-Pruning's examples tell the pruner about `model`, beside the ratio and the importance."""
    told: dict[str, Any] = {"ignored_layers": networks.classifiers(torch, model), "round_to": round_to}
    packed = [layer for layer in model.modules() if hasattr(layer, "qkv") and hasattr(layer, "num_heads")]
    if packed:
        told["num_heads"] = {layer.qkv: layer.num_heads for layer in packed}
    if type(model).__name__ == "VisionTransformer":
        told["round_to"] = model.encoder.layers[0].num_heads
    return told


def prune(
    torch: Any, tp: Any, model: Any, example: Any, ratio: float, round_to: int | None, clock: Clock
) -> None:
    """Prune `model` in place."""
    pruner = tp.pruner.BasePruner(
        model,
        example,
        importance=tp.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=ratio,
        **recipe(torch, model, round_to),
    )
    clock.mark("graph")
    pruner.step()
    if type(model).__name__ == "VisionTransformer":
        model.hidden_dim = model.conv_proj.out_channels
    clock.mark("prune")


def attempt(options: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """Build, prune and export; what came of it."""
    torch, torchvision, declared = networks.packages()
    tp: Any = import_module("torch_pruning")
    clock.mark("import")
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    model = networks.build(torch, torchvision, options.name)
    if options.stir:
        networks.stir(torch, model)
    example = networks.example(torch, options.name)
    before = sum(p.numel() for p in model.parameters())
    clock.mark("build")
    report: dict[str, Any] = {"operators_declared": declared is not None, "status": "ok"}
    try:
        prune(torch, tp, model, example, options.ratio, options.round_to, clock)
        if options.output:
            report["bytes"] = export(torch, model, example, options.output, options.exporter)
            clock.mark("export")
        else:
            with torch.no_grad():
                model(example)
            clock.mark("run")
    except Exception as error:  # noqa: BLE001  a crash of the peer's is a result
        lines = str(error).strip().splitlines() or [""]
        return {**report, "status": "crash", "error": f"{type(error).__name__}: {lines[0][:200]}"}
    after = sum(p.numel() for p in model.parameters())
    return {**report, "parameters": {"before": before, "after": after, "remaining": round(after / before, 4)}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune once; what happened goes to standard output as JSON."""
    options = _options(arguments)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    clock = Clock()
    outcome = attempt(options, clock)
    report = {
        "peer": "torch-pruning",
        "network": options.name,
        "versions": {name: version(name) for name in PACKAGES},
        "exporter": options.exporter,
        "seconds": clock.seconds(),
        "total": clock.total(),
        **outcome,
    }
    print(json.dumps(report))
    return int(outcome["status"] != "ok")


if __name__ == "__main__":
    sys.exit(main())
