"""Export a network of torchvision's to ONNX, in evaluation mode and with weights drawn from a seed.

Run it with the environment that `make peers` builds:

    build/peers/torch-pruning/bin/python -m benchmarks.peers.export_torchvision swin_t -o swin_t.onnx

Batch norms are folded or left as the exporter pleases. Prints one JSON object: versions, parameters of the
module, bytes of the file.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers import torchvision_models as networks

PACKAGES = ("torch", "torchvision", "onnx", "onnxscript")


def export(torch: Any, model: Any, example: Any, output: Path, exporter: str) -> int:
    """Write `model` to `output` with one of torch's two exporters; the bytes written."""
    with contextlib.redirect_stdout(io.StringIO()):
        settings = {"external_data": False} if exporter == "dynamo" else {}
        torch.onnx.export(model, (example,), str(output), dynamo=exporter == "dynamo", **settings)
    return output.stat().st_size


def main(arguments: Sequence[str] | None = None) -> int:
    """Export one network; what was written goes to standard output as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="a network of torchvision's")
    parser.add_argument("-o", "--output", type=Path, required=True, help="where the ONNX file goes")
    parser.add_argument("--exporter", choices=("torchscript", "dynamo"), default="torchscript")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch, torchvision, _declared = networks.packages()
    model = networks.build(torch, torchvision, options.name)
    networks.stir(torch, model)
    example = networks.example(torch, options.name)
    report = {
        "network": options.name,
        "exporter": options.exporter,
        "versions": {name: version(name) for name in PACKAGES},
        "parameters": sum(p.numel() for p in model.parameters()),
        "bytes": export(torch, model, example, options.output, options.exporter),
    }
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
