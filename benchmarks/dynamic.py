"""Networks exported anew with free sizes: pruned without a word about shapes, and right far from there.

    python -m benchmarks.dynamic [--folder DIR] [--match GLOB] [--ratio 0.5] [--no-write]

The networks are exported by `benchmarks.peers.export_dynamic` in the environment `exporters` (`make peers`)
where the folder does not have them yet. Each is pruned by the command line at its defaults, and what is
written is compared with a reference made from the two files (see `benchmarks.reference`) at other sizes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results
from benchmarks.child import ROOT, graphprune, has_peer, peer, run
from benchmarks.counting import parameters
from benchmarks.decoders import said
from benchmarks.reference import Array, Unlike, gap, read, reference, session
from benchmarks.reference import run as compute

FOLDER = ROOT / "build" / "dynamic"
LIMIT = 1e-3
"""The largest relative difference of a slice; float noise stays below 1e-4, a wrong unit is far above."""
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
    found: dict[str, Any] = {}
    for at in sizes:
        values, label = feeds(opened, at, 1), "x".join(map(str, at))
        try:
            expected = compute(masked, values)
        except Exception as error:  # noqa: BLE001 - the original's limits are its own
            found[label] = f"the original refuses it: {error}"[:120]
            continue
        try:
            found[label] = max(gap(a, b) for a, b in zip(expected, compute(opened, values), strict=True))
        except Exception as error:  # noqa: BLE001 - that it cannot run is a finding
            found[label] = f"fails: {error}"[:200]
    return found


def measure(model: Path, ratio: float, folder: Path) -> dict[str, Any]:
    """Prune one network and compare it."""
    out = folder / f"{model.stem}.pruned.onnx"
    words = ("prune", model, "-o", out, "--ratio", str(ratio), "--force", "--no-config")
    done = run(graphprune(*words), {"OMP_NUM_THREADS": "1"}, 600)
    result: dict[str, Any] = {"name": model.stem, "exit": done.status, "seconds": round(done.seconds, 1)}
    if done.status:
        return result | {"status": "refused", "why": done.complaint}
    result["parameters left"] = round(parameters(read(out)) / parameters(read(model)), 4)
    result["said"] = said(done)
    try:
        gaps = compared(model, out)
    except Unlike as error:
        return result | {"status": "not compared", "why": str(error)}
    numbers = [value for value in gaps.values() if isinstance(value, float)]
    wrong = any(value > LIMIT for value in numbers) or any(str(v).startswith("fails") for v in gaps.values())
    status = "wrong" if wrong else "right" if len(numbers) > 1 else "not compared"
    return result | {"gaps": gaps, "status": status}


def build(folder: Path) -> None:
    """Export what the folder does not have yet."""
    if not has_peer("exporters"):
        raise SystemExit("the networks are not there, nor what exports them: make peers")
    folder.mkdir(parents=True, exist_ok=True)
    print(run(peer("exporters", "export_dynamic", "-o", folder), limit=7200).stdout)


def row(result: Mapping[str, Any]) -> list[Any]:
    """One line of the table."""
    gaps = [value for value in result.get("gaps", {}).values() if isinstance(value, float)]
    worst = f"{max(gaps):.1e}" if gaps else None
    return [
        result["name"],
        result["status"],
        result.get("parameters left"),
        worst,
        result.get("why", "")[:100],
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prune every network of the folder; 1 where one is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the networks are, or go")
    parser.add_argument("--match", default="*")
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--out", type=Path, default=None, help="where pruned networks go (beside the others)")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    options = parser.parse_args(arguments)
    if not any(options.folder.glob("*.onnx")):
        build(options.folder)
    out = options.out or options.folder / "pruned"
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for model in sorted(options.folder.glob("*.onnx")):
        if fnmatchcase(model.stem, options.match):
            rows.append(measure(model, options.ratio, out))
            print(json.dumps(rows[-1]), flush=True)
    counts = Counter(item["status"] for item in rows)
    header = ("network", "status", "left", "worst gap", "why")
    print(results.table(header, [row(item) for item in rows]), "", dict(counts), sep="\n")
    if not options.no_write:
        results.write("dynamic", {"ratio": options.ratio, "figures": dict(counts), "networks": rows})
    return int(counts["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
