"""How much of the multiply-accumulates that pruning saves a device gives back as time.

    python -m benchmarks.speedup [NAME ...] [--backend ort:cuda --batch 64 --half] [--parts ...] [--no-write]

1. `tools`: ResNet-50 and MobileNetV2 at ratio 0.5 by graphprune with several roundings, by Torch-Pruning and
   by onnxsim, all timed against the same original in one interleaved run. The target: graphprune's default
   rounding gives a speed-up of at least 80 % of the MACs ratio.
2. `kinds`: where the time goes in the original and in graphprune's models.
3. `ratios`: ResNet-50 at 0.05, 0.1, ..., 0.5, rounded. The target: none is slower than the original.
4. `staircase`: one convolution over its channels, drawn in `results/staircase.svg`.

It needs the environments of `make peers`, and matplotlib for the drawing. For a GPU, `pip install
onnxruntime-gpu` in place of onnxruntime; inputs and outputs then stay on it, and CUDA graphs are replayed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import child, results
from benchmarks import speedup_models as models
from benchmarks.speedup_staircase import staircase
from benchmarks.speedup_tables import missed, show
from benchmarks.speedup_timing import Where, kinds, timed
from graphprune.backends import BACKENDS, Setup
from graphprune.errors import GraphpruneError

NAMES = ("resnet50", "mobilenet_v2")
RATIO = 0.5
ROUNDINGS = ("auto", "8", "16", "32", "1")
PEER_ROUNDINGS = ("8", "16")
RATIOS = tuple(round(0.05 * step, 2) for step in range(1, 11))
SWEPT, SWEPT_ROUNDINGS = "resnet50", ("auto", "16")
PARTS = ("tools", "kinds", "ratios", "staircase")


def tools(name: str, where: Where, folder: Path) -> dict[str, Any]:
    """Time one network as each tool prunes it; a tool that fails has its reason in place of figures."""
    source = models.exported(name)
    makers: dict[str, Callable[[Path], dict[str, Any]]] = {}
    for to in ROUNDINGS:
        makers[f"graphprune, {to}"] = partial(models.by_graphprune, source, ratio=RATIO, rounding=to)
    for to in PEER_ROUNDINGS:
        makers[f"Torch-Pruning, {to}"] = partial(models.by_torch_pruning, name, ratio=RATIO, rounding=to)
    makers["onnxsim"] = partial(models.by_onnxsim, source, ratio=RATIO)
    original = _original(source, where, folder)
    rows: list[dict[str, Any]] = [{"model": "original", **models.counted(source)}]
    paths, failed = [original], list[dict[str, str]]()
    for title, make in makers.items():
        path = folder / f"{name}-{title.replace(', ', '-')}.onnx"
        try:
            facts = make(path)
        except models.Failed as error:
            failed.append({"model": title, "failed": str(error)})
            continue
        rows.append({"model": title, **models.counted(path), **facts})
        models.settle(path, where.batch, where.half)
        paths.append(path)
    times, run = timed(paths, where)
    for row, figures in zip(rows, times, strict=True):
        row |= figures
        row |= _gain(rows[0], row)
    return {"network": name, "rows": rows, "failed": failed, **run}


def _original(source: Path, where: Where, folder: Path) -> Path:
    path = folder / f"{source.stem}-original.onnx"
    path.write_bytes(source.read_bytes())
    models.settle(path, where.batch, where.half)
    return path


def _gain(original: dict[str, Any], row: dict[str, Any]) -> dict[str, float]:
    """The MACs ratio, the speed-up, and how much of the one the other is."""
    if "latency" not in row:
        return {}
    macs = original["macs"] / row["macs"]
    speedup = 1 / row["latency"]["ratio"]
    return {
        "macs_ratio": round(macs, 4),
        "speedup": round(speedup, 4),
        "of_macs_ratio": round(speedup / macs, 4),
    }


def ratios(where: Where, folder: Path) -> list[dict[str, Any]]:
    """Time one network at many ratios against the original, one run for each rounding."""
    source = models.exported(SWEPT)
    found: list[dict[str, Any]] = []
    for rounding in SWEPT_ROUNDINGS:
        paths = [_original(source, where, folder)]
        rows: list[dict[str, Any]] = []
        for ratio in RATIOS:
            path = folder / f"{SWEPT}-{rounding}-{ratio:g}.onnx"
            models.by_graphprune(source, path, ratio, rounding, verify=False)
            rows.append({"ratio": ratio, **models.counted(path)})
            models.settle(path, where.batch, where.half)
            paths.append(path)
        times, run = timed(paths, where)
        whole = models.counted(source)
        for row, figures in zip(rows, times[1:], strict=True):
            row |= figures
            row |= _gain(whole, row)
        found.append({"network": SWEPT, "rounding": rounding, "original": times[0], "rows": rows, **run})
    return found


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks of torchvision's")
    parser.add_argument("--backend", choices=BACKENDS, default="ort:cpu")
    parser.add_argument("--batch", type=int, default=1, help="samples of an inference")
    parser.add_argument("--half", action="store_true", help="float16")
    parser.add_argument("--threads", type=int, default=1, help="threads of an inference on a CPU")
    parser.add_argument("--gpu", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=60, help="pairs of blocks, at least")
    parser.add_argument("--step", type=int, default=2, help="of the staircase, in channels")
    parser.add_argument("--stairs", type=int, default=10, help="rounds of the staircase")
    parser.add_argument("--no-check", action="store_true", help="do not run the models on the CPU to compare")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ",".join(PARTS))
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results/ alone")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, where: Where, folder: Path) -> dict[str, Any]:
    """Run the chosen parts."""
    found: dict[str, Any] = {"ratio": RATIO, **where.described()}
    parts, names = options.parts.split(","), options.names or NAMES
    if "tools" in parts:
        found["tools"] = [tools(name, where, folder) for name in names]
    if "kinds" in parts and "tools" in parts:
        told = ("original", "graphprune-auto", "graphprune-16")
        found["kinds"] = [
            {
                "network": name,
                "models": told,
                "rows": kinds([folder / f"{name}-{each}.onnx" for each in told], where),
            }
            for name in names
        ]
    if "ratios" in parts:
        found["ratios"] = ratios(where, folder)
    if "staircase" in parts:
        found["staircase"] = staircase(where, options.step, options.stairs)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, write `results/speedup.json` and the drawing; 1 where a target is missed."""
    options = _options(arguments)
    if not (child.has_peer("torch-pruning") and child.has_peer("onnxsim")):
        print("error: the other tools are not there\nhint: run `make peers`", file=sys.stderr)
        return 4
    child.keep_to_cores()
    setup = Setup(threads=options.threads, gpu=options.gpu)
    where = Where(options.backend, setup, options.batch, options.half, not options.no_check, options.rounds)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            found = run(options, where, Path(scratch))
    except GraphpruneError as error:
        print(f"error: {error.what}\nhint: {error.hint}", file=sys.stderr)
        return error.code
    show(found)
    said = missed(found)
    print(*(said or ["all targets are met"]), sep="\n")
    if not options.no_write and set(PARTS) <= set(options.parts.split(",")) and not options.names:
        end = "" if options.backend == "ort:cpu" else f"-{options.backend.replace(':', '-')}"
        results.write(f"speedup{end}", {**found, "missed": said})
        from benchmarks.plots import stairs

        stairs(found["staircase"], results.RESULTS / f"staircase{end}.svg")
    return int(bool(said))


if __name__ == "__main__":
    sys.exit(main())
