"""Networks exported anew with free sizes: pruned without a word about shapes, and right far from there.

    python -m benchmarks.dynamic [--folder DIR] [--match GLOB] [--ratio 0.5] [--no-write]

The networks are exported by `benchmarks.peers.export_dynamic` in the environment `exporters` (`make peers`)
where the folder does not have them yet. Each is pruned by the command line at its defaults, and what is
written is compared with a reference made from the two files (see `benchmarks.reference`) at other sizes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.child import ROOT, graphprune, has_peer, peer, run
from benchmarks.reference import Array, Unlike, read, reference, session
from benchmarks.sweep import agreed, gaps, left, said, sweep

FOLDER = ROOT / "build" / "dynamic"
IMAGES = ((2, 64, 64), (1, 96, 160), (3, 224, 32), (1, 33, 47), (1, 256, 288))
"""Batch, height and width."""
TEXTS = ((2, 12), (1, 128), (5, 3), (1, 70), (3, 33), (1, 1))
"""Batch and length."""


def feeds(opened: Any, sizes: Sequence[int], seed: int) -> dict[str, Array]:
    """Inputs of a network of images or of sequences."""
    draw = np.random.default_rng(seed)
    made: dict[str, Array] = {}
    for item in opened.get_inputs():
        if item.name == "pixel_values":
            made[item.name] = draw.standard_normal((sizes[0], 3, *sizes[1:])).astype(np.float32)
        elif item.name == "attention_mask":
            made[item.name] = np.ones(sizes, np.int64)
        else:
            made[item.name] = draw.integers(3, 90, sizes)
    return made


def compared(original: Path, pruned: Path) -> dict[str, Any]:
    """The largest difference at each of the sizes that the original takes."""
    whole, small = read(original), read(pruned)
    opened = session(small)
    sizes = IMAGES if any(item.name == "pixel_values" for item in opened.get_inputs()) else TEXTS
    masked = session(reference(whole, small, feeds(opened, sizes[0], 0)))
    return gaps(masked, opened, {"x".join(map(str, at)): feeds(opened, at, 1) for at in sizes})


def measure(model: Path, ratio: float, folder: Path) -> dict[str, Any]:
    """Prune one network and compare it."""
    out = folder / f"{model.stem}.pruned.onnx"
    words = ("prune", model, "-o", out, "--ratio", str(ratio), "--force", "--no-config")
    done = run(graphprune(*words), {"OMP_NUM_THREADS": "1"}, 600)
    result: dict[str, Any] = {"name": model.stem, "exit": done.status, "seconds": round(done.seconds, 1)}
    if done.status:
        return result | {"status": "refused", "why": done.complaint}
    result["parameters left"] = left(model, out)
    result["said"] = said(done)
    try:
        found = compared(model, out)
    except Unlike as error:
        return result | {"status": "not compared", "why": str(error)}
    numbers = agreed(found)
    status = "wrong" if numbers is None else "right" if len(numbers) > 1 else "not compared"
    return result | {"gaps": found, "status": status}


def build(folder: Path) -> None:
    """Export what the folder does not have yet."""
    if not has_peer("exporters"):
        raise SystemExit("the networks are not there, nor what exports them: make peers")
    folder.mkdir(parents=True, exist_ok=True)
    print(run(peer("exporters", "export_dynamic", "-o", folder), limit=7200).stdout)


COLUMNS = {"network": "name", "status": "status", "left": "parameters left"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune every network of the folder; 1 where one is wrong."""
    return sweep("dynamic", "networks", __doc__, FOLDER, build, measure, COLUMNS, arguments)


if __name__ == "__main__":
    sys.exit(main())
