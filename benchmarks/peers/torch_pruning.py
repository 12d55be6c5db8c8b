"""Torch-Pruning on torchvision's ResNet-50: import, build, dependency graph, prune, export to ONNX.

Run it with the environment that `make peers` builds:

    build/peers/torch-pruning/bin/python -m benchmarks.peers.torch_pruning_resnet50 -o pruned.onnx

It follows Torch-Pruning's own recipe: one shot, group L2 magnitude, local scope, the classifier ignored. The
weights are random. Prints one JSON object: versions, seconds by part, parameters before and after.
"""

from __future__ import annotations

import argparse
import contextlib
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
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.peers.torchvision_operators import declare

BEGIN = time.perf_counter()
PACKAGES = ("torch", "torchvision", "torch-pruning", "onnx", "onnxscript")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="where the pruned ONNX file goes")
    parser.add_argument(
        "--ratio", type=float, default=0.5, help="fraction of each group's channels to remove"
    )
    parser.add_argument("--exporter", choices=("torchscript", "dynamo"), default="torchscript")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune and export once; the seconds of each part go to standard output as JSON."""
    options = _options(arguments)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    marks = [("begin", BEGIN)]

    def mark(part: str) -> None:
        marks.append((part, time.perf_counter()))

    torch: Any = import_module("torch")
    declared = declare()
    torchvision: Any = import_module("torchvision")
    tp: Any = import_module("torch_pruning")
    mark("import")
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None).eval()
    before = sum(p.numel() for p in model.parameters())
    mark("build")
    example = torch.randn(1, 3, 224, 224)
    pruner = tp.pruner.BasePruner(
        model,
        example,
        importance=tp.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=options.ratio,
        ignored_layers=[model.fc],
    )
    mark("graph")
    pruner.step()
    after = sum(p.numel() for p in model.parameters())
    mark("prune")
    with contextlib.redirect_stdout(io.StringIO()):
        torch.onnx.export(model, (example,), str(options.output), dynamo=options.exporter == "dynamo")
    mark("export")
    data = options.output.with_name(options.output.name + ".data")  # the dynamo exporter's weights
    seconds = {part: end - begin for (_, begin), (part, end) in pairwise(marks)}
    report = {
        "peer": "torch-pruning",
        "versions": {name: version(name) for name in PACKAGES},
        "exporter": options.exporter,
        "operators_declared": declared is not None,
        "seconds": {part: round(value, 3) for part, value in seconds.items()},
        "total": round(marks[-1][1] - BEGIN, 3),
        "parameters": {"before": before, "after": after, "remaining": round(after / before, 4)},
        "bytes": sum(p.stat().st_size for p in (options.output, data) if p.exists()),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
